//! What came of each part of a plan, and which of them run again: what the infrastructure lost does, what found a bug does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::journal::RunDir;
use crate::report::{ExitStatus, ReportError, RunSummary};
use crate::verdict::Verdict;

/// One start of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which part, from 1.
    pub part: u32,
    /// How often the queue had started it again before, in this round.
    pub restart: u32,
    /// Its folder of runs.
    pub folder: PathBuf,
    /// The exit code that it left; none: it was killed.
    pub code: Option<u8>,
}

/// The starts of a round, each part's in their order. Folders are called `PART.RESTART`, as the script has it.
pub fn starts(round: &Path) -> Vec<Start> {
    let entries = fs::read_dir(round).into_iter().flatten().flatten();
    let mut starts: Vec<Start> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (part, restart) = name.split_once('.')?;
            let (part, restart) = (part.parse().ok()?, restart.parse().ok()?);
            let folder = entry.path();
            let code = fs::read_to_string(round.join(format!("{name}.exit"))).ok();
            let code = code.and_then(|text| text.trim().parse().ok());
            folder.is_dir().then_some(Start { part, restart, folder, code })
        })
        .collect();
    starts.sort_by_key(|start| (start.part, start.restart));
    starts
}

/// What is to be done about a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of its cells have a verdict that counts.
    Done,
    /// These cells were lost; the run that has the others is at this place.
    Again(Option<PathBuf>),
}

/// What came of a part, by its last start; `None`: the queue never started it.
///
/// # Errors
/// Its journal cannot be read.
pub fn fate(last: Option<&Start>) -> Result<Fate, ReportError> {
    let Some(start) = last else { return Ok(Fate::Again(None)) };
    // nothing for this part: more parts than cells
    if start.code == Some(ExitStatus::NothingToRun.code()) {
        return Ok(Fate::Done);
    }
    // whatever its exit code was: without a run nothing was judged
    let Some(dir) = RunDir::all(&start.folder).pop() else { return Ok(Fate::Again(None)) };
    let run = RunSummary::of(&dir)?;
    if run.unnamed() > 0 {
        // killed while it planned: what it would have run is not known
        return Ok(Fate::Again(None));
    }
    let lost = |verdict: Option<Verdict>| matches!(verdict, None | Some(Verdict::Lost));
    match run.cells().any(|cell| lost(cell.verdict())) {
        true => Ok(Fate::Again(Some(dir.path().to_owned()))),
        false => Ok(Fate::Done),
    }
}

/// The parts that run again, with the runs that they go on from.
///
/// # Errors
/// As [`fate`].
pub fn again(round: &Path, parts: &BTreeSet<u32>) -> Result<Vec<(u32, Option<PathBuf>)>, ReportError> {
    let starts = starts(round);
    let mut again = Vec::new();
    for &part in parts {
        let last = starts.iter().rev().find(|start| start.part == part);
        if let Fate::Again(run) = fate(last)? {
            again.push((part, run));
        }
    }
    Ok(again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::journal::Journal;
    use crate::report::sample;

    fn start(folder: &Path, name: &str, code: Option<u8>, events: &[Event]) -> Option<PathBuf> {
        let reports = folder.join(name);
        fs::create_dir_all(&reports).unwrap();
        if let Some(code) = code {
            fs::write(folder.join(format!("{name}.exit")), format!("{code}\n")).unwrap();
        }
        if events.is_empty() {
            return None;
        }
        let dir = RunDir::create(&reports).unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        for event in events {
            journal.append(event).unwrap();
        }
        Some(dir.path().to_owned())
    }

    #[test]
    fn what_was_lost_runs_again_and_what_found_a_bug_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let round = folder.path();
        let whole: Vec<Event> = sample::events();
        let is_end = |event: &&Event| matches!(event, Event::Cell(record) if record.verdict == Verdict::Lost);
        let judged: Vec<Event> = whole.iter().filter(|event| !is_end(event)).cloned().collect();
        let cells = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Cell(_))).count();
        assert!(cells(&judged) > 0);
        start(round, "1.0", None, &[]);
        let second = start(round, "2.0", None, &whole[..whole.len() / 2]);
        start(round, "3.0", Some(4), &[]);
        start(round, "4.0", Some(0), &[]);
        start(round, "5.0", None, &whole[..3]);
        let later = start(round, "5.1", Some(130), &whole[..whole.len() / 2]);
        let parts = BTreeSet::from([1, 2, 3, 4, 5, 6]);
        let again = again(round, &parts).unwrap();
        assert_eq!(again, [(1, None), (2, second), (4, None), (5, later), (6, None)]);
    }
}
