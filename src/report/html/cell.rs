//! The evidence for one cell.

use std::fmt::Write as _;

use super::word_and_class;
use crate::event::AttemptRecord;
use crate::journal::RunDir;
use crate::progress::percent;
use crate::report::evidence::{attempt_line, readings};
use crate::report::excerpt::excerpt;
use crate::report::fold::{CellSummary, RunEnd};
use crate::report::text::{cut_middle, escape};
use crate::verdict::Verdict;

/// Attempts that are shown one by one.
const ATTEMPTS_SHOWN: usize = 50;
/// The longest excerpt of a diagnosis or of a program's output, bytes.
const TEXT_LIMIT: usize = 16 << 10;

/// Adds the section of a cell, to which `#anchor` leads.
pub(super) fn push(out: &mut String, cell: &CellSummary, anchor: &str, ended: RunEnd, dir: &RunDir) {
    let (word, class) = word_and_class(cell.verdict(), cell.known());
    let good = cell.verdict() == Some(Verdict::Good);
    let kind = if good { "cell is-good" } else { "cell" };
    let release = cell.release.as_ref().filter(|release| **release != cell.id.kernel);
    let release =
        release.map_or_else(String::new, |r| format!(" <span class=\"quiet\">{}</span>", escape(r)));
    let _ = writeln!(
        out,
        "<section class=\"{kind}\" id=\"{anchor}\">\n<h3><span class=\"word {class}\">{word}</span> {}{release}</h3>",
        escape(&cell.id.kernel)
    );
    let _ = writeln!(out, "<p>{}</p>", escape(&headline(cell, ended)));
    if let Some(text) = cell.beside_expected() {
        let words = cell.expectation.as_ref().map_or("", |expectation| expectation.words.as_str());
        let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
        let _ = writeln!(out, "<p>{}</p>", escape(&format!("{text}{words}")));
    }
    if let Some(diagnosis) = cell.deciding_diagnosis() {
        push_block(out, &cut_middle(&diagnosis.text, TEXT_LIMIT));
    }
    push_attempts(out, cell, dir);
    if let Some(attempt) = cell.deciding_attempt() {
        push_list(out, &readings(attempt).iter().map(|line| escape(line)).collect::<Vec<_>>());
        if !good {
            push_console(out, cell, attempt, dir);
        }
        let output = attempt.program.output.trim_end();
        if !output.is_empty() {
            out.push_str("<details><summary>What the program wrote last</summary>\n");
            push_block(out, &cut_middle(output, TEXT_LIMIT));
            out.push_str("</details>\n");
        }
    }
    out.push_str("</section>\n");
}

fn headline(cell: &CellSummary, ended: RunEnd) -> String {
    let Some(record) = &cell.record else { return ended.why_not_run().to_owned() };
    let mut text =
        record.title.as_ref().or(record.reason.as_ref()).cloned().unwrap_or_else(|| match record.verdict {
            Verdict::Good => "the whole dose ran and nothing was seen".into(),
            verdict => verdict.word().into(),
        });
    match record.known.as_deref() {
        Some("known") => text.push_str(" — the suite lists this kernel as one that has the bug"),
        Some("fixed") => text.push_str(" — although the suite lists this kernel as one that has the bug"),
        _ => {}
    }
    if let Some(chance) = record.miss_chance {
        let _ = write!(text, "; the chance of a miss is {}", percent(chance));
    }
    text
}

fn push_attempts(out: &mut String, cell: &CellSummary, dir: &RunDir) {
    let attempt = |attempt: &AttemptRecord| {
        let mut line = escape(&attempt_line(attempt));
        for (name, path) in [("console", &attempt.console), ("reproduce.sh", &attempt.reproduce)] {
            if let Some(href) = path.as_deref().and_then(|path| href(path, dir)) {
                let _ = write!(line, " <a href=\"{href}\">{name}</a>");
            }
        }
        line
    };
    let mut lines: Vec<String> = cell.attempts.iter().take(ATTEMPTS_SHOWN).map(attempt).collect();
    if cell.attempts.len() > ATTEMPTS_SHOWN {
        lines.push(format!("{} more attempts", cell.attempts.len() - ATTEMPTS_SHOWN));
    }
    push_list(out, &lines);
}

fn push_console(out: &mut String, cell: &CellSummary, attempt: &AttemptRecord, dir: &RunDir) {
    let Some(path) = attempt.console.as_deref().and_then(|path| dir.file(path)) else { return };
    let line = cell.deciding_diagnosis().or(attempt.diagnoses.first()).map(|diagnosis| diagnosis.line);
    // A console that was removed since is no reason to have no report.
    let Ok(excerpt) = excerpt(&path, line) else { return };
    if excerpt.lines.is_empty() {
        return;
    }
    let last = excerpt.first + excerpt.lines.len() - 1;
    let _ = writeln!(out, "<details><summary>Console, lines {} to {last}</summary>", excerpt.first);
    push_block(out, &excerpt.lines.join("\n"));
    out.push_str("</details>\n");
}

fn push_block(out: &mut String, text: &str) {
    // A browser drops a newline right behind the start tag; an empty line of the text must not be lost.
    let _ = writeln!(out, "<pre tabindex=\"0\">\n{}</pre>", escape(text));
}

fn push_list(out: &mut String, items: &[String]) {
    if items.is_empty() {
        return;
    }
    out.push_str("<ul>\n");
    for item in items {
        let _ = writeln!(out, "<li>{item}</li>");
    }
    out.push_str("</ul>\n");
}

/// A link to a file of the run, relative to `index.html`; absent when the name leads elsewhere.
pub(super) fn href(path: &str, dir: &RunDir) -> Option<String> {
    dir.file(path)?;
    let mut href = String::from("./");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/@+".contains(&byte) {
            href.push(char::from(byte));
        } else {
            let _ = write!(href, "%{byte:02X}");
        }
    }
    Some(href)
}
