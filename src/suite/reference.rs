//! A crash report that is kept beside a suite: the bug as somebody saw it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use crate::oops::{Engine, Report, Sameness, same_defect, share_a_path};

/// The largest log that is taken, bytes. What says how a bug looks is a report, not a day's console.
const MOST_BYTES: u64 = 16 << 20;

/// The first report of a log, for others to be compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// The log, as the suite names it.
    pub file: String,
    /// The report; it is whole and blames a function.
    pub report: Box<Report>,
}

/// Why a log cannot say how a bug looks.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    #[error("it has no crash report")]
    NoReport,
    #[error("its first report, `{title}` in line {line}, is damaged: {reason}")]
    Damaged { title: String, line: usize, reason: String },
    #[error("its first report, `{title}` in line {line}, comes from a machine that was not sound")]
    Unsound { title: String, line: usize },
    #[error("its first report, `{title}` in line {line}, blames no function")]
    Unspecific { title: String, line: usize },
}

impl ReferenceError {
    /// What is to be done about it.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            ReferenceError::Read(_) => "check the file and its permissions",
            ReferenceError::TooLarge => "keep the lines of the report, and a few around it",
            ReferenceError::NoReport => "`kregress explain FILE` shows what is found in a log",
            ReferenceError::Damaged { .. } => {
                "what is damaged says little about the bug: take the console of another attempt"
            }
            ReferenceError::Unsound { .. } => "such a report proves nothing: take another one",
            ReferenceError::Unspecific { .. } => {
                "it would fit every report of this kind: say with `title` and `trace` how this bug looks"
            }
        }
    }
}

impl Reference {
    /// Takes the first report of a log.
    pub(super) fn read(path: &Path, file: &str) -> Result<Reference, ReferenceError> {
        let log = File::open(path)?;
        if log.metadata()?.len() > MOST_BYTES {
            return Err(ReferenceError::TooLarge);
        }
        let found = Engine::embedded().diagnose_reader(log.take(MOST_BYTES))?;
        let report = found.reports.into_iter().next().ok_or(ReferenceError::NoReport)?;
        let (title, line) = (report.title.clone(), report.start_line);
        if report.corrupted {
            let reason = report.corrupted_reason.unwrap_or_else(|| "it is not whole".to_owned());
            return Err(ReferenceError::Damaged { title, line, reason });
        }
        if report.suppressed {
            return Err(ReferenceError::Unsound { title, line });
        }
        if report.frame.is_none() {
            return Err(ReferenceError::Unspecific { title, line });
        }
        Ok(Reference { file: file.to_owned(), report: Box::new(report) })
    }

    /// Whether another report is the same defect.
    pub fn compare(&self, report: &Report) -> Sameness {
        same_defect(&self.report, report)
    }

    /// Whether another report came about on the same path, which makes up for damage to it.
    pub fn shares_a_path(&self, report: &Report) -> bool {
        share_a_path(&self.report, report)
    }
}
