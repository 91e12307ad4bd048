//! Events to what the run came to.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::event::{AttemptRecord, CellId, CellRecord, Counts, Diagnosis, Event};
use crate::journal::{JournalError, RunDir, read};
use crate::verdict::Verdict;

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// Its last event is missing: the runner was killed.
    #[default]
    Killed,
    /// Its last event is missing because it still goes on. Events alone cannot tell; who knows that the journal is
    /// being written sets it ([`RunDir::is_running`](crate::journal::RunDir::is_running)).
    Running,
    /// The user or a limit such as `--max-fail` ended it before every cell was run.
    Cancelled,
    /// It came to its end.
    Finished,
}

impl Ended {
    /// The word in machine-readable output.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Killed => "killed",
            Ended::Running => "running",
            Ended::Cancelled => "cancelled",
            Ended::Finished => "finished",
        }
    }

    /// Why a planned cell has no verdict, as a sentence of a report.
    pub fn why_not_run(self) -> &'static str {
        match self {
            Ended::Killed => "not run: the runner was killed before this cell had a verdict",
            Ended::Running => "not run yet: the run still goes on",
            Ended::Cancelled => "not run: the run was ended before this cell had a verdict",
            Ended::Finished => "not run: the run finished without a verdict for this cell",
        }
    }
}

/// The machine that the virtual machines ran on.
#[derive(Clone, Debug, PartialEq)]
pub struct HostInfo {
    /// QEMU's version.
    pub qemu: String,
    /// `kvm` or `tcg`.
    pub accel: String,
    /// Why that one.
    pub accel_reason: String,
    /// Processors.
    pub cpus: u32,
    /// Memory that was free at the start, MiB.
    pub memory_mib: u64,
}

/// One planned cell and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CellSummary {
    /// Which one.
    pub id: CellId,
    /// `uname -r` of the kernel, where it is known.
    pub release: Option<String>,
    /// The test's one-line summary.
    pub summary: String,
    /// The verdict and its record; absent: the cell was not run to its end.
    pub record: Option<CellRecord>,
    /// The attempts that ended, in order.
    pub attempts: Vec<AttemptRecord>,
    /// The attempts that were started.
    pub started: u32,
}

impl CellSummary {
    fn new(id: CellId) -> CellSummary {
        CellSummary {
            id,
            release: None,
            summary: String::new(),
            record: None,
            attempts: Vec::new(),
            started: 0,
        }
    }

    /// The test's suite and its name in there.
    pub fn suite_and_test(&self) -> (&str, &str) {
        self.id.test.split_once("::").unwrap_or(("", &self.id.test))
    }

