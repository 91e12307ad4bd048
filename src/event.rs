//! What happens in a run, as plain data: the only thing that the runner, the journal, the live view and the reports
//! share. Serialised, one event is one JSON object with its kind under `event`; the journal and
//! `--message-format json` carry these objects, one a line. Fields are added over time, never renamed or removed.

mod about;
mod bisection;
pub(crate) mod line;
pub mod queue;
mod split;

pub use about::TestAbout;
pub use bisection::{BisectionRecord, BisectionSource, CandidateRecord, Suspect};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bisect::{Answer, Purpose, Seen};
use crate::expectation::Expectation;
use crate::observation::{BlockedTask, ClockPair, Ending, Phase, ProbeReading, ProgramRun, Start};
use crate::oops::{Report, ReportKind};
use crate::verdict::Verdict;
use crate::witness::Witness;
pub use split::{MergedRun, PartitionRecord, Split};

/// The version of the journal's form, in its first line.
pub const SCHEMA: u32 = 1;

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Which cell an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellId {
    /// `suite::test`.
    pub test: String,
    /// The kernel's name, for example `6.17.13`.
    pub kernel: String,
}

impl std::fmt::Display for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.test, self.kernel)
    }
}

/// One crash report found in a console, short enough for a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The title, in syzkaller's words.
    pub title: String,
    /// Other names of the same defect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alt_titles: Vec<String>,
    /// The class of defect, for example `HANG`; empty when unknown.
    #[serde(rename = "type")]
    pub kind: String,
    /// The function blamed.
    pub frame: Option<String>,
    /// The functions of its call trace, innermost first.
    #[serde(default)]
    pub frames: Vec<String>,
    /// Whether the report is too damaged to be trusted.
    pub corrupted: bool,
    /// Line of the attempt's console file where the report starts, from 1.
    pub line: usize,
    /// Who has it where the console lacks it; its lines are then at the end of the console's file. Absent: the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The report's own text, cut to a bound.
    pub text: String,
}

impl Diagnosis {
    /// What is known of the report; its place in a text is that of [`Diagnosis::text`].
    pub fn report(&self) -> Report {
        Report {
            title: self.title.clone(),
            alt_titles: self.alt_titles.clone(),
            kind: self.kind.parse().unwrap_or(ReportKind::Unknown),
            corrupted: self.corrupted,
            corrupted_reason: None,
            frame: self.frame.clone(),
            frames: self.frames.clone(),
            suppressed: false,
            panicked: false,
            start: 0,
            end: 0,
            start_line: self.line,
            task: None,
            pid: None,
            cpu: None,
        }
    }
}

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Number of the attempt within its cell, from 1, retries included.
    pub attempt: u32,
    /// What this attempt alone says.
    pub verdict: Verdict,
    /// The symptom's or the other crash's title.
    pub title: Option<String>,
    /// Why, where there is no title to say it.
    pub reason: Option<String>,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Time of the host's processors that its virtual machine took, seconds, the rehearsal of a restored one included; absent: it
    /// was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<f64>,
    /// Whether the guest was booted or restored.
    #[serde(default)]
    pub start: Start,
    /// Whether the guest's clock leapt over idle time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub time_travel: bool,
    /// The guest's clock beside the host's, where it gained a second or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockPair>,
    /// From the start of the virtual machine to the agent's first message, seconds; for a restored guest to its answer.
    pub boot_seconds: Option<f64>,
    /// The phase that was reached.
    pub phase: Phase,
    /// How the attempt ended.
    pub ending: Ending,
    /// The program's part.
    pub program: ProgramRun,
    /// The detectors' readings.
    pub probes: Vec<ProbeReading>,
    /// Tasks that were blocked at the end.
    pub blocked: Vec<BlockedTask>,
    /// What was concluded from the stacks and the reports, a sentence each: the cycle of a deadlock, the poison that a
    /// crash fell over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The crash reports of the console, those before the dose included.
    pub diagnoses: Vec<Diagnosis>,
    /// The console's file, relative to the run's folder; absent: there was none.
    pub console: Option<String>,
    /// The script by which a person comes into the guest that it had, relative to the run's folder; absent: there is none.
    pub reproduce: Option<String>,
}

