//! Events to the result of a run.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::cells::{CellPlaces, Cells, Outline};
use super::history::History;
use super::merge::{self, Overlap};
use super::records::{Details, Part, Records, Source};
use super::rerun::Again;
use crate::event::{AttemptRecord, CellId, CellRecord, Counts, Diagnosis, Event, Split, TestAbout};
use crate::expectation::{Agreement, Expectation};
use crate::journal::{JournalError, RecordReader, RunDir};
use crate::verdict::Verdict;
use crate::version::{KernelVersion, Upstream};

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunEnd {
    /// Its last event is missing: the runner was killed.
    #[default]
    Killed,
    /// Its last event is missing because it still goes on. Events alone cannot tell; who knows that the journal is
    /// being written sets it ([`RunDir::is_running`](crate::journal::RunDir::is_running)).
    Running,
    /// The user or a limit such as `--max-fail` ended it before every cell was run.
    Cancelled,
    /// It ended by itself.
    Finished,
}

impl RunEnd {
    /// The word in machine-readable output.
    pub fn word(self) -> &'static str {
        match self {
            RunEnd::Killed => "killed",
            RunEnd::Running => "running",
            RunEnd::Cancelled => "cancelled",
            RunEnd::Finished => "finished",
        }
    }

    /// Why a planned cell has no verdict, as a sentence of a report.
    pub fn why_not_run(self) -> &'static str {
        match self {
            RunEnd::Killed => "not run: the runner was killed before this cell had a verdict",
            RunEnd::Running => "not run yet: the run still goes on",
            RunEnd::Cancelled => "not run: the run was ended before this cell had a verdict",
            RunEnd::Finished => "not run: the run finished without a verdict for this cell",
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
    /// As which user QEMU ran, or why as root, where the run was root's.
    pub user: Option<String>,
}

/// One planned cell and what became of it, with all its records.
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
    /// What the kernel's history lets one expect, where anything.
    pub expectation: Option<Expectation>,
}

impl CellSummary {
    /// The test's suite and its name in there.
    pub fn suite_and_test(&self) -> (&str, &str) {
        self.id.test.split_once("::").unwrap_or(("", &self.id.test))
    }

    /// The verdict, where there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        self.record.as_ref().map(|record| record.verdict)
    }

    /// What the suite's `known` list says of the result: `known` or `fixed`.
    pub fn known(&self) -> Option<&str> {
        self.record.as_ref()?.known.as_deref()
    }

    /// Whether the verdict is as expected, and why: `EXPECTED: …`; `None` where nothing was expected that it agrees with or
    /// not.
    pub fn beside_expected(&self) -> Option<String> {
        self.expectation.as_ref()?.beside(self.verdict()?)
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

/// The result of a run.
///
/// Of its cells only outlines are held ([`Outline`]), so that a run may have a million of them. Their records are read
/// again when they are asked for ([`RunSummary::details`]); those of events that are in no journal are held.
#[derive(Debug, Default)]
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
    /// What the user should know that belongs to no cell.
    pub notices: Vec<String>,
    /// Whether it is a bisection, whose cells are candidates.
    pub is_bisection: bool,
    /// Whether it is one of a queue of patches, whose cells are kernels with a part of it.
    pub is_queue: bool,
    /// How it ended.
    pub ended: RunEnd,
    /// Wall time, seconds; of a killed run the time of its finished cells one after the other.
    pub seconds: f64,
    /// The part of a larger plan that it is, and the runs that it was merged of.
    pub split: Split,
    /// Cells that several of the runs judged that it was merged of just now.
    pub overlaps: Vec<Overlap>,
    /// What earlier runs saw of its failures, where they were asked.
    pub history: History,
    /// The cells that the first event announced. More than there are when the runner was killed while it planned.
    pub(super) announced: u64,
    pub(super) cells: Cells,
    pub(super) records: Records,
    /// Attempts that ended, and of them those whose guest came up.
    pub(super) attempts: u64,
    pub(super) came_up: u64,
    /// What suites say of tests.
    pub(super) abouts: HashMap<String, TestAbout>,
    /// What runs cells again.
    pub(super) again: Again,
}

impl RunSummary {
    /// A run whose records are in this journal, as far as [`RunSummary::apply_at`] says where.
    pub fn over(journal: RecordReader) -> RunSummary {
        RunSummary::of_source(Source::new(Arc::new(journal), ""))
    }

    fn of_source(source: Source) -> RunSummary {
        RunSummary { records: Records::of(vec![source]), ..RunSummary::default() }
    }

    /// Reads the result of a run from its journal. One that several runs were put together in is read as those runs merged.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before its last one is damaged.
    pub fn of(run: &RunDir) -> Result<RunSummary, JournalError> {
        let mut parts = RunSummary::parts_of(run, "")?;
        match parts.len() {
            1 => Ok(parts.remove(0).with_holes()),
            _ => Ok(RunSummary { id: run.id().to_owned(), ..merge::merged(parts).with_holes() }),
        }
    }

