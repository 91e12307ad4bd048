//! What did not come out the same every time: within the run, and over earlier ones.

use std::fmt::Write as _;

use super::anchor;
use super::blocks::{TABLE_END, table_start};
use crate::event::AttemptRecord;
use crate::journal::JournalError;
use crate::report::fold::RunSummary;
use crate::report::text::escape;
use crate::report::timeline::Timeline;
use crate::verdict::Verdict;

/// Cells that are listed.
const LISTED: usize = 100;

/// How often the bug, or another crash, showed among what could be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) failed: usize,
    pub(super) judged: usize,
}

impl Shown {
    fn among(verdicts: impl Iterator<Item = Verdict>) -> Shown {
        let mut shown = Shown::default();
        for verdict in verdicts {
            let is_failure = matches!(verdict, Verdict::Bad | Verdict::Other);
            shown.failed += usize::from(is_failure);
            shown.judged += usize::from(is_failure || verdict == Verdict::Good);
        }
        shown
    }

    fn varies(self) -> bool {
        self.failed > 0 && self.failed < self.judged
    }

    fn words(self) -> String {
        if self.judged == 0 { "-".to_owned() } else { format!("{} of {}", self.failed, self.judged) }
    }
}

/// The table with its heading; nothing where everything came out the same.
pub(super) fn of(run: &RunSummary, history: &Timeline) -> Result<String, JournalError> {
    let mut details = run.details();
    let mut out = String::new();
    let (mut listed, mut more) = (0, 0);
    for outline in run.cells() {
        let earlier = history.cell(outline.place()).iter().map(|result| result.verdict);
        let over_runs = Shown::among(earlier.chain(outline.verdict()));
        let failed = matches!(outline.verdict(), Some(Verdict::Bad | Verdict::Other));
        // a cell that is good has no attempt that failed, so nothing is read of it
        let within = match failed && outline.attempts() > 1 {
            true => Shown::among(details.cell(outline.place())?.attempts.iter().map(of_attempt)),
            false => Shown::default(),
        };
        if !over_runs.varies() && !within.varies() {
            continue;
        }
        if listed == LISTED {
            more += 1;
            continue;
        }
        if listed == 0 {
            let caption = "How often each of them failed, of what could be judged.";
            let head = ["Cell", "Attempts of this run", "Runs, this one included"];
            out = format!("<h2>Not the same every time</h2>\n{}", table_start("varying", caption, &head));
        }
        listed += 1;
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"wide\"><a href=\"#{}\">{}</a></th><td class=\"figure\">{}</td><td class=\"figure\">{}</td></tr>",
            anchor(outline.place()),
            escape(&outline.id().to_string()),
            within.words(),
            over_runs.words()
        );
    }
    if listed > 0 {
        out.push_str(TABLE_END);
    }
    if more > 0 {
        let _ = writeln!(out, "<p>{more} more</p>");
    }
    Ok(out)
}

fn of_attempt(attempt: &AttemptRecord) -> Verdict {
    attempt.verdict
}
