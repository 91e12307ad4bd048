//! What earlier runs of the same reports folder say of a run's cells. Only the verdicts of their journals are read, of the
//! newest runs and up to a bound: a report must not take longer the more runs a folder has.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::fold::RunSummary;
use crate::journal::{FILE_NAME, RunDir};
use crate::verdict::Verdict;

/// So many earlier runs are looked at.
const RUNS: usize = 20;
/// Bytes of journals that are read for that.
const BYTES: u64 = 256 << 20;
/// How a line begins that holds a verdict.
const CELL: &[u8] = br#"{"event":"cell","#;

/// Results of earlier runs.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Ids of the runs, oldest first.
    runs: Vec<String>,
    /// By the place of a cell in the run, oldest first.
    cells: HashMap<usize, Vec<EarlierResult>>,
}

/// What one earlier run says of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EarlierResult {
    run: u8,
    /// The verdict.
    pub(super) verdict: Verdict,
    /// Whether the suite listed it then.
    pub(super) is_known: bool,
}

/// What is read of a record.
#[derive(Deserialize)]
struct EarlierRecord<'l> {
    #[serde(borrow)]
    test: Cow<'l, str>,
    #[serde(borrow)]
    kernel: Cow<'l, str>,
    verdict: Verdict,
    #[serde(borrow, default)]
    known: Option<Cow<'l, str>>,
}

impl Timeline {
    /// What the runs beside `dir` say that began before it. What cannot be read is left out: a report does not depend on
    /// other runs.
    pub(super) fn of(run: &RunSummary, dir: &RunDir) -> Timeline {
        let mut history = Timeline::default();
        let Some(root) = dir.path().parent() else { return history };
        let mut left = BYTES;
        for (id, bytes) in earlier(root, dir.id()) {
            let Some(rest) = left.checked_sub(bytes) else { break };
            left = rest;
            history.take(run, &root.join(&id).join(FILE_NAME), id);
        }
        let newest = history.runs.len().saturating_sub(1) as u8;
        history.runs.reverse();
        for results in history.cells.values_mut() {
            results.reverse();
            results.iter_mut().for_each(|result| result.run = newest - result.run);
        }
        history
    }

    fn take(&mut self, run: &RunSummary, journal: &Path, id: String) {
        let Ok(file) = File::open(journal) else { return };
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let number = self.runs.len() as u8;
        let mut line = Vec::new();
        let mut any = false;
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if line.starts_with(CELL)
                && let Ok(record) = serde_json::from_slice::<EarlierRecord<'_>>(&line)
                && let Some(cell) = run.find(&record.test, &record.kernel)
            {
                let is_known = record.known.as_deref() == Some("known");
                let result = EarlierResult { run: number, verdict: record.verdict, is_known };
                let results = self.cells.entry(cell.place()).or_default();
                // a cell that ran again counts once, as it ended
                match results.last_mut().filter(|last| last.run == number) {
                    Some(last) => *last = result,
                    None => results.push(result),
                }
                any = true;
            }
            line.clear();
        }
        if any {
            self.runs.push(id);
        }
    }

    /// Results of a cell of the run, oldest first.
    pub(super) fn cell(&self, place: usize) -> &[EarlierResult] {
        self.cells.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The run that a result is of.
    pub(super) fn run(&self, result: EarlierResult) -> &str {
        self.runs.get(usize::from(result.run)).map_or("", String::as_str)
    }
}

/// The ids of the runs before this one with the sizes of their journals, newest first.
fn earlier(root: &Path, before: &str) -> Vec<(String, u64)> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|id| id.as_str() < before)
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let sized = |id: String| {
        let size = std::fs::metadata(root.join(&id).join(FILE_NAME)).ok()?.len();
        Some((id, size))
    };
    ids.into_iter().filter_map(sized).take(RUNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::sample;

    #[test]
    fn earlier_results_stand_in_the_order_of_time() {
        let root = tempfile::tempdir().unwrap();
        let write = |id: &str, lines: &[String]| {
            std::fs::create_dir(root.path().join(id)).unwrap();
            std::fs::write(root.path().join(id).join(FILE_NAME), lines.join("\n")).unwrap();
        };
        let line = |kernel: &str, verdict| {
            serde_json::to_string(&Event::Cell(Box::new(sample::record(
                "block::elevator-switch-race",
                kernel,
                verdict,
            ))))
            .unwrap()
        };
        write("2026-11-18T00-00-00-0001", &[line("6.12.57", Verdict::Bad), line("6.1", Verdict::Bad)]);
        write("2026-11-19T00-00-00-0001", &["no journal".into(), line("5.10", Verdict::Good)]);
        write(
            "2026-11-20T00-00-00-0001",
            &[
                line("6.12.57", Verdict::Lost),
                line("6.12.57", Verdict::Good),
                r#"{"event":"cell","te"#.into(),
            ],
        );
        write("2026-11-22T00-00-00-0001", &[line("6.12.57", Verdict::Other)]);
        std::fs::create_dir(root.path().join("2026-11-01-without-a-journal")).unwrap();
        let run = sample::finished();
        let dir = RunDir::at(&root.path().join("2026-11-21T09-12-33-a1b2"));
        let history = Timeline::of(&run, &dir);
        let told: Vec<_> =
            history.cell(0).iter().map(|result| (history.run(*result), result.verdict)).collect();
        assert_eq!(
            told,
            [("2026-11-18T00-00-00-0001", Verdict::Bad), ("2026-11-20T00-00-00-0001", Verdict::Good)]
        );
        assert_eq!((history.runs.len(), history.cell(1)), (2, &[][..]));
        assert_eq!(Timeline::of(&run, &RunDir::at(Path::new("no/such/run"))).runs.len(), 0);
    }
}
