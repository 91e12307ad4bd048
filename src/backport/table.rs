//! The trees and what the patch did in each, for a terminal.

use std::fmt::Write;

use super::validate::{BuildVariant, Step, TreeOutcome};
use super::verdict::{Clean, TreeResult, TreeVerdict};
use crate::progress::{clock, printable};
use crate::report::ExitStatus;

/// One line a tree, each with what its verdict rests on and what it took.
pub fn table(trees: &[TreeOutcome]) -> String {
    let width = |cells: &dyn Fn(&TreeOutcome) -> usize| trees.iter().map(cells).max().unwrap_or(0);
    let name = width(&|tree| tree.result.tree.chars().count());
    let verdict = width(&|tree| tree.result.verdict.words().len());
    let mut out = String::new();
    for tree in trees {
        let result = &tree.result;
        let applied = if result.applied.is_empty() { String::new() } else { format!("; {}", result.applied) };
        let _ = writeln!(
            out,
            "{:<name$}  {:<verdict$}  {}{applied}",
            printable(&result.tree),
            result.verdict.words(),
            result.version
        );
        for line in reasons(&result.verdict) {
            let _ = writeln!(out, "{:name$}  {}", "", printable(&line));
        }
        for line in others(result) {
            let _ = writeln!(out, "{:name$}  {}", "", printable(&line));
        }
        if let Some(line) = took(&tree.steps) {
            let _ = writeln!(out, "{:name$}  {line}", "");
        }
    }
    out
}

/// What became of the tests that are not the bug's, a line each.
pub fn others(result: &TreeResult) -> Vec<String> {
    let counted = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 other test {what}")),
        n => Some(format!("{n} other tests {what}")),
    };
    let not_judged = format!("not judged: {}", result.unjudged.join(", "));
    let lines = [
        counted(result.unchanged, "good before and after"),
        counted(result.failing, "failing before and after"),
        counted(result.unjudged.len(), &not_judged),
    ];
    lines.into_iter().flatten().collect()
}

