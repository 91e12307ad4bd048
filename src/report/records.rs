//! The records of a run: the results of its attempts and cells in full. Those that a journal has are read again when they
//! are asked for, the others are held.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use super::cells::Outline;
use super::fold::{CellSummary, RunSummary};
use crate::event::{AttemptRecord, CellId, CellRecord, Event};
use crate::journal::{JournalError, Reader, RecordReader};

/// Where a record is, in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordOffset(NonZeroU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordLocation {
    /// In the journal of this number, in the line that begins at so many bytes.
    Journal(u16, u64),
    /// At this place among those that are held.
    Held(usize),
}

/// The bit that marks a record that is held.
const HELD: u64 = 1 << 63;

/// The bits below that one are the number of a journal, and the rest a place in it: 256 TiB.
const JOURNAL_SHIFT: u32 = 48;

/// The most journals that a run is of.
pub(super) const MOST_JOURNALS: usize = 1 << (63 - JOURNAL_SHIFT);

impl From<RecordLocation> for RecordOffset {
    fn from(place: RecordLocation) -> RecordOffset {
        let number = match place {
            RecordLocation::Journal(journal, at) => (u64::from(journal) << JOURNAL_SHIFT) | at,
            RecordLocation::Held(place) => HELD | place as u64,
        };
        RecordOffset(NonZeroU64::MIN.saturating_add(number))
    }
}

impl From<RecordOffset> for RecordLocation {
    fn from(RecordOffset(number): RecordOffset) -> RecordLocation {
        let number = number.get() - 1;
        if number & HELD == 0 {
            let at = number & ((1 << JOURNAL_SHIFT) - 1);
            RecordLocation::Journal((number >> JOURNAL_SHIFT) as u16, at)
        } else {
            RecordLocation::Held((number & !HELD) as usize)
        }
    }
}

impl RecordOffset {
    /// The number that it is.
    pub(super) fn number(self) -> u64 {
        self.0.get()
    }

    /// That with this number, which is not 0.
    pub(super) fn of_number(number: u64) -> RecordOffset {
        RecordOffset(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// The number of the journal that has it; `None`: it is held.
    pub(super) fn journal(self) -> Option<usize> {
        match self.into() {
            RecordLocation::Journal(journal, _) => Some(usize::from(journal)),
            RecordLocation::Held(_) => None,
        }
    }

    /// The same record, when the journals of its run stand behind so many others.
    pub(super) fn behind(self, journals: u16) -> RecordOffset {
        match self.into() {
            RecordLocation::Journal(journal, at) => RecordLocation::Journal(journal + journals, at).into(),
            RecordLocation::Held(_) => self,
        }
    }
}

/// A journal, and where the files lie that it names.
#[derive(Clone, Debug)]
pub(super) struct Source {
    journal: Arc<RecordReader>,
    /// What is put before the paths in its records: empty, or with a `/` behind it.
    prefix: Arc<str>,
    /// The id in the first event of the run: of several in one journal, which one.
    run: Arc<str>,
}

impl Source {
    /// A journal whose run's folder is `folder`, relative to that of the whole.
    pub(super) fn new(journal: Arc<RecordReader>, folder: &str) -> Source {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Source { journal, prefix: prefix.into(), run: "".into() }
    }

    /// The same, of the run with this id.
    pub(super) fn called(self, run: &str) -> Source {
        Source { run: run.into(), ..self }
    }
}

/// One of the runs that a run was merged of just now.
#[derive(Clone, Copy, Debug)]
pub struct Part<'r>(&'r Source);

impl Part<'_> {
    /// Its events with their lines, as long as `take` returns no error.
    ///
    /// # Errors
    /// Those of `take`, and of reading.
    pub fn events<E: From<JournalError>>(
        &self,
        mut take: impl FnMut(Event, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut events = self.0.journal.events()?;
        let mut current = String::new();
        while let Some(event) = events.next() {
            let event = event?;
            if let Event::RunStarted { run, .. } = &event {
                current.clone_from(run);
            }
            if *current == *self.0.run {
                take(event, events.line())?;
            }
        }
        Ok(())
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.0.journal.path().parent().unwrap_or(Path::new(""))
    }
}

/// Where the records of a run are.
#[derive(Debug, Default)]
pub(super) struct Records {
    sources: Vec<Source>,
    attempts: Vec<AttemptRecord>,
    cells: Vec<CellRecord>,
}

impl Records {
    /// Those that these journals have, and others. What is told with a place is in the first one.
    pub(super) fn of(sources: Vec<Source>) -> Records {
        Records { sources, ..Records::default() }
    }

    /// The first journal's run has this id.
    pub(super) fn call(&mut self, run: &str) {
        self.sources =
            std::mem::take(&mut self.sources).into_iter().map(|source| source.called(run)).collect();
    }

    /// The runs whose journals these are.
    pub(super) fn parts(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        self.sources.iter().map(Part)
    }

    /// The journals.
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Where in the journal a record is that begins at `at`; `None`: it has to be held.
    fn kept(&self, at: Option<u64>) -> Option<RecordOffset> {
        self.sources.first().and(at).map(|at| RecordLocation::Journal(0, at).into())
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
    readers: Vec<Reader<'r>>,
}

impl<'r> Details<'r> {
    pub(super) fn of(run: &'r RunSummary) -> Details<'r> {
        Details { run, readers: run.records().sources.iter().map(|source| source.journal.reader()).collect() }
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
            RecordLocation::Journal(journal, at) => {
                let mut record = self.readers[usize::from(journal)].attempt(at, cell)?;
                let prefix = &self.run.records().sources[usize::from(journal)].prefix;
                if !prefix.is_empty() {
                    [&mut record.console, &mut record.reproduce]
                        .into_iter()
                        .flatten()
                        .for_each(|path| path.insert_str(0, prefix));
                }
                Ok(record)
            }
            RecordLocation::Held(place) => Ok(self.run.records().attempts[place].clone()),
        }
    }

    fn record(&mut self, place: RecordOffset, cell: &CellId) -> Result<CellRecord, JournalError> {
        match place.into() {
            RecordLocation::Journal(journal, at) => self.readers[usize::from(journal)].cell(at, cell),
            RecordLocation::Held(place) => Ok(self.run.records().cells[place].clone()),
        }
    }
}

#[cfg(test)]
mod tests {
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
            RecordLocation::Journal(0, 0),
            RecordLocation::Journal(0, 1 << 40),
            RecordLocation::Journal(1, 0),
            RecordLocation::Journal(MOST_JOURNALS as u16 - 1, (1 << JOURNAL_SHIFT) - 2),
            RecordLocation::Held(0),
            RecordLocation::Held(1 << 32),
        ] {
            assert_eq!(RecordLocation::from(RecordOffset::from(place)), place);
        }
    }
}
