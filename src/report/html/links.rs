//! Links to the consoles of a run, for pages about it that have a layout of their own.

use super::cell::href;
use crate::journal::{JournalError, RunDir};
use crate::report::fold::RunSummary;
use crate::verdict::Verdict;

/// Links of one cell; of a long series the last ones say nothing new.
const MOST: usize = 50;

/// The console of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsoleLink {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What it said.
    pub verdict: Verdict,
    /// Where the console is, relative to the run's folder; fit for an attribute.
    pub href: String,
}

/// The consoles of a test on a kernel, in order; none where it was not run.
///
/// # Errors
/// The journal cannot be read any more.
pub fn console_links(
    run: &RunSummary,
    dir: &RunDir,
    test: &str,
    kernel: &str,
) -> Result<Vec<ConsoleLink>, JournalError> {
    let Some(cell) = run.find(test, kernel) else { return Ok(Vec::new()) };
    let cell = run.details().cell(cell.place())?;
    let link = |attempt: &crate::event::AttemptRecord| {
        let href = href(attempt.console.as_deref()?, dir)?;
        Some(ConsoleLink { attempt: attempt.attempt, verdict: attempt.verdict, href })
    };
    Ok(cell.attempts.iter().filter_map(link).take(MOST).collect())
}
