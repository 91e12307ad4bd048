//! The witnesses of what the kernel said: its console, its log as the agent read it, its log in the guest's memory. Pure.
//!
//! [`compare`] holds them against each other. The console alone can be silenced: by a log level that a script lowers, and
//! since 6.18, where the serial console prints in a task of its own, by processors that are all busy. What the log has of
//! the dose and the console lacks is [`ConsoleGaps`], text from which crash reports are read as from a console. The log also
//! tells who wrote a record: what programs wrote is never a report of the kernel, whatever it looks like.

mod evidence;
mod lines;
mod matching;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use evidence::{WitnessEvidence, read};

use crate::observation::{Ending, LogExcerpt, LogRecord, Observation};
use lines::ConsoleLines;
use matching::Matched;

/// Who has what the console lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The kernel's log, which the agent read.
    Log,
    /// The kernel's log, which the host read out of the guest's memory.
    Memory,
}

impl Witness {
    /// The witness in words.
    pub fn words(self) -> &'static str {
        match self {
            Witness::Log => "the kernel's log",
            Witness::Memory => "the kernel's log in the guest's memory",
        }
    }
}

/// Why the console lacks a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapReason {
    /// Later ones are on it: the console's log level did not let this one through.
    Quiet,
    /// The kernel says that it dropped messages there.
    Dropped,
    /// It has only a part of it.
    Damaged,
    /// It ends before.
    Silent,
}

impl GapReason {
    fn words(self) -> &'static str {
        match self {
            GapReason::Quiet => "its log level did not let them through",
            GapReason::Dropped => "the kernel dropped them there",
            GapReason::Damaged => "only parts of them arrived",
            GapReason::Silent => "it was silent from then on",
        }
    }
}

/// What the console lacks of the kernel's own messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleGaps {
    /// The kernel's messages as its console shows them: those that it lacks, and those around them.
    pub text: Vec<u8>,
    /// Which lines of `text` the console lacks: where they begin and end, bytes.
    pub lines: Vec<(usize, usize)>,
    /// How many messages it lacks, for each reason.
    pub why: Vec<(GapReason, u64)>,
}

impl ConsoleGaps {
    /// Messages that the console lacks.
    pub fn messages(&self) -> u64 {
        self.why.iter().map(|(_, count)| count).sum()
    }

    /// Whether something between these places of `text` is not on the console.
    pub fn touches(&self, start: usize, end: usize) -> bool {
        self.lines.iter().any(|(from, to)| *from < end && *to > start)
    }
}

/// What the witnesses say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The console, with what others than the kernel wrote taken out line by line; nothing else is moved.
    pub console: Vec<u8>,
    /// What others wrote so that it looks like the kernel's, as a console shows it.
    pub written_by_programs: Vec<u8>,
    /// What the console lacks, and who has it; absent: nothing that is known of.
    pub lacking: Option<(Witness, ConsoleGaps)>,
    /// Why it is not known whether the console lacks something; absent: it is known.
    pub doubt: Option<String>,
}

/// Compares the witnesses of an attempt.
pub fn compare(seen: &Observation) -> Comparison {
    let console = &seen.console;
    let (witness, log) = match combined(seen) {
        Some(found) => found,
        None => {
            return Comparison {
                console: console.text.clone(),
                doubt: seen
                    .kernel_log
                    .kmsg_error
                    .as_ref()
                    .map(|error| format!("the kernel's log could not be read: {error}")),
                ..Comparison::default()
            };
        }
    };
    let lines = ConsoleLines::of(&console.text, console.dose_start);
    let to_the_end = seen.kernel_log.memory.as_ref().is_some_and(|memory| memory.lost == 0);
    let matched = Matched::new(&lines, &log.records, to_the_end);
    Comparison {
        console: matched.masked(&lines),
        written_by_programs: matched.written_by_programs(&lines, &log.records),
        lacking: matched.lacking(&lines, &log.records).map(|lacking| (witness, lacking)),
        doubt: doubt(seen, &log),
    }
}

/// Why the log does not prove that the console has everything. Only what ended as it should is expected to be whole.
fn doubt(seen: &Observation, log: &LogExcerpt) -> Option<String> {
    if seen.ending != Ending::Complete {
        return None;
    }
    let messages = |n: u64| format!("{n} message{}", if n == 1 { "" } else { "s" });
    match log {
        LogExcerpt { lost, .. } if *lost > 0 => Some(format!(
            "{} of the kernel's log were overwritten before the agent could read them, a crash may be among them",
            messages(*lost)
        )),
        LogExcerpt { left_out, .. } if *left_out > 0 => Some(format!(
            "the kernel's log has {} more than are kept, a crash may be among them",
            messages(*left_out)
        )),
        LogExcerpt { ended: false, .. } => {
            Some("the agent did not read the kernel's log to the dose's end".into())
        }
        _ => None,
    }
}

/// The records of the dose from all witnesses but the console.
fn combined(seen: &Observation) -> Option<(Witness, LogExcerpt)> {
    let (kmsg, memory) = (&seen.kernel_log.kmsg, &seen.kernel_log.memory);
    let first =
        kmsg.as_ref().and_then(|log| log.records.iter().find(|r| is_start_mark(r))).map(|mark| mark.seq);
    let begins = |record: &LogRecord| match first {
        Some(first) => record.seq >= first,
        None => seen.console.dose_start.is_none_or(|start| {
            // the mark's own line ends there
            let mark = lines::last_stamp(&seen.console.text[..start.min(seen.console.text.len())]);
            mark.is_none_or(|mark| record.micros >= mark)
        }),
    };
    let Some(memory) = memory else {
        let mut log = kmsg.clone()?;
        log.records.retain(begins);
        return Some((Witness::Log, log));
    };
    let mut records: Vec<LogRecord> = kmsg
        .iter()
        .flat_map(|log| &log.records)
        .chain(&memory.records)
        .filter(|r| begins(r))
        .cloned()
        .collect();
    records.sort_by_key(|record| record.seq);
    records.dedup_by_key(|record| record.seq);
    Some((Witness::Memory, LogExcerpt { records, ..memory.clone() }))
}

/// The agent's line before the program starts. No program can have written one before it.
fn is_start_mark(record: &LogRecord) -> bool {
    !record.is_kernels() && record.text.starts_with(b"kregress: dose starts ")
}
