//! The report for a terminal, and for a mail.

use std::fmt::Write as _;

use console::measure_text_width as width;

use super::{Report, Row, counted, likely, standing, wording};
use crate::progress::{Paint, Tone, printable};
use crate::report::matrix::MatrixStyle;

/// Length of the longest bar, characters.
const BAR: usize = 32;
/// Columns of the words before the sentences.
const LABEL: usize = 12;
/// The least columns that a sentence is broken into.
const LEAST: usize = 40;
/// The longest title, characters.
const TITLE: usize = 72;

/// The report, each line ended.
pub fn text(report: &Report, style: MatrixStyle) -> String {
    let mut out = String::new();
    let rule = if style.unicode { "─" } else { "-" };
    let _ = writeln!(out, "{}", style.paint.apply(Tone::Dim, &rule.repeat(style.width.min(60))));
    let tone = match (&report.answer, report.culprits.len()) {
        (_, 1) => Tone::Good,
        (None, _) => Tone::Dim,
        _ => Tone::Warn,
    };
    let mut line = |label: &str, tone: Tone, text: &str| {
        let pad = " ".repeat(LABEL.saturating_sub(width(label)));
        let text = wrapped(&printable(text), style.width.saturating_sub(LABEL + 1));
        let between = format!("\n{}", " ".repeat(LABEL + 1));
        let _ = writeln!(out, "{pad}{} {}", style.paint.apply(tone, label), text.join(&between));
    };
    line("Bisection", Tone::Name, &format!("{}, run {}", report.test, report.run));
    line("Answer", tone, &report.headline);
    report.remarks.iter().for_each(|remark| line("", Tone::Dim, remark));
    line("Effort", Tone::Dim, &wording::effort(report));
    table(&mut out, report, style.paint);
    plot(&mut out, report, style);
    if !report.confirm.is_empty() {
        out.push_str("\nTo see the same by hand:\n");
        report.confirm.iter().for_each(|command| {
            let _ = writeln!(out, "  {}", printable(command));
        });
    }
    out
}

/// The lines of a sentence, none longer than `most` columns where its words allow.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(text) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= most.max(LEAST) => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The words of a sentence; a command in backquotes is one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    for part in text.split(' ') {
        match words.last_mut() {
            Some(word) if quoted => {
                word.push(' ');
                word.push_str(part);
            }
            _ => words.push(part.to_owned()),
        }
        quoted ^= part.matches('`').count() % 2 == 1;
    }
    words
}

fn table(out: &mut String, report: &Report, paint: Paint) {
    if report.tried.is_empty() {
        return;
    }
    let cells = |row: &Row| [printable(&row.kernel), counted(row.seen), standing(row)];
    let head = ["KERNEL".to_owned(), "SYMPTOMS".to_owned(), "STANDING".to_owned()];
    let rows: Vec<[String; 3]> = report.tried.iter().map(cells).collect();
    let widths: Vec<usize> =
        (0..3).map(|at| rows.iter().chain([&head]).map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    let padded = |row: &[String; 3]| {
        let column = |at: usize| format!("{}{}", row[at], " ".repeat(widths[at] - width(&row[at])));
        (0..3).map(column).collect::<Vec<_>>().join("  ")
    };
    let _ = writeln!(out, "\n{}", paint.apply(Tone::Dim, padded(&head).trim_end()));
    for (row, cells) in report.tried.iter().zip(&rows) {
        let culprit = report.culprits.iter().any(|culprit| culprit.name == row.kernel);
        let told = padded(cells);
        let told = if culprit { paint.apply(Tone::Name, &told) } else { told };
        let _ = writeln!(out, "{}", format!("{told}  {}", printable(&notes(row))).trim_end());
    }
}

/// What is said of a kernel behind its figures.
pub fn notes(row: &Row) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(row.symptom.as_deref().map(|title| cut(title, TITLE)));
    if row.earlier > 0 {
        notes.push(format!("{} of the attempts were made before", row.earlier));
    }
    if row.without_evidence > 0 {
        notes.push(format!("{} more said nothing about the test", row.without_evidence));
    }
    if let Some(reason) = &row.closed {
        notes.push(format!("given up: {}", cut(reason.lines().next().unwrap_or_default(), 2 * TITLE)));
    }
    if !row.subject.is_empty() {
        notes.push(cut(&row.subject, TITLE));
    }
    notes.join("; ")
}

fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// A bar for every candidate that is still likely.
fn plot(out: &mut String, report: &Report, style: MatrixStyle) {
    if report.plot.is_empty() {
        return;
    }
    let name = report.plot.iter().map(|suspect| width(&suspect.kernel)).max().unwrap_or(0);
    out.push_str("\nHow likely each candidate is:\n");
    for suspect in &report.plot {
        let bar = bar(suspect.probability, BAR, style.unicode);
        let pad = " ".repeat(name - width(&suspect.kernel));
        let likely = likely(suspect.probability);
        let _ = writeln!(
            out,
            "{}",
            format!("  {}{pad} {likely:>6} {bar}", printable(&suspect.kernel)).trim_end()
        );
    }
}

/// A bar whose length is a share of `length`.
pub(crate) fn bar(share: f64, length: usize, unicode: bool) -> String {
    let eighths = (share.clamp(0.0, 1.0) * length as f64 * 8.0).round() as usize;
    if !unicode {
        return "#".repeat(eighths.div_ceil(8));
    }
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words() {
        let text = "the change is one of those between 6.12.57 and 6.12.69, whatever it is";
        assert_eq!(
            wrapped(text, 41),
            ["the change is one of those between", "6.12.57 and 6.12.69, whatever it is"]
        );
        assert_eq!(wrapped(text, 5).len(), 2, "some columns are left, however small the terminal");
        assert_eq!(wrapped(&"x".repeat(90), 50), ["x".repeat(90)]);
        assert_eq!(wrapped("", 50), [""]);
        let text = "eight more attempts are needed; `kregress bisect --resume` makes them";
        assert_eq!(
            wrapped(text, 46),
            ["eight more attempts are needed;", "`kregress bisect --resume` makes them"]
        );
    }
}
