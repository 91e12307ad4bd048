//! What is said of a queue: a row for every patch and every test, made from the state at any time.

mod answer;
mod b4;
mod junit;
mod mails;
mod rows;
mod text;

use serde::Serialize;

use super::state::QueueState;
use crate::event::queue::{Missing, QueueMail, QueueTree, SetAside};
use crate::report::ExitStatus;
use crate::triage::{Expect, Tally};

pub use answer::answer;
pub use b4::{Check, checks, reading_checks, refusal};
pub use junit::junit;
pub use mails::{regzbot, syzbot};
pub use text::text;

/// Everything that is said of a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueReport {
    /// The run's id.
    pub run: String,
    /// What was named.
    pub input: String,
    /// The mail to answer.
    pub mail: QueueMail,
    /// What it was put on.
    pub tree: QueueTree,
    /// Why there is more to try; absent: there is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// Whether that is because the budget is spent; else it is some trouble of this host's or its user's.
    pub budget_spent: bool,
    /// The patches that were tested, in order.
    pub patches: Vec<PatchRow>,
    /// Those that were not.
    pub set_aside: Vec<SetAside>,
    /// The tests, in the order in which they ran.
    pub tests: Vec<TestRow>,
    /// Culprits that were taken back: number and reason.
    pub withdrawn: Vec<(usize, String)>,
    /// What the tree and the queue lack of upstream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// Attempts that were made.
    pub attempts: usize,
    /// Kernels that were built, or tried to be.
    pub kernels: usize,
    /// Wall time of builds and attempts, seconds.
    pub seconds: f64,
}

/// What is known of a property of a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "what")]
pub enum Standing {
    /// Nothing.
    #[default]
    Unknown,
    /// The kernel up to it has it.
    Yes,
    /// The kernel up to it is not known, but the whole queue has it.
    WithTheOthers,
    /// The kernel up to it has it not, and the one before it has: why.
    No(String),
}

impl Standing {
    /// In a table.
    pub fn words(&self) -> &'static str {
        match self {
            Standing::Unknown => "",
            Standing::Yes => "yes",
            Standing::WithTheOthers => "in the tip",
            Standing::No(_) => "no",
        }
    }
}

/// How a patch comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Nothing speaks against it.
    Pass,
    /// Something is to be looked at.
    Warn,
    /// It breaks something, or does not do what it says.
    Fail,
}

/// A patch that was tested.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatchRow {
    /// Its number.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// The commit in mainline that it is.
    pub upstream: Option<String>,
    /// Its author.
    pub author: Option<String>,
    /// The id of its mail.
    pub mail: Option<String>,
    /// How it applies.
    pub applies: String,
    /// Whether the kernel up to it builds.
    pub builds: Standing,
    /// Whether that kernel boots.
    pub boots: Standing,
    /// Compiler warnings that no kernel before it has.
    pub warnings: Vec<String>,
    /// Tests of its own bug, with what they say: `fixed`, `not fixed`, `not reproducible here`.
    pub own_bug: Vec<(String, String)>,
    /// Tests that it breaks, with the confidence.
    pub breaks: Vec<(String, f64)>,
    /// Tests that it may be the one to break.
    pub suspected: Vec<String>,
    /// Why it cannot be the culprit of anything.
    pub impossible: Option<String>,
    /// How it comes out.
    pub grade: Grade,
}

/// Where a failure on the tip comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The queue introduced it.
    Introduced,
    /// The test could not run without the queue, so that nothing is known of before.
    Uncovered,
    /// It was there before.
    Before,
    /// It is not known.
    Open,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestRow {
    /// `suite::test`.
    pub test: String,
    /// Its one-line summary.
    pub summary: String,
    /// What it was to show.
    pub expect: Expect,
    /// What is said of it, in words.
    pub result: String,
    /// Whether it failed, and where that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Origin>,
    /// Numbers of the patches that it is about.
    pub patches: Vec<usize>,
    /// What it showed without the queue.
    pub baseline: Tally,
    /// What it showed with all of it.
    pub tip: Tally,
    /// Who broke it.
    pub culprits: Vec<CulpritRow>,
    /// Who it may be, where nobody or not all are named: numbers, likeliest first.
    pub candidates: Vec<usize>,
    /// Why no more is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// What was seen, in the symptom's words, or why it could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Other titles of failed attempts.
    pub other_titles: Vec<String>,
    /// How it fails without the queue, where that is in another way than with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The report of a crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// The console of that attempt, relative to the run's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// How to run the test without this program.
    pub reproducer: Vec<String>,
}

/// A patch that breaks a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CulpritRow {
    /// Its number.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// The probability that it is this one, given that the queue broke the test.
    pub confidence: f64,
    /// The kernel up to it.
    pub with: Tally,
    /// The kernel up to the patch before it.
    pub before: Tally,
    /// What taking it out showed.
    pub proof: Removal,
}

/// What taking a culprit out of the queue showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "without")]
pub enum Removal {
    /// The test is good again.
    GoodAgain {
        /// Numbers of all patches that were taken out.
        patches: Vec<usize>,
        /// What was seen.
        seen: Tally,
    },
    /// It still fails: another patch breaks it, too.
    StillBad {
        /// Numbers of all patches that were taken out.
        patches: Vec<usize>,
        /// What was seen.
        seen: Tally,
    },
    /// It cannot be taken out.
    Stays {
        /// Why.
        why: String,
    },
}

impl QueueReport {
    /// What is said of a queue so far; `open`: why there is no answer yet.
    pub fn of(state: &QueueState, open: Option<String>) -> QueueReport {
        rows::report(state, open)
    }

    /// Whether nothing at all speaks against the queue, so that somebody may sign for it.
    pub fn is_clean(&self) -> bool {
        let is_fine = |row: &TestRow| row.failure.is_none() && row.open.is_none();
        let passes = |row: &PatchRow| row.grade == Grade::Pass;
        let judged = self.tests.iter().any(|row| row.result == rows::PASSES || row.result == rows::FIXED);
        let applies = self.set_aside.iter().all(|one| !rows::is_fault(one.kind));
        self.open.is_none()
            && judged
            && applies
            && self.tests.iter().all(is_fine)
            && self.patches.iter().all(passes)
    }

    /// The command's exit code.
    pub fn exit_status(&self) -> ExitStatus {
        let faults = self.set_aside.iter().any(|one| rows::is_fault(one.kind))
            || self.patches.iter().any(|row| row.grade == Grade::Fail)
            || self.tests.iter().any(|row| row.failure == Some(Origin::Introduced));
        let unknown = self.open.is_some()
            || self.tests.iter().any(|row| row.open.is_some() || row.failure == Some(Origin::Uncovered))
            || !self.tests.iter().any(|row| row.tip.judged() > 0);
        match (faults, unknown) {
            (true, _) => ExitStatus::TestsFailed,
            (false, true) => ExitStatus::NotJudged,
            (false, false) => ExitStatus::Success,
        }
    }
}

/// Bad of judged attempts in a sentence: `3 of 4`.
fn counted(tally: Tally) -> String {
    format!("{} of {}", tally.bad, tally.judged())
}