/// The result of a finished cell. This is the record that scripts read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// `suite::test`.
    pub test: String,
    /// The kernel's name.
    pub kernel: String,
    /// `uname -r` of the kernel, where it is known.
    pub release: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The symptom's or the other crash's title.
    pub title: Option<String>,
    /// Attempts made, retries included.
    pub attempts: u32,
    /// Wall time of all attempts, seconds.
    pub seconds: f64,
    /// Why, where there is no title to say it.
    pub reason: Option<String>,
    /// For `good`: the chance that the bug is there and was missed, where a chance per attempt is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miss_chance: Option<f64>,
    /// What the suite's `known` list says of this result: `known` or `fixed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// The kernel's architecture as `uname -m` says it, where it is not x86_64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The version of the distribution's packages that the kernel is from, with their revision: `6.12.57-1~bpo12+1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What the kernel's history lets one expect, where the test names its fix and that was known when the cell ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<Box<Expectation>>,
}

impl CellRecord {
    /// Which cell this is.
    pub fn id(&self) -> CellId {
        CellId { test: self.test.clone(), kernel: self.kernel.clone() }
    }
}

/// How many cells have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The symptom was observed.
    pub bad: u64,
    /// The whole dose ran and nothing was seen.
    pub good: u64,
    /// The kernel crashed or hung in another way.
    pub other: u64,
    /// A need is not met.
    pub skip: u64,
    /// The test could not judge.
    pub blind: u64,
    /// The infrastructure failed.
    pub lost: u64,
    /// Planned, but not run.
    pub not_run: u64,
}

impl Counts {
    /// Counts one more cell with this verdict.
    pub fn add(&mut self, verdict: Verdict) {
        *self.of(verdict) += 1;
    }

    /// Counts a cell with this verdict no more, as it has another one.
    pub fn remove(&mut self, verdict: Verdict) {
        let count = self.of(verdict);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Bad => &mut self.bad,
            Verdict::Good => &mut self.good,
            Verdict::Other => &mut self.other,
            Verdict::Skip => &mut self.skip,
            Verdict::Blind => &mut self.blind,
            Verdict::Lost => &mut self.lost,
        }
    }

    /// Cells that have a verdict.
    pub fn finished(&self) -> u64 {
        self.bad + self.good + self.other + self.skip + self.blind + self.lost
    }
}

