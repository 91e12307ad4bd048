//! Reading single records of a journal again, by where their lines begin.
//!
//! Whoever folds a journal need not hold its records: it remembers where they are, and reads those that it wants to
//! show. Lines of a journal never change, so a place stays good while a run goes on.

use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::read::{Events, LINE_LIMIT};
use crate::event::{AttemptRecord, CellId, CellRecord, line};

/// How much is read at once, bytes. The records of a cell are often neighbours.
const WINDOW: usize = 4 << 10;

/// A journal whose records can be read again. It stays the same file when another one takes its name.
#[derive(Debug)]
pub struct RecordReader {
    path: PathBuf,
    file: File,
}

impl RecordReader {
    /// Opens a journal; `path` is the file itself.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<RecordReader, JournalError> {
        let fail = |source| JournalError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        if file.metadata().map_err(fail)?.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        Ok(RecordReader { path: path.to_owned(), file })
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its events from the first one on. There is one position in the file: events that were asked for earlier are not
    /// to be read any more.
    ///
    /// # Errors
    /// The file cannot be read, or the system has no more open files to give.
    pub fn events(&self) -> Result<Events<BufReader<File>>, JournalError> {
        let fail = |source| JournalError::Read { path: self.path.clone(), source };
        let mut file = self.file.try_clone().map_err(fail)?;
        file.rewind().map_err(fail)?;
        Ok(Events::new(&self.path, BufReader::with_capacity(1 << 16, file)))
    }

    /// Reads records. Several may do so at once.
    pub fn reader(&self) -> Reader<'_> {
        Reader { journal: self, window: Vec::new(), start: 0 }
    }
}

/// Reads records of a journal.
#[derive(Debug)]
pub struct Reader<'j> {
    journal: &'j RecordReader,
    /// What was read last, and where in the file it begins.
    window: Vec<u8>,
    start: u64,
}

impl Reader<'_> {
    /// The attempt of `cell` whose line begins at `at` bytes.
    ///
    /// # Errors
    /// The file cannot be read, or something else is there.
    pub fn attempt(&mut self, at: u64, cell: &CellId) -> Result<AttemptRecord, JournalError> {
        match line::attempt(self.line(at)?) {
            Ok((found, record)) if found == *cell => Ok(record),
            _ => Err(self.changed(at)),
        }
    }

    /// The verdict of `cell` whose line begins at `at` bytes.
    ///
    /// # Errors
    /// The file cannot be read, or something else is there.
    pub fn cell(&mut self, at: u64, cell: &CellId) -> Result<CellRecord, JournalError> {
        match line::cell(self.line(at)?) {
            Ok(record) if record.test == cell.test && record.kernel == cell.kernel => Ok(record),
            _ => Err(self.changed(at)),
        }
    }

    /// The line that begins at `at`, without its end.
    fn line(&mut self, at: u64) -> Result<&[u8], JournalError> {
        let mut size = WINDOW;
        let range = loop {
            let from = at.checked_sub(self.start).map(|from| from as usize);
            if let Some(rest) = from.and_then(|from| self.window.get(from..))
                && let Some(length) = memchr::memchr(b'\n', rest)
            {
                let from = self.window.len() - rest.len();
                break from..from + length;
            }
            if size > LINE_LIMIT * 2 {
                return Err(self.changed(at));
            }
            self.fill(at, size)?;
            if self.window.len() < size {
                // the last line may lack its end
                break 0..memchr::memchr(b'\n', &self.window).unwrap_or(self.window.len());
            }
            size *= 4;
        };
        Ok(&self.window[range])
    }

    /// Reads up to `size` bytes from `at` on.
    fn fill(&mut self, at: u64, size: usize) -> Result<(), JournalError> {
        self.window.resize(size, 0);
        self.start = at;
        let mut filled = 0;
        while filled < size {
            match self.journal.file.read_at(&mut self.window[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    self.window.clear();
                    return Err(JournalError::Read { path: self.journal.path.clone(), source });
                }
            }
        }
        self.window.truncate(filled);
        Ok(())
    }

    /// What is there is not what was there before.
    fn changed(&mut self, at: u64) -> JournalError {
        let mut line = 1;
        let mut from = 0;
        while from < at && self.fill(from, WINDOW).is_ok() && !self.window.is_empty() {
            let before = self.window.len().min(usize::try_from(at - from).unwrap_or(usize::MAX));
            line += memchr::memchr_iter(b'\n', &self.window[..before]).count();
            from += self.window.len() as u64;
        }
        JournalError::Changed { path: self.journal.path.clone(), line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::journal::FILE_NAME;
    use crate::report::sample;

    /// A journal of these events, and where their lines begin.
    fn written(dir: &Path, events: &[Event]) -> Vec<u64> {
        let mut text = Vec::new();
        let places = events.iter().map(|event| {
            let at = text.len() as u64;
            serde_json::to_writer(&mut text, event).unwrap();
            text.push(b'\n');
            at
        });
        let places = places.collect();
        std::fs::write(dir.join(FILE_NAME), text).unwrap();
        places
    }

    #[test]
    fn every_record_is_found_again_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut events = sample::events();
        // one that is longer than what is read at once
        if let Some(Event::Attempt { record, .. }) =
            events.iter_mut().find(|e| matches!(e, Event::Attempt { .. }))
        {
            record.program.output = "x".repeat(3 * WINDOW);
        }
        let places = written(dir.path(), &events);
        let journal = RecordReader::open(&dir.path().join(FILE_NAME)).unwrap();
        let mut reader = journal.reader();
        let forwards = events.iter().zip(&places);
        for (event, at) in forwards.clone().chain(forwards.rev()) {
            match event {
                Event::Attempt { cell, record } => assert_eq!(reader.attempt(*at, cell).unwrap(), **record),
                Event::Cell(record) => assert_eq!(reader.cell(*at, &record.id()).unwrap(), **record),
                _ => {}
            }
        }
    }

    #[test]
    fn a_last_record_without_its_newline_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let record = sample::record("a::b", "6.1", crate::verdict::Verdict::Good);
        std::fs::write(&path, serde_json::to_string(&Event::Cell(Box::new(record.clone()))).unwrap())
            .unwrap();
        let journal = RecordReader::open(&path).unwrap();
        assert_eq!(journal.reader().cell(0, &record.id()).unwrap(), record);
    }

    #[test]
    fn another_line_at_the_same_place_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let records =
            ["6.1", "6.2"].map(|kernel| sample::record("a::b", kernel, crate::verdict::Verdict::Good));
        let places = written(dir.path(), &records.clone().map(|record| Event::Cell(Box::new(record))));
        let journal = RecordReader::open(&path).unwrap();
        let said = |reader: &mut Reader<'_>, cell: usize| {
            let error = reader.cell(places[1], &records[cell].id()).unwrap_err();
            error.to_string().replace(dir.path().to_str().unwrap(), "reports/x")
        };
        let text = said(&mut journal.reader(), 0);
        insta::assert_snapshot!(text, @"reports/x/journal.jsonl:2: this line is another one than when the journal was read first; something else changes the file, make the report again once it is done");
        for other in
            ["", "{\"event\":\"notice\",\"text\":\"a\"}\n", &"\n".repeat(500), &"x".repeat(3 * WINDOW)]
        {
            // the same file, so that it is the one that was opened
            std::fs::write(&path, other).unwrap();
            let said = said(&mut journal.reader(), 1);
            assert!(said.starts_with("reports/x/journal.jsonl:"), "{said}");
        }
    }
}
