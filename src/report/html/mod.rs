//! `index.html`: one self-contained file. What failed stands first, then the matrix tests × kernels, each cell of which
//! opens its diagnosis, its attempts and an excerpt of its console.
//!
//! Its script filters, opens cells and moves the focus; it makes no markup of text. Evidence of cells that did not fail is
//! the content of `noscript` elements: where scripts run a browser takes it as one text each, so that a page of thousands
//! of cells opens at once, and where they do not it is shown. The markup is well-formed XML as well, which the tests rely
//! on.

mod about;
mod blocks;
mod cell;
mod defects;
mod durations;
mod failures;
mod head;
mod links;
mod matrix;
mod tools;
mod varying;

use std::fmt::Write as _;
use std::iter::once_with;

pub use head::{Scripted, head};
pub use links::{ConsoleLink, console_links};

use super::ReportError;
use super::fold::{RunEnd, RunSummary};
use super::matrix::word_of;
use super::summary::absence;
use super::text::escape;
use super::timeline::Timeline;
use crate::journal::{JournalError, RunDir};
use crate::plural::counted;
use crate::progress::clock;
use crate::verdict::Verdict;

/// Cells that failed whose evidence is there without a script, too, in a browser that has one.
const SHOWN_AT_ONCE: usize = 50;

/// Lines of a list that is not folded.
const LINES_AT_ONCE: usize = 12;

/// The document of a run whose files are in `dir`. Consoles that cannot be read are left out.
///
/// # Errors
/// The journal cannot be read any more.
pub fn html(run: &RunSummary, dir: &RunDir) -> Result<String, ReportError> {
    pieces(run, dir).collect()
}

/// The document in pieces, each cell of the matrix and the evidence of each cell one of its own.
pub fn pieces<'a>(
    run: &'a RunSummary,
    dir: &'a RunDir,
) -> impl Iterator<Item = Result<String, ReportError>> + 'a {
    let history = Timeline::of(run, dir);
    let varying = varying::of(run, &history);
    // one after the other, so that none is held while others are made
    let begin = once_with(move || Ok(beginning(run))).chain(once_with(move || failures::section(run)));
    let begin = begin
        .chain(once_with(move || defects::section(run, dir)))
        .chain(once_with(move || Ok(tools::bar(run))));
    let after = [Ok(matrix::END.to_owned()), varying].into_iter();
    let after =
        after.chain(once_with(move || Ok(durations::section(run)))).chain(once_with(move || Ok(worth(run))));
    let evidence = evidence(run, dir, history);
    let end = || Ok(format!("</main>\n{}{}</body>\n</html>\n", tools::PANEL, head::script()));
    let pieces = begin.chain(matrix::lines(run)).chain(after).chain(evidence);
    pieces.chain(once_with(end)).map(|piece| piece.map_err(ReportError::from))
}

fn beginning(run: &RunSummary) -> String {
    let title = escape(&format!("kregress run {}", run.id));
    let mut out = head(&title, Scripted::Yes);
    out.push_str("<a class=\"skip-link\" href=\"#failures\">To what failed</a>\n<a class=\"skip-link\" href=\"#matrix\">To the matrix</a>\n");
    let _ = write!(out, "<header>\n<h1>{title}</h1>\n<p class=\"answer\">{}</p>\n", escape(&result(run)));
    push_facts(&mut out, run);
    out.push_str("</header>\n<main>\n");
    out
}

/// How the run came out, in one line.
fn result(run: &RunSummary) -> String {
    let cells = counted(run.planned(), "cell");
    let tally = run.tally();
    let ended = match run.ended {
        RunEnd::Finished => "",
        RunEnd::Cancelled => "; the run was ended before every cell was run",
        RunEnd::Killed => "; the runner was killed",
        RunEnd::Running => "; the run still goes on",
    };
    format!("{cells}: {tally}{ended}")
}