/// What happens in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first event.
    RunStarted {
        /// [`SCHEMA`].
        schema: u32,
        /// Name of the run's folder.
        run: String,
        /// This program's version.
        kregress: String,
        /// When it started.
        at: Timestamp,
        /// The command line, so that the run can be repeated.
        command: Vec<String>,
        /// How many cells are planned.
        cells: u64,
        /// Which part of a larger plan it is, or which runs were merged into it.
        #[serde(flatten)]
        split: Split,
    },
    /// What virtual machines of this run are made of.
    Host {
        /// QEMU's version.
        qemu: String,
        /// `kvm` or `tcg`.
        accel: String,
        /// Why that one.
        accel_reason: String,
        /// Processors of the host.
        cpus: u32,
        /// Memory of the host that was free at the start, MiB.
        memory_mib: u64,
        /// As which user QEMU runs, or why as root, where the run is root's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A cell that will run.
    Planned {
        /// Which one.
        #[serde(flatten)]
        cell: CellId,
        /// `uname -r` of the kernel, where it is known.
        release: Option<String>,
        /// The test's one-line summary.
        #[serde(default)]
        summary: String,
        /// What the kernel's history lets one expect, where that became known after the cell had its verdict: the event is then
        /// told again with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expectation: Option<Box<Expectation>>,
        /// What its suite says of the test; once for each test of a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<TestAbout>>,
        /// What selects the kernel again, where that is not its name: the file of an image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        select: Option<String>,
        /// In a run that was merged: options of the command line of the cell's own run by which its test and its kernel are
        /// found again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
    },
    /// An attempt starts.
    AttemptStarted {
        /// Of which cell.
        #[serde(flatten)]
        cell: CellId,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// The most attempts this cell can take, retries not included.
        of: u32,
    },
    /// An attempt reached another phase. Not kept in the journal.
    Phase {
        /// Of which cell.
        #[serde(flatten)]
        cell: CellId,
        /// Number of the attempt.
        attempt: u32,
        /// The phase.
        phase: Phase,
    },
    /// A program runs longer than its test's `slow` time. Not kept in the journal.
    Slow {
        /// Of which cell.
        #[serde(flatten)]
        cell: CellId,
        /// Number of the attempt.
        attempt: u32,
        /// How long it has run, seconds.
        seconds: f64,
    },
    /// An attempt ended.
    Attempt {
        /// Of which cell.
        #[serde(flatten)]
        cell: CellId,
        /// Its result.
        #[serde(flatten)]
        record: Box<AttemptRecord>,
    },
    /// A cell has its verdict.
    Cell(Box<CellRecord>),
    /// What a bisection searches; once in a run, and before all other events of it.
    Bisection(Box<BisectionRecord>),
    /// What is known of a candidate from elsewhere and counts as evidence.
    Earlier {
        /// The kernel's name.
        kernel: String,
        /// Symptoms and attempts.
        #[serde(flatten)]
        seen: Seen,
        /// Where it is from: a run's id, or a file.
        from: String,
        /// Digest of what booted there, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    /// A candidate's kernel is there.
    CandidateReady {
        /// Its name.
        kernel: String,
        /// `uname -r`.
        release: String,
        /// Digest of what boots: equal for two builds that cannot differ.
        content: String,
        /// How long it took to get, seconds.
        seconds: f64,
    },
    /// A candidate is not tried any more, because its kernel is unavailable or cannot be judged.
    CandidateClosed {
        /// Its name.
        kernel: String,
        /// Why.
        reason: String,
    },
    /// The next step of a bisection.
    BisectionStep {
        /// Which kernel is tried.
        kernel: String,
        /// At most so many times, until it shows the symptom.
        attempts: u32,
        /// What for.
        purpose: Purpose,
        /// How many candidates hold 99% of the probability.
        candidates: usize,
        /// The likeliest ones.
        suspects: Vec<Suspect>,
        /// Attempts that were evidence so far.
        made: u32,
        /// About how many are still to come.
        left: Option<u32>,
    },
    /// The result of a bisection.
    BisectionEnded {
        /// The answer; nodes are places in the list of candidates.
        #[serde(flatten)]
        answer: Answer,
        /// Wall time of this run so far, seconds.
        seconds: f64,
    },
    /// What happens to a queue of patches.
    Queue(Box<queue::QueueEvent>),
    /// Something the user should know that belongs to no cell.
    Notice {
        /// One line.
        text: String,
    },
    /// The last event.
    RunFinished {
        /// When it ended.
        at: Timestamp,
        /// Wall time, seconds.
        seconds: f64,
        /// Whether the user or a limit ended it before every cell was run.
        cancelled: bool,
        /// Verdicts.
        #[serde(flatten)]
        counts: Counts,
    },
}

impl Event {
    /// Whether the journal keeps this event: those that only the live view needs are left out.
    pub fn is_kept(&self) -> bool {
        !matches!(self, Event::Phase { .. } | Event::Slow { .. })
    }
}

#[cfg(test)]
impl CellRecord {
    /// That of a cell which was clean in one attempt.
    pub(crate) fn clean(test: &str, kernel: &str, seconds: f64) -> CellRecord {
        CellRecord {
            test: test.into(),
            kernel: kernel.into(),
            release: None,
            verdict: Verdict::Good,
            title: None,
            attempts: 1,
            seconds,
            reason: None,
            miss_chance: None,
            known: None,
            arch: None,
            package: None,
            expectation: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_line_has_the_documented_fields() {
        let event = Event::Cell(Box::new(CellRecord {
            release: Some("6.17.13+deb13-cloud-amd64".into()),
            verdict: Verdict::Bad,
            title: Some("BUG: unable to handle kernel NULL pointer dereference in x".into()),
            ..CellRecord::clean("block::elevator-switch-race", "6.17.13", 3.2)
        }));
        let line = serde_json::to_string(&event).unwrap();
        insta::assert_snapshot!(line, @r#"{"event":"cell","test":"block::elevator-switch-race","kernel":"6.17.13","release":"6.17.13+deb13-cloud-amd64","verdict":"bad","title":"BUG: unable to handle kernel NULL pointer dereference in x","attempts":1,"seconds":3.2,"reason":null}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn the_last_line_carries_the_counts() {
        let mut counts = Counts::default();
        counts.add(Verdict::Bad);
        counts.add(Verdict::Good);
        let event = Event::RunFinished { at: Timestamp::UNIX_EPOCH, seconds: 1.0, cancelled: false, counts };
        let line = serde_json::to_string(&event).unwrap();
        insta::assert_snapshot!(line, @r#"{"event":"run-finished","at":"1970-01-01T00:00:00Z","seconds":1.0,"cancelled":false,"bad":1,"good":1,"other":0,"skip":0,"blind":0,"lost":0,"not_run":0}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
