//! Reading events back, one line at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{JournalError, RecordReader};
use crate::event::{Event, SCHEMA, line};

/// The longest line that is read, bytes. The runner bounds every text of an event far below this.
pub(super) const LINE_LIMIT: usize = 64 << 20;

/// Opens a journal; `path` is the file itself. Lines are read as the iterator is advanced.
///
/// # Errors
/// The file cannot be opened.
pub fn read(path: &Path) -> Result<Events<BufReader<File>>, JournalError> {
    RecordReader::open(path)?.events()
}

/// The events of a journal, in the order in which they happened.
///
/// A last line without its newline that holds no event is what a killed runner or a full disk leaves behind: it is
/// passed over and remembered ([`Events::torn`]). Any other line that is no event is an error, after which the
/// iterator ends.
#[derive(Debug)]
pub struct Events<R> {
    path: PathBuf,
    reader: R,
    line: usize,
    whole: u64,
    began: u64,
    buffer: Vec<u8>,
    torn: bool,
    lacks_newline: bool,
    ended: bool,
}

impl<R: BufRead> Events<R> {
    /// The events that `reader` holds; `path` is named in errors.
    pub fn new(path: &Path, reader: R) -> Events<R> {
        Events {
            path: path.to_owned(),
            reader,
            line: 0,
            whole: 0,
            began: 0,
            buffer: Vec::new(),
            torn: false,
            lacks_newline: false,
            ended: false,
        }
    }

    /// Whether an unfinished last line was passed over; known once the iterator has ended.
    pub fn torn(&self) -> bool {
        self.torn
    }

    /// Where the line of the last event that was read begins, bytes.
    pub fn began(&self) -> u64 {
        self.began
    }

    /// The number of the line of the last event that was read, from 1.
    pub fn line_number(&self) -> usize {
        self.line
    }

    /// The line of the last event that was read, as it is, without its end.
    pub fn line(&self) -> &[u8] {
        self.buffer.trim_ascii_end()
    }

    /// Bytes up to the end of the last event that was read.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether the last event that was read lacks its newline.
    pub(super) fn lacks_newline(&self) -> bool {
        self.lacks_newline
    }

    fn advance(&mut self) -> Option<Result<Event, JournalError>> {
        loop {
            self.buffer.clear();
            let limit = LINE_LIMIT as u64 + 1;
            if let Err(source) = (&mut self.reader).take(limit).read_until(b'\n', &mut self.buffer) {
                return Some(Err(JournalError::Read { path: self.path.clone(), source }));
            }
            let length = self.buffer.len();
            if length == 0 {
                return None;
            }
            self.line += 1;
            if length > LINE_LIMIT {
                let (path, line) = (self.path.clone(), self.line);
                return Some(Err(JournalError::LongLine { path, line, limit: LINE_LIMIT }));
            }
            let complete = self.buffer.ends_with(b"\n");
            if self.buffer.trim_ascii().is_empty() {
                self.whole += length as u64;
                continue;
            }
            return match line::event(&self.buffer) {
                Ok(event) => {
                    self.began = self.whole;
                    self.whole += length as u64;
                    self.lacks_newline = !complete;
                    Some(self.known(event))
                }
                // a journal that was put behind one whose runner was killed in the middle of a line
                Err(_) if self.next_run().is_some() => {
                    let (at, event) = self.next_run()?;
                    self.began = self.whole + at as u64;
                    self.whole += length as u64;
                    self.lacks_newline = !complete;
                    self.buffer.drain(..at);
                    Some(self.known(event))
                }
                Err(_) if !complete => {
                    self.torn = true;
                    None
                }
                Err(error) => Some(Err(self.bad_line(&error))),
            };
        }
    }

