//! How many attempts make the absence of a bug after a patch believable.

use crate::compare::{DOUBT, Side, statistics};
use crate::suite::Test;
use crate::verdict::miss_chance;

/// More attempts than this are not made, whatever they would say.
const MOST: u32 = 200;

/// Attempts of a bug's test on the patched kernel, after what it showed on the unpatched one.
pub fn attempts_after(test: &Test, before: &Side) -> u32 {
    let by_suite =
        test.dose.chance.map(|chance| (1..MOST).find(|n| miss_chance(chance, *n) <= DOUBT).unwrap_or(MOST));
    // that it stayed away here as well says more about this kernel than what others showed
    let by_runs = (by_suite.is_none() || before.good > 0)
        .then(|| statistics::clean_needed(before.bad, before.good, DOUBT).try_into().unwrap_or(MOST));
    by_suite.max(by_runs).unwrap_or(1).clamp(test.dose.attempts, MOST.max(test.dose.attempts))
}

/// The chance that all attempts after the patch are clean by luck.
pub fn luck(before: &Side, after: &Side) -> f64 {
    let by_runs = statistics::clean_by_luck(before.bad, before.good, after.good);
    match after.miss_chance {
        Some(chance) if before.good == 0 => chance,
        Some(chance) => chance.max(by_runs),
        None => by_runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(dose: &str) -> Test {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.yaml");
        let text = format!(
            "suite: s\nsummary: s\ntests:\n- name: t\n  summary: t\n  program: {{shell: 'true'}}\n  dose: {{{dose}}}\n  symptom: {{exit: {{code: 1}}}}\n"
        );
        std::fs::write(&path, text).unwrap();
        Test::clone(&crate::suite::load_file(&path).unwrap_or_else(|error| panic!("{error:?}")).tests[0])
    }

    #[test]
    fn attempts_follow_from_what_is_known() {
        // (dose, bad and good before, attempts after)
        let table = [
            ("attempts: 1, chance: 0.99", (1, 0), 1),
            ("attempts: 2, chance: 0.95", (1, 0), 2),
            ("attempts: 1, chance: 0.5", (1, 0), 5),
            ("attempts: 1", (1, 0), 5),
            ("attempts: 9", (1, 0), 9),
            ("attempts: 300", (1, 0), 300),
            ("attempts: 3, chance: 0.9", (1, 2), 13),
        ];
        for (dose, (bad, good), expected) in table {
            let before = Side { bad, good, ..Side::default() };
            let test = test(dose);
            let attempts = attempts_after(&test, &before);
            assert_eq!(attempts, expected, "{dose} after {bad} bad, {good} good");
            let miss = test.dose.chance.map(|chance| miss_chance(chance, attempts));
            let after = Side { good: attempts.into(), miss_chance: miss, ..Side::default() };
            assert!(luck(&before, &after) <= DOUBT, "{dose}");
        }
    }
}