/// What a verdict rests on, a line each.
pub fn reasons(verdict: &TreeVerdict) -> Vec<String> {
    match verdict {
        TreeVerdict::Fixed { tests } => tests.iter().map(clean).collect(),
        TreeVerdict::NotFixed { tests } => {
            tests.iter().map(|test| format!("{test} shows the bug with the patch as well")).collect()
        }
        TreeVerdict::NotReproducible { tests } => tests
            .iter()
            .map(|test| format!("{test} shows no bug without the patch either: this says nothing about it"))
            .collect(),
        TreeVerdict::Breaks { tests } => tests.iter().map(|test| format!("was good: {test}")).collect(),
        TreeVerdict::DoesNotApply { why } | TreeVerdict::Inconclusive { why } => lines(why),
        TreeVerdict::DoesNotBuild { error } => lines(error),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn clean(test: &Clean) -> String {
    format!(
        "{}: bad in {} of {} before, clean in {} after; by luck: {}",
        test.test,
        test.bad,
        test.of,
        test.clean,
        if test.luck < 0.001 { "less than 0.1%".to_owned() } else { format!("{:.1}%", test.luck * 100.0) }
    )
}

/// What building and testing took, in a line.
pub fn took(steps: &[Step]) -> Option<String> {
    let steps: Vec<String> = steps.iter().map(step).collect();
    (!steps.is_empty()).then(|| steps.join("; "))
}

fn step(step: &Step) -> String {
    let name = match step.half {
        BuildVariant::Baseline => "baseline",
        BuildVariant::Patched => "patched",
    };
    let built = match step.compiled {
        0 => "built before".to_owned(),
        n => format!("{n} build steps in {}", clock(step.build_seconds)),
    };
    format!("{name}: {built}, tests {}", clock(step.test_seconds))
}

/// The exit code: 0 when every tree came out fixed, 100 when the patch failed in one, else 102.
pub fn exit_status(trees: &[TreeOutcome]) -> ExitStatus {
    let verdicts = || trees.iter().map(|tree| &tree.result.verdict);
    let failed = |verdict: &TreeVerdict| {
        matches!(
            verdict,
            TreeVerdict::NotFixed { .. }
                | TreeVerdict::Breaks { .. }
                | TreeVerdict::DoesNotApply { .. }
                | TreeVerdict::DoesNotBuild { .. }
        )
    };
    if trees.is_empty() {
        ExitStatus::NothingToRun
    } else if verdicts().any(failed) {
        ExitStatus::TestsFailed
    } else if verdicts().all(|verdict| matches!(verdict, TreeVerdict::Fixed { .. })) {
        ExitStatus::Success
    } else {
        ExitStatus::NotJudged
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One tree of every kind.
    pub(in crate::backport) fn sample() -> Vec<TreeOutcome> {
        let bug = || vec!["ext4::mmap-writeback-failure".to_owned()];
        let clean = Clean { test: bug().remove(0), bad: 1, of: 1, clean: 1, luck: 0.01 };
        let verdicts = [
            ("linux-6.12.y", TreeVerdict::Fixed { tests: vec![clean] }),
            ("linux-6.6.y", TreeVerdict::NotFixed { tests: bug() }),
            ("linux-6.1.y", TreeVerdict::NotReproducible { tests: bug() }),
            (
                "linux-5.15.y",
                TreeVerdict::Breaks { tests: vec!["pci::sriov: possible deadlock <in> f & g".into()] },
            ),
            (
                "linux-5.10.y",
                TreeVerdict::DoesNotApply {
                    why: "fs/ext4/inode.c: hunk of line 371: context differs".into(),
                },
            ),
            (
                "linux-5.4.y",
                TreeVerdict::DoesNotBuild { error: "fs/ext4/inode.c:7: implicit f\nmore".into() },
            ),
            ("mine", TreeVerdict::Inconclusive { why: "3 clean attempts can be luck (10%)".into() }),
        ];
        let outcome = |(tree, verdict): (&str, TreeVerdict)| {
            let applies = !matches!(verdict, TreeVerdict::DoesNotApply { .. });
            let step =
                |half, build_seconds, compiled| Step { half, build_seconds, compiled, test_seconds: 31.0 };
            let steps = match applies {
                true => vec![step(BuildVariant::Baseline, 0.2, 0), step(BuildVariant::Patched, 14.0, 3)],
                false => Vec::new(),
            };
            TreeOutcome {
                result: TreeResult {
                    tree: tree.into(),
                    version: "6.12.117".into(),
                    applied: if applies { "applies with offset".into() } else { String::new() },
                    verdict,
                    unchanged: if tree == "linux-6.12.y" { 5 } else { 0 },
                    failing: usize::from(tree == "linux-6.12.y"),
                    unjudged: match tree {
                        "linux-6.12.y" => vec!["wireless::unplug".into(), "wireless::rfkill".into()],
                        _ => Vec::new(),
                    },
                },
                steps,
                comparison: None,
            }
        };
        verdicts.into_iter().map(outcome).collect()
    }

    #[test]
    fn every_kind_of_tree_is_told() {
        insta::assert_snapshot!(table(&sample()));
    }

    #[test]
    fn only_fixes_are_a_success() {
        let mut trees = sample();
        assert_eq!(exit_status(&trees), ExitStatus::TestsFailed);
        assert_eq!(exit_status(&trees[..1]), ExitStatus::Success);
        assert_eq!(exit_status(&trees[6..]), ExitStatus::NotJudged);
        assert_eq!(exit_status(&[]), ExitStatus::NothingToRun);
        trees.retain(|tree| matches!(tree.result.tree.as_str(), "linux-6.12.y" | "linux-6.1.y"));
        assert_eq!(exit_status(&trees), ExitStatus::NotJudged);
    }
}
