//! The attempts of a cell, a row each.

use std::fmt::Write as _;

use super::href;
use crate::event::AttemptRecord;
use crate::journal::RunDir;
use crate::observation::Start;
use crate::plural::counted;
use crate::report::evidence::attempt_line;
use crate::report::fold::CellSummary;
use crate::report::html::blocks::push_list;
use crate::report::text::escape;
use crate::verdict::Verdict;

/// Attempts that are shown one by one.
const SHOWN: usize = 50;

/// Adds the table, where there were any; of a good cell, of which a page may have thousands, a short list.
pub(super) fn push(out: &mut String, cell: &CellSummary, dir: &RunDir) {
    if cell.attempts.is_empty() {
        return;
    }
    let shown = cell.attempts.iter().take(SHOWN);
    if cell.verdict() == Some(Verdict::Good) {
        let line = |attempt| format!("{} {}", escape(&attempt_line(attempt)), files(attempt, dir));
        push_list(out, &shown.map(line).collect::<Vec<_>>());
    } else {
        out.push_str(
            "<table>\n<thead><tr><th scope=\"col\">Attempt</th><th scope=\"col\">Verdict</th><th scope=\"col\">Took</th>\
             <th scope=\"col\">Came up</th><th scope=\"col\">Reached</th><th scope=\"col\">How it ended</th><th scope=\"col\">Files</th></tr></thead>\n<tbody>\n",
        );
        shown.for_each(|attempt| push_row(out, attempt, dir));
        out.push_str("</tbody>\n</table>\n");
    }
    if let Some(more) = cell.attempts.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "<p>{}</p>", counted(more, "more attempt"));
    }
}

fn push_row(out: &mut String, attempt: &AttemptRecord, dir: &RunDir) {
    let boot = attempt.boot_seconds.map_or_else(
        || "never".to_owned(),
        |boot| {
            let how = if attempt.start == Start::Restored { ", restored" } else { "" };
            let clock = if attempt.time_travel { ", idle time left out" } else { "" };
            format!("{boot:.3} s{how}{clock}")
        },
    );
    let mut end = attempt.ending.to_string();
    if let Some(text) = attempt.title.as_ref().or(attempt.reason.as_ref()) {
        let _ = write!(end, ": {text}");
    }
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td class=\"{}\">{}</td><td class=\"figure\">{:.3} s</td><td>{boot}</td><td>{}</td><td class=\"wide\">{}</td><td>{}</td></tr>",
        attempt.attempt,
        attempt.verdict.word(),
        attempt.verdict.word(),
        attempt.seconds,
        attempt.phase.word(),
        escape(&end),
        files(attempt, dir)
    );
}

/// Links to what an attempt left.
fn files(attempt: &AttemptRecord, dir: &RunDir) -> String {
    let files = [("console", &attempt.console), ("reproduce.sh", &attempt.reproduce)];
    let links = files.into_iter().filter_map(|(name, path)| {
        let href = path.as_deref().and_then(|path| href(path, dir))?;
        Some(format!("<a href=\"{href}\">{name}</a>"))
    });
    links.collect::<Vec<_>>().join(" ")
}
