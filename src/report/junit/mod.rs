//! JUnit XML: one test suite per kernel, the kregress suite as class name, and `test[kernel]` as name: readers that put
//! cases of equal names together would hide a kernel's failure behind another kernel's success.
//!
//! The structure is that of Jenkins's `junit-10.xsd`, the form that CI systems read. `bad` and `other` are failures,
//! `blind` and `lost` errors, `skip` is skipped. A cell that was not run is skipped when the run was ended on purpose
//! and an error when the runner was killed: nobody decided to leave it out. A failure that the suite lists as known is
//! skipped with that as its reason, as pytest writes an expected failure, unless [`JunitKnown::Failure`] is asked for:
//! readers have no other word that does not fail a run in which nothing new was found.

pub(crate) mod element;
pub(crate) mod text;

use std::time::Duration;

use jiff::Timestamp;

use self::element::{Case, Extras, Outcome, Reason, Suite, Totals};
use self::text::{attribute, cdata};
use super::fold::{CellSummary, RunEnd, RunSummary};
use super::records::Details;
use super::{ReportError, evidence};
use crate::event::CellRecord;
use crate::verdict::Verdict;

/// What a cell's record says of a failure that its suite lists.
const KNOWN: &str = "known";
/// The longest attribute, characters.
const ATTRIBUTE_LIMIT: usize = 1000;
/// The longest excerpt of a diagnosis, bytes.
const EXCERPT_LIMIT: usize = 16 << 10;
/// The longest output of a test case, bytes.
const OUTPUT_LIMIT: usize = 64 << 10;

/// How a failure is written that the suite lists as known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JunitKnown {
    /// Skipped, with the reason.
    #[default]
    Skipped,
    /// As any failure.
    Failure,
}

/// The JUnit document of a run, in which known failures are skipped.
///
/// # Errors
/// The journal cannot be read any more.
pub fn junit(run: &RunSummary) -> Result<String, ReportError> {
    pieces(run, JunitKnown::default()).collect()
}

/// The document in pieces, each test case one of its own.
pub fn pieces(run: &RunSummary, known: JunitKnown) -> impl Iterator<Item = Result<String, ReportError>> + '_ {
    let mut details = run.details();
    let kernels = in_order(run);
    let suites = kernels.len();
    let parts = kernels.into_iter().enumerate().flat_map(|(number, (kernel, cells))| {
        let cases = cells.clone().into_iter().map(Part::Case);
        std::iter::once(Part::Begin { number, kernel, cells }).chain(cases).chain(std::iter::once(Part::End))
    });
    let elements = parts.map(move |part| match part {
        Part::Begin { number, kernel, cells } => begin(run, known, number, kernel, &cells, &mut details),
        Part::Case(place) => element(&test_case(&details.cell(place)?, run.ended, known)),
        Part::End => Ok("</testsuite>".to_owned()),
    });
    let begin = "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites>";
    let [begin, end] = [begin, "</testsuites>"].map(|tag| std::iter::once(Ok(tag.to_owned())));
    begin.chain(elements).chain(unnamed(run, suites)).chain(end)
}

/// The places of each kernel's cells. Those that are bad although the kernel has the fix stand first, and so do their kernels.
fn in_order(run: &RunSummary) -> Vec<(&str, Vec<usize>)> {
    let is_first = |place: &usize| run.outline(*place).is_unexpectedly_bad();
    let mut kernels = run.cells_by_kernel();
    for (_, cells) in &mut kernels {
        cells.sort_by_key(|place| !is_first(place));
    }
    kernels.sort_by_key(|(_, cells)| !cells.first().is_some_and(is_first));
    kernels
}

/// A piece of the document.
enum Part<'r> {
    /// The start tag of a kernel's test suite, with its number in the document, from 0, and the places of its cells.
    Begin { number: usize, kernel: &'r str, cells: Vec<usize> },
    /// The test case of a cell.
    Case(usize),
    /// The end tag.
    End,
}

/// The start tag of a kernel's test suite and its properties.
fn begin(
    run: &RunSummary,
    known: JunitKnown,
    number: usize,
    kernel: &str,
    cells: &[usize],
    details: &mut Details<'_>,
) -> Result<String, ReportError> {
    let mut totals = Totals::default();
    for &place in cells {
        let outline = run.outline(place);
        let seconds = match outline.verdict() {
            Some(_) => outline.seconds(),
            None => seconds(&details.cell(place)?),
        };
        let is_skipped = known == JunitKnown::Skipped && outline.known() == Some(KNOWN);
        totals.add(outline.verdict(), is_skipped, run.ended, duration(seconds));
    }
    let extras = Extras { skipped: totals.skipped, properties: properties(run, cells) };
    start(&suite(run, kernel, Some(extras)), number, &totals)
}

/// A test suite without its test cases.
fn suite(run: &RunSummary, name: &str, extras: Option<Extras>) -> Suite {
    Suite { name: attribute(name, ATTRIBUTE_LIMIT), timestamp: timestamp(run), extras }
}

