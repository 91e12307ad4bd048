//! What is held of every cell of a run: what a matrix, counts and the exit code need, in some twenty bytes. Names are
//! held once, and records stay where they are ([`RecordOffset`]).

mod names;
mod places;
mod rows;
mod seen;
mod usual;

use std::collections::HashMap;

use self::names::{NONE, Name, Names};
pub use self::places::CellPlaces;
use self::rows::Rows;
use self::seen::{Attempt, Judgement, Seen};
use self::usual::Usual;
use super::records::RecordOffset;
use crate::event::{CellId, CellRecord};
use crate::expectation::{Agreement, Expectation, Expected};
use crate::verdict::Verdict;

/// The cells of a run in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// In the order of the plan.
    tests: Names,
    /// As well.
    kernels: Names,
    /// What else is said of cells.
    texts: Names,
    rows: Rows,
    entries: Vec<Entry>,
    /// Of tests.
    summaries: Usual,
    /// Of kernels: one has several where tests want several images of it.
    releases: Usual,
    /// Verdicts and the attempts that led to them.
    seen: Seen,
    /// Attempts that ended since their cell's last verdict, by the cell's place.
    open: HashMap<u32, Vec<Attempt>>,
    /// What is expected of cells whose record does not say it.
    late: HashMap<u32, Expectation>,
    /// The packages of kernels.
    packages: HashMap<Name, Name>,
}

#[derive(Debug)]
struct Entry {
    /// Where its last verdict and its attempts are.
    seen: u32,
    verdict: Option<Verdict>,
    expected: Option<Expected>,
    /// Whether its summary and its release are the usual ones of its test and of its kernel; not where nothing was said.
    has_usual_summary: bool,
    has_usual_release: bool,
}

/// What is held of one cell.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'r> {
    cells: &'r Cells,
    place: usize,
}

