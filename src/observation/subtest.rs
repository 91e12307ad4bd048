//! Results within a program's output.

use serde::{Deserialize, Serialize};

/// A result that a program prints of a part of itself, such as a line of KTAP. The attempt's verdict is not made of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtest {
    /// Its name; behind that of what it is part of and ` > `. Not unique, as programs repeat themselves.
    pub name: String,
    /// What it says.
    pub result: SubtestResult,
}

/// What a subtest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubtestResult {
    /// It passed.
    Passed,
    /// It failed as it is known to.
    ExpectedFailure,
    /// It did not run.
    Skipped,
    /// It failed.
    Failed,
}

impl SubtestResult {
    /// The word in machine-readable output, and for people.
    pub fn word(self) -> &'static str {
        match self {
            SubtestResult::Passed => "passed",
            SubtestResult::ExpectedFailure => "expected-failure",
            SubtestResult::Skipped => "skipped",
            SubtestResult::Failed => "failed",
        }
    }
}
