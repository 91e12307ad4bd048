//! What is said of each test.

use std::collections::{BTreeMap, BTreeSet};

use super::counts::Tally;

/// The result of a queue, so far or in the end.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// One for each test, in their order.
    pub findings: Vec<Finding>,
    /// Attempts made, those that could not judge included.
    pub attempts: u32,
    /// Kernels built or tried to be.
    pub kernels: usize,
    /// Patches that the caller took back, and why.
    pub withdrawn: BTreeMap<usize, String>,
}

impl Report {
    /// The patches that are blamed, each with the tests that it breaks.
    pub fn blamed(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut blamed: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for finding in &self.findings {
            if let Class::Regression(regression) = &finding.class {
                for culprit in &regression.culprits {
                    blamed.entry(culprit.patch).or_default().push(finding.test);
                }
            }
        }
        blamed
    }
}

/// What is said of a test.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Which.
    pub test: usize,
    /// What.
    pub class: Class,
    /// What it showed on the baseline.
    pub baseline: Tally,
    /// What it showed on the tip.
    pub tip: Tally,
}

/// What the queue did to a test.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum Class {
    /// It is good on the tip, as often as its worth asks.
    Fine,
    /// The queue broke it.
    Regression(Regression),
    /// It fails on the tip and could not run on the baseline: the queue is not judged by it.
    Uncovered,
    /// It fails on the baseline as well, at least every other time.
    FailingBefore,
    /// It fails now and then on both, and the queue did not raise that by as much as is looked for.
    Flaky,
    /// The bug that it is about is on the baseline and not on the tip.
    Fixed,
    /// The bug that it is about is still on the tip.
    NotFixed,
    /// The bug that it is about does not show on the baseline.
    NotReproducible,
    /// It could not be judged on the tip.
    NotJudged,
    /// It failed on the tip, and what that means is not sure.
    Undecided(Undecided),
}

/// A test that the queue broke.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Regression {
    /// The patches that did, each of them by itself. Empty where nobody can be named.
    pub culprits: Vec<Culprit>,
    /// Where the culprit, or one more of them, is not named: the patches that it may be, likeliest first. Empty where no
    /// patch is left that can be it.
    pub candidates: Vec<usize>,
    /// Why that is so; `None` where all culprits are named.
    pub open: Option<Limit>,
    /// At most this is the chance that a test which the queue does not touch is ever called a regression on evidence as
    /// strong as this (the inverse of its e-value, not yet times the number of tests).
    pub error: f64,
}

/// A patch that is named.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Culprit {
    /// Which.
    pub patch: usize,
    /// The probability that it is this one, given that the queue broke the test.
    pub confidence: f64,
    /// The kernel with everything up to it.
    pub with: Tally,
    /// The kernel with everything before it.
    pub before: Tally,
    /// What taking it out showed.
    pub proof: Proof,
}

/// What taking a culprit out of the tip showed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "proof", rename_all = "kebab-case")]
pub enum Proof {
    /// Without it, and without those that need it, the test is good again.
    GoodAgain {
        /// All that was taken out, culprits found before included.
        without: BTreeSet<usize>,
        /// What was seen there.
        seen: Tally,
    },
    /// The test still fails without it: another patch breaks it too.
    StillBad {
        /// All that was taken out.
        without: BTreeSet<usize>,
        /// What was seen there.
        seen: Tally,
    },
    /// It cannot be taken out: only the kernels up to it and right before it speak against it.
    CannotBeRemoved {
        /// Why.
        why: String,
    },
}

/// A test of which nothing is sure.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Undecided {
    /// What more attempts were ruled out by.
    pub why: Limit,
    /// What it may still be.
    pub possible: Vec<Possible>,
}

/// What an undecided test may still be.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "may-be", rename_all = "kebab-case")]
pub enum Possible {
    /// A regression by at least what is looked for.
    Regression {
        /// How probable that is.
        probability: f64,
        /// The patches that have 95% of the blame then, likeliest first; empty where all are equal.
        candidates: Vec<usize>,
    },
    /// A regression that shows more seldom than what is looked for.
    Rare,
    /// A flaky test.
    Flaky,
    /// A test that fails on the baseline as well.
    FailingBefore,
    /// Good.
    Fine,
    /// Fixed by the queue.
    Fixed,
    /// Not fixed by the queue.
    NotFixed,
    /// A bug that does not show here.
    NotReproducible,
}

/// Why there are no more attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Nothing stops them: the report was asked for before the end, or the budget is spent.
    Budget,
    /// The most attempts for one test are made.
    Test,
    /// No rise as great as is looked for is probable any more.
    Least,
    /// The kernels that would tell cannot be built or judged.
    Kernels,
    /// Every patch that could be it is ruled out or was taken back.
    Nobody,
}

/// What an attempt is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Every test runs on the tip first.
    FirstPass,
    /// It failed on the tip: again there, or on the baseline.
    Compare,
    /// The bug that the queue is to fix must show on the baseline.
    Reproduce,
    /// To narrow the candidates.
    Narrow,
    /// To see that the culprit and what comes right before it differ by themselves.
    Confirm,
    /// To see that the tip without the culprit is good again.
    Prove,
    /// To make the difference sure.
    Strengthen,
}
