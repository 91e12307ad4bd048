//! What is held of every cell of a run: what a matrix, counts and the exit code need, in some forty bytes. Names are
//! held once, and records stay where they are ([`RecordOffset`]).

mod names;
mod places;
mod seen;

use std::collections::HashMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use self::names::{NONE, Name, Names, Pair, Pairs, small};
pub use self::places::CellPlaces;
use self::seen::{Attempt, Judgement, Seen};
use super::records::RecordOffset;
use crate::event::{CellId, CellRecord};
use crate::expectation::{Agreement, Expectation, Expected};
use crate::verdict::Verdict;

/// The cells of a run in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Cells {
    names: Names,
    /// Tests with their summaries.
    tests: Pairs,
    /// Kernels with their releases: one has several where tests want several images of it.
    kernels: Pairs,
    entries: Vec<Entry>,
    index: Index,
    /// Verdicts and the attempts that led to them.
    seen: Seen,
    /// Attempts that ended since their cell's last verdict, by the cell's place.
    open: HashMap<u32, Vec<Attempt>>,
    /// What is expected of cells whose record does not say it.
    late: HashMap<u32, Expectation>,
    /// The packages of kernels.
    packages: HashMap<Name, Name>,
}

/// Places of cells by test and kernel, which stand in the cells alone.
#[derive(Debug, Default)]
struct Index {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Entry {
    test: Pair,
    kernel: Pair,
    /// Where its last verdict and its attempts are.
    seen: u32,
    verdict: Option<Verdict>,
    expected: Option<Expected>,
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
        let place = self.place_of((self.names.find(test)?, self.names.find(kernel)?))?;
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
        let known = record.known.as_deref().map_or(NONE, |known| self.names.number(known));
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
            let (kernel, package) = (self.names.number(&record.kernel), self.names.number(package));
            self.packages.insert(kernel, package);
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
            let known = cell.known().map_or(NONE, |known| self.names.number(known));
            self.judge(place, &Judgement { record: judgement.record.behind(journals), known, ..judgement });
        }
        let entry = &mut self.entries[place as usize];
        (entry.verdict, entry.expected) = (cell.entry().verdict, cell.entry().expected);
        if let Some(expectation) = cell.late_expectation() {
            self.late.insert(place, expectation.clone());
        }
        if let Some(package) = cell.cells.package(cell.kernel()) {
            let (kernel, package) = (self.names.number(cell.kernel()), self.names.number(package));
            self.packages.entry(kernel).or_insert(package);
        }
    }

    /// The package of a kernel.
    pub(super) fn package(&self, kernel: &str) -> Option<&str> {
        self.names.get(*self.packages.get(&self.names.find(kernel)?)?)
    }

    /// Puts a verdict behind the attempts that led to it.
    fn judge(&mut self, place: u32, judgement: &Judgement) {
        let attempts = self.open.remove(&place).unwrap_or_default();
        let entry = &mut self.entries[place as usize];
        entry.seen = self.seen.put(judgement, &attempts, entry.seen);
    }

    /// Says more of a cell; what is absent stays as it was.
    fn describe(&mut self, place: u32, release: Option<&str>, summary: Option<&str>) {
        let entry = &mut self.entries[place as usize];
        if let Some(release) = release {
            let (kernel, _) = self.kernels.get(entry.kernel);
            entry.kernel = self.kernels.number((kernel, self.names.number(release)));
        }
        if let Some(summary) = summary {
            let (test, _) = self.tests.get(entry.test);
            entry.test = self.tests.number((test, self.names.number(summary)));
        }
    }

    /// The names of the test and the kernel of a cell.
    fn key(&self, place: u32) -> (Name, Name) {
        let entry = &self.entries[place as usize];
        (self.tests.get(entry.test).0, self.kernels.get(entry.kernel).0)
    }

    fn place_of(&self, key: (Name, Name)) -> Option<u32> {
        let hash = self.index.hasher.hash_one(key);
        self.index.table.find(hash, |place| self.key(*place) == key).copied()
    }

    /// The place of a cell, which is made where it is not there yet.
    fn place(&mut self, test: &str, kernel: &str) -> u32 {
        let key = (self.names.number(test), self.names.number(kernel));
        if let Some(place) = self.place_of(key) {
            return place;
        }
        let place = small(self.entries.len());
        let (test, kernel) = (self.tests.number((key.0, NONE)), self.kernels.number((key.1, NONE)));
        self.entries.push(Entry { test, kernel, seen: NONE, verdict: None, expected: None });
        let mut table = std::mem::take(&mut self.index.table);
        let hasher = &self.index.hasher;
        table.insert_unique(hasher.hash_one(key), place, |place| hasher.hash_one(self.key(*place)));
        self.index.table = table;
        place
    }

    /// The tests in the order of the plan, each with the places of its cells.
    pub(super) fn by_test(&self) -> Vec<(&str, CellPlaces)> {
        self.grouped(|(test, _)| test)
    }

    /// The kernels in the order of the plan, each with the places of its cells.
    pub(super) fn by_kernel(&self) -> Vec<(&str, CellPlaces)> {
        self.grouped(|(_, kernel)| kernel)
    }

    fn grouped(&self, by: impl Fn((Name, Name)) -> Name) -> Vec<(&str, CellPlaces)> {
        let names = || (0..small(self.entries.len())).map(|place| (place, by(self.key(place))));
        // counted first, so that no group takes more room than it needs
        let mut sizes: Vec<(Name, usize)> = Vec::new();
        let mut group_of: HashMap<Name, usize> = HashMap::new();
        for (_, name) in names() {
            let group = *group_of.entry(name).or_insert_with(|| {
                sizes.push((name, 0));
                sizes.len() - 1
            });
            sizes[group].1 += 1;
        }
        let empty = sizes.into_iter();
        let mut groups: Vec<_> =
            empty.map(|(name, size)| (self.names.text(name), CellPlaces::with_capacity(size))).collect();
        for (place, name) in names() {
            groups[group_of[&name]].1.push(place);
        }
        groups
    }
}

impl<'r> Outline<'r> {
    fn entry(self) -> &'r Entry {
        &self.cells.entries[self.place]
    }

    /// Where it is among the cells of its run, from 0.
    pub fn place(self) -> usize {
        self.place
    }

    /// `suite::test`.
    pub fn test(self) -> &'r str {
        self.cells.names.text(self.cells.tests.get(self.entry().test).0)
    }

    /// The kernel's name.
    pub fn kernel(self) -> &'r str {
        self.cells.names.text(self.cells.kernels.get(self.entry().kernel).0)
    }

    /// Which one.
    pub fn id(self) -> CellId {
        CellId { test: self.test().to_owned(), kernel: self.kernel().to_owned() }
    }

    /// `uname -r` of the kernel, where it is known.
    pub fn release(self) -> Option<&'r str> {
        self.cells.names.get(self.cells.kernels.get(self.entry().kernel).1)
    }

    /// The test's one-line summary.
    pub fn summary(self) -> &'r str {
        self.cells.names.text(self.cells.tests.get(self.entry().test).1)
    }

    /// The verdict; absent: the cell was not run to its end.
    pub fn verdict(self) -> Option<Verdict> {
        self.entry().verdict
    }

    /// What the suite's `known` list says of the result: `known` or `fixed`.
    pub fn known(self) -> Option<&'r str> {
        self.cells.names.get(self.judgement()?.known)
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
        assert!(size_of::<Entry>() <= 16, "{}", size_of::<Entry>());
    }
}
