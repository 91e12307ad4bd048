//! The report for a terminal.

use std::fmt::Write;

use super::{CulpritRow, PatchRow, QueueReport, Removal, TestRow, counted};
use crate::plural;
use crate::progress::{clock, printable};
use crate::queue::table::{cut, numbers};

/// Columns of a title in the table.
const TITLE: usize = 48;

/// Everything that is said, in lines.
pub fn text(report: &QueueReport) -> String {
    let QueueReport { tree, patches, set_aside, tests, .. } = report;
    let version = if tree.version.is_empty() { String::new() } else { format!(" ({})", tree.version) };
    let mut out = format!("{} on {}{version}\n\n", report.mail.title, tree.named);
    out += &table(patches);
    for row in patches {
        out += &details(row);
    }
    if !set_aside.is_empty() {
        out += "\nnot tested:\n";
        set_aside.iter().for_each(|one| out += &crate::queue::table::set_aside(one));
    }
    out += "\n";
    let talks = |row: &&TestRow| row.failure.is_some() || row.open.is_some() || !row.patches.is_empty();
    tests.iter().filter(talks).for_each(|row| out += &test(row));
    out += &others(tests);
    report.withdrawn.iter().for_each(|(number, why)| {
        let _ = writeln!(out, "patch {number} was taken back: {}", printable(why));
    });
    if !report.missing.is_empty() {
        out += "upstream has, and neither the tree nor the queue:\n";
        report.missing.iter().for_each(|one| _ = writeln!(out, "  {}", printable(&one.to_string())));
    }
    report.notes.iter().for_each(|note| _ = writeln!(out, "note: {}", printable(note)));
    let _ = writeln!(
        out,
        "\n{} on {} in {}; ten of every test on both ends are {}",
        plural::counted(report.attempts, "attempt"),
        plural::counted(report.kernels, "kernel"),
        clock(report.seconds),
        20 * tests.len()
    );
    if let Some(open) = &report.open {
        let _ = writeln!(out, "not ended: {open}");
    }
    out
}

fn table(patches: &[PatchRow]) -> String {
    let head = ["", "patch", "applies", "builds", "boots", "its own bug", "breaks"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(patches.iter().map(row)).collect();
    let widths: Vec<usize> =
        (0..7).map(|nth| rows.iter().map(|row| row[nth].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = format!("  {:>width$}", row[0], width = widths[0]);
        for nth in 1..7 {
            let _ = write!(line, "  {:<width$}", row[nth], width = widths[nth]);
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn row(row: &PatchRow) -> [String; 7] {
    let own: Vec<&str> = row.own_bug.iter().map(|(_, result)| result.as_str()).collect();
    let breaks: Vec<String> =
        row.breaks.iter().map(|(test, sure)| format!("{test} ({})", percent(*sure))).collect();
    [
        row.number.to_string(),
        cut(&printable(&row.title), TITLE),
        row.applies.clone(),
        row.builds.words().to_owned(),
        row.boots.words().to_owned(),
        own.join(", "),
        breaks.join(", "),
    ]
}

/// What does not fit into the table.
fn details(row: &PatchRow) -> String {
    let mut out = String::new();
    for standing in [&row.builds, &row.boots] {
        if let super::Standing::No(why) = standing {
            let why: Vec<&str> = why.lines().take(2).collect();
            let _ = writeln!(out, "  {}: {}", row.number, printable(&why.join(" ")));
        }
    }
    for warning in &row.warnings {
        let _ = writeln!(out, "  {}: new warning: {}", row.number, printable(warning));
    }
    if let Some(why) = &row.impossible {
        let _ = writeln!(out, "  {}: cannot be the culprit of anything: {why}", row.number);
    }
    out
}

fn test(row: &TestRow) -> String {
    let mut out = format!("{}: {}\n", row.test, row.result);
    if row.failure.is_some() || row.baseline.judged() > 0 {
        let without = match row.baseline.judged() {
            0 => "not run".to_owned(),
            _ => format!("{} bad", counted(row.baseline)),
        };
        let _ = writeln!(out, "  without the queue {without}, with all of it {} bad", counted(row.tip));
    }
    for culprit in &row.culprits {
        out += &self::culprit(culprit);
    }
    if !row.candidates.is_empty() {
        let _ = writeln!(out, "  it may be {}", numbers(&row.candidates[..row.candidates.len().min(10)]));
    }
    if let Some(open) = &row.open {
        let _ = writeln!(out, "  {open}");
    }
    if let Some(title) = row.title.as_ref().filter(|_| row.failure.is_some()) {
        let _ = writeln!(out, "  {}", printable(title));
    }
    if let Some(title) = &row.otherwise {
        let _ = writeln!(out, "  without the queue: {}", printable(title));
    }
    if let Some(console) = &row.console {
        let _ = writeln!(out, "  {console}");
    }
    out
}

fn culprit(culprit: &CulpritRow) -> String {
    let CulpritRow { number, title, confidence, with, before, proof } = culprit;
    let mut out = format!("  patch {number}, {}: {}\n", percent(*confidence), printable(title));
    let _ =
        writeln!(out, "    up to it {} bad, up to the one before {} bad", counted(*with), counted(*before));
    match proof {
        Removal::GoodAgain { patches, seen } => {
            let _ = writeln!(out, "    the queue without {}: {} bad", numbers(patches), counted(*seen));
        }
        Removal::StillBad { patches, seen } => {
            let others = "another patch breaks it, too";
            let _ =
                writeln!(out, "    the queue without {}: {} bad: {others}", numbers(patches), counted(*seen));
        }
        Removal::Stays { why } => {
            let first = why.lines().next().unwrap_or_default();
            let _ = writeln!(out, "    it cannot be taken out: {}", printable(first));
        }
    }
    out
}

/// The tests of which nothing more is to be said.
fn others(tests: &[TestRow]) -> String {
    let quiet = |row: &&TestRow| row.failure.is_none() && row.open.is_none() && row.patches.is_empty();
    let passed = tests.iter().filter(quiet).filter(|row| row.tip.judged() > 0).count();
    let unjudged: Vec<&TestRow> = tests.iter().filter(quiet).filter(|row| row.tip.judged() == 0).collect();
    let mut out = String::new();
    if passed > 0 {
        let _ = writeln!(
            out,
            "{} with the queue",
            if passed == 1 { "1 test passes".into() } else { format!("{passed} tests pass") }
        );
    }
    for row in unjudged {
        let why = row.title.as_deref().unwrap_or("it was not run");
        let _ = writeln!(out, "{} was not judged: {}", row.test, printable(why));
    }
    out
}

/// A probability, never more sure than it is.
pub fn percent(probability: f64) -> String {
    match probability {
        sure if sure >= 0.9999 => "> 99.99%".to_owned(),
        sure => format!("{:.1}%", (sure * 1000.0).floor() / 10.0),
    }
}
