//! The subtests of two sides, each with a history of its own.

use std::collections::BTreeMap;

use super::{convincing, statistics};
use crate::event::AttemptRecord;
use crate::observation::SubtestResult;

/// In how many attempts a subtest failed and passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubtestCount {
    /// It failed.
    pub failed: u64,
    /// It passed, or failed as expected.
    pub passed: u64,
}

/// The subtests of a side by name. Of a name that a program prints more than once, all count as one.
pub type SubtestCounts = BTreeMap<String, SubtestCount>;

/// What the attempts of a cell say of its subtests.
pub(super) fn count<'a>(attempts: impl Iterator<Item = &'a AttemptRecord>) -> SubtestCounts {
    let mut counts = SubtestCounts::new();
    for attempt in attempts {
        // a subtest that failed once in an attempt failed in it
        let mut results: BTreeMap<&str, SubtestResult> = BTreeMap::new();
        for subtest in &attempt.program.subtests {
            let result = results.entry(&subtest.name).or_insert(subtest.result);
            *result = (*result).max(subtest.result);
        }
        for (name, result) in results {
            let count = counts.entry(name.to_owned()).or_default();
            match result {
                SubtestResult::Failed => count.failed += 1,
                SubtestResult::Passed | SubtestResult::ExpectedFailure => count.passed += 1,
                SubtestResult::Skipped => {}
            }
        }
    }
    counts
}

/// Adds the counts of more attempts.
pub(super) fn add(counts: &mut SubtestCounts, more: SubtestCounts) {
    for (name, count) in more {
        let sum = counts.entry(name).or_default();
        sum.failed += count.failed;
        sum.passed += count.passed;
    }
}

/// Subtests that fail after and did not before, with whether that is more than luck. Where the side before has no
/// subtests nothing is known of them, and nothing is news.
pub(super) fn new_failures(before: &SubtestCounts, after: &SubtestCounts) -> Vec<(String, bool)> {
    if before.is_empty() {
        return Vec::new();
    }
    let failing = after.iter().filter(|(_, count)| count.failed > 0);
    failing
        .filter_map(|(name, now)| {
            let then = before.get(name).copied().unwrap_or_default();
            let chance = statistics::fisher_one_sided(now.failed, now.passed, then.failed, then.passed);
            let convincing = then.failed + then.passed > 0 && convincing(chance);
            (then.failed == 0).then(|| (name.clone(), convincing))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64, u64)]) -> SubtestCounts {
        let count =
            |&(name, failed, passed): &(&str, u64, u64)| (name.to_owned(), SubtestCount { failed, passed });
        counts.iter().map(count).collect()
    }

    #[test]
    fn a_new_failure_is_news_and_an_old_one_is_not() {
        let before = counts(&[("always", 3, 0), ("sometimes", 1, 2), ("never", 0, 3), ("often", 0, 20)]);
        let after =
            counts(&[("always", 3, 0), ("sometimes", 2, 1), ("never", 1, 2), ("often", 4, 0), ("new", 1, 0)]);
        let news = new_failures(&before, &after);
        let expected = [("never", false), ("new", false), ("often", true)];
        assert_eq!(news, expected.map(|(name, sure)| (name.to_owned(), sure)));
        assert_eq!(new_failures(&after, &after), []);
        assert_eq!(new_failures(&SubtestCounts::new(), &after), []);
    }

    #[test]
    fn counts_add_up() {
        let mut sum = counts(&[("a", 1, 2)]);
        add(&mut sum, counts(&[("a", 1, 0), ("b", 0, 1)]));
        assert_eq!(sum, counts(&[("a", 2, 2), ("b", 0, 1)]));
    }
}
