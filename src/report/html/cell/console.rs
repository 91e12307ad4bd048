//! Crash reports and consoles, with the numbers that their lines have in the console's file.

use std::fmt::Write as _;

use super::href;
use crate::event::{AttemptRecord, Diagnosis};
use crate::journal::RunDir;
use crate::oops::{ReportKind, blamed_line};
use crate::report::excerpt::excerpt;
use crate::report::fold::CellSummary;
use crate::report::text::{escape, without_escapes};

/// Lines of a crash report that are shown.
const LINES_SHOWN: usize = 200;
/// Functions of its trace that are named.
const FRAMES_SHOWN: usize = 24;

/// Adds a crash report as `kregress explain` shows it: what it is, its lines, the blamed one marked, and its trace.
pub(super) fn push_diagnosis(out: &mut String, diagnosis: &Diagnosis) {
    let kind = diagnosis.kind.parse().unwrap_or(ReportKind::Unknown);
    let mut what = format!("{} ({})", kind.sentence(), diagnosis.kind);
    if diagnosis.corrupted {
        what.push_str(" The report is damaged; do not rely on its title.");
    }
    if diagnosis.witness.is_some() {
        what.push_str(
            " The console lacks it; it is from the kernel's log, and at the end of the console's file.",
        );
    }
    let _ = writeln!(out, "<figure>\n<figcaption>{}</figcaption>", escape(&what));
    let blamed = blamed_line(diagnosis.text.as_bytes(), &diagnosis.report());
    out.push_str("<pre tabindex=\"0\">");
    for (at, line) in diagnosis.text.trim_end().split('\n').take(LINES_SHOWN).enumerate() {
        let is_blamed = blamed == Some(at);
        let frame = diagnosis.frame.as_deref().filter(|_| is_blamed);
        let class = if is_blamed { "l blamed" } else { "l" };
        push_line(out, class, diagnosis.line + at, line, frame);
    }
    out.push_str("</pre>\n");
    if !diagnosis.frames.is_empty() {
        let frames: Vec<String> = diagnosis
            .frames
            .iter()
            .take(FRAMES_SHOWN)
            .map(|frame| format!("<code>{}</code>", escape(frame)))
            .collect();
        let more = if diagnosis.frames.len() > FRAMES_SHOWN { " ← …" } else { "" };
        let _ = writeln!(out, "<p>Trace: {}{more}</p>", frames.join(" ← "));
    }
    if !diagnosis.alt_titles.is_empty() {
        let _ = writeln!(out, "<p>Also: {}</p>", escape(&diagnosis.alt_titles.join(", ")));
    }
    out.push_str("</figure>\n");
}

/// A line with its number; the function `frame` in it is marked, and that it is blamed is said in words.
fn push_line(out: &mut String, class: &str, number: usize, line: &str, frame: Option<&str>) {
    let shown = without_escapes(line);
    let text = match frame.and_then(|frame| shown.find(frame).map(|at| (at, at + frame.len()))) {
        Some((begin, end)) => format!(
            "{}<mark>{}</mark>{} <span class=\"note\">◄ blamed</span>",
            escape(&shown[..begin]),
            escape(&shown[begin..end]),
            escape(&shown[end..])
        ),
        None => escape(&shown),
    };
    let _ = writeln!(out, "<span class=\"{class}\" data-n=\"{number}\">{text}</span>");
}

/// Adds the part of the console around the crash report, whose lines are marked, or its end.
pub(super) fn push_excerpt(out: &mut String, cell: &CellSummary, attempt: &AttemptRecord, dir: &RunDir) {
    let Some(name) = attempt.console.as_deref() else { return };
    let Some(path) = dir.file(name) else { return };
    let diagnosis = cell.deciding_diagnosis().or(attempt.diagnoses.first());
    // A console that was removed since is no reason to have no report.
    let Ok(excerpt) = excerpt(&path, diagnosis.map(|diagnosis| diagnosis.line)) else { return };
    if excerpt.lines.is_empty() {
        return;
    }
    let last = excerpt.first + excerpt.lines.len() - 1;
    let report = diagnosis.map(|diagnosis| {
        let lines = diagnosis.text.trim_end().split('\n').count();
        diagnosis.line..diagnosis.line + lines
    });
    let within = report.as_ref().map_or_else(String::new, |lines| {
        format!("; the crash report is lines {} to {}", lines.start, lines.end - 1)
    });
    let _ = writeln!(
        out,
        "<details><summary>Console, lines {} to {last}{within}</summary>\n<p><a href=\"{}\">The whole console</a></p>",
        excerpt.first,
        href(name, dir).unwrap_or_default()
    );
    out.push_str("<pre tabindex=\"0\">");
    for (at, line) in excerpt.lines.iter().enumerate() {
        let number = excerpt.first + at;
        let is_in = report.as_ref().is_some_and(|lines| lines.contains(&number));
        push_line(out, if is_in { "l in" } else { "l" }, number, line, None);
    }
    out.push_str("</pre>\n</details>\n");
}
