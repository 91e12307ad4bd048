//! One crash report, as plain data.

use serde::{Deserialize, Serialize};

use super::kind::ReportKind;

/// What the diagnosis says about one crash report in a console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The name of the defect in syzkaller's words, without addresses and numbers that change from run to run.
    pub title: String,
    /// Other names of the same defect. Two reports that share any title are taken for the same defect.
    #[serde(default)]
    pub alt_titles: Vec<String>,
    /// The class of the defect; `type` in JSON, as syzkaller names it.
    #[serde(rename = "type")]
    pub kind: ReportKind,
    /// Whether the report is too damaged (cut off, mixed with another) for its title to be trusted.
    pub corrupted: bool,
    /// Why it is taken for damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupted_reason: Option<String>,
    /// The function that is blamed.
    pub frame: Option<String>,
    /// Every function in the traces of this report in order, the one at the instruction pointer first, without offsets.
    /// Of a hung task only those of its own stack: what is printed behind it is about other tasks.
    #[serde(default)]
    pub frames: Vec<String>,
    /// Whether the log also says that the machine was out of memory or the like, so that the report proves nothing.
    #[serde(default)]
    pub suppressed: bool,
    /// Whether the kernel panicked afterwards.
    #[serde(default)]
    pub panicked: bool,
    /// Where the first line of the report begins, in bytes from the start of the console.
    pub start: usize,
    /// Where the last line of the report ends, in bytes from the start of the console.
    pub end: usize,
    /// The line the report begins on, counted from 1.
    pub start_line: usize,
    /// The name of the task that was running, or that hangs.
    pub task: Option<String>,
    /// The process id of that task.
    pub pid: Option<u32>,
    /// The CPU that reported.
    pub cpu: Option<u32>,
}

impl Report {
    /// Whether it is the report of a blocked task. A processor that is stuck (soft lockup, RCU stall) is a hang too, and
    /// no blocked task.
    pub fn is_blocked_task(&self) -> bool {
        self.kind == ReportKind::Hang && self.titles().any(|title| title.starts_with("INFO: task "))
    }

    /// The title followed by the alternative titles.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.title.as_str()).chain(self.alt_titles.iter().map(String::as_str))
    }
}
