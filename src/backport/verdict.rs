//! The runs before and after a patch to what it did in that tree.

use serde::Serialize;

use crate::compare::{Change, Comparison, DOUBT, Row, statistics};
use crate::verdict::Verdict;

/// What clean attempts after the patch are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clean {
    /// `suite::test`.
    pub test: String,
    /// Attempts before that showed the bug.
    pub bad: u64,
    /// Attempts before.
    pub of: u64,
    /// Clean attempts after.
    pub clean: u64,
    /// The chance that they are clean by luck and the bug is still there.
    pub luck: f64,
}

/// What a patch did in a tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum TreeVerdict {
    /// The bug showed before and does not any more, and nothing else changed.
    Fixed {
        /// What that rests on.
        tests: Vec<Clean>,
    },
    /// The bug still shows.
    NotFixed {
        /// In these tests.
        tests: Vec<String>,
    },
    /// The bug did not show before: this says nothing about the patch.
    NotReproducible {
        /// In these tests.
        tests: Vec<String>,
    },
    /// A test that was good is not any more.
    Breaks {
        /// Each with what was seen.
        tests: Vec<String>,
    },
    /// There is no patched tree.
    DoesNotApply {
        /// Why, in one line.
        why: String,
    },
    /// There is no patched kernel.
    DoesNotBuild {
        /// The compiler's first error.
        error: String,
    },
    /// The runs do not say.
    Inconclusive {
        /// Why, and what would help.
        why: String,
    },
}

impl TreeVerdict {
    /// In a table.
    pub fn words(&self) -> &'static str {
        match self {
            TreeVerdict::Fixed { .. } => "fixed",
            TreeVerdict::NotFixed { .. } => "not fixed",
            TreeVerdict::NotReproducible { .. } => "not reproducible here",
            TreeVerdict::Breaks { .. } => "breaks",
            TreeVerdict::DoesNotApply { .. } => "does not apply",
            TreeVerdict::DoesNotBuild { .. } => "does not build",
            TreeVerdict::Inconclusive { .. } => "inconclusive",
        }
    }
}

/// One tree of a validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeResult {
    /// Its name, for example `linux-6.12.y`.
    pub tree: String,
    /// The version or commit that was tested.
    pub version: String,
    /// How the patch went in, in [`crate::patch::Outcome::words`]; empty where it did not.
    pub applied: String,
    /// What it did.
    pub verdict: TreeVerdict,
    /// Tests that were good before and after.
    pub unchanged: usize,
}

/// Judges a patch by the runs before and after it. `about` names the tests of the bug (`suite::test`); all others are
/// the check for regressions. A regression outweighs a fix.
pub fn judge(comparison: &Comparison, about: &[String]) -> TreeVerdict {
    let (bug, rest): (Vec<&Row>, Vec<&Row>) =
        comparison.rows.iter().partition(|row| about.contains(&row.test));
    let seen = |row: &Row| {
        let title = row.after.title.as_deref().or(row.new_crashes.first().map(String::as_str));
        title.map_or_else(|| row.test.clone(), |title| format!("{}: {title}", row.test))
    };
    let named = |rows: &[&Row]| rows.iter().map(|row| row.test.clone()).collect::<Vec<_>>();
    // another crash in the bug's own test, where the symptom was, is something that the patch brought
    let broken: Vec<&Row> = rest
        .iter()
        .filter(|row| row.change == Change::Worse)
        .chain(
            bug.iter().filter(|row| row.before.verdict == Some(Verdict::Good) && row.change == Change::Worse),
        )
        .copied()
        .collect();
    if !broken.is_empty() {
        return TreeVerdict::Breaks { tests: broken.iter().map(|row| seen(row)).collect() };
    }
    if let Some(missing) = about.iter().find(|test| bug.iter().all(|row| row.test != **test)) {
        return TreeVerdict::Inconclusive { why: format!("{missing} did not run on both kernels") };
    }
    if bug.is_empty() {
        return TreeVerdict::Inconclusive { why: "no test of this bug was named or found".into() };
    }
    let with = |before: Verdict, after: Verdict| {
        let of = |row: &&&Row| row.before.verdict == Some(before) && row.after.verdict == Some(after);
        bug.iter().filter(of).copied().collect::<Vec<_>>()
    };
    let still = with(Verdict::Bad, Verdict::Bad);
    if !still.is_empty() {
        return TreeVerdict::NotFixed { tests: named(&still) };
    }
    if let Some(row) = bug.iter().find(|row| row.after.verdict == Some(Verdict::Other)) {
        return TreeVerdict::Inconclusive {
            why: format!("{}: the patched kernel broke in another way", seen(row)),
        };
    }
    if let Some(row) = bug.iter().find(|row| {
        let judged = |verdict| matches!(verdict, Some(Verdict::Bad | Verdict::Good));
        !judged(row.before.verdict) || !judged(row.after.verdict)
    }) {
        return TreeVerdict::Inconclusive { why: format!("{} has no judgement on both kernels", row.test) };
    }
    let gone = with(Verdict::Bad, Verdict::Good);
    if gone.is_empty() {
        return TreeVerdict::NotReproducible { tests: named(&bug) };
    }
    let clean: Vec<Clean> = gone.iter().map(|row| clean(row)).collect();
    if let Some(weak) = clean.iter().find(|clean| clean.luck > DOUBT) {
        let needed = statistics::clean_needed(weak.bad, weak.of - weak.bad, DOUBT);
        return TreeVerdict::Inconclusive {
            why: format!(
                "{}: {} clean attempts can be luck ({:.0}%); {needed} would say",
                weak.test,
                weak.clean,
                weak.luck * 100.0
            ),
        };
    }
    let doubtful: Vec<&str> =
        rest.iter().filter(|row| row.change == Change::PerhapsWorse).map(|row| row.test.as_str()).collect();
    if !doubtful.is_empty() {
        let why =
            format!("the bug is gone, but {} may be worse; more attempts would say", doubtful.join(", "));
        return TreeVerdict::Inconclusive { why };
    }
    TreeVerdict::Fixed { tests: clean }
}