fn push_facts(out: &mut String, run: &RunSummary) {
    let mut facts = Vec::new();
    if let Some(at) = run.started {
        facts.push(("Started", at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    }
    facts.push(("Duration", clock(run.seconds)));
    if !run.command.is_empty() {
        facts.push(("Command", run.command.join(" ")));
    }
    if let Some(host) = &run.host {
        let reason =
            if host.accel_reason.is_empty() { String::new() } else { format!(" ({})", host.accel_reason) };
        facts
            .push(("Machine", format!("QEMU {} with {}{reason}, {} cpus", host.qemu, host.accel, host.cpus)));
    }
    let packages = run.packages_to_tell();
    if !packages.is_empty() {
        let packages: Vec<String> =
            packages.iter().map(|(kernel, package)| format!("{kernel} is {package}")).collect();
        facts.push(("Packages", packages.join(", ")));
    }
    facts.push(("Program", format!("kregress {}", run.kregress)));
    out.push_str("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>\n");
    let notices: Vec<String> = run.notices.iter().map(|notice| escape(notice)).collect();
    blocks::push_list(out, &notices);
}

/// What a good result is worth.
fn worth(run: &RunSummary) -> String {
    let lines = absence(run);
    if lines.is_empty() {
        return String::new();
    }
    let mut out = "<h2>What a good result is worth</h2>\n".to_owned();
    let lines: Vec<String> = lines
        .iter()
        .map(|(test, worth)| format!("<code>{}</code>: {}", escape(test), escape(worth)))
        .collect();
    if lines.len() <= LINES_AT_ONCE {
        blocks::push_list(&mut out, &lines);
        return out;
    }
    let _ = writeln!(out, "<details><summary>{} tests</summary>", lines.len());
    blocks::push_list(&mut out, &lines);
    out + "</details>\n"
}

/// The sections of the cells, test by test.
fn evidence<'a>(
    run: &'a RunSummary,
    dir: &'a RunDir,
    history: Timeline,
) -> impl Iterator<Item = Result<String, JournalError>> + 'a {
    let mut details = run.details();
    let mut shown = 0;
    let tests = run.cells_by_test().into_iter().enumerate().flat_map(|(number, (test, places))| {
        let nth = move |(nth, place)| (number, (nth == 0).then_some(test), place);
        places.into_iter().enumerate().map(nth)
    });
    let cells = tests.map(move |(number, first_of, place)| {
        let mut out = String::new();
        if let Some(test) = first_of {
            let _ = writeln!(out, "<h3>{}</h3>", escape(test));
            about::push(&mut out, run, test, run.outline(place).summary(), number);
        }
        let is_failure = failures::rank(run.outline(place)).is_some();
        shown += usize::from(is_failure);
        let cell = details.cell(place)?;
        let view = cell::CellView { run, dir, history: &history, test: number, cell: &cell, place };
        if is_failure && shown <= SHOWN_AT_ONCE {
            view.push(&mut out, &format!(" id=\"{}\"", anchor(place)));
        } else {
            let _ = write!(out, "<noscript id=\"{}\">", anchor(place));
            view.push(&mut out, "");
            out.push_str("</noscript>\n");
        }
        Ok(out)
    });
    let begin = "<div id=\"evidence\">\n<h2>Evidence</h2>\n".to_owned();
    std::iter::once(Ok(begin)).chain(cells).chain(std::iter::once(Ok("</div>\n".to_owned())))
}

fn anchor(place: usize) -> String {
    format!("cell-{}", place + 1)
}

/// The word of the matrix and the class that gives it its colour.
fn word_and_class(verdict: Option<Verdict>, known: Option<&str>) -> (&'static str, &'static str) {
    let (word, _) = word_of(verdict, known);
    let class = match word {
        "KNOWN" => "known",
        "FIXED" => "fixed",
        _ => verdict.map_or("not-run", |verdict| verdict.word()),
    };
    (word, class)
}

#[cfg(test)]
mod tests;
