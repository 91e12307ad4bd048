//! `index.html`: one self-contained file with the matrix tests × kernels, each cell leading to its diagnosis, its
//! attempts and an excerpt of its console. It has no script and asks the browser to run none, because most of its text
//! comes from guests. The markup is well-formed XML as well, which the tests rely on.

mod cell;
mod defects;
mod head;

use std::fmt::Write as _;

pub use head::{STYLE, head};

use super::ReportError;
use super::fold::{RunEnd, RunSummary};
use super::matrix::word_of;
use super::summary::absence;
use super::text::escape;
use crate::expectation::Expectation;
use crate::journal::{JournalError, RunDir};
use crate::progress::{clock, tally};
use crate::verdict::Verdict;

/// The document of a run whose files are in `dir`. Consoles that cannot be read are left out.
///
/// # Errors
/// The journal cannot be read any more.
pub fn html(run: &RunSummary, dir: &RunDir) -> Result<String, ReportError> {
    pieces(run, dir).collect()
}

/// The document in pieces, each line of the matrix and the evidence of each cell one of its own.
pub fn pieces<'a>(
    run: &'a RunSummary,
    dir: &'a RunDir,
) -> impl Iterator<Item = Result<String, ReportError>> + 'a {
    let first =
        std::iter::once_with(|| Ok(before_matrix(run))).chain(std::iter::once_with(|| unexpected(run)));
    let before = first.chain(matrix(run).map(Ok));
    let after = std::iter::once_with(|| after_matrix(run, dir));
    let end = "</main>\n</body>\n</html>\n".to_owned();
    let pieces = before.chain(after).chain(evidence(run, dir)).chain(std::iter::once(Ok(end)));
    pieces.map(|piece| piece.map_err(ReportError::from))
}

fn before_matrix(run: &RunSummary) -> String {
    let title = escape(&format!("kregress run {}", run.id));
    let mut out = head(&title, STYLE);
    let _ = write!(out, "<header>\n<h1>{title}</h1>\n");
    push_facts(&mut out, run);
    out.push_str("</header>\n<main>\n");
    out
}

/// The cells that are bad although the kernel has the fix.
fn unexpected(run: &RunSummary) -> Result<String, JournalError> {
    let mut out = String::new();
    let mut details = run.details();
    for outline in run.unexpectedly_bad() {
        if out.is_empty() {
            out.push_str("<h2>Bad on a kernel that should not have the bug</h2>\n<ul>\n");
        }
        let cell = details.cell(outline.place())?;
        let reason = cell.expectation.as_ref().map(Expectation::reason).unwrap_or_default();
        let (id, reason) = (escape(&cell.id.to_string()), escape(&reason));
        let _ = writeln!(out, "<li><a href=\"#{}\">{id}</a>: {reason}</li>", anchor(outline.place()));
    }
    if !out.is_empty() {
        out.push_str("</ul>\n");
    }
    Ok(out)
}

fn after_matrix(run: &RunSummary, dir: &RunDir) -> Result<String, JournalError> {
    let mut out = String::new();
    defects::push(&mut out, run, dir)?;
    push_absence(&mut out, run);
    if run.cells().len() > 0 {
        out.push_str(
            "<p class=\"choice\"><label><input type=\"checkbox\" id=\"hide-good\"/> Hide the evidence of good cells</label></p>\n",
        );
    }
    Ok(out)
}

fn push_facts(out: &mut String, run: &RunSummary) {
    let (known, fixed) = run.known_and_fixed();
    let mut result = format!("{} cells: {}", run.planned(), tally(&run.counts(), known, fixed).join(", "));
    match run.ended {
        RunEnd::Finished => {}
        RunEnd::Cancelled => result.push_str("; the run was ended before every cell was run"),
        RunEnd::Killed => result.push_str("; the runner was killed"),
        RunEnd::Running => result.push_str("; the run still goes on"),
    }
    let mut facts = vec![("Result", result)];
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
    if !run.notices.is_empty() {
        out.push_str("<ul>\n");
        for notice in &run.notices {
            let _ = writeln!(out, "<li>{}</li>", escape(notice));
        }
        out.push_str("</ul>\n");
    }
}

/// The matrix, line by line.
fn matrix(run: &RunSummary) -> impl Iterator<Item = String> + '_ {
    let kernels = run.kernels();
    let (mut head, mut end) = (String::new(), String::new());
    if kernels.is_empty() {
        head.push_str("<p>No cell was planned.</p>\n");
    } else {
        head.push_str(
            "<div class=\"scroll\" role=\"region\" aria-labelledby=\"matrix\" tabindex=\"0\">\n<table class=\"matrix\">\n\
             <caption id=\"matrix\">Tests and kernels; each word leads to its evidence.</caption>\n<thead><tr><td></td>",
        );
        for kernel in &kernels {
            let _ = write!(head, "<th scope=\"col\">{}</th>", escape(kernel));
        }
        head.push_str("</tr></thead>\n<tbody>\n");
        end.push_str("</tbody>\n</table>\n</div>\n");
    }
    let rows = run.tests().into_iter().map(move |test| {
        let mut out = format!("<tr><th scope=\"row\">{}</th>", escape(test));
        for kernel in &kernels {
            let Some(cell) = run.find(test, kernel) else {
                out.push_str("<td><span class=\"quiet\" title=\"not planned\">·</span></td>");
                continue;
            };
            let (word, class) = word_and_class(cell.verdict(), cell.known());
            let _ =
                write!(out, "<td class=\"{class}\"><a href=\"#{}\">{word}</a></td>", anchor(cell.place()));
        }
        out.push_str("</tr>\n");
        out
    });
    std::iter::once(head).chain(rows).chain(std::iter::once(end))
}

fn push_absence(out: &mut String, run: &RunSummary) {
    let lines = absence(run);
    if lines.is_empty() {
        return;
    }
    out.push_str("<h2>What a good result is worth</h2>\n<ul>\n");
    for (test, worth) in lines {
        let _ = writeln!(out, "<li><code>{}</code>: {}</li>", escape(&test), escape(&worth));
    }
    out.push_str("</ul>\n");
}

/// The sections of the cells, test by test.
fn evidence<'a>(
    run: &'a RunSummary,
    dir: &'a RunDir,
) -> impl Iterator<Item = Result<String, JournalError>> + 'a {
    let mut details = run.details();
    let cells = run.cells_by_test().into_iter().flat_map(|(test, places)| {
        places.into_iter().enumerate().map(move |(nth, place)| ((nth == 0).then_some(test), place))
    });
    cells.map(move |(first_of, place)| {
        let mut out = String::new();
        if let Some(test) = first_of {
            let _ = writeln!(out, "<h2>{}</h2>", escape(test));
            let summary = run.outline(place).summary();
            if !summary.is_empty() {
                let _ = writeln!(out, "<p>{}</p>", escape(summary));
            }
        }
        cell::push(&mut out, &details.cell(place)?, &anchor(place), run.ended, dir);
        Ok(out)
    })
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
