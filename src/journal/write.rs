//! Appending events.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{FILE_NAME, JournalError, RecordReader, read};
use crate::event::Event;

/// The least time between two fdatasync calls before the run's last event. An attempt costs at least a restore, so
/// waiting for the disk once a second is not felt, while a run of thousands of simulated cells is not slowed down.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// The journal of a run that is going on.
///
/// Each event is handed to the kernel in one write before [`Journal::append`] returns: killing the process loses
/// nothing that was appended. Against a loss of power, the file is synced at the run's first and last event, with the folders
/// in which it is new, and when an attempt or a cell has its result, at most once a second. What is appended between is synced by
/// a thread when the second is over, however long nothing else happens: a loss of power takes what was told within the
/// last second, and no more. While the value lives, the file is locked, which tells readers that the run is still going on.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    shared: Arc<Shared>,
    /// Syncs what nobody else does; there once there was something.
    syncer: Mutex<Option<JoinHandle<()>>>,
}

/// What the journal and the thread that syncs it have in common.
#[derive(Debug)]
struct Shared {
    file: File,
    state: Mutex<WriterState>,
    /// The state has become another one.
    changed: Condvar,
    interval: Duration,
}

#[derive(Debug)]
struct WriterState {
    /// Length of the file up to the end of its last whole line.
    whole: u64,
    /// Length of the file that was synced.
    on_disk: u64,
    /// Bytes may follow `whole` that a failed write left behind.
    torn: bool,
    synced: Option<Instant>,
    /// Nothing more comes.
    closed: bool,
    trouble: Option<WriteFailure>,
}

impl WriterState {
    fn missed(&mut self, first: String) {
        self.trouble.get_or_insert(WriteFailure { first, missing: 0 }).missing += 1;
    }
}

impl Shared {
    /// Waits for the disk, while others append. What they do meanwhile is not waited for.
    fn sync(&self) -> io::Result<()> {
        let whole = {
            let mut state = self.state.lock();
            state.synced = Some(Instant::now());
            state.whole
        };
        let synced = match self.file.sync_data() {
            // the kernel's word for a file that has no disk behind it
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        };
        let mut state = self.state.lock();
        // what failed once is said once, and not tried for ever
        state.on_disk = state.on_disk.max(whole);
        self.changed.notify_all();
        synced
    }

    /// Syncs what is not on disk a second after the last time, until nothing more comes.
    fn sync_late(&self, path: &Path) {
        loop {
            {
                let mut state = self.state.lock();
                while !state.closed && state.on_disk == state.whole {
                    self.changed.wait(&mut state);
                }
                // whoever closes it syncs the rest
                while !state.closed
                    && let Some(due) =
                        state.synced.map(|at| at + self.interval).filter(|due| *due > Instant::now())
                {
                    self.changed.wait_until(&mut state, due);
                }
                if state.closed {
                    return;
                }
            }
            if let Err(source) = self.sync() {
                let failed = JournalError::Append { path: path.to_owned(), source };
                self.state.lock().missed(failed.to_string());
            }
        }
    }
}

/// Whether an event waits for the disk, if that was not waited for within the last second.
fn is_result(event: &Event) -> bool {
    matches!(event, Event::Cell(_) | Event::Attempt { .. })
}

/// Events that could not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFailure {
    /// The first failure, as a sentence.
    pub first: String,
    /// How many events are missing.
    pub missing: u64,
}

impl fmt::Display for WriteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (events, are) = if self.missing == 1 { ("event", "is") } else { ("events", "are") };
        write!(
            f,
            "{} {events} of this run {are} not in its journal; the first time: {}",
            self.missing, self.first
        )
    }
}

