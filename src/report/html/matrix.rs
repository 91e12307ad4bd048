//! The matrix, cell by cell: a line of it may have ten thousand.

use std::fmt::Write as _;

use super::{anchor, word_and_class};
use crate::journal::JournalError;
use crate::report::evidence::said;
use crate::report::fold::RunSummary;
use crate::report::records::Details;
use crate::report::text::escape;
use crate::verdict::Verdict;

/// Kernels from which on the matrix begins in its narrow form.
const NARROW_FROM: usize = 24;
/// The longest text that a cell has as its hint, characters.
const HINT_LIMIT: usize = 160;

/// The end of the matrix.
pub(super) const END: &str = "</tbody>\n</table>\n</div>\n</section>\n";

/// Whether the matrix begins in its narrow form.
pub(super) fn is_narrow(run: &RunSummary) -> bool {
    run.kernels().len() >= NARROW_FROM
}

/// The matrix up to [`END`], in pieces.
pub(super) fn lines(run: &RunSummary) -> impl Iterator<Item = Result<String, JournalError>> + '_ {
    let kernels = run.kernels();
    let mut details = run.details();
    let mut head = String::new();
    let narrow = if is_narrow(run) { " compact" } else { "" };
    let _ = write!(
        head,
        "<div class=\"scroll tall\" role=\"region\" aria-labelledby=\"matrix-name\">\n<table class=\"matrix{narrow}\" role=\"grid\" aria-labelledby=\"matrix-name\">\n<thead><tr><td></td>"
    );
    for kernel in &kernels {
        let _ = write!(head, "<th scope=\"col\">{}</th>", escape(kernel));
    }
    head.push_str("</tr></thead>\n<tbody>\n");
    let columns = kernels.len();
    let rows = run.tests().into_iter().flat_map(move |test| {
        let begin = Part::Begin(test);
        let cells = (0..columns).map(move |column| Part::Cell { test, column });
        std::iter::once(begin).chain(cells).chain([Part::End])
    });
    let rows = rows.map(move |part| match part {
        Part::Begin(test) => Ok(format!("<tr><th scope=\"row\">{}</th>", escape(test))),
        Part::Cell { test, column } => match run.find(test, kernels[column]) {
            Some(found) => cell(run, found.place(), &mut details),
            None => Ok("<td><span class=\"quiet\" title=\"not planned\">&#160;</span></td>".to_owned()),
        },
        Part::End => Ok("</tr>\n".to_owned()),
    });
    std::iter::once(Ok(head)).chain(rows)
}

/// A piece of a line.
enum Part<'r> {
    Begin(&'r str),
    Cell { test: &'r str, column: usize },
    End,
}

fn cell(run: &RunSummary, place: usize, details: &mut Details<'_>) -> Result<String, JournalError> {
    let cell = run.outline(place);
    let (word, class) = word_and_class(cell.verdict(), cell.known());
    let mut hint = String::new();
    if !matches!(cell.verdict(), Some(Verdict::Good) | None) {
        let text: String = said(&details.cell(place)?, run.ended).chars().take(HINT_LIMIT).collect();
        hint = format!(" title=\"{}\"", escape(&text));
    }
    Ok(format!("<td class=\"{class}\"><a href=\"#{}\"{hint}>{word}</a></td>", anchor(place)))
}