    /// The verdict, where there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        self.record.as_ref().map(|record| record.verdict)
    }

    /// The attempt that the verdict rests on: the first one that says the same as the cell, with the same title where
    /// the cell has one; for a cell without a verdict the last one.
    pub fn deciding_attempt(&self) -> Option<&AttemptRecord> {
        let Some(record) = &self.record else { return self.attempts.last() };
        let same = |attempt: &&AttemptRecord| attempt.verdict == record.verdict;
        let titled = |attempt: &&AttemptRecord| same(attempt) && attempt.title == record.title;
        self.attempts.iter().find(titled).or_else(|| self.attempts.iter().find(same)).or(self.attempts.last())
    }

    /// The crash report that the title of the cell comes from; absent where the title comes from elsewhere, for
    /// example from a leak.
    pub fn deciding_diagnosis(&self) -> Option<&Diagnosis> {
        let title = self.record.as_ref()?.title.as_ref()?;
        self.deciding_attempt()?.diagnoses.iter().find(|diagnosis| diagnosis.title == *title)
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSummary {
    /// The run's id; empty when the journal has no first event.
    pub id: String,
    /// The version of the program that ran it.
    pub kregress: String,
    /// When it started.
    pub started: Option<Timestamp>,
    /// The command line.
    pub command: Vec<String>,
    /// What the virtual machines ran on.
    pub host: Option<HostInfo>,
    /// The cells in the order of the plan.
    pub cells: Vec<CellSummary>,
    /// What the user should know that belongs to no cell.
    pub notices: Vec<String>,
    /// How it ended.
    pub ended: Ended,
    /// Wall time, seconds; of a killed run the time of its finished cells one after the other.
    pub seconds: f64,
    /// The cells that the first event announced. Larger than `cells` when the runner was killed while it planned.
    announced: u64,
    index: HashMap<CellId, usize>,
}

impl RunSummary {
    /// Folds events that can fail to be read.
    ///
    /// # Errors
    /// The first failure of `events`.
    pub fn try_fold<E>(events: impl IntoIterator<Item = Result<Event, E>>) -> Result<RunSummary, E> {
        let mut summary = RunSummary::default();
        for event in events {
            summary.apply(event?);
        }
        Ok(summary)
    }

    /// Reads what a run came to from its journal.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before its last one is damaged.
    pub fn of(run: &RunDir) -> Result<RunSummary, JournalError> {
        let mut summary = RunSummary::try_fold(read(&run.journal())?)?;
        if summary.id.is_empty() {
            // Killed before its first event was kept.
            summary.id = run.id().to_owned();
        }
        if summary.ended == Ended::Killed && run.is_running() {
            summary.ended = Ended::Running;
        }
        Ok(summary)
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::RunStarted { schema: _, run, kregress, at, command, cells } => {
                self.id = run;
                self.kregress = kregress;
                self.started.get_or_insert(at);
                self.command = command;
                self.announced = self.announced.max(cells);
                // A resumed run ends anew.
                self.ended = Ended::Killed;
            }
            Event::Host { qemu, accel, accel_reason, cpus, memory_mib } => {
                self.host = Some(HostInfo { qemu, accel, accel_reason, cpus, memory_mib });
            }
            Event::Planned { cell, release, summary } => {
                let cell = self.cell(cell);
                cell.summary = summary;
                cell.release = release.or(cell.release.take());
            }
            Event::AttemptStarted { cell, attempt: _, of: _ } => self.cell(cell).started += 1,
            Event::Attempt { cell, record } => {
                // most cells have few attempts, and a run may have a million cells
                let attempts = &mut self.cell(cell).attempts;
                if attempts.len() == attempts.capacity() {
                    attempts.reserve_exact((attempts.len() / 2).max(1));
                }
                attempts.push(*record);
            }
            Event::Cell(record) => {
                let killed = self.ended == Ended::Killed;
                let cell = self.cell(record.id());
                cell.release = record.release.clone().or(cell.release.take());
                let seconds = record.seconds;
                let earlier = cell.record.replace(*record).map_or(0.0, |earlier| earlier.seconds);
                if killed {
                    self.seconds += seconds - earlier;
                }
            }
            Event::Notice { text } => self.notices.push(text),
            Event::RunFinished { at: _, seconds, cancelled, counts: _ } => {
                self.ended = if cancelled { Ended::Cancelled } else { Ended::Finished };
                self.seconds = seconds;
            }
            Event::Phase { .. } | Event::Slow { .. } => {}
            // what a bisection comes to is a fold of its own
            Event::Bisection(_)
            | Event::Earlier { .. }
            | Event::CandidateReady { .. }
            | Event::CandidateClosed { .. }
            | Event::BisectionStep { .. }
            | Event::BisectionEnded { .. } => {}
        }
    }

    /// How many cells were planned.
    pub fn planned(&self) -> u64 {
        self.announced.max(self.cells.len() as u64)
    }

    /// Verdicts and cells without one, counted from the cells themselves.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in self.cells.iter().filter_map(CellSummary::verdict) {
            counts.add(verdict);
        }
        counts.not_run = self.planned() - counts.finished();
        counts
    }

    /// How many of the `bad` cells the suites list as known, and how many of the `good` ones as known to be bad.
    pub fn known_and_fixed(&self) -> (u64, u64) {
        let listed = |verdict, word: &str| {
            let records = self.cells.iter().filter_map(|cell| cell.record.as_ref());
            records.filter(|r| r.verdict == verdict && r.known.as_deref() == Some(word)).count() as u64
        };
        (listed(Verdict::Bad, "known"), listed(Verdict::Good, "fixed"))
    }

    /// The kernels of the run in the order of the plan.
    pub fn kernels(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.id.kernel.as_str()))
    }

    /// The cells of each kernel, kernels and cells in the order of the plan.
    pub fn cells_by_kernel(&self) -> Vec<(&str, Vec<&CellSummary>)> {
        grouped(self.cells.iter().map(|cell| (cell.id.kernel.as_str(), cell)))
    }

    /// The places in `cells` of each test's cells, tests and cells in the order of the plan.
    pub(super) fn cells_by_test(&self) -> Vec<(&str, Vec<usize>)> {
        grouped(self.cells.iter().enumerate().map(|(place, cell)| (cell.id.test.as_str(), place)))
    }

    /// The tests of the run in the order of the plan.
    pub fn tests(&self) -> Vec<&str> {
        distinct(self.cells.iter().map(|cell| cell.id.test.as_str()))
    }

    /// The cell of a test on a kernel, where it was planned.
    pub fn find(&self, test: &str, kernel: &str) -> Option<&CellSummary> {
        self.place(test, kernel).map(|place| &self.cells[place])
    }

    /// Where in `cells` a cell is.
    pub(super) fn place(&self, test: &str, kernel: &str) -> Option<usize> {
        self.index.get(&CellId { test: test.to_owned(), kernel: kernel.to_owned() }).copied()
    }

    fn cell(&mut self, id: CellId) -> &mut CellSummary {
        let at = *self.index.entry(id).or_insert_with_key(|id| {
            self.cells.push(CellSummary::new(id.clone()));
            self.cells.len() - 1
        });
        &mut self.cells[at]
    }
}

