//! The table of what is behind the failing cells.

use std::fmt::Write as _;

use super::anchor;
use super::blocks::{TABLE_END, table_start};
use super::cell::href;
use crate::journal::{JournalError, RunDir};
use crate::report::defects::{defects, headline};
use crate::report::fold::RunSummary;
use crate::report::text::escape;

/// Cells that are named of each defect.
const PLACES_SHOWN: usize = 40;

/// The table with its heading, where any attempt showed a defect.
///
/// # Errors
/// The journal cannot be read any more.
pub(super) fn section(run: &RunSummary, dir: &RunDir) -> Result<String, JournalError> {
    let defects = defects(run)?;
    if defects.is_empty() {
        return Ok(String::new());
    }
    let title = headline(&defects).unwrap_or_else(|| "The defect".to_owned());
    let mut out = format!("<h2>{}</h2>\n", escape(&title));
    out += &table_start(
        "defects",
        "Attempts that crashed alike are one defect.",
        &["Defect", "Class", "Cells", "Attempts", "Where", "First"],
    );
    for defect in &defects {
        let mut cells: Vec<String> = Vec::new();
        for place in defect.cells.iter().take(PLACES_SHOWN) {
            cells.push(format!(
                "<a href=\"#{}\">{}</a>",
                anchor(place),
                escape(&run.outline(place).id().to_string())
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
            "<tr><th scope=\"row\" class=\"wide\">{}{also}</th><td>{}</td><td class=\"figure\">{}</td><td class=\"figure\">{}</td><td>{}</td><td>{first}</td></tr>",
            escape(&defect.title),
            escape(defect.kind.as_deref().unwrap_or("no crash report")),
            defect.cells.len(),
            defect.attempts,
            cells.join("<br/>"),
        );
    }
    Ok(out + TABLE_END)
}
