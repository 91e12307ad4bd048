//! How many different defects stand behind the failing cells: attempts that crashed alike are put together.

use serde::Serialize;

use super::cells::CellPlaces;
use super::fold::RunSummary;
use crate::event::AttemptRecord;
use crate::journal::JournalError;
use crate::oops::{Report, same_defect, stable_title};
use crate::plural::counted;
use crate::verdict::Verdict;

/// What several attempts, of one cell or of many, have in common.
#[derive(Clone, Debug)]
pub(super) struct Defect {
    /// The title of its first appearance.
    pub(super) title: String,
    /// Other titles that were taken for the same defect, in order of appearance.
    pub(super) also: Vec<String>,
    /// The class of the crash; absent where the title is no crash report's, for example a leak's.
    pub(super) kind: Option<String>,
    /// Places of the cells in the run, in the order of the plan.
    pub(super) cells: CellPlaces,
    /// Attempts that showed it.
    pub(super) attempts: usize,
    /// The console of the first of them, relative to the run's folder.
    pub(super) console: Option<String>,
    /// The line of its crash report in there, from 1.
    pub(super) line: Option<usize>,
    /// What others are compared with.
    likeness: Fingerprint,
}

#[derive(Clone, Debug)]
enum Fingerprint {
    Crash(Box<Report>),
    /// A title that no crash report has says something only of its own test.
    Symptom {
        test: String,
        title: String,
    },
}

/// The defects of a run, those of most cells first, else in the order of the plan.
///
/// # Errors
/// The journal cannot be read any more.
pub(super) fn defects(run: &RunSummary) -> Result<Vec<Defect>, JournalError> {
    let mut found: Vec<Defect> = Vec::new();
    let mut details = run.details();
    for outline in run.cells() {
        if !matches!(outline.verdict(), Some(Verdict::Bad | Verdict::Other)) {
            continue;
        }
        let cell = details.cell(outline.place())?;
        for attempt in &cell.attempts {
            if let (Verdict::Bad | Verdict::Other, Some(title)) = (attempt.verdict, &attempt.title) {
                add(&mut found, outline.place(), &cell.id.test, attempt, title);
            }
        }
    }
    found.sort_by_cached_key(|defect| std::cmp::Reverse(defect.cells.len()));
    Ok(found)
}

/// How many cells the defects are in.
pub(super) fn cells_of(defects: &[Defect]) -> usize {
    let mut is_in = Vec::new();
    for place in defects.iter().flat_map(|defect| defect.cells.iter()) {
        if is_in.len() <= place {
            is_in.resize(place + 1, false);
        }
        is_in[place] = true;
    }
    is_in.into_iter().filter(|is_in| *is_in).count()
}

/// `12 cells, 3 distinct crashes`; absent where a single cell failed, which says it all.
pub(super) fn headline(defects: &[Defect]) -> Option<String> {
    let cells = cells_of(defects);
    if cells < 2 {
        return None;
    }
    let noun = if defects.iter().all(|defect| defect.kind.is_some()) { "crash" } else { "defect" };
    Some(format!("{}, {}", counted(cells, "cell"), counted(defects.len(), &format!("distinct {noun}"))))
}

fn add(found: &mut Vec<Defect>, place: usize, test: &str, attempt: &AttemptRecord, title: &str) {
    let diagnosis = attempt.diagnoses.iter().find(|diagnosis| diagnosis.title == title);
    let likeness = match diagnosis {
        Some(diagnosis) => Fingerprint::Crash(Box::new(diagnosis.report())),
        None => Fingerprint::Symptom { test: test.to_owned(), title: stable_title(title) },
    };
    if let Some(defect) = found.iter_mut().find(|defect| defect.likeness.is(&likeness)) {
        let told = title == defect.title || defect.also.iter().any(|also| also == title);
        if !told && defect.kind.is_some() {
            defect.also.push(title.to_owned());
        }
        if defect.cells.last() != Some(place) {
            defect.cells.push(place as u32);
        }
        defect.attempts += 1;
        return;
    }
    let mut cells = CellPlaces::default();
    cells.push(place as u32);
    found.push(Defect {
        title: title.to_owned(),
        also: Vec::new(),
        kind: diagnosis.map(|diagnosis| diagnosis.kind.clone()),
        cells,
        attempts: 1,
        console: attempt.console.clone(),
        line: diagnosis.map(|diagnosis| diagnosis.line),
        likeness,
    });
}

