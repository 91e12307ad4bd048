//! The diagnosis for a reader.

use std::path::Path;

use super::tools::Source;
use super::{ExplainError, read_error};
use crate::oops::{Palette, Report, distinct, heading, render_report};
use crate::suite::Sorted;
use crate::verdict::messages_told;

/// So many places of one defect are named.
const PLACES_SHOWN: usize = 6;

/// The reports of one file.
pub(super) fn human(
    name: &str,
    source: &Source,
    sorted: &Sorted,
    palette: &Palette,
) -> Result<String, ExplainError> {
    let mut text = heading(name, sorted.reports.len());
    for report in &sorted.reports {
        let region = source.region(report).map_err(|source| read_error(Path::new(name), source))?;
        text.push('\n');
        text.push_str(&render_report(name, &region, report, palette));
    }
    match sorted.passed_over.lines {
        0 => {}
        1 => text.push_str("\n1 more line begins a report that is not shown: there are too many like it\n"),
        lines => text.push_str(&format!(
            "\n{lines} more lines begin reports that are not shown: there are too many, or too many alike\n"
        )),
    }
    for line in messages_told(sorted) {
        text.push_str(&format!("\n{line}\n"));
    }
    Ok(text)
}

/// The reports of all files so far.
#[derive(Default)]
pub(super) struct Defects {
    files: usize,
    names: Vec<String>,
    reports: Vec<Report>,
}

impl Defects {
    /// Takes in the reports of the next file.
    pub(super) fn take(&mut self, name: &str, reports: Vec<Report>) {
        self.files += 1;
        self.names.resize(self.names.len() + reports.len(), name.to_owned());
        self.reports.extend(reports);
    }

    /// Which reports are the same defect; nothing where no two are.
    pub(super) fn told(&self) -> String {
        let groups = distinct(&self.reports);
        if groups.len() == self.reports.len() {
            return String::new();
        }
        let files = if self.files == 1 { "1 file".to_owned() } else { format!("{} files", self.files) };
        let defects = if groups.len() == 1 { "defect" } else { "defects" };
        let mut text =
            format!("\n{} reports in {files}, {} distinct {defects}\n", self.reports.len(), groups.len());
        for group in groups {
            let place = |report: &&Report| {
                let nth = self.reports.iter().position(|other| std::ptr::eq(other, *report));
                format!("{}:{}", nth.map_or("", |nth| &self.names[nth]), report.start_line)
            };
            let mut places: Vec<String> = group.iter().take(PLACES_SHOWN).map(place).collect();
            if group.len() > PLACES_SHOWN {
                places.push(format!("and {} more", group.len() - PLACES_SHOWN));
            }
            text.push_str(&format!("{:>4} × {}  ({})\n", group.len(), group[0].title, places.join(", ")));
        }
        text
    }
}
