//! What a run that judges a queue of patches writes down besides its attempts. All that is needed to go on with one is in
//! here and in the attempts.

use serde::{Deserialize, Serialize};

use crate::triage::{Aims, Budget, Costs, Expect, KernelOf, Task};

/// What happens to a queue. In a journal's line the kind stands under `queue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "queue", rename_all = "kebab-case")]
pub enum QueueEvent {
    /// What is judged; once in a run, before all other events of this kind.
    Begun(Box<QueueRecord>),
    /// A run that is gone on with has other limits than at its start.
    Limits {
        /// How sure the answers must be.
        aims: Aims,
        /// What may be spent.
        budget: Budget,
    },
    /// A kernel is there.
    Kernel(KernelRecord),
    /// A kernel does not build.
    Broken {
        /// Its name.
        kernel: String,
        /// Which patches it has.
        of: KernelOf,
        /// The compiler's first error, and where its log is.
        reason: String,
        /// How long that took, seconds.
        seconds: f64,
    },
    /// A patch is taken out of the queue because nothing builds or boots with it. It is not part of any kernel from here on, and
    /// what was seen of kernels that had it no longer counts.
    SetAside {
        /// Its number.
        patch: usize,
        /// The compiler's line, what the boot showed, or the patch that it needs.
        reason: String,
        /// Whether it builds, and does not boot.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        boot: bool,
    },
    /// A patch cannot be the culprit of anything, which was found out after the beginning.
    Impossible {
        /// Its number.
        patch: usize,
        /// Why.
        reason: String,
    },
    /// A test, or every test but that of the boot, cannot be judged on a kernel.
    Unjudged {
        /// The kernel's name.
        kernel: String,
        /// The test; absent: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<String>,
        /// Why.
        reason: String,
    },
    /// The next attempts.
    Step {
        /// On which kernel.
        kernel: String,
        /// Of which tests, by their places in the record, from 0; at most how many; what for.
        tasks: Vec<Task>,
    },
    /// A culprit is taken back.
    Withdrawn {
        /// Its number.
        patch: usize,
        /// Why.
        reason: String,
    },
    /// There is nothing more to try.
    Ended {
        /// Numbers of the patches that are blamed.
        blamed: Vec<usize>,
        /// Wall time of this run, seconds.
        seconds: f64,
    },
}

/// A kernel that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// Its name.
    pub kernel: String,
    /// Which patches it has.
    pub of: KernelOf,
    /// `uname -r`.
    pub release: String,
    /// Digest of what boots: equal for two builds that cannot differ.
    pub content: String,
    /// How long it took to get, seconds.
    pub seconds: f64,
    /// Files that were compiled for it.
    #[serde(default)]
    pub compiled: u64,
    /// The compiler's warnings, without the numbers of lines and columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// What was named: a file, a folder, `REPOSITORY@A..B`.
    pub input: String,
    /// What it is, in words.
    pub kind: String,
    /// The mail to answer: the cover letter, else the first patch.
    pub mail: QueueMail,
    /// Digest of what the patches say.
    pub digest: String,
    /// What they are put on.
    pub tree: QueueTree,
    /// The patches that are tested, in order. Triage's patch n is the n-th of them, from 1, whatever its number is.
    pub patches: Vec<QueuedPatch>,
    /// Those that are not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
    /// What upstream has and neither the tree nor the queue, where upstream was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How it was read.
    #[serde(default)]
    pub reading: HowRead,
    /// What else was said when it was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The tests, in the order in which they run.
    pub tests: Vec<QueueTest>,
    /// How sure the answers must be.
    pub aims: Aims,
    /// What may be spent; costs in seconds.
    pub budget: Budget,
    /// What kernels and attempts were taken to cost before any was measured, seconds.
    pub costs: Costs,
    /// Whether every patch is built in its place, and what is done there.
    #[serde(default)]
    pub each: Each,
}

/// How a queue was read: what a run that is gone on with has to do again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HowRead {
    /// `--pick`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<String>,
    /// `--repair`.
    #[serde(default)]
    pub repair: bool,
    /// `--fuzz`.
    #[serde(default)]
    pub fuzz: u8,
}

/// Something that upstream has and the tree would not have with the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What it is to the queue.
    pub kind: MissingKind,
    /// The number of the patch that it is about.
    pub patch: usize,
    /// The commit upstream, 12 digits.
    pub commit: String,
    /// Its subject.
    pub title: String,
}

/// What a commit is to a patch of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingKind {
    /// It repairs the patch: its `Fixes:` names it.
    Fix,
    /// It takes the patch back.
    Revert,
    /// It changed what the patch stands on.
    Prerequisite,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Missing { kind, patch, commit, title } = self;
        match kind {
            MissingKind::Fix => write!(f, "{commit} (\"{title}\") repairs patch {patch}"),
            MissingKind::Revert => write!(f, "{commit} (\"{title}\") takes patch {patch} back"),
            MissingKind::Prerequisite => write!(f, "patch {patch} may need {commit} (\"{title}\") first"),
        }
    }
}

/// What is done with the kernel of every patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// Nothing: only kernels that a search needs are built.
    #[default]
    Nothing,
    /// It is built.
    Build,
    /// It is built and booted.
    Boot,
    /// It is built and booted, and every test runs once.
    Tests,
}

/// The mail that an answer is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMail {
    /// Its subject.
    pub title: String,
    /// Who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When, in the mail's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Its message id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What a queue is put on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTree {
    /// As it was named.
    pub named: String,
    /// What it was at the beginning: a commit's hash; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// Its version, as far as it is known.
    pub version: String,
    /// The configuration: names of fragments joined by `+`.
    pub config: String,
    /// SHA-256 of what they ask for.
    pub config_digest: String,
    /// The compiler, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// What it is compiled for, as `uname -m` says it, where it is not x86_64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
}

/// A patch that is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedPatch {
    /// Its number in the queue.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// Its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The id of its mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// The commit in mainline that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The commits that it repairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<String>,
    /// The stable lines that its author names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The files that it touches.
    pub files: Vec<String>,
    /// How it applies, in [`crate::patch::Outcome::words`], with what is to be known of it.
    pub applies: String,
    /// Why it cannot be the culprit of anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impossible: Option<String>,
    /// Numbers of the patches that it cannot be without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<usize>,
    /// Values of its `Reported-by:` tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported_by: Vec<String>,
    /// syzbot's ids of the bug.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syzbot: Vec<String>,
}

/// A patch that is not tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its number.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// What keeps it out.
    pub kind: Aside,
    /// Why, in words.
    pub why: String,
}

/// What keeps a patch out of the test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aside {
    /// It does not fit in its place.
    #[default]
    DoesNotApply,
    /// The mail damaged it.
    Damaged,
    /// The tree has it.
    There,
    /// It stands in the queue before.
    Twice,
    /// Nothing builds with it.
    DoesNotBuild,
    /// Nothing boots with it.
    DoesNotBoot,
    /// The reading left it out: an older version, a reply that carries a diff.
    LeftOut,
}

/// A test of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueTest {
    /// `suite::test`.
    pub test: String,
    /// Its one-line summary.
    #[serde(default)]
    pub summary: String,
    /// Digest of everything in it that a verdict depends on.
    pub digest: String,
    /// What it is to show.
    pub expect: Expect,
    /// Why it runs before others: what ties it to patches; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tie: String,
    /// Numbers of these patches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<usize>,
    /// How many good attempts make it fine, where that is not what the aims say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<u32>,
    /// How to run it without this program, a command a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reproducer: Vec<String>,
}