/// The properties of a kernel's test suite.
fn properties(run: &RunSummary, cells: &[usize]) -> Vec<(&'static str, String)> {
    let mut properties = vec![("run", run.id.clone()), ("kregress", run.kregress.clone())];
    if let Some(release) = cells.iter().find_map(|place| run.outline(*place).release()) {
        properties.push(("release", release.to_owned()));
    }
    let package = cells.first().and_then(|place| run.package(run.outline(*place).kernel()));
    properties.extend(package.map(|package| ("package", package.to_owned())));
    if let Some(host) = &run.host {
        properties.push(("qemu", host.qemu.clone()));
        properties.push(("accel", host.accel.clone()));
    }
    properties.push(("ended", run.ended.word().into()));
    properties.into_iter().map(|(name, value)| (name, attribute(&value, ATTRIBUTE_LIMIT))).collect()
}

fn start(suite: &Suite, number: usize, totals: &Totals) -> Result<String, ReportError> {
    element::suite_start(suite, number, totals).map_err(ReportError::Junit)
}

fn element(case: &Case) -> Result<String, ReportError> {
    element::case_element(case).map_err(ReportError::Junit)
}

/// Stands for the cells that were announced and never named, because the runner was killed while it planned: without
/// it the document would look like that of a complete run.
fn unnamed(run: &RunSummary, number: usize) -> impl Iterator<Item = Result<String, ReportError>> + '_ {
    let missing = run.unnamed();
    let element = move || {
        let message = format!("{missing} more cells were to run and were never named");
        let case = Case {
            name: "plan".to_owned(),
            classname: "kregress".to_owned(),
            time: Duration::ZERO,
            outcome: Outcome::Error(Reason { kind: "not run".to_owned(), message, details: None }),
            output: None,
        };
        let totals = Totals { tests: 1, errors: 1, ..Totals::default() };
        Ok(start(&suite(run, "plan", None), number, &totals)? + &self::element(&case)? + "</testsuite>")
    };
    (missing > 0).then(element).into_iter()
}

fn timestamp(run: &RunSummary) -> Timestamp {
    let seconds = run.started.map_or(0, |at| at.as_second());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How long a cell took, seconds.
fn seconds(cell: &CellSummary) -> f64 {
    match &cell.record {
        Some(record) => record.seconds,
        None => cell.attempts.iter().map(|attempt| attempt.seconds).sum(),
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0) as u64)
}

fn test_case(cell: &CellSummary, ended: RunEnd, known: JunitKnown) -> Case {
    let (suite, test) = cell.suite_and_test();
    Case {
        name: attribute(&format!("{test}[{}]", cell.id.kernel), ATTRIBUTE_LIMIT),
        classname: attribute(suite, ATTRIBUTE_LIMIT),
        time: duration(seconds(cell)),
        outcome: outcome(cell, ended, known),
        output: Some(cdata(&evidence::text(cell), OUTPUT_LIMIT)),
    }
}

fn outcome(cell: &CellSummary, ended: RunEnd, known: JunitKnown) -> Outcome {
    let Some(record) = &cell.record else {
        let (kind, message) = ("not run".to_owned(), ended.why_not_run().to_owned());
        let reason = Reason { kind, message, details: None };
        return match ended {
            RunEnd::Cancelled | RunEnd::Running => Outcome::Skipped(reason),
            RunEnd::Killed | RunEnd::Finished => Outcome::Error(reason),
        };
    };
    let diagnosis = cell.deciding_diagnosis();
    let class = diagnosis.map(|d| d.kind.as_str()).filter(|kind| !kind.is_empty());
    let said = message(record);
    let message = match cell.beside_expected() {
        Some(beside) if record.verdict == Verdict::Bad => format!("{said} ({beside})"),
        _ => said.to_owned(),
    };
    let message = attribute(&message, ATTRIBUTE_LIMIT);
    let excerpt = diagnosis.map(|diagnosis| diagnosis.text.as_str()).filter(|text| !text.is_empty());
    // the title first: GitLab shows the body alone
    let details = excerpt.map(|text| {
        let title = record.title.as_deref().unwrap_or_default();
        cdata(&format!("{title}\n\n{text}"), EXCERPT_LIMIT)
    });
    if known == JunitKnown::Skipped && record.known.as_deref() == Some(KNOWN) {
        let message = attribute(&format!("known to the suite: {message}"), ATTRIBUTE_LIMIT);
        return Outcome::Skipped(Reason { kind: KNOWN.to_owned(), message, details: None });
    }
    match record.verdict {
        Verdict::Good => Outcome::Success,
        Verdict::Bad => {
            let kind = attribute(class.unwrap_or("symptom"), ATTRIBUTE_LIMIT);
            Outcome::Failure(Reason { kind, message, details })
        }
        Verdict::Other => {
            let kind = attribute(&format!("other: {}", class.unwrap_or("crash")), ATTRIBUTE_LIMIT);
            Outcome::Failure(Reason { kind, message, details })
        }
        Verdict::Skip => Outcome::Skipped(Reason { kind: "skip".into(), message, details: None }),
        Verdict::Blind | Verdict::Lost => {
            Outcome::Error(Reason { kind: record.verdict.word().into(), message, details })
        }
    }
}

fn message(record: &CellRecord) -> &str {
    record.title.as_deref().or(record.reason.as_deref()).unwrap_or_else(|| record.verdict.word())
}

#[cfg(test)]
mod tests;