    /// The runs whose events are in the journal of this folder, which is `folder` relative to that of the whole: one, or
    /// several if somebody put their journals together.
    ///
    /// # Errors
    /// As [`RunSummary::of`].
    pub(super) fn parts_of(run: &RunDir, folder: &str) -> Result<Vec<RunSummary>, JournalError> {
        let journal = Arc::new(RecordReader::open(&run.journal())?);
        let source = Source::new(Arc::clone(&journal), folder);
        let mut events = journal.events()?;
        let mut parts = Vec::new();
        let mut summary = RunSummary::of_source(source.clone());
        while let Some(event) = events.next() {
            let event = event?;
            if let Event::RunStarted { run, .. } = &event
                && !summary.id.is_empty()
                && summary.id != *run
            {
                parts.push(std::mem::replace(&mut summary, RunSummary::of_source(source.clone())));
            }
            if let Event::RunStarted { run, .. } = &event {
                summary.records.call(run);
            }
            summary.apply_at(event, Some(events.began()));
        }
        if summary.id.is_empty() {
            // Killed before its first event was kept.
            summary.id = run.id().to_owned();
        }
        if summary.ended == RunEnd::Killed && run.is_running() {
            summary.ended = RunEnd::Running;
        }
        parts.push(summary);
        Ok(parts)
    }

    /// Takes in the next event, which is in no journal.
    pub fn apply(&mut self, event: Event) {
        self.apply_at(event, None);
    }

    /// Takes in the next event, whose line in the journal of this run begins at `at` bytes, if it is there.
    pub fn apply_at(&mut self, event: Event, at: Option<u64>) {
        match event {
            Event::RunStarted { schema: _, run, kregress, at, command, cells, split } => {
                self.id = run;
                self.kregress = kregress;
                self.started.get_or_insert(at);
                self.command = command;
                self.split = split;
                self.announced = self.announced.max(cells);
                // A resumed run ends anew.
                self.ended = RunEnd::Killed;
            }
            Event::Host { qemu, accel, accel_reason, cpus, memory_mib, user } => {
                self.host = Some(HostInfo { qemu, accel, accel_reason, cpus, memory_mib, user });
            }
            Event::Planned { cell, release, summary, expectation, about, select, options } => {
                let place = self.cells.plan(&cell, release.as_deref(), &summary);
                self.again.plan(place, &cell.kernel, select, options);
                if let Some(about) = about {
                    self.abouts.insert(cell.test.clone(), *about);
                }
                if let Some(expectation) = expectation {
                    self.cells.expect(&cell, *expectation);
                }
            }
            Event::AttemptStarted { cell, attempt: _, of: _ } => self.cells.begin(&cell),
            Event::Attempt { cell, record } => {
                self.attempts += 1;
                self.came_up += u64::from(record.boot_seconds.is_some());
                let said = record.verdict;
                let place = self.records.attempt(*record, at);
                self.cells.attempt(&cell, place, said);
            }
            Event::Cell(record) => {
                let seconds = record.seconds;
                let earlier = self.cells.settle(&record, self.records.cell(&record, at));
                if self.ended == RunEnd::Killed {
                    self.seconds += seconds - earlier;
                }
            }
            Event::Notice { text } => self.notices.push(text),
            Event::RunFinished { at: _, seconds, cancelled, counts: _ } => {
                self.ended = if cancelled { RunEnd::Cancelled } else { RunEnd::Finished };
                self.seconds = seconds;
            }
            Event::Phase { .. } | Event::Slow { .. } => {}
            // the result of a bisection is a fold of its own
            Event::Bisection(_) => self.is_bisection = true,
            Event::Queue(_) => self.is_queue = true,
            Event::Earlier { .. }
            | Event::CandidateReady { .. }
            | Event::CandidateClosed { .. }
            | Event::BisectionStep { .. }
            | Event::BisectionEnded { .. } => {}
        }
    }

    /// What its suite says of a test, where the journal has it.
    pub fn about(&self, test: &str) -> Option<&TestAbout> {
        self.abouts.get(test)
    }

    /// How many cells were planned.
    pub fn planned(&self) -> u64 {
        self.announced.max(self.cells.len() as u64)
    }

    /// Cells that were announced and never named, because the runner was killed while it planned.
    pub fn unnamed(&self) -> u64 {
        self.planned() - self.cells.len() as u64
    }

