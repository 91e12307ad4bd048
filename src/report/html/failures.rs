//! The list of what failed, what says most first.

use std::fmt::Write as _;

use super::{anchor, word_and_class};
use crate::expectation::Expectation;
use crate::journal::JournalError;
use crate::plural::counted;
use crate::report::cells::Outline;
use crate::report::evidence::said;
use crate::report::fold::RunSummary;
use crate::report::text::escape;
use crate::verdict::Verdict;

/// Cells that are listed.
const LISTED: usize = 300;

/// How many ranks there are.
const RANKS: usize = 4;

/// The place of a cell in the list, from 0; `None`: it did not fail. A bug on a kernel that has the fix says most, then what
/// is new, then what could not be judged; what the suites list as known stands last.
pub(super) fn rank(cell: Outline<'_>) -> Option<u8> {
    match cell.verdict()? {
        _ if cell.is_unexpectedly_bad() => Some(0),
        Verdict::Bad | Verdict::Other if cell.known() == Some("known") => Some(3),
        Verdict::Bad | Verdict::Other => Some(1),
        Verdict::Blind | Verdict::Lost => Some(2),
        Verdict::Good | Verdict::Skip => None,
    }
}

/// The list with its heading.
pub(super) fn section(run: &RunSummary) -> Result<String, JournalError> {
    let (ranked, failed) = listed(run);
    let mut out = "<section id=\"failures\" tabindex=\"-1\">\n<h2>What failed</h2>\n".to_owned();
    if ranked.is_empty() {
        let _ = writeln!(out, "<p>Nothing. {}</p>\n</section>", nothing(run));
        return Ok(out);
    }
    let mut details = run.details();
    out.push_str("<ul class=\"list\">\n");
    for (rank, place) in &ranked {
        let outline = run.outline(*place);
        let cell = details.cell(*place)?;
        let (word, class) = word_and_class(outline.verdict(), outline.known());
        let unexpected = (*rank == 0).then(|| cell.expectation.as_ref().map(Expectation::reason)).flatten();
        let unexpected = unexpected.map_or_else(String::new, |reason| {
            format!(" <strong>bad on a kernel that should not have the bug: {}</strong>", escape(&reason))
        });
        let _ = writeln!(
            out,
            "<li data-cell=\"{}\"><span class=\"word {class}\">{word}</span> <a href=\"#{}\">{}</a> {}{unexpected}</li>",
            place + 1,
            anchor(*place),
            escape(&cell.id.to_string()),
            escape(&said(&cell, run.ended))
        );
    }
    out.push_str("</ul>\n<p id=\"no-failure\" hidden=\"hidden\">None of them fits the filter.</p>\n");
    if let Some(more) = failed.checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "<p>{more} more; the matrix has all of them.</p>");
    }
    out.push_str("</section>\n");
    Ok(out)
}

/// The ranks and places of the cells that are listed, in order, and how many failed. No more of them are held: of a million
/// cells very many may have failed.
fn listed(run: &RunSummary) -> (Vec<(u8, usize)>, usize) {
    let mut of_rank = [const { Vec::new() }; RANKS];
    let mut failed = 0;
    for (rank, place) in run.cells().filter_map(|cell| Some((rank(cell)?, cell.place()))) {
        failed += 1;
        let places: &mut Vec<_> = &mut of_rank[usize::from(rank)];
        if places.len() < LISTED {
            places.push((rank, place));
        }
    }
    (of_rank.into_iter().flatten().take(LISTED).collect(), failed)
}

/// What is to be said where no cell failed: that is no success where cells were not run or all were skipped.
fn nothing(run: &RunSummary) -> String {
    let counts = run.counts();
    match (counts.not_run, counts.finished() - counts.skip) {
        (0, 0) if counts.skip > 0 => "But nothing was judged: every cell was skipped.".to_owned(),
        (0, _) => String::new(),
        (more, _) => {
            format!("But {} {} not run.", counted(more, "cell"), if more == 1 { "was" } else { "were" })
        }
    }
}