impl Journal {
    /// Starts the journal of a new run in `dir`, which exists.
    ///
    /// # Errors
    /// The file exists already or cannot be made.
    pub fn create(dir: &Path) -> Result<Journal, JournalError> {
        let path = dir.join(FILE_NAME);
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => {
                // Nobody else writes a file that was just made, but a reader may be asking whether somebody does: that
                // takes a moment. A file system without locks is no reason to have no journal.
                let _ = file.lock();
                Ok(Journal::new(path, file))
            }
            Err(source) => Err(JournalError::Create { path, source }),
        }
    }

    /// Opens the journal of an earlier run to resume it. An unfinished last line is cut off.
    ///
    /// # Errors
    /// The journal cannot be opened, another process writes it, or it is damaged before its last line.
    pub fn resume(dir: &Path) -> Result<Journal, JournalError> {
        let path = dir.join(FILE_NAME);
        let fail = |source| JournalError::Read { path: path.clone(), source };
        let file = OpenOptions::new().read(true).append(true).open(&path).map_err(fail)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy { path }),
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let journal = Journal::new(path.clone(), file);
        let mut events = read(&path)?;
        for event in events.by_ref() {
            event?;
        }
        let whole = events.whole();
        let mut file = &journal.shared.file;
        file.set_len(whole).map_err(fail)?;
        // A last event whose newline alone was lost is kept; the newline is put back.
        if events.lacks_newline() {
            file.write_all(b"\n").map_err(fail)?;
        }
        let whole = file.seek(SeekFrom::End(0)).map_err(fail)?;
        journal.state().whole = whole;
        Ok(journal)
    }

    fn new(path: PathBuf, file: File) -> Journal {
        Journal::synced_every(path, file, SYNC_INTERVAL)
    }

    fn synced_every(path: PathBuf, file: File, interval: Duration) -> Journal {
        let state =
            WriterState { whole: 0, on_disk: 0, torn: false, synced: None, closed: false, trouble: None };
        let shared = Shared { file, state: Mutex::new(state), changed: Condvar::new(), interval };
        Journal { path, shared: Arc::new(shared), syncer: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps one event and tells where its line begins, bytes; one that the journal does not keep ([`Event::is_kept`])
    /// is passed over.
    ///
    /// # Errors
    /// The event could not be written, for example because the disk is full. The file holds whole lines only
    /// afterwards, later events can still be appended, and the failure is remembered for [`Journal::trouble`].
    pub fn append(&self, event: &Event) -> Result<Option<u64>, JournalError> {
        if !event.is_kept() {
            return Ok(None);
        }
        let result = self.write(event);
        if let Err(error) = &result {
            self.state().missed(error.to_string());
        }
        result.map(Some)
    }

    /// Keeps an event of another journal as it is written there, so that what this program does not know of it is kept, too.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_line(&self, line: &[u8]) -> Result<(), JournalError> {
        self.write_line([line, b"\n"].concat(), false).map(|_| ())
    }

    /// Reads its records again while it is written.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn lookup(&self) -> Result<RecordReader, JournalError> {
        RecordReader::open(&self.path)
    }

    /// What could not be kept so far; for the end of the run, when it is reported to the user.
    pub fn trouble(&self) -> Option<WriteFailure> {
        self.state().trouble.clone()
    }

    fn write(&self, event: &Event) -> Result<u64, JournalError> {
        let mut line = serde_json::to_vec(event).map_err(|source| JournalError::Encode { source })?;
        line.push(b'\n');
        let is_first = matches!(event, Event::RunStarted { .. });
        let is_over = || self.state().synced.is_none_or(|at| at.elapsed() >= self.shared.interval);
        let due = is_first || matches!(event, Event::RunFinished { .. }) || is_result(event) && is_over();
        let at = self.write_line(line, due)?;
        if is_first {
            self.sync_places();
        }
        Ok(at)
    }

    fn write_line(&self, line: Vec<u8>, due: bool) -> Result<u64, JournalError> {
        let failed = |source| JournalError::Append { path: self.path.clone(), source };
        let mut state = self.state();
        if state.torn {
            // behind half a line no other one may stand
            self.cut(&mut state).map_err(failed)?;
        }
        let at = state.whole;
        // One write call in all but the case of a nearly full disk, where the kernel takes only a part and the rest
        // fails: then the part is cut off again.
        if let Err(source) = (&self.shared.file).write_all(&line) {
            state.torn = true;
            let _ = self.cut(&mut state);
            return Err(failed(source));
        }
        let was_synced = state.on_disk == state.whole;
        state.whole += line.len() as u64;
        drop(state);
        if due {
            self.shared.sync().map_err(failed)?;
        } else {
            self.sync_later(was_synced);
        }
        Ok(at)
    }

    /// Has what was appended synced though nothing else may happen. `was_synced`: the thread that does it waits for something.
    fn sync_later(&self, was_synced: bool) {
        let mut syncer = self.syncer.lock();
        if syncer.is_some() {
            if was_synced {
                self.shared.changed.notify_all();
            }
            return;
        }
        let (shared, path) = (Arc::clone(&self.shared), self.path.clone());
        let thread = std::thread::Builder::new().name("journal".into());
        // where there can be no thread, the next result or the end of the run waits for the disk
        *syncer = thread.spawn(move || shared.sync_late(&path)).ok();
    }

    /// Makes the file's name durable, and that of its folder.
    fn sync_places(&self) {
        // its own folder, that of the runs, and that in which it may be new as well
        for folder in self.path.ancestors().skip(1).take(3) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            crate::atomic_file::sync_folder(folder);
        }
    }

    fn cut(&self, state: &mut WriterState) -> io::Result<()> {
        let cut = self.shared.file.set_len(state.whole);
        state.torn = cut.is_err();
        cut
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.shared.state.lock()
    }
}

