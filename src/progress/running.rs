//! Which attempts are running, and what has come out so far.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::event::{AttemptRecord, CellId, Counts, Event};
use crate::observation::Phase;
use crate::verdict::Verdict;

/// A change of the view that an event brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// An attempt of the cell ended without settling it, and another one starts: worth a line of its own.
    Retried(CellId, Box<AttemptRecord>),
    /// The cell needs its line no more.
    Cell(CellId),
}

/// One running attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// The most attempts of its cell, retries not included.
    pub of: u32,
    /// How far it is.
    pub phase: Phase,
}

/// The state of the view, kept apart from how it is drawn.
#[derive(Debug, Default)]
pub struct Running {
    attempts: HashMap<CellId, Attempt>,
    unsettled: HashMap<CellId, Box<AttemptRecord>>,
    counts: Counts,
    known: u64,
    planned: u64,
    /// What was counted of each cell, by its hash: a cell that is judged again counts once.
    told: HashMap<u64, (Verdict, bool)>,
}

impl Running {
    /// Takes in the next event and tells what it ends.
    pub fn apply(&mut self, event: &Event) -> Option<Finished> {
        match event {
            Event::RunStarted { cells, .. } => self.planned = *cells,
            Event::AttemptStarted { cell, attempt, of } => {
                let started = Attempt { attempt: *attempt, of: *of, phase: Phase::Prepare };
                self.attempts.insert(cell.clone(), started);
                return self.unsettled.remove(cell).map(|record| Finished::Retried(cell.clone(), record));
            }
            Event::Phase { cell, attempt, phase } => {
                if let Some(running) = self.attempts.get_mut(cell).filter(|a| a.attempt == *attempt) {
                    running.phase = *phase;
                }
            }
            // A clean attempt before another one is how a dose of several goes; it is not worth a line.
            Event::Attempt { cell, record } if !matches!(record.verdict, Verdict::Good | Verdict::Bad) => {
                self.unsettled.insert(cell.clone(), record.clone());
            }
            Event::Cell(record) => {
                let cell = record.id();
                let is_known = record.verdict == Verdict::Bad && record.known.as_deref() == Some("known");
                let key = self.told.hasher().hash_one((&cell.test, &cell.kernel));
                if let Some((verdict, was_known)) = self.told.insert(key, (record.verdict, is_known)) {
                    self.counts.remove(verdict);
                    self.known -= u64::from(was_known);
                }
                self.counts.add(record.verdict);
                self.known += u64::from(is_known);
                self.unsettled.remove(&cell);
                self.attempts.remove(&cell);
                return Some(Finished::Cell(cell));
            }
            _ => {}
        }
        None
    }

    /// The running attempt of a cell.
    pub fn attempt(&self, cell: &CellId) -> Option<Attempt> {
        self.attempts.get(cell).copied()
    }

    /// Cells that have a verdict.
    pub fn finished(&self) -> u64 {
        self.counts.finished()
    }

    /// Cells of the run; never fewer than those that have a verdict.
    pub fn planned(&self) -> u64 {
        self.planned.max(self.finished())
    }

    /// `2 running, 3 bad (1 known), 4 good`: what stands behind the bar.
    pub fn tally(&self) -> String {
        let mut parts = vec![format!("{} running", self.attempts.len())];
        parts.extend(tally(&self.counts, self.known, 0));
        parts.join(", ")
    }
}

/// The counts that are not zero, in words; `known` of the bad cells and `fixed` of the good ones are said so.
pub(crate) fn tally(counts: &Counts, known: u64, fixed: u64) -> Vec<String> {
    let numbers = [
        (counts.bad, "bad", known, "known"),
        (counts.good, "good", fixed, "fixed"),
        (counts.other, "other", 0, ""),
        (counts.skip, "skip", 0, ""),
        (counts.blind, "blind", 0, ""),
        (counts.lost, "lost", 0, ""),
        (counts.not_run, "not run", 0, ""),
    ];
    let shown = numbers.into_iter().filter(|(n, ..)| *n > 0);
    shown
        .map(
            |(n, word, part, part_word)| {
                if part > 0 { format!("{n} {word} ({part} {part_word})") } else { format!("{n} {word}") }
            },
        )
        .collect()
}

/// How long the run will still take, seconds, when the cells to come take as long as those before; absent while
/// nothing is finished.
pub fn remaining(elapsed: f64, finished: u64, planned: u64) -> Option<f64> {
    (finished > 0).then(|| elapsed * planned.saturating_sub(finished) as f64 / finished as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_view_follows_the_events() {
        let mut running = Running::default();
        let mut retried = 0;
        for event in sample::events() {
            if let Some(Finished::Retried(cell, record)) = running.apply(&event) {
                assert_eq!(
                    (cell.kernel.as_str(), record.verdict, record.attempt),
                    ("6.12.57", Verdict::Lost, 1)
                );
                retried += 1;
            }
        }
        assert_eq!(retried, 1, "only the lost attempt is worth a line");
        assert_eq!((running.finished(), running.planned()), (8, 9));
        insta::assert_snapshot!(running.tally(), @"1 running, 2 bad (1 known), 2 good, 1 other, 1 skip, 1 blind, 1 lost");
    }

    #[test]
    fn a_late_phase_of_an_earlier_attempt_is_passed_over() {
        let cell = CellId { test: "a::b".into(), kernel: "6.1".into() };
        let mut running = Running::default();
        running.apply(&Event::AttemptStarted { cell: cell.clone(), attempt: 2, of: 3 });
        running.apply(&Event::Phase { cell: cell.clone(), attempt: 1, phase: Phase::Stop });
        assert_eq!(running.attempt(&cell).unwrap().phase, Phase::Prepare);
        running.apply(&Event::Phase { cell: cell.clone(), attempt: 2, phase: Phase::Dose });
        assert_eq!(running.attempt(&cell), Some(Attempt { attempt: 2, of: 3, phase: Phase::Dose }));
    }

    #[test]
    fn the_rest_is_estimated_from_what_is_done() {
        assert_eq!(remaining(10.0, 0, 4), None);
        assert_eq!(remaining(10.0, 1, 4), Some(30.0));
        assert_eq!(remaining(10.0, 5, 4), Some(0.0));
    }
}
