//! The kernel's log as records, as witnesses other than the console have it.

use serde::{Deserialize, Serialize};

/// One record of the kernel's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Its number, from 0 at boot. None is left out in a log that is whole.
    pub seq: u64,
    /// When it was stored, microseconds of the kernel's clock: what the console shows before the text.
    pub micros: u64,
    /// Who wrote it (`syslog(3)`): 0 is the kernel itself, and no program can write that (`devkmsg_write()`).
    pub facility: u32,
    /// How grave it is, 0 to 7.
    pub level: u8,
    /// The text, of one or more lines, without a newline at its end.
    pub text: Vec<u8>,
}

impl LogRecord {
    /// Whether the kernel said it, and not a program through `/dev/kmsg`.
    pub fn is_kernels(&self) -> bool {
        self.facility == 0
    }
}

/// What one witness has of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExcerpt {
    /// The records in the order of their numbers.
    pub records: Vec<LogRecord>,
    /// Records that were overwritten before they could be read.
    pub lost: u64,
    /// Records that were read and are not kept, because there are too many.
    pub left_out: u64,
    /// Whether the reader came to the end: for the agent that is the mark at the dose's end.
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
}