    /// Verdicts and cells without one, counted from the cells themselves.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in self.cells().filter_map(Outline::verdict) {
            counts.add(verdict);
        }
        counts.not_run = self.planned() - counts.finished();
        counts
    }

    /// How many of the `bad` cells the suites list as known, and how many of the `good` ones as known to be bad.
    pub fn known_and_fixed(&self) -> (u64, u64) {
        let listed = |verdict, word: &str| {
            let of = |cell: &Outline<'_>| cell.verdict() == Some(verdict) && cell.known() == Some(word);
            self.cells().filter(of).count() as u64
        };
        (listed(Verdict::Bad, "known"), listed(Verdict::Good, "fixed"))
    }

    /// Whether there were attempts, and the guest of none of them came up.
    pub fn no_guest_came_up(&self) -> bool {
        self.attempts > 0 && self.came_up == 0
    }

    /// The cells in the order of the plan.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Outline<'_>> + Clone {
        (0..self.cells.len()).map(|place| self.cells.at(place))
    }

    /// The cells in the order of reports that list them: those that are bad although they should be good stand first, as nothing
    /// in a run says more.
    pub fn cells_to_tell(&self) -> impl Iterator<Item = Outline<'_>> + Clone {
        let first = self.unexpectedly_bad();
        first.chain(self.cells().filter(|cell| !cell.is_unexpectedly_bad()))
    }

    /// The cells that are bad on a kernel that has the fix, or lacks what brought the bug.
    pub fn unexpectedly_bad(&self) -> impl Iterator<Item = Outline<'_>> + Clone {
        self.cells().filter(|cell| cell.is_unexpectedly_bad())
    }

    /// How many verdicts are as the kernels' histories let one expect, and how many are not.
    pub fn agreements(&self) -> (u64, u64) {
        let count = |wanted| self.cells().filter(|cell| cell.agreement() == Some(wanted)).count() as u64;
        (count(Agreement::Expected), count(Agreement::Unexpected))
    }

    /// The package of a kernel, with its revision, where it is known.
    pub fn package(&self, kernel: &str) -> Option<&str> {
        self.cells.package(kernel)
    }

    /// Kernels with their packages, where several have one upstream version and differ in the revision alone.
    pub fn packages_to_tell(&self) -> Vec<(&str, &str)> {
        let upstream = |package: &str| KernelVersion::from_debian(package).ok().map(|v| v.upstream());
        let packages: Vec<(&str, &str)> =
            self.kernels().into_iter().filter_map(|kernel| Some((kernel, self.package(kernel)?))).collect();
        // a run may have thousands of kernels: each package's version is read once
        let versions: HashMap<&str, Upstream> =
            packages.iter().filter_map(|(_, package)| Some((*package, upstream(package)?))).collect();
        let mut revisions: HashMap<Upstream, usize> = HashMap::new();
        versions.values().for_each(|version| *revisions.entry(*version).or_default() += 1);
        let is_shared = |(_, package): &&(&str, &str)| {
            versions.get(package).is_some_and(|version| revisions[version] > 1)
        };
        packages.iter().filter(is_shared).copied().collect()
    }

    /// The cell at this place of the plan, which there is.
    pub fn outline(&self, place: usize) -> Outline<'_> {
        self.cells.at(place)
    }

    /// The cell of a test on a kernel, where it was planned.
    pub fn find(&self, test: &str, kernel: &str) -> Option<Outline<'_>> {
        self.cells.find(test, kernel)
    }

    /// Gives cells with all their records. Several may ask at once.
    pub fn details(&self) -> Details<'_> {
        Details::of(self)
    }

    /// The kernels of the run in the order of the plan.
    pub fn kernels(&self) -> Vec<&str> {
        self.cells.kernels().collect()
    }

    /// The places of each kernel's cells, kernels and cells in the order of the plan.
    pub(super) fn cells_by_kernel(&self) -> Vec<(&str, CellPlaces)> {
        self.cells.by_kernel()
    }

    /// The places of each test's cells, tests and cells in the order of the plan.
    pub(super) fn cells_by_test(&self) -> Vec<(&str, CellPlaces)> {
        self.cells.by_test()
    }

    /// The tests of the run in the order of the plan.
    pub fn tests(&self) -> Vec<&str> {
        self.cells.tests().collect()
    }

    /// The runs whose journals it was read from, the earliest first.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        self.records.parts()
    }

    /// The number of the part that has the records of a cell; `None` where it has none.
    pub fn part_of(&self, cell: Outline<'_>) -> Option<usize> {
        cell.record().or_else(|| cell.attempt_records().pop()).and_then(|record| record.journal())
    }

    pub(super) fn records(&self) -> &Records {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn cells_stand_in_the_order_of_the_plan() {
        let run = sample::finished();
        let cells: Vec<String> = run.cells().map(|cell| cell.id().to_string()).collect();
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
        assert_eq!(run.ended, RunEnd::Finished);
        assert_eq!(run.seconds, 42.3);
    }

    #[test]
    fn a_planned_cell_without_a_verdict_is_not_run() {
        for keep in 0..=sample::events().len() {
            let run = sample::fold(sample::events().into_iter().take(keep));
            let counts = run.counts();
            assert_eq!(counts.finished() + counts.not_run, run.planned(), "after {keep} events");
            assert_eq!(run.planned(), if keep == 0 { 0 } else { 9 });
            assert_eq!(run.ended == RunEnd::Finished, keep == sample::events().len());
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
        let cell = sample::cell(&run, "block::elevator-switch-race", "6.17.13");
        assert_eq!(cell.deciding_diagnosis().unwrap().kind, "NULL-POINTER-DEREFERENCE");
        let leak = sample::cell(&run, "cifs::fsconfig-source-leak", "6.12.57");
        assert!(leak.deciding_attempt().is_some() && leak.deciding_diagnosis().is_none());
    }
}