/// What belongs to each name, in the order in which the names came first.
fn grouped<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, Vec<T>)> {
    let mut groups: Vec<(&str, Vec<T>)> = Vec::new();
    let mut places = HashMap::new();
    for (name, item) in items {
        let place = *places.entry(name).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(item);
    }
    groups
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn cells_stand_in_the_order_of_the_plan() {
        let run = sample::finished();
        let cells: Vec<String> = run.cells.iter().map(|cell| cell.id.to_string()).collect();
        assert_eq!(
            cells[..3],
            [
                "block::elevator-switch-race@6.12.57",
                "block::elevator-switch-race@6.17.13",
                "block::elevator-switch-race@7.2.13"
            ]
        );
        assert_eq!(run.kernels(), ["6.12.57", "6.17.13", "7.2.13"]);
        assert_eq!(run.tests().len(), 3);
        assert_eq!(run.ended, Ended::Finished);
        assert_eq!(run.seconds, 42.3);
    }

    #[test]
    fn a_planned_cell_without_a_verdict_is_not_run() {
        for keep in 0..=sample::events().len() {
            let run = sample::fold(sample::events().into_iter().take(keep));
            let counts = run.counts();
            assert_eq!(counts.finished() + counts.not_run, run.planned(), "after {keep} events");
            assert_eq!(run.planned(), if keep == 0 { 0 } else { 9 });
            assert_eq!(run.ended == Ended::Finished, keep == sample::events().len());
        }
    }

    #[test]
    fn counts_agree_with_those_of_the_runner() {
        let Some(Event::RunFinished { counts, .. }) = sample::events().pop() else { panic!() };
        assert_eq!(sample::finished().counts(), counts);
    }

    #[test]
    fn a_cell_that_ran_again_counts_once() {
        let record = |verdict, seconds| {
            Event::Cell(Box::new(CellRecord { verdict, seconds, ..sample::record("a::b", "6.1", verdict) }))
        };
        let run = sample::fold([record(Verdict::Lost, 4.0), record(Verdict::Good, 1.5)]);
        assert_eq!(run.counts(), Counts { good: 1, ..Counts::default() });
        assert_eq!(run.seconds, 1.5);
    }

    #[test]
    fn the_diagnosis_of_the_title_is_found() {
        let run = sample::finished();
        let cell = run.find("block::elevator-switch-race", "6.17.13").unwrap();
        assert_eq!(cell.deciding_diagnosis().unwrap().kind, "NULL-POINTER-DEREFERENCE");
        let leak = run.find("cifs::fsconfig-source-leak", "6.12.57").unwrap();
        assert!(leak.deciding_attempt().is_some() && leak.deciding_diagnosis().is_none());
    }
}
