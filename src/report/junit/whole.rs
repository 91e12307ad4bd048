//! What is to be said of a run as a whole: without these test cases a document of a run that was broken off, or that judged
//! nothing, would look like that of a success.

use std::time::Duration;

use super::element::{Case, Outcome, Reason, Totals};
use super::{element, start, suite as suite_of};
use crate::plural::counted;
use crate::report::ReportError;
use crate::report::fold::{RunEnd, RunSummary};

/// The name of the test suite.
const NAME: &str = "plan";

/// The numbers of these test cases.
pub(super) fn totals(run: &RunSummary) -> Totals {
    let count = cases(run).len() as u64;
    Totals { tests: count, errors: count, ..Totals::default() }
}

/// The test suite with this number in its document, or nothing.
pub(super) fn suite(run: &RunSummary, number: usize) -> Result<String, ReportError> {
    let cases = cases(run);
    if cases.is_empty() {
        return Ok(String::new());
    }
    let mut out = start(&suite_of(run, NAME, None), number, &totals(run))?;
    for case in &cases {
        out += &element(case)?;
    }
    Ok(out + "</testsuite>")
}

fn cases(run: &RunSummary) -> Vec<Case> {
    let (counts, unnamed) = (run.counts(), run.unnamed());
    let mut messages = Vec::new();
    if unnamed > 0 {
        messages.push((
            NAME,
            format!(
                "{} {} to run and {} never named",
                counted(unnamed, "more cell"),
                if unnamed == 1 { "was" } else { "were" },
                if unnamed == 1 { "was" } else { "were" }
            ),
        ));
    }
    let broken_off = matches!(run.ended, RunEnd::Cancelled | RunEnd::Running);
    if broken_off && counts.not_run > 0 && unnamed == 0 {
        let (cells, were) = if counts.not_run == 1 { ("cell", "was") } else { ("cells", "were") };
        let why = if run.ended == RunEnd::Running { "the run still goes on" } else { "the run was ended" };
        messages.push(("complete", format!("{why}: {} {cells} {were} not run", counts.not_run)));
    }
    if run.planned() == 0 && run.split.partition.is_some() {
        // more parts than cells, which is no error
    } else if run.planned() == 0 {
        messages.push(("judged", "no cell was planned".to_owned()));
    } else if counts.skip == run.planned() {
        messages.push(("judged", "nothing was judged: every cell was skipped".to_owned()));
    }
    let case = |(name, message): (&str, String)| Case {
        name: name.to_owned(),
        classname: "kregress".to_owned(),
        time: Duration::ZERO,
        outcome: Outcome::Error(Reason {
            kind: "not run".to_owned(),
            details: Some(message.clone()),
            message,
        }),
        reruns: Vec::new(),
        output: None,
    };
    messages.into_iter().map(case).collect()
}
