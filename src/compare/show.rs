//! A comparison as text and as Markdown.

use std::fmt::Write;

use super::{Change, Comparison, Row, Side};
use crate::progress::printable;

/// An attempt that takes so many times as long as before is mentioned.
const SLOWER: f64 = 1.5;

/// New failing subtests of a cell that are listed on a terminal.
const SUBTESTS_SHOWN: usize = 20;

/// For a terminal: what changed, each with what it rests on, and the counts.
pub fn text(comparison: &Comparison) -> String {
    let mut out = format!("before: {}\nafter:  {}\n\n", comparison.before, comparison.after);
    for row in comparison.rows.iter().filter(|row| is_told(row)) {
        let _ = writeln!(out, "{:<14}  {}", row.change.words(), printable(&row.label()));
        let _ = writeln!(out, "                {}", changed(row));
        for crash in &row.new_crashes {
            let _ = writeln!(out, "                new: {}", printable(crash));
        }
        for subtest in row.new_failures.iter().take(SUBTESTS_SHOWN) {
            let _ = writeln!(out, "                new failing subtest: {}", printable(subtest));
        }
        if let Some(more) = row.new_failures.len().checked_sub(SUBTESTS_SHOWN).filter(|more| *more > 0) {
            let _ = writeln!(out, "                {more} more new failing subtests");
        }
    }
    let counts: Vec<String> = Change::ALL
        .iter()
        .map(|change| (comparison.count(*change), change.words()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let counts = if counts.is_empty() { "nothing to compare".to_owned() } else { counts.join(", ") };
    let _ = writeln!(out, "{counts}{}", alone(comparison));
    out
}

/// For an issue or a job summary.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = format!("# {} → {}\n", cell(&comparison.before), cell(&comparison.after));
    out.push_str("\n| change | test | before | after | by chance | new crashes |\n| --- | --- | --- | --- | --- | --- |\n");
    for row in &comparison.rows {
        let chance = row.chance.map(percent).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {chance} | {} |",
            row.change.words(),
            cell(&row.label()),
            side(&row.before),
            side(&row.after),
            cell(&row.new_crashes.join("; "))
        );
    }
    for row in comparison.rows.iter().filter(|row| !row.new_failures.is_empty()) {
        let _ = writeln!(out, "\nNew failing subtests of {}:\n", cell(&row.label()));
        for subtest in &row.new_failures {
            let _ = writeln!(out, "- {}", cell(subtest));
        }
    }
    let alone = alone(comparison);
    if !alone.is_empty() {
        let _ = writeln!(out, "\n{}", alone.trim_start_matches("; "));
    }
    out
}

fn is_told(row: &Row) -> bool {
    row.change != Change::Same || !row.new_crashes.is_empty() || slower(row)
}

fn slower(row: &Row) -> bool {
    row.before.seconds > 1.0 && row.after.seconds > row.before.seconds * SLOWER
}

fn changed(row: &Row) -> String {
    let mut text = format!("{} -> {}", side(&row.before), side(&row.after));
    if let Some(chance) = row.chance {
        let _ = write!(text, "; by chance alone: {}", percent(chance));
    }
    if slower(row) {
        let _ = write!(
            text,
            "; an attempt took {:.1} s and takes {:.1} s",
            row.before.seconds, row.after.seconds
        );
    }
    text
}

fn side(side: &Side) -> String {
    let Some(verdict) = side.verdict else { return "not run".into() };
    let attempts = side.bad + side.good + side.other;
    let broken = side.bad + side.other;
    if attempts == 0 {
        verdict.word().to_owned()
    } else {
        format!("{verdict} ({broken} of {attempts} broke)")
    }
}

fn percent(chance: f64) -> String {
    match chance * 100.0 {
        percent if percent < 0.1 => "less than 0.1%".into(),
        percent if percent < 10.0 => format!("{percent:.1}%"),
        percent => format!("{percent:.0}%"),
    }
}

fn alone(comparison: &Comparison) -> String {
    let part = |cells: &[String], side: &str| match cells.len() {
        0 => String::new(),
        count => format!("; {count} only {side}"),
    };
    part(&comparison.only_before, "before") + &part(&comparison.only_after, "after")
}

fn cell(text: &str) -> String {
    printable(text).replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use crate::compare::{kernels, markdown, runs, text};
    use crate::report::{ExitStatus, sample};

    #[test]
    fn two_kernels_of_a_run() {
        let run = sample::finished();
        let comparison = kernels(&run, "6.12.57", "6.17.13").unwrap().unwrap();
        insta::assert_snapshot!(format!("{}\n{}", text(&comparison), markdown(&comparison)));
        assert!(kernels(&run, "6.12.57", "5.0").unwrap().is_none());
    }

    #[test]
    fn a_run_is_the_same_as_itself() {
        let run = sample::finished();
        let comparison = runs(&run, &run).unwrap();
        assert!(comparison.only_before.is_empty() && comparison.only_after.is_empty());
        assert_eq!(comparison.exit_status(), ExitStatus::NotJudged);
        insta::assert_snapshot!(text(&comparison));
    }
}
