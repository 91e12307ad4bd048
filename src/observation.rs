//! What one attempt produced, as plain data: everything a verdict may be based on, and nothing else.

mod clock;
mod kernel_log;
mod subtest;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::guest::detectors::DetectorState;
pub use crate::guest::facts::{GuestFacts, Phase, SetupFailure};
pub use crate::guest::kmsg::LogRecord;
pub use crate::guest::probe::{LeakedObjects, ProbeReading};
pub use crate::guest::program::{Exit, ProgramReport, REPORT_WORDS, Runs};
pub use crate::guest::slab::{NO_LEAK, NOISE, SlabCaches, SlabRow, SlabRows};
pub use crate::hang::BlockedTask;
pub use clock::ClockPair;
pub use kernel_log::{KernelLog, LogExcerpt};
pub use subtest::{Subtest, SubtestResult};

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
    /// No detector could have seen the symptom, by what was read just before the dose, which was not begun.
    Undetectable,
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

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Complete => f.write_str("ended by itself"),
            Ending::GuestReset => f.write_str("the guest restarted or powered off without a last message"),
            Ending::QemuDied { detail } => write!(f, "QEMU died: {detail}"),
            Ending::NotStarted { detail } => write!(f, "not started: {detail}"),
            Ending::Stopped(stopped) => match stopped {
                Stopped::CrashSeen => f.write_str("stopped after a crash on the console"),
                Stopped::Terminate { limit } => {
                    write!(f, "stopped: the program ran longer than {limit} s")
                }
                Stopped::BootTimeout { limit } => {
                    write!(f, "stopped: the agent did not speak within {limit} s")
                }
                Stopped::Silent { seconds } => {
                    write!(f, "stopped: the agent was silent for {seconds} s")
                }
                Stopped::Undetectable => {
                    f.write_str("stopped before the dose: no detector could see the symptom")
                }
                Stopped::Cancelled => f.write_str("stopped: the run was ended"),
            },
        }
    }
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
    /// Its runs, where it does not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Runs>,
    /// What it wrote to its report descriptor, at most [`ProgramRun::MOST_REPORTS`] lines.
    pub reports: Vec<ProgramReport>,
    /// Lines beyond that bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reports_left_out: u64,
    /// Results within its output that have names of their own, in their order; empty where its output has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtests: Vec<Subtest>,
    /// The end of what it wrote to standard output and standard error.
    pub output: String,
    /// Bytes of output in all.
    pub output_bytes: u64,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ProgramRun {
    /// The most lines that are kept of what a program reports.
    pub const MOST_REPORTS: usize = 1000;

    /// Takes in one line of the report descriptor.
    pub fn take_report(&mut self, line: &str) {
        if !line.trim().is_empty() {
            self.take(ProgramReport::parse(line));
        }
    }

    /// Takes in what the program reports. Of the iterations only the last figure counts, so only that is kept.
    pub fn take(&mut self, report: ProgramReport) {
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
    /// Whether the guest's clock leapt over idle time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub time_travel: bool,
    /// The guest's clock beside the host's, where it gained a second or more: from its start to the agent's first word, or within the
    /// dose, whichever is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockPair>,
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
    /// How the kernel's detectors were set around the dose; empty where it did not end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<DetectorState>,
    /// Tasks that were blocked at the end, when that was asked.
    pub blocked: Vec<BlockedTask>,
    /// From the start of the virtual machine to the agent's first message, seconds; for a restored guest to its answer.
    pub boot_seconds: Option<f64>,
    /// Wall time of the attempt, seconds.
    pub seconds: f64,
    /// Time of the host's processors that the virtual machine took, seconds, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<f64>,
}

impl Observation {
    /// An attempt for which no virtual machine could be started.
    pub fn not_started(detail: impl Into<String>) -> Observation {
        Observation {
            start: Start::Booted,
            phase: Phase::Prepare,
            ending: Ending::NotStarted { detail: detail.into() },
            stale_code: false,
            time_travel: false,
            clock: None,
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
            processor_seconds: None,
        }
    }

    /// The guest's clock beside the host's, if it ran away: what the kernel says of time is then not to be believed.
    pub fn runaway_clock(&self) -> Option<ClockPair> {
        let hung_task_timeout = self.guest.as_ref().and_then(|guest| guest.hung_task_timeout);
        self.clock.filter(|clock| clock.ran_away(hung_task_timeout))
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
    fn every_ending_has_words() {
        let endings = [
            Ending::Complete,
            Ending::GuestReset,
            Ending::QemuDied { detail: "signal 9".into() },
            Ending::NotStarted { detail: "no qemu-system-x86_64".into() },
            Ending::Stopped(Stopped::CrashSeen),
            Ending::Stopped(Stopped::Terminate { limit: 60.0 }),
            Ending::Stopped(Stopped::BootTimeout { limit: 60.0 }),
            Ending::Stopped(Stopped::Silent { seconds: 30.5 }),
            Ending::Stopped(Stopped::Cancelled),
        ];
        let words: Vec<String> = endings.iter().map(Ending::to_string).collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        ended by itself
        the guest restarted or powered off without a last message
        QEMU died: signal 9
        not started: no qemu-system-x86_64
        stopped after a crash on the console
        stopped: the program ran longer than 60 s
        stopped: the agent did not speak within 60 s
        stopped: the agent was silent for 30.5 s
        stopped: the run was ended
        "#);
    }
}
