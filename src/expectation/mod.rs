//! What a kernel's history lets one expect of a test that names the fix of its bug.
//!
//! A kernel that contains the fix is expected good. One that lacks it is expected bad only where it is known to contain the
//! commit that brought the bug: else it may as well lack the bug. Nothing here decides: an expectation is shown beside a
//! verdict, and changes neither it nor an exit code.

mod answer;
mod tree;

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

pub use answer::{KnownKernel, expectation};
pub use tree::{BranchPoint, KernelTree, TreeError};

/// What is expected of a test on a kernel, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The verdict that is expected.
    pub expected: Expected,
    /// Why.
    pub because: Because,
    /// Where the answer is from.
    pub source: FixSource,
    /// Where it stands there: a commit, a package's version, a version of mainline.
    pub place: String,
    /// The words there: the title of a commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

/// A verdict that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The bug is not there.
    Good,
    /// The bug is there.
    Bad,
    /// The fix is not there, and of the bug nothing is known.
    PossiblyBad,
}

/// What is known of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It contains the fix.
    FixContained,
    /// It lacks the fix.
    FixLacking,
    /// It lacks the commit that brought the bug.
    CauseLacking,
}

/// Where an answer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixSource {
    /// The history of a git repository.
    Git,
    /// The changelog of the kernel's package.
    Changelog,
    /// The version of mainline that the suite names.
    Version,
}

/// How a verdict and what was expected of it are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// As expected.
    Expected,
    /// Against what was expected.
    Unexpected,
}

impl Agreement {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Agreement::Expected => "EXPECTED",
            Agreement::Unexpected => "UNEXPECTED",
        }
    }
}

impl Expected {
    /// How a verdict is to this. A `good` on a kernel that may have the bug is neither, nor is a verdict that says nothing of
    /// the bug.
    pub fn agreement(self, verdict: Verdict) -> Option<Agreement> {
        match (self, verdict) {
            (Expected::Good, Verdict::Good) | (Expected::Bad | Expected::PossiblyBad, Verdict::Bad) => {
                Some(Agreement::Expected)
            }
            (Expected::Good, Verdict::Bad) | (Expected::Bad, Verdict::Good) => Some(Agreement::Unexpected),
            _ => None,
        }
    }
}

impl Expectation {
    /// Why it is expected, a phrase with its source: `the fix is in since 6.12.85-1, changelog`.
    pub fn reason(&self) -> String {
        let place = match self.source {
            FixSource::Git => self.place.get(..12).filter(|_| is_hash(&self.place)).unwrap_or(&self.place),
            FixSource::Changelog | FixSource::Version => &self.place,
        };
        match (self.because, self.source) {
            (Because::FixContained, FixSource::Git) => format!("its tree has the fix, {place}"),
            (Because::FixContained, FixSource::Changelog) => {
                format!("its changelog has the fix in {place}")
            }
            (Because::FixContained, FixSource::Version) => format!("mainline has the fix since {place}"),
            (Because::FixLacking, FixSource::Git) => format!("its tree lacks the fix, {place}"),
            (Because::FixLacking, FixSource::Changelog) => {
                format!("the fix came in {place}, by the changelog")
            }
            (Because::FixLacking, FixSource::Version) => format!("mainline has the fix since {place} only"),
            (Because::CauseLacking, FixSource::Git) => {
                format!("its tree lacks the commit that brought the bug, {place}")
            }
            (Because::CauseLacking, _) => format!("the bug came in {place}"),
        }
    }

    /// What is shown beside a verdict: `EXPECTED: …`, or what may be where the verdict tells nothing of it; `None` where it
    /// is neither.
    pub fn beside(&self, verdict: Verdict) -> Option<String> {
        self.expected.agreement(verdict).map(|agreement| format!("{}: {}", agreement.word(), self.reason()))
    }
}

/// Whether a text is a commit's id.
fn is_hash(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verdicts_about_the_bug_agree_or_not() {
        let shown = |expected: Expected| {
            Verdict::ALL.map(|verdict| match expected.agreement(verdict) {
                None => format!("{verdict} -"),
                Some(agreement) => format!("{verdict} {}", agreement.word()),
            })
        };
        let table = [Expected::Good, Expected::Bad, Expected::PossiblyBad].map(|e| shown(e).join(", "));
        insta::assert_snapshot!(table.join("\n"), @r"
        bad UNEXPECTED, good EXPECTED, other -, skip -, blind -, lost -
        bad EXPECTED, good UNEXPECTED, other -, skip -, blind -, lost -
        bad EXPECTED, good -, other -, skip -, blind -, lost -
        ");
    }
}
