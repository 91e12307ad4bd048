//! The records of a run: the results of its attempts and cells in full. Those that a journal has are read again when they
//! are asked for, the others are held.

use std::num::NonZeroU64;

use super::cells::Outline;
use super::fold::{CellSummary, RunSummary};
use crate::event::{AttemptRecord, CellId, CellRecord};
use crate::journal::{JournalError, Reader, RecordReader};

/// Where a record is, in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordOffset(NonZeroU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordLocation {
    /// In the journal, in the line that begins at so many bytes.
    Journal(u64),
    /// At this place among those that are held.
    Held(usize),
}

/// The bit that marks a record that is held.
const HELD: u64 = 1 << 63;

impl From<RecordLocation> for RecordOffset {
    fn from(place: RecordLocation) -> RecordOffset {
        let number = match place {
            RecordLocation::Journal(at) => at,
            RecordLocation::Held(place) => HELD | place as u64,
        };
        RecordOffset(NonZeroU64::MIN.saturating_add(number))
    }
}

impl From<RecordOffset> for RecordLocation {
    fn from(RecordOffset(number): RecordOffset) -> RecordLocation {
        let number = number.get() - 1;
        if number & HELD == 0 {
            RecordLocation::Journal(number)
        } else {
            RecordLocation::Held((number & !HELD) as usize)
        }
    }
}

/// Where the records of a run are.
#[derive(Debug, Default)]
pub(super) struct Records {
    journal: Option<RecordReader>,
    attempts: Vec<AttemptRecord>,
    cells: Vec<CellRecord>,
}

impl Records {
    /// Those that this journal has, and others.
    pub(super) fn of(journal: RecordReader) -> Records {
        Records { journal: Some(journal), ..Records::default() }
    }

    /// Where in the journal a record is that begins at `at`; `None`: it has to be held.
    fn kept(&self, at: Option<u64>) -> Option<RecordOffset> {
        self.journal.as_ref().and(at).map(|at| RecordLocation::Journal(at).into())
    }

    /// Remembers an attempt whose line in the journal begins at `at`, if it is there.
    pub(super) fn attempt(&mut self, record: AttemptRecord, at: Option<u64>) -> RecordOffset {
        self.kept(at).unwrap_or_else(|| {
            self.attempts.push(record);
            RecordLocation::Held(self.attempts.len() - 1).into()
        })
    }

    /// Remembers a verdict whose line in the journal begins at `at`, if it is there.
    pub(super) fn cell(&mut self, record: &CellRecord, at: Option<u64>) -> RecordOffset {
        self.kept(at).unwrap_or_else(|| {
            self.cells.push(record.clone());
            RecordLocation::Held(self.cells.len() - 1).into()
        })
    }
}

/// Gives cells of a run with all their records.
#[derive(Debug)]
pub struct Details<'r> {
    run: &'r RunSummary,
    reader: Option<Reader<'r>>,
}

impl<'r> Details<'r> {
    pub(super) fn of(run: &'r RunSummary) -> Details<'r> {
        Details { run, reader: run.records().journal.as_ref().map(RecordReader::reader) }
    }

    /// The cell at this place of the run, which there is.
    ///
    /// # Errors
    /// The journal cannot be read any more.
    pub fn cell(&mut self, place: usize) -> Result<CellSummary, JournalError> {
        let outline: Outline<'r> = self.run.outline(place);
        let id = outline.id();
        let attempts = outline.attempt_records().into_iter().map(|place| self.attempt(place, &id));
        let attempts = attempts.collect::<Result<Vec<_>, _>>()?;
        let record = outline.record().map(|place| self.record(place, &id)).transpose()?;
        let told = record.as_ref().and_then(|record| record.expectation.as_deref());
        let expectation = outline.late_expectation().or(told).cloned();
        Ok(CellSummary {
            expectation,
            id,
            release: outline.release().map(str::to_owned),
            summary: outline.summary().to_owned(),
            record,
            attempts,
        })
    }

    fn attempt(&mut self, place: RecordOffset, cell: &CellId) -> Result<AttemptRecord, JournalError> {
        match place.into() {
            RecordLocation::Journal(at) => self.reader().attempt(at, cell),
            RecordLocation::Held(place) => Ok(self.run.records().attempts[place].clone()),
        }
    }

    fn record(&mut self, place: RecordOffset, cell: &CellId) -> Result<CellRecord, JournalError> {
        match place.into() {
            RecordLocation::Journal(at) => self.reader().cell(at, cell),
            RecordLocation::Held(place) => Ok(self.run.records().cells[place].clone()),
        }
    }

    fn reader(&mut self) -> &mut Reader<'r> {
        self.reader.as_mut().expect("a record is in a journal only where there is one")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::journal::{Journal, RunDir};
    use crate::report::matrix::MatrixStyle;
    use crate::report::summary::summary;
    use crate::report::{ReportError, html, json, junit, kernels::kernels, markdown::markdown, sample};

    /// Every document of a run.
    fn documents(run: &RunSummary) -> Result<Vec<String>, ReportError> {
        let dir = RunDir::at(Path::new("no/such/run"));
        let mut document = Vec::new();
        json::write(run, &mut document)?;
        Ok(vec![
            String::from_utf8(document).expect("UTF-8"),
            junit::junit(run)?,
            html::html(run, &dir)?,
            markdown(run)?,
            kernels(run)?,
            summary(run, dir.path(), MatrixStyle::PLAIN)?,
        ])
    }

    /// A run in `root` whose journal has all events but those that `lost` names by their number.
    fn kept(root: &Path, lost: impl Fn(usize) -> bool) -> (RunDir, Journal, RunSummary) {
        let dir = RunDir::create(root).unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        let mut run = RunSummary::over(journal.lookup().unwrap());
        for (number, event) in sample::events().into_iter().enumerate() {
            let at = if lost(number) { None } else { journal.append(&event).unwrap() };
            run.apply_at(event, at);
        }
        (dir, journal, run)
    }

    #[test]
    fn documents_are_the_same_wherever_the_records_are() {
        let root = tempfile::tempdir().unwrap();
        let held = documents(&sample::finished()).unwrap();
        for lost in [|_| false, |_| true, |n| n % 2 == 0, |n| n % 3 == 0, |n| n > 20] {
            let (_, _, run) = kept(root.path(), lost);
            assert_eq!(documents(&run).unwrap(), held);
        }
        let (dir, journal, _) = kept(root.path(), |_| false);
        drop(journal);
        assert_eq!(documents(&RunSummary::of(&dir).unwrap()).unwrap(), held);
    }

    #[test]
    fn a_journal_that_grows_does_not_change_what_was_read() {
        let root = tempfile::tempdir().unwrap();
        let (dir, journal, _) = kept(root.path(), |_| false);
        let run = RunSummary::of(&dir).unwrap();
        let before = documents(&run).unwrap();
        for event in sample::events() {
            journal.append(&event).unwrap();
        }
        assert_eq!(documents(&run).unwrap(), before);
    }

    #[test]
    fn every_place_has_its_number() {
        for place in [
            RecordLocation::Journal(0),
            RecordLocation::Journal(1 << 40),
            RecordLocation::Held(0),
            RecordLocation::Held(1 << 32),
        ] {
            assert_eq!(RecordLocation::from(RecordOffset::from(place)), place);
        }
    }
}
