//! The result of a search.

use super::chance::Seen;

/// The end of a search.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The culprit, or the candidates that no kernel can tell from each other, oldest first.
    Found {
        /// The nodes.
        candidates: Vec<usize>,
        /// The probability that the culprit is one of them.
        probability: f64,
    },
    /// No candidate is likely enough.
    Inconclusive {
        /// Why the search ended.
        why: Exhausted,
        /// About how many more attempts would be needed, where any would help.
        attempts_left: Option<u32>,
    },
    /// The bad end never showed the symptom, nor did the good end.
    BadEndClean {
        /// Attempts on it.
        attempts: u32,
    },
    /// The bad end showed the symptom so rarely that a kernel without the bug may do so too.
    BadEndSpurious {
        /// What it showed.
        at_bad: Seen,
    },
    /// The good end has the bug too.
    GoodEndBad {
        /// What it showed.
        at_good: Seen,
    },
    /// The good end has the bug and the bad end has not.
    Exchanged {
        /// What the end called good showed.
        at_good: Seen,
        /// What the end called bad showed.
        at_bad: Seen,
    },
    /// An end cannot be judged.
    EndNotJudged {
        /// Which.
        node: usize,
    },
}

/// Why a search ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exhausted {
    /// The attempts that were allowed are made.
    Attempts,
    /// No kernel that can be judged would tell more.
    Kernels,
}
