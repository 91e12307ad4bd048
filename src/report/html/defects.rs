//! The table of what is behind the failing cells.

use std::fmt::Write as _;

use super::anchor;
use super::cell::href;
use crate::journal::{JournalError, RunDir};
use crate::report::defects::{defects, headline};
use crate::report::fold::RunSummary;
use crate::report::text::escape;

/// Cells that are named of each defect.
const PLACES_SHOWN: usize = 40;

/// Adds the table, where any attempt showed a defect.
///
/// # Errors
/// The journal cannot be read any more.
pub(super) fn push(out: &mut String, run: &RunSummary, dir: &RunDir) -> Result<(), JournalError> {
    let defects = defects(run)?;
    if defects.is_empty() {
        return Ok(());
    }
    let title = headline(&defects).unwrap_or_else(|| "What failed".to_owned());
    let _ = writeln!(out, "<h2>{}</h2>", escape(&title));
    out.push_str(
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"defects\" tabindex=\"0\">\n<table class=\"defects\">\n\
         <caption id=\"defects\">Attempts that crashed alike are one defect.</caption>\n\
         <thead><tr><th scope=\"col\">Defect</th><th scope=\"col\">Class</th><th scope=\"col\">Cells</th><th scope=\"col\">Attempts</th>\
         <th scope=\"col\">Where</th><th scope=\"col\">First</th></tr></thead>\n<tbody>\n",
    );
    for defect in &defects {
        let mut cells: Vec<String> = Vec::new();
        for place in defect.cells.iter().take(PLACES_SHOWN) {
            cells.push(format!(
                "<a href=\"#{}\">{}</a>",
                anchor(*place),
                escape(&run.outline(*place).id().to_string())
            ));
        }
        if defect.cells.len() > PLACES_SHOWN {
            cells.push(format!("{} more", defect.cells.len() - PLACES_SHOWN));
        }
        let console = defect.console.as_deref().and_then(|path| href(path, dir));
        let line = defect.line.map_or_else(String::new, |line| format!(", line {line}"));
        let first = console.map_or_else(String::new, |href| format!("<a href=\"{href}\">console</a>{line}"));
        let also: String = defect
            .also
            .iter()
            .map(|title| format!("<br/><span class=\"quiet\">also {}</span>", escape(title)))
            .collect();
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}{also}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{first}</td></tr>",
            escape(&defect.title),
            escape(defect.kind.as_deref().unwrap_or("no crash report")),
            defect.cells.len(),
            defect.attempts,
            cells.join("<br/>"),
        );
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    Ok(())
}
