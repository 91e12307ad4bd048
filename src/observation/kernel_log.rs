//! The kernel's log as records, as witnesses other than the console have it.

use crate::guest::kmsg::LogRecord;
use serde::{Deserialize, Serialize};

/// What one witness has of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExcerpt {
    /// The records in the order of their numbers.
    pub records: Vec<LogRecord>,
    /// Records that were overwritten before they could be read.
    pub lost: u64,
    /// Records that were read and are not kept, because there are too many.
    pub left_out: u64,
    /// Whether the reader reached the end: for the agent that is the mark at the dose's end.
    pub ended: bool,
}

impl LogExcerpt {
    /// Whether no record between the first and the last is missing.
    pub fn has_no_gap(&self) -> bool {
        self.lost == 0 && self.left_out == 0
    }
}

/// What the witnesses other than the console have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLog {
    /// What the agent read of `/dev/kmsg` from the dose's beginning on; absent: it did not come so far, or could not.
    #[serde(skip)]
    pub kmsg: Option<LogExcerpt>,
    /// Why the agent could not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kmsg_error: Option<String>,
    /// What the host read out of the guest's memory at the end; absent: there was no need to, or it could not.
    #[serde(skip)]
    pub memory: Option<LogExcerpt>,
    /// The title of a crash report that a program wrote; what `crate::witness` found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forged: Option<String>,
    /// Why it is not known whether the console lacks something; what `crate::witness` found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Why the host could not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_error: Option<String>,
    /// How long the host took to read, microseconds.
    #[serde(skip)]
    pub memory_micros: Option<u64>,
    /// Why the file of the guest's memory has no note by which tools find the kernel's structures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmcore_lacks: Option<String>,
}