impl Cells {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The cell at this place, which there is.
    pub(super) fn at(&self, place: usize) -> Outline<'_> {
        Outline { cells: self, place }
    }

    /// The cell of a test on a kernel.
    pub(super) fn find(&self, test: &str, kernel: &str) -> Option<Outline<'_>> {
        let place = self.rows.find((self.tests.find(test)?, self.kernels.find(kernel)?))?;
        Some(self.at(place as usize))
    }

    /// A cell that is to run; `release` stays as it was where it is not known. The answer is its place.
    pub(super) fn plan(&mut self, cell: &CellId, release: Option<&str>, summary: &str) -> usize {
        let place = self.place(&cell.test, &cell.kernel);
        self.describe(place, release, Some(summary));
        place as usize
    }

    /// An attempt that was started.
    pub(super) fn begin(&mut self, cell: &CellId) {
        self.place(&cell.test, &cell.kernel);
    }

    /// An attempt that ended.
    pub(super) fn attempt(&mut self, cell: &CellId, record: RecordOffset, said: Verdict) {
        let place = self.place(&cell.test, &cell.kernel);
        self.open.entry(place).or_default().push((record, said));
    }

    /// A cell that has its verdict. The answer is how long it took in the verdict that this one replaces, seconds; 0
    /// where there was none.
    pub(super) fn settle(&mut self, record: &CellRecord, at: RecordOffset) -> f64 {
        let place = self.place(&record.test, &record.kernel);
        self.describe(place, record.release.as_deref(), None);
        let known = record.known.as_deref().map_or(NONE, |known| self.texts.number(known));
        let (seconds, miss_chance) = (record.seconds, record.miss_chance);
        let judgement = Judgement { record: at, seconds, miss_chance, attempts: record.attempts, known };
        let earlier = self.at(place as usize).seconds();
        self.judge(place, &judgement);
        let entry = &mut self.entries[place as usize];
        entry.verdict = Some(record.verdict);
        if let Some(expectation) = &record.expectation {
            entry.expected = Some(expectation.expected);
        }
        if let Some(package) = &record.package {
            let (_, kernel) = self.rows.at(place);
            self.packages.insert(kernel, self.texts.number(package));
        }
        earlier
    }

    /// What is expected of a cell, apart from its record.
    pub(super) fn expect(&mut self, cell: &CellId, expectation: Expectation) {
        let place = self.place(&cell.test, &cell.kernel);
        self.entries[place as usize].expected = Some(expectation.expected);
        self.late.insert(place, expectation);
    }

    /// Takes in a cell of another run, whose journals stand behind so many of this one. There is none of its name yet.
    pub(super) fn adopt(&mut self, cell: Outline<'_>, journals: u16) {
        let place = self.place(cell.test(), cell.kernel());
        self.describe(place, cell.release(), Some(cell.summary()));
        let attempts = cell.attempts_made().into_iter();
        let attempts: Vec<Attempt> = attempts.map(|(record, said)| (record.behind(journals), said)).collect();
        if !attempts.is_empty() {
            self.open.insert(place, attempts);
        }
        if let Some(judgement) = cell.judgement() {
            let known = cell.known().map_or(NONE, |known| self.texts.number(known));
            self.judge(place, &Judgement { record: judgement.record.behind(journals), known, ..judgement });
        }
        let entry = &mut self.entries[place as usize];
        (entry.verdict, entry.expected) = (cell.entry().verdict, cell.entry().expected);
        if let Some(expectation) = cell.late_expectation() {
            self.late.insert(place, expectation.clone());
        }
        if let Some(package) = cell.cells.package(cell.kernel()) {
            let (_, kernel) = self.rows.at(place);
            let package = self.texts.number(package);
            self.packages.entry(kernel).or_insert(package);
        }
    }

    /// The package of a kernel.
    pub(super) fn package(&self, kernel: &str) -> Option<&str> {
        self.texts.get(*self.packages.get(&self.kernels.find(kernel)?)?)
    }

    /// Puts a verdict behind the attempts that led to it.
    fn judge(&mut self, place: u32, judgement: &Judgement) {
        let attempts = self.open.remove(&place).unwrap_or_default();
        let entry = &mut self.entries[place as usize];
        entry.seen = self.seen.put(judgement, &attempts, entry.seen);
    }

    /// Says more of a cell; what is absent stays as it was.
    fn describe(&mut self, place: u32, release: Option<&str>, summary: Option<&str>) {
        let (test, kernel) = self.rows.at(place);
        let entry = &mut self.entries[place as usize];
        if let Some(release) = release {
            let release = self.texts.number(release);
            entry.has_usual_release = self.releases.say(kernel, place, release);
        }
        if let Some(summary) = summary {
            let summary = self.texts.number(summary);
            entry.has_usual_summary = self.summaries.say(test, place, summary);
        }
    }

    /// The place of a cell, which is made where it is not there yet.
    fn place(&mut self, test: &str, kernel: &str) -> u32 {
        let cell = (self.tests.number(test), self.kernels.number(kernel));
        self.rows.find(cell).unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.rows.push(cell)
        })
    }

    /// The tests in the order of the plan.
    pub(super) fn tests(&self) -> impl Iterator<Item = &str> {
        self.tests.iter()
    }

    /// The kernels in the order of the plan.
    pub(super) fn kernels(&self) -> impl Iterator<Item = &str> {
        self.kernels.iter()
    }

    /// The tests in the order of the plan, each with the places of its cells.
    pub(super) fn by_test(&self) -> Vec<(&str, CellPlaces)> {
        self.grouped(&self.tests, |(test, _)| test)
    }

    /// The kernels in the order of the plan, each with the places of its cells.
    pub(super) fn by_kernel(&self) -> Vec<(&str, CellPlaces)> {
        self.grouped(&self.kernels, |(_, kernel)| kernel)
    }

    fn grouped<'c>(
        &'c self,
        names: &'c Names,
        by: impl Fn((Name, Name)) -> Name,
    ) -> Vec<(&'c str, CellPlaces)> {
        let mut groups: Vec<_> = names.iter().map(|name| (name, CellPlaces::default())).collect();
        for (place, cell) in (0..).zip(self.rows.iter()) {
            groups[by(cell) as usize].1.push(place);
        }
        groups
    }
}

