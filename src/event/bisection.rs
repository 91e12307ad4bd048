//! What a bisection searches, and the kernels that it searches among.

use serde::{Deserialize, Serialize};

use crate::bisect::{Aims, Costs, Find};

/// What a bisection searches. All that is needed to resume one is in here and in the attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BisectionRecord {
    /// `suite::test`.
    pub test: String,
    /// The test's one-line summary.
    pub summary: String,
    /// Digest of everything in the test that a verdict depends on.
    pub test_digest: String,
    /// Whether the cause or the fix is looked for.
    pub find: Find,
    /// When the search ends.
    pub aims: Aims,
    /// What kernels and attempts were taken to cost before any was measured, seconds.
    pub costs: Costs,
    /// Where the kernels come from.
    pub source: BisectionSource,
    /// The old end first, the new end last, each after its parents.
    pub candidates: Vec<CandidateRecord>,
}

/// Where the kernels of a bisection come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BisectionSource {
    /// Packages, or other kernels that are there, in the order of their versions or of a list.
    Series {
        /// Kernels between the ends that are unavailable, with the reason.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
        /// Whether the kernels are of several lines, so that their order is not that of time.
        #[serde(default)]
        several_lines: bool,
    },
    /// The commits of a git repository.
    Tree {
        /// The repository.
        path: String,
        /// The configuration: names of fragments joined by `+`.
        config: String,
        /// SHA-256 of what they ask for; empty in older journals.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        config_digest: String,
        /// The compiler, where one was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compiler: Option<String>,
        /// What they are compiled for, as `uname -m` says it, where it is not x86_64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arch: Option<String>,
        /// Only changes to these paths are candidates; empty: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
    },
}

/// One kernel of a bisection, and the change that it has and its parents have not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// The kernel's name in this run.
    pub name: String,
    /// What selects it again: a release, a commit's hash, a file.
    pub id: String,
    /// Where its parents are in the list; none for the first.
    pub parents: Vec<usize>,
    /// The first line of a commit's message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// A commit's author, with address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// A commit's date, `2026-11-21`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
}

/// A candidate that may be the culprit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The kernel's name; `before` or `never` where the change is not between the ends at all.
    pub kernel: String,
    /// How likely it is.
    pub probability: f64,
}
