//! What one attempt produced, as plain data: everything a verdict may be based on, and nothing else.

mod detectors;
mod kernel_log;
mod slab;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::slab::{NO_LEAK, NOISE, SlabCaches, SlabRow, SlabRows};
pub use crate::hang::BlockedTask;
pub use detectors::DetectorState;
pub use kernel_log::{KernelLog, LogExcerpt, LogRecord};

/// How far an attempt came. Ordered: a later phase implies that the earlier ones were passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Host-side work before the virtual machine: initramfs, disks, command line.
    Prepare,
    /// The virtual machine runs, the agent has not spoken yet.
    Boot,
    /// The agent spoke; modules, files and sysctls are being put in place.
    Setup,
    /// The trivial program runs: what fails here says nothing about the test.
    Check,
    /// The test's program runs.
    Dose,
    /// The program ended; detectors are read a last time.
    Settle,
    /// The guest is being powered off.
    Stop,
}

impl Phase {
    /// The word shown to people, at most seven letters so that it fits a column.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Boot => "boot",
            Phase::Setup => "setup",
            Phase::Check => "check",
            Phase::Dose => "dose",
            Phase::Settle => "settle",
            Phase::Stop => "stop",
        }
    }
}

/// Where an attempt's guest came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// It was booted for the attempt.
    #[default]
    Booted,
    /// It was restored from a guest that was booted before, and saved when its agent first spoke.
    Restored,
}

/// Why the host ended a guest that had not ended by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Stopped {
    /// The console showed a crash after which a kernel does not go on, or a hung task.
    CrashSeen,
    /// The program ran longer than the test's `terminate` time; the limit is given in seconds.
    Terminate {
        /// The limit that was exceeded, seconds.
        limit: f64,
    },
    /// The guest did not reach the agent in time; the limit is given in seconds.
    BootTimeout {
        /// The limit that was exceeded, seconds.
        limit: f64,
    },
    /// The agent's heartbeat stopped for this many seconds.
    Silent {
        /// Seconds since the last message.
        seconds: f64,
    },
    /// The user interrupted the run, or the cell's verdict was settled elsewhere.
    Cancelled,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ending {
    /// The agent finished its work and powered the guest off, or it was ended after its last message.
    Complete,
    /// The guest restarted or powered off without the agent's last message: a panic, or the program did it.
    GuestReset,
    /// The host ended the guest.
    Stopped(Stopped),
    /// QEMU ended by itself in a way that no guest asks for.
    QemuDied {
        /// What QEMU's status and standard error say.
        detail: String,
    },
    /// No virtual machine was started, or it could not be prepared.
    NotStarted {
        /// What failed.
        detail: String,
    },
}

/// How the test's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A line that the program wrote to its report descriptor (see `suites/README.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramReport {
    /// Rounds of the dose that were really done.
    Iterations(u64),
    /// The program itself saw the symptom.
    Symptom(String),
    /// The program could not judge, for this reason.
    Blind(String),
    /// The kernel lacks something that the program needs.
    Skip(String),
    /// Anything worth keeping with the evidence.
    Note(String),
    /// A line of no known form, kept as it came.
    Unknown(String),
}

/// The words that a line of the report descriptor may begin with, requests of the host (`vm/README.md`) included.
pub const REPORT_WORDS: [&str; 7] = ["iterations", "symptom", "blind", "skip", "note", "plug", "unplug"];

impl ProgramReport {
    /// Reads one line of the report descriptor, without its newline.
    pub fn parse(line: &str) -> ProgramReport {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim().to_owned();
        match word {
            "iterations" => match rest.parse() {
                Ok(n) => ProgramReport::Iterations(n),
                Err(_) => ProgramReport::Unknown(line.to_owned()),
            },
            "symptom" => ProgramReport::Symptom(rest),
            "blind" => ProgramReport::Blind(rest),
            "skip" => ProgramReport::Skip(rest),
            "note" => ProgramReport::Note(rest),
            _ => ProgramReport::Unknown(line.to_owned()),
        }
    }
}

/// Objects that no pointer leads to any more, allocated in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakedObjects {
    /// How many.
    pub objects: u64,
    /// Their size, bytes in all.
    pub bytes: u64,
    /// The name of the task that allocated them (`comm`).
    pub comm: String,
    /// The kernel functions of the allocation, innermost first, without offsets.
    pub stack: Vec<String>,
}

