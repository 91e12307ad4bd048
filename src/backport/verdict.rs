//! The runs before and after a patch to what it did in that tree.

use serde::Serialize;

use super::dose::luck;
use super::related::Related;
use crate::compare::{Change, Comparison, DOUBT, Row, Side, statistics};
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
    /// The word of the verdict whose colour it has in pages.
    pub fn tone(&self) -> &'static str {
        match self {
            TreeVerdict::Fixed { .. } => "good",
            TreeVerdict::NotReproducible { .. } | TreeVerdict::Inconclusive { .. } => "blind",
            TreeVerdict::NotFixed { .. }
            | TreeVerdict::Breaks { .. }
            | TreeVerdict::DoesNotApply { .. }
            | TreeVerdict::DoesNotBuild { .. } => "bad",
        }
    }

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
    /// Other tests that were good before and after.
    pub unchanged: usize,
    /// Other tests that failed before and after: bugs that this patch is not about.
    pub failing: usize,
    /// Other tests that have no judgement on one of the kernels, so that nothing is known of them.
    pub unjudged: Vec<String>,
}

/// Judges a patch by the runs before and after it. `about` are the tests of the bug; all others are the check for
/// regressions. A regression outweighs a fix.
pub fn judge(comparison: &Comparison, about: &[Related]) -> TreeVerdict {
    let (bug, rest): (Vec<&Row>, Vec<&Row>) =
        comparison.rows.iter().partition(|row| about.iter().any(|one| one.test == row.test));
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
    if about.is_empty() {
        let why = "no test of this bug was named or found, and no other test got worse".to_owned();
        return TreeVerdict::Inconclusive { why };
    }
    if let Some(missing) = about.iter().find(|one| bug.iter().all(|row| row.test != one.test)) {
        return TreeVerdict::Inconclusive { why: format!("{} did not run on both kernels", missing.test) };
    }
    // a file has more than one bug: that one of them is as before says nothing about another one
    let other_bug = |rows: &[&Row], what: &str| {
        let test = named(rows).join(", ");
        TreeVerdict::Inconclusive {
            why: format!(
                "{test} {what}, but only shares a file with the patch; if it is the test of this bug, name it with --tests"
            ),
        }
    };
    let certain = about.iter().any(|one| one.tie.is_certain());
    let with = |before: Verdict, after: Verdict| {
        let of = |row: &&&Row| row.before.verdict == Some(before) && row.after.verdict == Some(after);
        bug.iter().filter(of).copied().collect::<Vec<_>>()
    };
    let still = with(Verdict::Bad, Verdict::Bad);
    let gone = with(Verdict::Bad, Verdict::Good);
    if !still.is_empty() && !certain && gone.is_empty() {
        return other_bug(&still, "shows its bug with the patch as without");
    }
    if !still.is_empty() && certain {
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
        let said = |side: &Side| format!("{}{}", side.verdict.map_or("not run", Verdict::word), cause(side));
        let why = match (said(&row.before), said(&row.after)) {
            (before, after) if before == after => {
                format!("{} has no judgement on either kernel: {before}", row.test)
            }
            (before, after) => {
                format!("{} has no judgement on both kernels: before {before}, after {after}", row.test)
            }
        };
        return TreeVerdict::Inconclusive { why };
    }
    if gone.is_empty() && !certain {
        return other_bug(&bug, "shows no bug without the patch either");
    }
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
    let unseen =
        |row: &&&Row| row.before.verdict == Some(Verdict::Good) && row.change == Change::NotComparable;
    if let Some(row) = rest.iter().find(unseen) {
        let word = row.after.verdict.map_or("not run", Verdict::word);
        let why =
            format!("the bug is gone, but {} was good and is {word} now{}", row.test, cause(&row.after));
        return TreeVerdict::Inconclusive { why };
    }
    TreeVerdict::Fixed { tests: clean }
}

fn cause(side: &Side) -> String {
    let cause = side.title.as_deref().or(side.reason.as_deref());
    cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
}

fn clean(row: &Row) -> Clean {
    let (bad, of) = (row.before.bad, row.before.bad + row.before.good);
    let luck = luck(&row.before, &row.after);
    Clean { test: row.test.clone(), bad, of, clean: row.after.good, luck }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backport::Tie;

    fn side(verdict: Verdict, bad: u64, good: u64) -> Side {
        Side { verdict: Some(verdict), bad, good, ..Side::default() }
    }

    fn judged(rows: &[(&str, Side, Side)]) -> TreeVerdict {
        judged_by(Tie::Named, rows)
    }

    fn judged_by(tie: Tie, rows: &[(&str, Side, Side)]) -> TreeVerdict {
        let rows = rows.iter().map(|(test, a, b)| Row::of(test, a.clone(), b.clone())).collect();
        let names = (String::new(), String::new());
        let only = (Vec::new(), Vec::new());
        let comparison =
            Comparison { before: names.0, after: names.1, rows, only_before: only.0, only_after: only.1 };
        judge(&comparison, &[Related { test: "s::bug".to_owned(), tie }])
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

    #[test]
    fn a_test_that_only_shares_a_file_proves_little() {
        use Verdict::{Bad, Good};
        let by_file = |before, after| judged_by(Tie::File("fs/x.c".into()), &[("s::bug", before, after)]);
        let table = [
            (by_file(side(Bad, 1, 0), side(Good, 0, 5)), "fixed"),
            (by_file(side(Bad, 1, 0), side(Bad, 1, 0)), "inconclusive"),
            (by_file(side(Good, 0, 5), side(Good, 0, 5)), "inconclusive"),
            (by_file(side(Good, 0, 20), side(Bad, 1, 0)), "breaks"),
        ];
        for (verdict, expected) in table {
            assert_eq!(verdict.words(), expected);
        }
    }

    #[test]
    fn a_test_without_a_judgement_says_so_once() {
        use Verdict::{Good, Skip};
        let skip = || Side { reason: Some("no adapter".into()), ..side(Skip, 0, 0) };
        let said = |after: Side| match judged(&[("s::bug", skip(), after)]) {
            TreeVerdict::Inconclusive { why } => why,
            other => panic!("{other:?}"),
        };
        insta::assert_snapshot!(said(skip()), @"s::bug has no judgement on either kernel: skip (no adapter)");
        insta::assert_snapshot!(said(side(Good, 0, 5)), @"s::bug has no judgement on both kernels: before skip (no adapter), after good");
    }

    #[test]
    fn a_test_that_cannot_judge_any_more_is_no_fix() {
        use Verdict::{Bad, Good, Lost};
        let lost = Side { reason: Some("no word from the guest".into()), ..side(Lost, 0, 0) };
        let rows = [("s::bug", side(Bad, 1, 0), side(Good, 0, 5)), ("s::other", side(Good, 0, 1), lost)];
        let TreeVerdict::Inconclusive { why } = judged(&rows) else { panic!() };
        insta::assert_snapshot!(why, @"the bug is gone, but s::other was good and is lost now (no word from the guest)");
    }
}