impl Default for Entry {
    fn default() -> Entry {
        let (verdict, expected) = (None, None);
        Entry { seen: NONE, verdict, expected, has_usual_summary: false, has_usual_release: false }
    }
}

impl<'r> Outline<'r> {
    fn entry(self) -> &'r Entry {
        &self.cells.entries[self.place]
    }

    /// The numbers of its test and its kernel.
    fn names(self) -> (Name, Name) {
        self.cells.rows.at(self.place as u32)
    }

    /// Where it is among the cells of its run, from 0.
    pub fn place(self) -> usize {
        self.place
    }

    /// `suite::test`.
    pub fn test(self) -> &'r str {
        self.cells.tests.text(self.names().0)
    }

    /// The kernel's name.
    pub fn kernel(self) -> &'r str {
        self.cells.kernels.text(self.names().1)
    }

    /// Which one.
    pub fn id(self) -> CellId {
        CellId { test: self.test().to_owned(), kernel: self.kernel().to_owned() }
    }

    /// `uname -r` of the kernel, where it is known.
    pub fn release(self) -> Option<&'r str> {
        let (_, kernel) = self.names();
        let is_usual = self.entry().has_usual_release;
        self.cells.texts.get(self.cells.releases.of(kernel, self.place as u32, is_usual))
    }

    /// The test's one-line summary.
    pub fn summary(self) -> &'r str {
        let (test, _) = self.names();
        let is_usual = self.entry().has_usual_summary;
        self.cells.texts.text(self.cells.summaries.of(test, self.place as u32, is_usual))
    }

    /// The verdict; absent: the cell was not run to its end.
    pub fn verdict(self) -> Option<Verdict> {
        self.entry().verdict
    }

    /// What the suite's `known` list says of the result: `known` or `fixed`.
    pub fn known(self) -> Option<&'r str> {
        self.cells.texts.get(self.judgement()?.known)
    }

    /// Attempts that its verdict took, retries included; 0 without a verdict.
    pub fn attempts(self) -> u32 {
        self.judgement().map_or(0, |judgement| judgement.attempts)
    }

    /// Wall time of all attempts, seconds; 0 without a verdict.
    pub fn seconds(self) -> f64 {
        self.judgement().map_or(0.0, |judgement| judgement.seconds)
    }

    /// The chance that the bug is there and was missed, where it is known.
    pub fn miss_chance(self) -> Option<f64> {
        self.judgement()?.miss_chance
    }

    /// How the verdict is to what was expected of it.
    pub fn agreement(self) -> Option<Agreement> {
        self.entry().expected?.agreement(self.verdict()?)
    }

    /// Whether the bug was seen on a kernel that should not have it.
    pub fn is_unexpectedly_bad(self) -> bool {
        self.verdict() == Some(Verdict::Bad) && self.agreement() == Some(Agreement::Unexpected)
    }

    /// What is expected of it apart from its record.
    pub(super) fn late_expectation(self) -> Option<&'r Expectation> {
        self.cells.late.get(&(self.place as u32))
    }

    /// Where the record of its verdict is.
    pub(super) fn record(self) -> Option<RecordOffset> {
        Some(self.judgement()?.record)
    }

    /// What each attempt that ended says by itself, in order.
    pub fn attempt_verdicts(self) -> Vec<Verdict> {
        self.attempts_made().into_iter().map(|(_, said)| said).collect()
    }

    /// Where the records of its attempts are, in order.
    pub(super) fn attempt_records(self) -> Vec<RecordOffset> {
        self.attempts_made().into_iter().map(|(record, _)| record).collect()
    }

    fn judgement(self) -> Option<Judgement> {
        let seen = self.entry().seen;
        (seen != NONE).then(|| self.cells.seen.judgement(seen))
    }

    fn attempts_made(self) -> Vec<Attempt> {
        let seen = self.entry().seen;
        let mut attempts = if seen == NONE { Vec::new() } else { self.cells.seen.attempts(seen) };
        attempts.extend(self.cells.open.get(&(self.place as u32)).into_iter().flatten());
        attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_takes_little() {
        // a run may have a million of them
        assert!(size_of::<Entry>() <= 8, "{}", size_of::<Entry>());
    }
}
