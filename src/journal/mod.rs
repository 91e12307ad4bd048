//! Events on disk. A run is a folder, `reports/<run id>/`, and the truth about it is its `journal.jsonl`: one event a
//! line, appended as it happens. Every report is a fold over that file, so it can be made again at any time, also of
//! a run whose runner was killed. `reports/README.md` describes the folder for its readers.

mod attempt_dir;
mod lookup;
mod read;
mod run_dir;
mod write;

use std::io;
use std::path::PathBuf;

pub use attempt_dir::AttemptDir;
pub use lookup::{Reader, RecordReader};
pub use read::{Events, read};
pub use run_dir::{RunDir, RunId};
pub use write::{Journal, WriteFailure};

/// The journal's file name in its run's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// What can go wrong with a run's folder or its journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder could not be made.
    #[error("cannot create {path}: {source}", path = path.display())]
    Create {
        /// What was to be made.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process writes this journal.
    #[error("{path} is being written by another process; wait for it or choose another folder", path = path.display())]
    Busy {
        /// The journal.
        path: PathBuf,
    },
    /// An event could not be kept. What was kept before is whole and stays readable.
    #[error("cannot append to {path}: {source}; the run goes on, but this event is not kept", path = path.display())]
    Append {
        /// The journal.
        path: PathBuf,
        /// The system's answer; `StorageFull` when the disk is full.
        source: io::Error,
    },
    /// An event has no JSON form.
    #[error("cannot write an event as JSON: {source}")]
    Encode {
        /// The serialiser's answer.
        source: serde_json::Error,
    },
    /// A journal could not be opened or read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The journal.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A line that is not the last one holds no event.
    #[error("{path}:{line}:{column}: not an event: {reason}; the journal was edited or damaged, restore this line or remove it", path = path.display())]
    Line {
        /// The journal.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
        /// The parser's answer.
        reason: String,
    },
    /// A line is longer than any event can be.
    #[error("{path}:{line}: line of more than {limit} bytes; this is not a journal", path = path.display())]
    LongLine {
        /// The journal.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The bound, bytes.
        limit: usize,
    },
    /// A line that was read before is another one now.
    #[error("{path}:{line}: this line is another one than when the journal was read first; something else changes the file, make the report again once it is done", path = path.display())]
    Changed {
        /// The journal.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
    },
    /// Several runs in one journal, one of which is a bisection.
    #[error("{path}:{line}: another run begins here, and a bisection is shown by itself; divide the file before this line", path = path.display())]
    Several {
        /// The journal.
        path: PathBuf,
        /// Where the second one begins, from 1.
        line: usize,
    },
    /// The journal was written in a form that this program does not know.
    #[error("{path}: written in form {found} (by kregress {by}), this program knows up to form {known}; use that version or a newer one", path = path.display())]
    Schema {
        /// The journal.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form known here.
        known: u32,
        /// The version that wrote it.
        by: String,
    },
    /// No such run.
    #[error("no run `{asked}` in {root}: {hint}", root = root.display())]
    NoSuchRun {
        /// What was asked for.
        asked: String,
        /// Where runs were looked for.
        root: PathBuf,
        /// What is there instead.
        hint: String,
    },
    /// `latest` could not be pointed at the run. The run itself is not affected.
    #[error("cannot point {path} at {id}: {source}", path = path.display())]
    Latest {
        /// The link.
        path: PathBuf,
        /// The run's id.
        id: String,
        /// The system's answer.
        source: io::Error,
    },
}
