//! What a failure looks like, in a few lines: its crash report as `kregress explain` shows it, or what was found.

use std::collections::HashMap;

use super::line::printable;
use super::paint::{Paint, Tone};
use crate::event::{AttemptRecord, CellId, CellRecord, Event};
use crate::oops::{Extras, Palette, render_report_with};
use crate::plural::counted;
use crate::verdict::Verdict;

/// Lines of an excerpt.
const LINES: usize = 24;
/// Lines of a program's output, which is the last resort.
const OUTPUT_LINES: usize = 8;
/// The columns before a line's text.
const INDENT: usize = 13;
/// Where a console is not known.
const CONSOLE: &str = "console";

/// Holds the attempts of cells that have no verdict yet, as far as they failed.
#[derive(Debug, Default)]
pub(super) struct Excerpts {
    failed: HashMap<CellId, Vec<AttemptRecord>>,
}

impl Excerpts {
    /// Takes in the next event. The answer is the excerpt of a cell that failed and is not known to.
    pub(super) fn apply(&mut self, event: &Event, paint: Paint) -> Option<String> {
        match event {
            Event::Attempt { cell, record } if matches!(record.verdict, Verdict::Bad | Verdict::Other) => {
                self.failed.entry(cell.clone()).or_default().push((**record).clone());
                None
            }
            Event::Cell(record) => {
                let attempts = self.failed.remove(&record.id())?;
                let is_new = matches!(record.verdict, Verdict::Bad | Verdict::Other)
                    && record.known.as_deref() != Some("known");
                let decides = |attempt: &&AttemptRecord| {
                    attempt.verdict == record.verdict && attempt.title == record.title
                };
                let attempt = attempts.iter().find(decides).filter(|_| is_new)?;
                excerpt(record, attempt, paint)
            }
            _ => None,
        }
    }
}

/// The excerpt, its lines indented; absent where there is nothing to show.
pub(crate) fn excerpt(cell: &CellRecord, attempt: &AttemptRecord, paint: Paint) -> Option<String> {
    let diagnosis = attempt.diagnoses.iter().find(|diagnosis| Some(&diagnosis.title) == cell.title.as_ref());
    let lines: Vec<String> = match diagnosis {
        Some(diagnosis) => {
            let palette = if paint == Paint::OFF { Palette::plain() } else { Palette::coloured() };
            let name = printable(attempt.console.as_deref().unwrap_or(CONSOLE));
            let extras = Extras { notes: &|_| Vec::new(), facts: &[] };
            let text =
                render_report_with(&name, diagnosis.text.as_bytes(), &diagnosis.report(), &palette, extras);
            // the title is in the line of the cell
            text.lines().skip(1).map(str::to_owned).collect()
        }
        None => {
            let output: Vec<&str> = attempt.program.output.trim_end().lines().collect();
            let last = &output[output.len().saturating_sub(OUTPUT_LINES)..];
            let findings = attempt.findings.iter().map(|finding| printable(finding));
            let said = last.iter().map(|line| paint.apply(Tone::Dim, &printable(line)));
            findings.chain(said).collect()
        }
    };
    let more = lines.len().saturating_sub(LINES);
    let mut text: Vec<String> =
        lines.into_iter().take(LINES).map(|line| format!("{:INDENT$}{line}", "")).collect();
    if more > 0 {
        text.push(format!("{:INDENT$}and {}", "", counted(more, "more line")));
    }
    (!text.is_empty()).then(|| text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn new_failures_have_an_excerpt() {
        let mut excerpts = Excerpts::default();
        let shown: Vec<String> =
            sample::events().iter().filter_map(|event| excerpts.apply(event, Paint::OFF)).collect();
        insta::assert_snapshot!(shown.join("\n\n"), @r"
        round 19999
        round 20000

            ╭─[attempts/ext4__mmap-writeback-failure@6.17.13/1/console.log:300]
        300 │ WARNING: CPU: 1 PID: 99 at fs/ext4/inode.c:3423
            ╰─
             what: A WARN() check of the kernel fired: something that should never happen did. (WARNING)
        ");
        assert!(excerpts.failed.is_empty());
    }
}