    /// The first event of another run behind a torn one in the same line, and where it begins there.
    fn next_run(&self) -> Option<(usize, Event)> {
        let at = memchr::memmem::rfind(&self.buffer, br#"{"event":"run-started","#)?;
        Some((at, line::event(&self.buffer[at..]).ok()?))
    }

    fn bad_line(&self, error: &serde_json::Error) -> JournalError {
        // The parser saw one line only, its own line number would mislead.
        let position = format!(" at line {} column {}", error.line(), error.column());
        let reason = error.to_string();
        let reason = reason.strip_suffix(&position).unwrap_or(&reason).to_owned();
        JournalError::Line { path: self.path.clone(), line: self.line, column: error.column(), reason }
    }

    fn known(&self, event: Event) -> Result<Event, JournalError> {
        match event {
            Event::RunStarted { schema, kregress, .. } if schema > SCHEMA => Err(JournalError::Schema {
                path: self.path.clone(),
                found: schema,
                known: SCHEMA,
                by: kregress,
            }),
            event => Ok(event),
        }
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(journal: &[u8]) -> (Vec<String>, bool, Option<String>) {
        let mut events = Events::new(Path::new("reports/x/journal.jsonl"), journal);
        let mut texts = Vec::new();
        let mut error = None;
        for event in events.by_ref() {
            match event {
                Ok(Event::Notice { text }) => texts.push(text),
                Ok(other) => panic!("{other:?}"),
                Err(e) => error = Some(e.to_string()),
            }
        }
        (texts, events.torn(), error)
    }

    #[test]
    fn only_a_torn_last_line_is_tolerated() {
        let a = r#"{"event":"notice","text":"a"}"#;
        let cases: [(String, &[&str], bool, bool); 8] = [
            (String::new(), &[], false, false),
            (format!("{a}\n{a}\n"), &["a", "a"], false, false),
            (format!("{a}\n{a}"), &["a", "a"], false, false),
            (format!("{a}\n{{\"event\":\"no"), &["a"], true, false),
            (format!("{a}\n\0\0\0\0"), &["a"], true, false),
            (format!("{a}\n\n{a}\n"), &["a", "a"], false, false),
            (format!("{a}\n{{\"event\":\"no\n{a}\n"), &["a"], false, true),
            (format!("{a}\n{{\"event\":\"no\n"), &["a"], false, true),
        ];
        for (journal, expected, torn, fails) in cases {
            let (found, was_torn, error) = texts(journal.as_bytes());
            assert_eq!(found, expected, "{journal:?}");
            assert_eq!((was_torn, error.is_some()), (torn, fails), "{journal:?}");
        }
    }

    #[test]
    fn a_bad_line_is_located() {
        let (_, _, error) = texts(b"{\"event\":\"notice\",\"text\":\"a\"}\n{\"event\":\"party\"}\n");
        insta::assert_snapshot!(error.unwrap(), @"reports/x/journal.jsonl:2:16: not an event: unknown variant `party`, expected one of `run-started`, `host`, `planned`, `attempt-started`, `phase`, `slow`, `attempt`, `cell`, `bisection`, `earlier`, `candidate-ready`, `candidate-closed`, `bisection-step`, `bisection-ended`, `queue`, `notice`, `run-finished`; the journal was edited or damaged, restore this line or remove it");
        let (_, _, error) = texts(b"hello\n");
        insta::assert_snapshot!(error.unwrap(), @"reports/x/journal.jsonl:1:1: not an event: expected value; the journal was edited or damaged, restore this line or remove it");
    }

    #[test]
    fn a_journal_behind_a_torn_one_is_read() {
        let notice = r#"{"event":"notice","text":"a"}"#;
        let started = |run: &str| {
            format!(
                r#"{{"event":"run-started","schema":1,"run":"{run}","kregress":"0.1.0","at":"2026-11-21T09:12:33Z","command":[],"cells":0}}"#
            )
        };
        let (one, two) = (started("one"), started("two"));
        for torn in ["", "{\"event\":\"noti", "{\"event\":\"notice\",\"text\":\"cut", "\0\0"] {
            let journal = format!("{one}\n{notice}\n{torn}{two}\n{notice}\n");
            let mut events = Events::new(Path::new("j"), journal.as_bytes());
            let mut runs = Vec::new();
            let mut places = Vec::new();
            while let Some(event) = events.next() {
                match event.unwrap() {
                    Event::RunStarted { run, .. } => {
                        runs.push(run);
                        places.push(events.began() as usize);
                        assert_eq!(events.line(), started(runs.last().unwrap()).as_bytes());
                    }
                    Event::Notice { .. } => places.push(events.began() as usize),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(runs, ["one", "two"], "{torn:?}");
            assert!(places.iter().all(|at| journal[*at..].starts_with("{\"event\":")), "{places:?}");
            assert_eq!(events.whole() as usize, journal.len());
        }
    }

    #[test]
    fn a_newer_form_is_refused() {
        let line = br#"{"event":"run-started","schema":99,"run":"x","kregress":"9.0","at":"2026-11-21T09:12:33Z","command":[],"cells":0}"#;
        let (_, _, error) = texts(line);
        insta::assert_snapshot!(error.unwrap(), @"reports/x/journal.jsonl: written in form 99 (by kregress 9.0), this program knows up to form 1; use that version or a newer one");
    }

    #[test]
    fn a_line_without_an_end_costs_no_more_than_the_bound() {
        let endless = BufReader::new(std::io::repeat(b'x'));
        let mut events = Events::new(Path::new("j"), endless);
        assert!(matches!(events.next(), Some(Err(JournalError::LongLine { line: 1, .. }))));
        assert!(events.next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            for event in Events::new(Path::new("j"), bytes.as_slice()) {
                let _ = event;
            }
        }

        #[test]
        fn a_cut_anywhere_loses_only_what_was_cut(cut in 0usize..600) {
            let line = |n: usize| format!("{{\"event\":\"notice\",\"text\":\"{n}\"}}\n");
            let journal: String = (0..16).map(line).collect();
            let cut = cut.min(journal.len());
            let (found, _, error) = texts(&journal.as_bytes()[..cut]);
            // The line cut right before its newline is still whole.
            let lines = journal.as_bytes()[..cut].iter().filter(|b| **b == b'\n').count();
            proptest::prop_assert!(error.is_none());
            proptest::prop_assert!(found.len() == lines || found.len() == lines + 1);
        }
    }
}
