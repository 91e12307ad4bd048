//! The result of a run, for people and for programs. Every report is made from a [`RunSummary`], and that is a fold
//! over the journal: a report can be made again at any time, also of a run that was killed. A run may have very many
//! cells: records stay in the journal, and no document is held as a whole.

pub mod annotations;
mod cells;
mod defects;
mod evidence;
mod excerpt;
pub mod exit;
pub mod file;
pub mod fold;
pub mod history;
mod holes;
pub mod html;
pub mod json;
pub mod junit;
pub mod kcidb;
pub mod kernels;
pub mod learned;
pub mod line;
pub mod mail;
pub mod markdown;
pub mod matrix;
pub mod merge;
pub mod outline;
mod records;
pub mod rerun;
pub mod summary;
pub(crate) mod text;
mod timeline;

#[cfg(test)]
mod expected;
#[cfg(test)]
pub(crate) mod sample;

pub use cells::Outline;
pub use exit::{ExitPolicy, ExitStatus, GitBisectStatus};
pub use fold::{CellSummary, HostInfo, RunEnd, RunSummary};
pub use history::{EarlierRun, History, Standing};
pub use line::{InLine, KernelLines};
pub use merge::Overlap;
pub use outline::{OutlineFile, RunHead};
pub use records::{Details, Part};
pub(crate) use summary::quoted;
pub(crate) use text::escape;

use crate::journal::JournalError;

/// The JUnit report's file name in its run's folder.
pub const JUNIT_FILE: &str = "junit.xml";

/// The HTML report's file name in its run's folder.
pub const HTML_FILE: &str = "index.html";

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The report could not be written.
    #[error(transparent)]
    Write(#[from] file::WriteError),
    /// Standard output could not be written to.
    #[error("cannot write the report to standard output: {0}")]
    Output(std::io::Error),
    /// Several runs have no folder that files of all of them could be in.
    #[error(
        "--write is for one run; `kregress report merge RUN…` makes one of these, with a folder of its own"
    )]
    Several,
    /// Runs could not be made one.
    #[error("{0}")]
    Merge(String),
    /// There is no such document of this kind of run.
    #[error("there is no format {asked} of the run {run}, there are: {}", formats.join(", "))]
    NoSuchFormat {
        /// The format that was asked for.
        asked: String,
        /// The run.
        run: String,
        /// The formats that there are.
        formats: Vec<&'static str>,
    },
    /// The JUnit document could not be made.
    #[error("cannot make the JUnit report: {0}")]
    Junit(std::io::Error),
    /// The JSON document could not be made.
    #[error("cannot make the JSON report: {0}")]
    Json(#[from] serde_json::Error),
}
