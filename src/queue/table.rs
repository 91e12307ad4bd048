//! The table of a queue as it was read: a patch a line, and what is not tested with its reason.

use std::fmt::Write;

use super::reading::Reading;
use crate::event::queue::{Aside, QueuedPatch, SetAside};
use crate::progress::printable;

/// Columns of a title; what is longer is cut.
const TITLE: usize = 52;

/// Digits of a commit.
const SHORT: usize = 12;

impl Aside {
    /// What is said of a patch that is not tested.
    pub fn words(self) -> &'static str {
        match self {
            Aside::DoesNotApply => "does not apply",
            Aside::Damaged => "damaged",
            Aside::There => "there already",
            Aside::Twice => "twice",
            Aside::DoesNotBuild => "does not build",
            Aside::DoesNotBoot => "does not boot",
            Aside::LeftOut => "left out",
        }
    }
}

/// The table for a terminal.
pub fn table(reading: &Reading) -> String {
    let mut rows: Vec<[String; 7]> =
        vec![["", "patch", "upstream", "fixes", "stable", "files", "in its place"].map(str::to_owned)];
    rows.extend(reading.patches.iter().map(row));
    let mut out = if reading.patches.is_empty() { String::new() } else { lines(&rows) };
    for patch in &reading.patches {
        if let Some(why) = &patch.impossible {
            let _ = writeln!(out, "  {}: cannot be the culprit of anything: {why}", patch.number);
        }
        if !patch.needs.is_empty() {
            let _ = writeln!(out, "  {}: cannot be without {}", patch.number, numbers(&patch.needs));
        }
    }
    if !reading.set_aside.is_empty() {
        out.push_str(if out.is_empty() { "not tested:\n" } else { "\nnot tested:\n" });
        reading.set_aside.iter().for_each(|one| out.push_str(&set_aside(one)));
    }
    out
}

/// A line about a patch that is not tested.
pub fn set_aside(one: &SetAside) -> String {
    let mut lines = one.why.lines();
    let first = printable(lines.next().unwrap_or_default());
    let mut out =
        format!("  {}: {}: {}: {first}\n", one.number, cut(&printable(&one.title), TITLE), one.kind.words());
    // of a compiler's words the first line is enough; where the others are stands in the last one
    if let Some(log) = lines.next_back() {
        out.push_str(&format!("      {}\n", printable(log)));
    }
    out
}

fn row(patch: &QueuedPatch) -> [String; 7] {
    let short = |id: &String| id.chars().take(SHORT).collect::<String>();
    let fixes: Vec<String> = patch.fixes.iter().take(1).map(short).collect();
    let more = match patch.fixes.len() {
        0 | 1 => String::new(),
        several => format!(" +{}", several - 1),
    };
    [
        patch.number.to_string(),
        cut(&printable(&patch.title), TITLE),
        patch.upstream.as_ref().map(short).unwrap_or_default(),
        fixes.join("") + &more,
        cut(&printable(patch.stable.as_deref().unwrap_or_default()), 16),
        patch.files.len().to_string(),
        patch.applies.clone(),
    ]
}

/// Columns, numbers to the right.
fn lines<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for ((cell, width), nth) in row.iter().zip(widths).zip(0..) {
            let _ = match nth {
                // a column that is empty for all says nothing
                _ if rows[1..].iter().all(|row| row[nth].is_empty()) => Ok(()),
                0 | 5 => write!(line, " {cell:>width$}"),
                _ => write!(line, " {cell:<width$} "),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A text of at most so many characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Numbers in a sentence: `4`, `4 and 7`, `4, 7 and 9`.
pub fn numbers(numbers: &[usize]) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => format!("patch {one}"),
        [first @ .., last] => format!("patches {} and {last}", first.join(", ")),
    }
}