impl Fingerprint {
    fn is(&self, other: &Fingerprint) -> bool {
        match (self, other) {
            (Fingerprint::Crash(a), Fingerprint::Crash(b)) => same_defect(a, b).is_same(),
            (Fingerprint::Symptom { test: a, title: x }, Fingerprint::Symptom { test: b, title: y }) => {
                a == b && x == y
            }
            _ => false,
        }
    }
}

/// The form of a defect in the JSON document.
#[derive(Serialize)]
pub(super) struct DefectRecord<'r> {
    title: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    also: Vec<String>,
    attempts: usize,
    cells: Vec<CellName<'r>>,
    /// The console of its first appearance, relative to the run's folder, and the line of the report in it.
    console: Option<String>,
    line: Option<usize>,
}

#[derive(Serialize)]
struct CellName<'r> {
    test: &'r str,
    kernel: &'r str,
}

/// The defects for the JSON document.
///
/// # Errors
/// The journal cannot be read any more.
pub(super) fn records(run: &RunSummary) -> Result<Vec<DefectRecord<'_>>, JournalError> {
    let cell = |place: usize| {
        let cell = run.outline(place);
        CellName { test: cell.test(), kernel: cell.kernel() }
    };
    let record = |defect: Defect| DefectRecord {
        title: defect.title,
        kind: defect.kind,
        attempts: defect.attempts,
        cells: defect.cells.iter().map(cell).collect(),
        console: defect.console,
        line: defect.line,
        also: defect.also,
    };
    Ok(defects(run)?.into_iter().map(record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn shown(run: &RunSummary) -> String {
        let defects = defects(run).unwrap();
        let mut text = format!("{:?}\n", headline(&defects));
        for defect in &defects {
            let cells: Vec<String> =
                defect.cells.iter().map(|place| run.outline(place).id().to_string()).collect();
            text.push_str(&format!(
                "{} {:?} also {:?}, {} attempts, {}\n",
                defect.title,
                defect.kind,
                defect.also,
                defect.attempts,
                cells.join(" ")
            ));
        }
        text
    }

    #[test]
    fn cells_that_crash_alike_are_one_defect() {
        insta::assert_snapshot!(shown(&sample::crashing()), @r#"
        Some("3 cells, 2 distinct crashes")
        general protection fault in elevator_switch Some("DoS") also ["KASAN: slab-use-after-free Read in elevator_switch"], 5 attempts, block::elevator-switch-race@6.12.57 block::elevator-switch-race@6.17.13 ext4::mmap-writeback-failure@7.2.13
        general protection fault in ext4_map_blocks Some("DoS") also [], 1 attempts, block::elevator-switch-race@6.12.57
        "#);
    }

    #[test]
    fn symptoms_without_a_crash_stay_with_their_test() {
        insta::assert_snapshot!(shown(&sample::finished()), @r#"
        Some("3 cells, 3 distinct defects")
        BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request Some("NULL-POINTER-DEREFERENCE") also [], 1 attempts, block::elevator-switch-race@6.17.13
        leak of 20000 objects in kmalloc-192 None also [], 1 attempts, cifs::fsconfig-source-leak@6.12.57
        WARNING in ext4_iomap_begin Some("WARNING") also [], 1 attempts, ext4::mmap-writeback-failure@6.17.13
        "#);
        assert!(headline(&defects(&RunSummary::default()).unwrap()).is_none());
    }

    #[test]
    fn the_json_form() {
        let run = sample::crashing();
        let records = serde_json::to_string_pretty(&records(&run).unwrap()[1]).unwrap();
        insta::assert_snapshot!(records, @r#"
        {
          "title": "general protection fault in ext4_map_blocks",
          "type": "DoS",
          "also": [],
          "attempts": 1,
          "cells": [
            {
              "test": "block::elevator-switch-race",
              "kernel": "6.12.57"
            }
          ],
          "console": "attempts/block__elevator-switch-race@6.12.57/1/console.log",
          "line": 300
        }
        "#);
    }
}
