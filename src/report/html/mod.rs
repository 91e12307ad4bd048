//! `index.html`: one self-contained file with the matrix tests × kernels, each cell leading to its diagnosis, its
//! attempts and an excerpt of its console. It has no script and asks the browser to run none, because most of its text
//! comes from guests. The markup is well-formed XML as well, which the tests rely on.

mod cell;
mod defects;
mod head;

use std::fmt::Write as _;

pub use head::{STYLE, head};

use super::fold::{CellSummary, Ended, RunSummary};
use super::matrix::word;
use super::summary::absence;
use super::text::escape;
use crate::journal::RunDir;
use crate::progress::{clock, tally};

/// The document of a run whose files are in `dir`. Consoles that cannot be read are left out.
pub fn html(run: &RunSummary, dir: &RunDir) -> String {
    pieces(run, dir).collect()
}

/// The document in pieces, the evidence of each cell one of its own.
pub fn pieces<'a>(run: &'a RunSummary, dir: &'a RunDir) -> impl Iterator<Item = String> + 'a {
    let overview = std::iter::once_with(|| overview(run, dir));
    let end = "</main>\n</body>\n</html>\n".to_owned();
    overview.chain(evidence(run, dir)).chain(std::iter::once(end))
}

fn overview(run: &RunSummary, dir: &RunDir) -> String {
    let title = escape(&format!("kregress run {}", run.id));
    let mut out = head(&title, STYLE);
    let _ = write!(out, "<header>\n<h1>{title}</h1>\n");
    push_facts(&mut out, run);
    out.push_str("</header>\n<main>\n");
    push_matrix(&mut out, run);
    defects::push(&mut out, run, dir);
    push_absence(&mut out, run);
    if !run.cells.is_empty() {
        out.push_str(
            "<p class=\"choice\"><label><input type=\"checkbox\" id=\"hide-good\"/> Hide the evidence of good cells</label></p>\n",
        );
    }
    out
}

fn push_facts(out: &mut String, run: &RunSummary) {
    let (known, fixed) = run.known_and_fixed();
    let mut result = format!("{} cells: {}", run.planned(), tally(&run.counts(), known, fixed).join(", "));
    match run.ended {
        Ended::Finished => {}
        Ended::Cancelled => result.push_str("; the run was ended before every cell was run"),
        Ended::Killed => result.push_str("; the runner was killed"),
        Ended::Running => result.push_str("; the run still goes on"),
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

fn push_matrix(out: &mut String, run: &RunSummary) {
    let kernels = run.kernels();
    if kernels.is_empty() {
        out.push_str("<p>No cell was planned.</p>\n");
        return;
    }
    out.push_str(
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"matrix\" tabindex=\"0\">\n<table class=\"matrix\">\n\
         <caption id=\"matrix\">Tests and kernels; each word leads to its evidence.</caption>\n<thead><tr><td></td>",
    );
    for kernel in &kernels {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(kernel));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for test in run.tests() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(test));
        for kernel in &kernels {
            let Some(place) = run.place(test, kernel) else {
                out.push_str("<td><span class=\"quiet\" title=\"not planned\">·</span></td>");
                continue;
            };
            let (word, class) = word_and_class(&run.cells[place]);
            let _ = write!(out, "<td class=\"{class}\"><a href=\"#{}\">{word}</a></td>", anchor(place));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
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
fn evidence<'a>(run: &'a RunSummary, dir: &'a RunDir) -> impl Iterator<Item = String> + 'a {
    run.cells_by_test().into_iter().flat_map(move |(test, places)| {
        let summary = places.first().map_or("", |place| run.cells[*place].summary.as_str());
        let mut head = format!("<h2>{}</h2>\n", escape(test));
        if !summary.is_empty() {
            let _ = writeln!(head, "<p>{}</p>", escape(summary));
        }
        let cells = places.into_iter().map(move |place| {
            let mut out = String::new();
            cell::push(&mut out, &run.cells[place], &anchor(place), run.ended, dir);
            out
        });
        std::iter::once(head).chain(cells)
    })
}

fn anchor(place: usize) -> String {
    format!("cell-{}", place + 1)
}

/// The word of the matrix and the class that gives it its colour.
fn word_and_class(cell: &CellSummary) -> (&'static str, &'static str) {
    let (word, _) = word(Some(cell), true);
    let class = match word {
        "KNOWN" => "known",
        "FIXED" => "fixed",
        _ => cell.verdict().map_or("not-run", |verdict| verdict.word()),
    };
    (word, class)
}

#[cfg(test)]
mod tests;