/// One detector's readings around the dose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReading {
    /// Which probe: `slab` or `kmemleak`.
    pub probe: String,
    /// What it looked at: [`SlabCaches`] as text, or `leaked objects`.
    pub subject: String,
    /// The reading just before the dose, in objects; absent: it could not be read.
    pub before: Option<i64>,
    /// The reading after the dose.
    pub after: Option<i64>,
    /// Why a reading is absent.
    pub error: Option<String>,
    /// What `kmemleak` found, by origin, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<LeakedObjects>,
    /// Whether there was more than `leaks` tells.
    #[serde(default, skip_serializing_if = "is_false")]
    pub leaks_cut: bool,
    /// What `slab` says beyond the sum.
    #[serde(default, skip_serializing_if = "SlabRows::is_empty")]
    pub slab: SlabRows,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Which part of a console was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// What was kept, with the middle left out when the guest printed more than the bound.
    #[serde(skip)]
    pub text: Vec<u8>,
    /// How many bytes the guest printed.
    pub printed: u64,
    /// How many of them were left out between the kept beginning and the kept end.
    pub left_out: u64,
    /// Offset in `text` behind the line that marks the start of the dose; absent: that line was not seen.
    pub dose_start: Option<usize>,
    /// Offset in `text` of the line that marks the end of the dose; absent: that line was not seen.
    pub dose_end: Option<usize>,
}

/// What the agent said when it was ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub build: String,
    /// `/proc/cmdline`.
    pub cmdline: String,
    /// `/proc/sys/kernel/tainted` at that moment.
    pub tainted: u64,
    /// Which port carries the agent's messages: `virtio` or `serial`.
    pub channel: String,
    /// The hung-task timeout that the kernel accepted, seconds; absent: this kernel has no such detector.
    pub hung_task_timeout: Option<u64>,
}

/// The program's part of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRun {
    /// Whether it was started.
    pub started: bool,
    /// How it ended; absent: it was still running when the attempt ended.
    pub exit: Option<Exit>,
    /// From its start to its end by the guest's own clock, milliseconds; absent: its end was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_ms: Option<u64>,
    /// What it wrote to its report descriptor, at most [`ProgramRun::MOST_REPORTS`] lines.
    pub reports: Vec<ProgramReport>,
    /// Lines beyond that bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reports_left_out: u64,
    /// The end of what it wrote to standard output and standard error.
    pub output: String,
    /// Bytes of output in all.
    pub output_bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ProgramRun {
    /// The most lines that are kept of what a program reports.
    pub const MOST_REPORTS: usize = 1000;

    /// Takes in one line of the report descriptor. Of the iterations only the last figure counts, so only that is kept.
    pub fn take_report(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let report = ProgramReport::parse(line);
        if let ProgramReport::Iterations(_) = report
            && let Some(last) = self.reports.last_mut()
            && matches!(last, ProgramReport::Iterations(_))
        {
            *last = report;
        } else if self.reports.len() < Self::MOST_REPORTS {
            self.reports.push(report);
        } else {
            self.reports_left_out += 1;
        }
    }

    /// The rounds that the program says it did: the last such report counts.
    pub fn iterations(&self) -> Option<u64> {
        self.reports.iter().rev().find_map(|r| match r {
            ProgramReport::Iterations(n) => Some(*n),
            _ => None,
        })
    }
}

/// A step before the dose that failed in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum SetupFailure {
    /// A module could not be loaded.
    Module {
        /// Its name.
        name: String,
        /// The kernel's answer.
        error: String,
    },
    /// A sysctl could not be set.
    Sysctl {
        /// Its name in dotted form.
        name: String,
        /// The kernel's answer.
        error: String,
    },
    /// A file could not be placed in the guest.
    File {
        /// Its path in the guest.
        path: String,
        /// The kernel's answer.
        error: String,
    },
    /// A disk of the test did not appear.
    Disk {
        /// The disk's name in the suite.
        name: String,
    },
    /// The trivial program failed.
    Check {
        /// What happened.
        error: String,
    },
    /// The test's program could not be started.
    Program {
        /// What happened.
        error: String,
    },
    /// Not everything that host and agent said came through, at any time of the attempt.
    Channel {
        /// Frames that are missing.
        frames: u64,
    },
}