fn clean(row: &Row) -> Clean {
    let (bad, of) = (row.before.bad, row.before.bad + row.before.good);
    let luck = statistics::clean_by_luck(bad, row.before.good, row.after.good);
    // where the suite knows how often the bug shows, the chance of a miss is known better
    let luck = row.after.miss_chance.unwrap_or(luck);
    Clean { test: row.test.clone(), bad, of, clean: row.after.good, luck }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Side;

    fn side(verdict: Verdict, bad: u64, good: u64) -> Side {
        Side { verdict: Some(verdict), bad, good, ..Side::default() }
    }

    fn judged(rows: &[(&str, Side, Side)]) -> TreeVerdict {
        let rows = rows.iter().map(|(test, a, b)| Row::of(test, a.clone(), b.clone())).collect();
        let names = (String::new(), String::new());
        let only = (Vec::new(), Vec::new());
        let comparison =
            Comparison { before: names.0, after: names.1, rows, only_before: only.0, only_after: only.1 };
        judge(&comparison, &["s::bug".to_owned()])
    }

    #[test]
    fn verdicts_follow_the_runs() {
        use Verdict::{Bad, Blind, Good, Other};
        let bug = |before, after| ("s::bug", before, after);
        let other = |after| ("s::other", side(Good, 0, 20), after);
        let table = [
            (vec![bug(side(Bad, 1, 0), side(Good, 0, 5))], "fixed"),
            (vec![bug(side(Bad, 1, 0), side(Good, 0, 3))], "inconclusive"),
            (vec![bug(side(Bad, 1, 9), side(Good, 0, 5))], "inconclusive"),
            (vec![bug(side(Bad, 1, 0), side(Bad, 1, 0))], "not fixed"),
            (vec![bug(side(Good, 0, 5), side(Good, 0, 5))], "not reproducible here"),
            (vec![bug(side(Good, 0, 20), side(Bad, 1, 0))], "breaks"),
            (vec![bug(side(Bad, 1, 0), side(Good, 0, 5)), other(side(Bad, 1, 0))], "breaks"),
            (vec![bug(side(Bad, 1, 0), side(Good, 0, 5)), other(side(Good, 0, 3))], "fixed"),
            (vec![bug(side(Bad, 1, 0), side(Blind, 0, 0))], "inconclusive"),
            (vec![bug(side(Bad, 1, 0), side(Other, 0, 0))], "inconclusive"),
            (vec![other(side(Good, 0, 3))], "inconclusive"),
        ];
        for (rows, expected) in table {
            assert_eq!(judged(&rows).words(), expected, "{rows:?}");
        }
    }
}
