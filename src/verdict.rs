//! Observations to a verdict. Pure.
//!
//! [`judge`] says what one attempt alone means, [`Tally`] what the attempts of a cell mean together. Both only ever
//! answer `bad` or `good` on positive evidence: a symptom that was seen, or a whole dose with every detector at work.

mod judge;
mod messages;
mod tally;

pub use judge::{
    Judgement, is_undetectable, judge, judge_allowing, likeness_findings, overlooked_leaks, shows_symptom,
    slab_findings, unrelated_leaks,
};
pub use messages::{message_findings, with_messages};
pub use tally::{Next, Tally, miss_chance};

use serde::{Deserialize, Serialize};

/// What the observations of a cell say about the bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The test's own symptom was observed.
    Bad,
    /// The whole dose ran and no symptom, crash or hang was seen.
    Good,
    /// The kernel crashed or hung in another way than the symptom.
    Other,
    /// A need is not met: a module, an option, a version, a device.
    Skip,
    /// The test could not judge.
    Blind,
    /// The infrastructure failed.
    Lost,
}

impl Verdict {
    /// All of them, in the order in which summaries name them.
    pub const ALL: [Verdict; 6] =
        [Verdict::Bad, Verdict::Good, Verdict::Other, Verdict::Skip, Verdict::Blind, Verdict::Lost];

    /// What counts where a cell was judged several times: the heavier one. A symptom that was seen was there, a crash of another
    /// kind is not undone by a clean run, and that is not by one that judged nothing.
    pub fn weight(self) -> u8 {
        match self {
            Verdict::Bad => 4,
            Verdict::Other => 3,
            Verdict::Good => 2,
            Verdict::Skip | Verdict::Blind | Verdict::Lost => 1,
        }
    }

    /// The word in machine-readable output.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Bad => "bad",
            Verdict::Good => "good",
            Verdict::Other => "other",
            Verdict::Skip => "skip",
            Verdict::Blind => "blind",
            Verdict::Lost => "lost",
        }
    }

    /// The status word of the column that people read.
    pub fn status(self) -> &'static str {
        match self {
            Verdict::Bad => "FAIL",
            Verdict::Good => "PASS",
            Verdict::Other => "OTHER",
            Verdict::Skip => "SKIP",
            Verdict::Blind => "BLIND",
            Verdict::Lost => "LOST",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}