impl Drop for Journal {
    /// Syncs the rest, and gives the lock back at once. Closing the file would do so only when a process that another thread is
    /// starting at this moment has closed its copy too.
    fn drop(&mut self) {
        let is_synced = {
            let mut state = self.state();
            state.closed = true;
            state.on_disk == state.whole
        };
        self.shared.changed.notify_all();
        if let Some(syncer) = self.syncer.lock().take() {
            let _ = syncer.join();
        }
        if !is_synced {
            let _ = self.shared.sync();
        }
        let _ = self.shared.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CellId;
    use crate::observation::Phase;

    fn notice(text: &str) -> Event {
        Event::Notice { text: text.into() }
    }

    fn lines(dir: &Path) -> Vec<String> {
        std::fs::read_to_string(dir.join(FILE_NAME)).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_appended_is_in_the_file_before_the_journal_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        journal.append(&notice("one\ntwo")).unwrap();
        assert_eq!(lines(dir.path()), [r#"{"event":"notice","text":"one\ntwo"}"#]);
        drop(journal);
    }

    #[test]
    fn events_for_the_live_view_alone_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        let cell = CellId { test: "a::b".into(), kernel: "6.1".into() };
        journal.append(&Event::Phase { cell, attempt: 1, phase: Phase::Boot }).unwrap();
        assert!(lines(dir.path()).is_empty());
    }

    /// A journal that is synced this often.
    fn synced_every(dir: &Path, interval: Duration) -> Journal {
        let path = dir.join(FILE_NAME);
        let file = OpenOptions::new().append(true).create_new(true).open(&path).unwrap();
        Journal::synced_every(path, file, interval)
    }

    #[test]
    fn what_nothing_follows_is_on_disk_when_the_interval_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let journal = synced_every(dir.path(), Duration::from_millis(20));
        for text in ["one", "two"] {
            journal.append(&notice(text)).unwrap();
            let mut state = journal.state();
            let is_late = |state: &mut WriterState| state.on_disk < state.whole;
            let waited = journal.shared.changed.wait_while_for(&mut state, is_late, Duration::from_secs(60));
            assert!(!waited.timed_out(), "{text} is not synced");
        }
    }

    #[test]
    fn results_wait_for_the_disk_once_in_an_interval_and_the_ends_always() {
        let dir = tempfile::tempdir().unwrap();
        let journal = synced_every(dir.path(), Duration::from_secs(3600));
        // the thread for what is late would now and then be the one that sees first that a result is due
        *journal.syncer.lock() = Some(std::thread::spawn(|| {}));
        let on_disk = |event: &Event| {
            journal.append(event).unwrap();
            let state = journal.state();
            state.on_disk == state.whole
        };
        let events = crate::report::sample::events();
        let [first, .., last] = events.as_slice() else { panic!("a run") };
        let cell = events.iter().find(|event| matches!(event, Event::Cell(_))).expect("a cell");
        assert!(on_disk(first));
        assert!(!on_disk(cell) && !on_disk(&notice("one")));
        assert!(on_disk(last));
        let Event::Cell(record) = cell else { panic!("{cell:?}") };
        let attempt = Box::new(crate::report::sample::attempt(record, 1));
        let attempt = Event::Attempt { cell: record.id(), record: attempt };
        for result in [cell, &attempt] {
            assert!(!on_disk(&notice("two")));
            journal.state().synced = None;
            assert!(on_disk(result));
        }
    }

    #[test]
    fn a_journal_that_is_closed_is_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let journal = synced_every(dir.path(), Duration::from_secs(3600));
        journal.append(&notice("one")).unwrap();
        let shared = Arc::clone(&journal.shared);
        // the thread that waits for an hour to be over does not keep it open
        drop(journal);
        let state = shared.state.lock();
        assert_eq!(state.on_disk, state.whole);
    }

