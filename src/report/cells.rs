//! What is held of every cell of a run: what a matrix, counts and the exit code need, in some hundred bytes. Names are
//! held once, and records stay where they are ([`RecordOffset`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::records::RecordOffset;
use crate::event::{CellId, CellRecord};
use crate::expectation::{Agreement, Expectation, Expected};
use crate::verdict::Verdict;

/// The cells of a run in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Cells {
    names: Names,
    entries: Vec<Entry>,
    /// Places by test and kernel.
    places: HashMap<(Name, Name), u32>,
    /// Attempts of all cells, and for each the one before it of the same cell.
    attempts: Vec<RecordOffset>,
    before: Vec<u32>,
    /// What each of them says by itself.
    said: Vec<Verdict>,
    /// What is expected of cells whose record does not say it.
    late: HashMap<u32, Expectation>,
    /// The packages of kernels.
    packages: HashMap<Name, Name>,
}

/// No text, or no attempt.
const NONE: u32 = u32::MAX;

/// The number of a text.
type Name = u32;

#[derive(Debug, Default)]
struct Names {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
}

#[derive(Debug)]
struct Entry {
    record: Option<RecordOffset>,
    /// What the record says.
    seconds: f64,
    miss_chance: Option<f64>,
    attempts: u32,
    known: Name,
    verdict: Option<Verdict>,
    expected: Option<Expected>,
    test: Name,
    kernel: Name,
    release: Name,
    summary: Name,
    /// Its last attempt.
    last: u32,
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
        let place = self.places.get(&(self.names.find(test)?, self.names.find(kernel)?))?;
        Some(self.at(*place as usize))
    }

    /// A cell that is to run; `release` stays as it was where it is not known. The answer is its place.
    pub(super) fn plan(&mut self, cell: &CellId, release: Option<&str>, summary: &str) -> usize {
        let summary = self.names.number(summary);
        let release = release.map(|release| self.names.number(release));
        let entry = self.entry(&cell.test, &cell.kernel);
        entry.summary = summary;
        entry.release = release.unwrap_or(entry.release);
        let names = (entry.test, entry.kernel);
        self.places[&names] as usize
    }

    /// An attempt that was started.
    pub(super) fn begin(&mut self, cell: &CellId) {
        self.entry(&cell.test, &cell.kernel);
    }

    /// An attempt that ended.
    pub(super) fn attempt(&mut self, cell: &CellId, record: RecordOffset, said: Verdict) {
        let number = small(self.attempts.len());
        self.attempts.push(record);
        self.said.push(said);
        let entry = self.entry(&cell.test, &cell.kernel);
        let before = std::mem::replace(&mut entry.last, number);
        self.before.push(before);
    }

    /// A cell that has its verdict. The answer is how long it took in the verdict that this one replaces, seconds; 0
    /// where there was none.
    pub(super) fn settle(&mut self, record: &CellRecord, place: RecordOffset) -> f64 {
        let release = record.release.as_deref().map(|release| self.names.number(release));
        let known = record.known.as_deref().map_or(NONE, |known| self.names.number(known));
        let entry = self.entry(&record.test, &record.kernel);
        let earlier = if entry.record.is_some() { entry.seconds } else { 0.0 };
        entry.record = Some(place);
        entry.release = release.unwrap_or(entry.release);
        (entry.verdict, entry.known) = (Some(record.verdict), known);
        (entry.seconds, entry.miss_chance) = (record.seconds, record.miss_chance);
        entry.attempts = record.attempts;
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
        self.entry(&cell.test, &cell.kernel).expected = Some(expectation.expected);
        let place = self.names.find(&cell.test).zip(self.names.find(&cell.kernel));
        if let Some(place) = place.and_then(|names| self.places.get(&names)) {
            self.late.insert(*place, expectation);
        }
    }

    /// Takes in a cell of another run, whose journals stand behind so many of this one. There is none of its name yet.
    pub(super) fn adopt(&mut self, cell: Outline<'_>, journals: u16) {
        let (theirs, names) = (cell.entry(), &cell.cells.names);
        let mut name = |number: Name| names.get(number).map_or(NONE, |text| self.names.number(text));
        let (release, summary, known) = (name(theirs.release), name(theirs.summary), name(theirs.known));
        let mut last = NONE;
        for (record, said) in cell.attempt_records().into_iter().zip(cell.attempt_verdicts()) {
            let number = small(self.attempts.len());
            self.attempts.push(record.behind(journals));
            self.said.push(said);
            self.before.push(std::mem::replace(&mut last, number));
        }
        let entry = self.entry(cell.test(), cell.kernel());
        let (test, kernel) = (entry.test, entry.kernel);
        let record = theirs.record.map(|record| record.behind(journals));
        *entry = Entry { record, release, summary, known, test, kernel, last, ..*theirs };
        if let Some(expectation) = cell.late_expectation() {
            let place = self.places[&(test, kernel)];
            self.late.insert(place, expectation.clone());
        }
        if let Some(package) = cell.cells.package(cell.kernel()) {
            let package = self.names.number(package);
            self.packages.entry(kernel).or_insert(package);
        }
    }

    /// The package of a kernel.
    pub(super) fn package(&self, kernel: &str) -> Option<&str> {
        self.names.get(*self.packages.get(&self.names.find(kernel)?)?)
    }

    fn entry(&mut self, test: &str, kernel: &str) -> &mut Entry {
        let (test, kernel) = (self.names.number(test), self.names.number(kernel));
        let next = small(self.entries.len());
        let place = *self.places.entry((test, kernel)).or_insert(next);
        if place == next {
            self.entries.push(Entry {
                record: None,
                seconds: 0.0,
                miss_chance: None,
                attempts: 0,
                known: NONE,
                verdict: None,
                expected: None,
                test,
                kernel,
                release: NONE,
                summary: NONE,
                last: NONE,
            });
        }
        &mut self.entries[place as usize]
    }

    /// The tests in the order of the plan, each with the places of its cells.
    pub(super) fn by_test(&self) -> Vec<(&str, Vec<usize>)> {
        self.grouped(|entry| entry.test)
    }

    /// The kernels in the order of the plan, each with the places of its cells.
    pub(super) fn by_kernel(&self) -> Vec<(&str, Vec<usize>)> {
        self.grouped(|entry| entry.kernel)
    }

    fn grouped(&self, by: impl Fn(&Entry) -> Name) -> Vec<(&str, Vec<usize>)> {
        let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut group_of: HashMap<Name, usize> = HashMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let name = by(entry);
            let group = *group_of.entry(name).or_insert_with(|| {
                groups.push((self.names.text(name), Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(place);
        }
        groups
    }
}

/// A number of cells or attempts, of which a run has fewer than 2³².
fn small(number: usize) -> u32 {
    u32::try_from(number).ok().filter(|number| *number != NONE).expect("fewer than 2^32 cells and attempts")
}

impl Names {
    fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    fn number(&mut self, text: &str) -> Name {
        self.find(text).unwrap_or_else(|| {
            let (number, text) = (small(self.texts.len()), Arc::from(text));
            self.texts.push(Arc::clone(&text));
            self.numbers.insert(text, number);
            number
        })
    }

    fn text(&self, name: Name) -> &str {
        self.get(name).unwrap_or_default()
    }

    fn get(&self, name: Name) -> Option<&str> {
        self.texts.get(name as usize).map(|text| &**text)
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
        self.cells.names.text(self.entry().test)
    }

    /// The kernel's name.
    pub fn kernel(self) -> &'r str {
        self.cells.names.text(self.entry().kernel)
    }

    /// Which one.
    pub fn id(self) -> CellId {
        CellId { test: self.test().to_owned(), kernel: self.kernel().to_owned() }
    }

    /// `uname -r` of the kernel, where it is known.
    pub fn release(self) -> Option<&'r str> {
        self.cells.names.get(self.entry().release)
    }

    /// The test's one-line summary.
    pub fn summary(self) -> &'r str {
        self.cells.names.text(self.entry().summary)
    }

    /// The verdict; absent: the cell was not run to its end.
    pub fn verdict(self) -> Option<Verdict> {
        self.entry().verdict
    }

    /// What the suite's `known` list says of the result: `known` or `fixed`.
    pub fn known(self) -> Option<&'r str> {
        self.cells.names.get(self.entry().known)
    }

    /// Attempts that its verdict took, retries included; 0 without a verdict.
    pub fn attempts(self) -> u32 {
        self.entry().attempts
    }

    /// Wall time of all attempts, seconds; 0 without a verdict.
    pub fn seconds(self) -> f64 {
        self.entry().seconds
    }

    /// The chance that the bug is there and was missed, where it is known.
    pub fn miss_chance(self) -> Option<f64> {
        self.entry().miss_chance
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
        self.entry().record
    }

    /// What each attempt that ended says by itself, in order.
    pub fn attempt_verdicts(self) -> Vec<Verdict> {
        self.each_attempt(&self.cells.said)
    }

    /// Where the records of its attempts are, in order.
    pub(super) fn attempt_records(self) -> Vec<RecordOffset> {
        self.each_attempt(&self.cells.attempts)
    }

    fn each_attempt<T: Copy>(self, of: &[T]) -> Vec<T> {
        let mut next = self.entry().last;
        let mut found = Vec::new();
        while next != NONE {
            found.push(of[next as usize]);
            next = self.cells.before[next as usize];
        }
        found.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_takes_little() {
        // a run may have a million of them
        assert!(size_of::<Entry>() <= 64, "{}", size_of::<Entry>());
    }
}
