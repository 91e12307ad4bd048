//! How often a test shows its bug where the bug is, by the runs of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::outline::{OutlineFile, ShortCell};
use crate::bisect::{Prior, Seen};
use crate::journal::RunDir;

/// What runs saw of a test on kernels that have its bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LearnedChance {
    /// Attempts that showed the symptom.
    pub symptoms: u32,
    /// Attempts that showed it, and whole doses that did not.
    pub attempts: u32,
    /// Kernels on which it was seen.
    pub kernels: usize,
}

/// A chance per attempt, and the range that holds it with 95%.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChanceRange {
    /// What is expected.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl LearnedChance {
    /// What that says of the chance. A kernel on which the bug was never seen is none of these, so that few attempts make it
    /// too high.
    pub fn range(&self) -> ChanceRange {
        let (mean, low, high) = Prior::bad(None).updated(Seen::new(self.symptoms, self.attempts)).summary();
        ChanceRange { mean, low, high }
    }
}

/// What all runs of a folder saw, by test. Bisections and parts of merged runs are left out, and so are runs that cannot be
/// read.
pub fn learned(root: &Path) -> BTreeMap<String, LearnedChance> {
    let outlines = RunDir::all(root).into_iter().filter_map(|run| OutlineFile::of(&run).ok());
    let outlines: Vec<OutlineFile> = outlines.filter(|outline| !outline.head.bisection).collect();
    let inside: BTreeSet<String> = outlines.iter().flat_map(|outline| outline.head.merged.clone()).collect();
    let mut seen: BTreeMap<(String, String), (u32, u32)> = BTreeMap::new();
    for outline in outlines.into_iter().filter(|outline| !inside.contains(&outline.head.run)) {
        for (test, cells) in outline.cells(|_| true) {
            for ShortCell { kernel, bad, good, .. } in cells {
                let (symptoms, attempts) = seen.entry((test.clone(), kernel)).or_default();
                *symptoms += bad;
                *attempts += bad + good;
            }
        }
    }
    let mut tests: BTreeMap<String, LearnedChance> = BTreeMap::new();
    for ((test, _), (symptoms, attempts)) in seen.into_iter().filter(|(_, (symptoms, _))| *symptoms > 0) {
        let learned = tests.entry(test).or_default();
        learned.symptoms += symptoms;
        learned.attempts += attempts;
        learned.kernels += 1;
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_that_was_seen_makes_the_range_narrow() {
        let range = |symptoms, attempts| LearnedChance { symptoms, attempts, kernels: 1 }.range();
        let (few, many) = (range(1, 2), range(100, 200));
        assert!(few.low < many.low && many.high < few.high, "{few:?} {many:?}");
        assert!((many.mean - 0.5).abs() < 0.05, "{many:?}");
        assert!(range(30, 30).low > 0.8);
    }
}