    #[test]
    fn a_run_is_never_written_over_another() {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::create(dir.path()).unwrap());
        let error = Journal::create(dir.path()).unwrap_err();
        assert!(matches!(error, JournalError::Create { .. }), "{error}");
    }

    #[test]
    fn a_full_disk_is_said_and_remembered() {
        let Ok(full) = OpenOptions::new().append(true).open("/dev/full") else {
            return loud_skip::skip("this host has no /dev/full");
        };
        let journal = Journal::new("reports/x/journal.jsonl".into(), full);
        let error = journal.append(&notice("one")).unwrap_err();
        insta::assert_snapshot!(error, @"cannot append to reports/x/journal.jsonl: No space left on device (os error 28); the run goes on, but this event is not kept");
        journal.append(&notice("two")).unwrap_err();
        let trouble = journal.trouble().unwrap();
        assert_eq!(trouble, WriteFailure { first: error.to_string(), missing: 2 });
        insta::assert_snapshot!(trouble, @"2 events of this run are not in its journal; the first time: cannot append to reports/x/journal.jsonl: No space left on device (os error 28); the run goes on, but this event is not kept");
    }

    #[test]
    fn what_a_failed_write_left_behind_is_cut_off_before_the_next_event() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        journal.append(&notice("one")).unwrap();
        // What a nearly full disk does when the cut fails as well.
        (&journal.shared.file).write_all(br#"{"event":"not"#).unwrap();
        journal.state().torn = true;
        journal.append(&notice("two")).unwrap();
        assert_eq!(
            lines(dir.path()),
            [r#"{"event":"notice","text":"one"}"#, r#"{"event":"notice","text":"two"}"#]
        );
    }

    #[test]
    fn a_resumed_journal_goes_on_after_its_last_whole_line() {
        let cases: [(&str, &[&str]); 4] = [
            ("", &["new"]),
            ("{\"event\":\"notice\",\"text\":\"a\"}\n", &["a", "new"]),
            ("{\"event\":\"notice\",\"text\":\"a\"}\n{\"event\":\"noti", &["a", "new"]),
            ("{\"event\":\"notice\",\"text\":\"a\"}", &["a", "new"]),
        ];
        for (before, expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(FILE_NAME), before).unwrap();
            let journal = Journal::resume(dir.path()).unwrap();
            journal.append(&notice("new")).unwrap();
            let texts: Vec<String> = read(&dir.path().join(FILE_NAME))
                .unwrap()
                .map(|event| match event.unwrap() {
                    Event::Notice { text } => text,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(texts, expected, "{before:?}");
        }
    }

    #[test]
    fn two_processes_cannot_write_one_journal() {
        let dir = tempfile::tempdir().unwrap();
        let first = Journal::create(dir.path()).unwrap();
        let error = Journal::resume(dir.path()).unwrap_err();
        assert!(matches!(error, JournalError::Busy { .. }), "{error}");
        drop(first);
        Journal::resume(dir.path()).unwrap();
    }
}