impl std::fmt::Display for SetupFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetupFailure::Module { name, error } => write!(f, "module {name} could not be loaded: {error}"),
            SetupFailure::Sysctl { name, error } => write!(f, "sysctl {name} could not be set: {error}"),
            SetupFailure::File { path, error } => {
                write!(f, "{path} could not be put into the guest: {error}")
            }
            SetupFailure::Disk { name } => write!(f, "disk {name} did not appear in the guest"),
            SetupFailure::Check { error } => write!(f, "the trivial program failed: {error}"),
            SetupFailure::Program { error } => write!(f, "the program could not be started: {error}"),
            SetupFailure::Channel { frames: 1 } => {
                f.write_str("one frame between host and agent was lost, and what was in it is not known")
            }
            SetupFailure::Channel { frames } => {
                write!(
                    f,
                    "{frames} frames between host and agent were lost, and what was in them is not known"
                )
            }
        }
    }
}

/// Everything one attempt produced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Where the guest came from.
    pub start: Start,
    /// The phase that was reached.
    pub phase: Phase,
    /// How the attempt ended.
    pub ending: Ending,
    /// Whether the emulator could run instructions that the kernel had already replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stale_code: bool,
    /// The kernel console.
    pub console: Console,
    /// What other witnesses have of the kernel's log.
    #[serde(default)]
    pub kernel_log: KernelLog,
    /// What the agent said when it was ready; absent: it never spoke.
    pub guest: Option<GuestFacts>,
    /// The step before the dose that failed.
    pub setup_failure: Option<SetupFailure>,
    /// The program's part.
    pub program: ProgramRun,
    /// The detectors' readings.
    pub probes: Vec<ProbeReading>,
    /// How the kernel's detectors were set around the dose; empty where it did not come to its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorState>,
    /// Tasks that were blocked at the end, when that was asked.
    pub blocked: Vec<BlockedTask>,
    /// From the start of the virtual machine to the agent's first message, seconds; for a restored guest to its answer.
    pub boot_seconds: Option<f64>,
    /// Wall time of the attempt, seconds.
    pub seconds: f64,
}

impl Observation {
    /// An attempt for which no virtual machine could be started.
    pub fn not_started(detail: impl Into<String>) -> Observation {
        Observation {
            start: Start::Booted,
            phase: Phase::Prepare,
            ending: Ending::NotStarted { detail: detail.into() },
            stale_code: false,
            console: Console::default(),
            kernel_log: KernelLog::default(),
            guest: None,
            setup_failure: None,
            program: ProgramRun::default(),
            probes: Vec::new(),
            detectors: Vec::new(),
            blocked: Vec::new(),
            boot_seconds: None,
            seconds: 0.0,
        }
    }

    /// Wall time of the attempt.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_lines_are_read() {
        let table = [
            ("iterations 20000", ProgramReport::Iterations(20000)),
            ("symptom page 3 is mapped", ProgramReport::Symptom("page 3 is mapped".into())),
            ("blind", ProgramReport::Blind(String::new())),
            ("skip  no fsopen", ProgramReport::Skip("no fsopen".into())),
            ("iterations many", ProgramReport::Unknown("iterations many".into())),
            ("iterations", ProgramReport::Unknown("iterations".into())),
            ("iterations -5", ProgramReport::Unknown("iterations -5".into())),
            ("iterations 5 of 6", ProgramReport::Unknown("iterations 5 of 6".into())),
            (
                "iterations 99999999999999999999",
                ProgramReport::Unknown("iterations 99999999999999999999".into()),
            ),
            ("symptom: boom", ProgramReport::Unknown("symptom: boom".into())),
            ("hello", ProgramReport::Unknown("hello".into())),
        ];
        for (line, expected) in table {
            assert_eq!(ProgramReport::parse(line), expected, "{line}");
        }
    }

    #[test]
    fn what_a_program_reports_is_bounded() {
        let mut run = ProgramRun::default();
        for n in 0..5000 {
            run.take_report(&format!("iterations {n}"));
        }
        assert_eq!((run.reports.len(), run.iterations(), run.reports_left_out), (1, Some(4999), 0));
        for n in 0..5000 {
            run.take_report(&format!("note {n}"));
        }
        assert_eq!((run.reports.len(), run.reports_left_out), (ProgramRun::MOST_REPORTS, 4001));
    }

    #[test]
    fn phases_are_ordered() {
        assert!(Phase::Boot < Phase::Setup && Phase::Dose < Phase::Settle);
    }
}
