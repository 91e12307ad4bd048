//! The diagnosis for other programs: one object a file, in which keys are only ever added.

use serde::Serialize;

use super::decode::Decoded;
use super::maintainership::Maintainership;
use crate::oops::{Details, Report};
use crate::suite::KnownMessage;

/// One file. `file` and `reports` are always there, everything else where there is something to say.
#[derive(Serialize)]
pub(super) struct FileJson {
    pub(super) file: String,
    pub(super) reports: Vec<ReportJson>,
    /// Reports that were not read, because there are too many, or too many alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passed_over: Option<PassedOverJson>,
    /// Reports that a known message says do no harm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed: Vec<KnownJson>,
    /// Lines that a known message says count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) denied: Vec<KnownJson>,
    /// What the file is instead of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<String>,
    /// What could not be read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) damaged: Option<String>,
}

/// One report: the keys of the diagnosis, and those of its details.
#[derive(Serialize)]
pub(super) struct ReportJson {
    #[serde(flatten)]
    pub(super) report: Report,
    #[serde(flatten)]
    pub(super) details: Details,
    /// Where the functions of the trace are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) trace: Vec<Decoded>,
    /// Who looks after `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<Maintainership>,
}

/// How many reports were not read.
#[derive(Serialize)]
pub(super) struct PassedOverJson {
    pub(super) lines: usize,
}

/// A report or line that a known message is about.
#[derive(Serialize)]
pub(super) struct KnownJson {
    title: String,
    line: usize,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl From<&(Report, KnownMessage)> for KnownJson {
    fn from((report, entry): &(Report, KnownMessage)) -> Self {
        KnownJson {
            title: report.title.clone(),
            line: report.start_line,
            reason: entry.reason.clone(),
            link: entry.link.clone(),
        }
    }
}
