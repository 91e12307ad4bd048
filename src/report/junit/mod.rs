//! JUnit XML: one test suite per kernel, the kregress suite as class name, the test as name.
//!
//! The structure is that of Jenkins's `junit-10.xsd`, the form that CI systems read. `bad` and `other` are failures,
//! `blind` and `lost` errors, `skip` is skipped. A cell that was not run is skipped when the run was ended on purpose
//! and an error when the runner was killed: nobody decided to leave it out. Whether a result is known to the suite
//! changes nothing here, it is said in the test's output.

pub(crate) mod element;
mod extras;
pub(crate) mod text;

use junit_report::{
    Duration, OffsetDateTime, TestCase, TestCaseBuilder, TestResult, TestSuite, TestSuiteBuilder,
};

use self::element::{Totals, case_element, start_tag};
use self::extras::{Extras, add_extras};
use self::text::{attribute, cdata};
use super::fold::{CellSummary, RunEnd, RunSummary};
use super::records::Details;
use super::{ReportError, evidence};
use crate::event::CellRecord;
use crate::verdict::Verdict;

/// The longest attribute, characters.
const ATTRIBUTE_LIMIT: usize = 1000;
/// The longest excerpt of a diagnosis, bytes.
const EXCERPT_LIMIT: usize = 16 << 10;
/// The longest output of a test case, bytes.
const OUTPUT_LIMIT: usize = 64 << 10;

/// The JUnit document of a run.
///
/// # Errors
/// The journal cannot be read any more.
pub fn junit(run: &RunSummary) -> Result<String, ReportError> {
    pieces(run).collect()
}

/// The document in pieces, each test case one of its own.
pub fn pieces(run: &RunSummary) -> impl Iterator<Item = Result<String, ReportError>> + '_ {
    let mut details = run.details();
    let kernels = run.cells_by_kernel();
    let suites = kernels.len();
    let parts = kernels.into_iter().enumerate().flat_map(|(number, (kernel, cells))| {
        let cases = cells.clone().into_iter().map(Part::Case);
        std::iter::once(Part::Begin { number, kernel, cells }).chain(cases).chain(std::iter::once(Part::End))
    });
    let elements = parts.map(move |part| match part {
        Part::Begin { number, kernel, cells } => begin(run, number, kernel, &cells, &mut details),
        Part::Case(place) => case_element(test_case(&details.cell(place)?, run.ended)),
        Part::End => Ok("</testsuite>".to_owned()),
    });
    let begin = "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites>";
    let [begin, end] = [begin, "</testsuites>"].map(|tag| std::iter::once(Ok(tag.to_owned())));
    begin.chain(elements).chain(unnamed(run, suites)).chain(end)
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
        totals.add(outline.verdict(), run.ended, duration(seconds));
    }
    let extras = Extras::new(run, cells, totals.skipped);
    Ok(add_extras(&start_tag(suite(run, kernel), number, &totals)?, &extras))
}

/// A test suite without its test cases.
fn suite(run: &RunSummary, name: &str) -> TestSuite {
    let mut suite = TestSuiteBuilder::new(&attribute(name, ATTRIBUTE_LIMIT));
    suite.set_timestamp(timestamp(run));
    let mut suite = suite.build();
    suite.package = "kregress".into();
    suite
}

/// Stands for the cells that were announced and never named, because the runner was killed while it planned: without
/// it the document would look like that of a complete run.
fn unnamed(run: &RunSummary, number: usize) -> impl Iterator<Item = Result<String, ReportError>> + '_ {
    let missing = run.unnamed();
    let element = move || {
        let message = format!("{missing} more cells were to run and were never named");
        let mut case = TestCaseBuilder::error("plan", Duration::ZERO, "not run", &message);
        case.set_classname("kregress");
        let totals = Totals { tests: 1, errors: 1, ..Totals::default() };
        let tag = start_tag(suite(run, "plan"), number, &totals)?;
        Ok(tag + &case_element(case.build())? + "</testsuite>")
    };
    (missing > 0).then(element).into_iter()
}

fn timestamp(run: &RunSummary) -> OffsetDateTime {
    let seconds = run.started.map_or(0, |at| at.as_second());
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// How long a cell took, seconds.
fn seconds(cell: &CellSummary) -> f64 {
    match &cell.record {
        Some(record) => record.seconds,
        None => cell.attempts.iter().map(|attempt| attempt.seconds).sum(),
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::milliseconds((seconds * 1000.0) as i64)
}

fn test_case(cell: &CellSummary, ended: RunEnd) -> TestCase {
    let (suite, test) = cell.suite_and_test();
    let mut case = TestCaseBuilder::success(&attribute(test, ATTRIBUTE_LIMIT), duration(seconds(cell)));
    case.set_classname(&attribute(suite, ATTRIBUTE_LIMIT));
    case.set_system_out(&cdata(&evidence::text(cell), OUTPUT_LIMIT));
    let mut case = case.build();
    case.result = result(cell, ended);
    case
}

fn result(cell: &CellSummary, ended: RunEnd) -> TestResult {
    let Some(record) = &cell.record else {
        let (type_, message) = ("not run".to_owned(), ended.why_not_run().to_owned());
        return match ended {
            RunEnd::Cancelled | RunEnd::Running => {
                TestResult::SkippedWithCause { type_, message, cause: None }
            }
            RunEnd::Killed | RunEnd::Finished => TestResult::Error { type_, message, cause: None },
        };
    };
    let diagnosis = cell.deciding_diagnosis();
    let class = diagnosis.map(|d| d.kind.as_str()).filter(|kind| !kind.is_empty());
    let message = attribute(message(record), ATTRIBUTE_LIMIT);
    let cause =
        diagnosis.map(|diagnosis| cdata(&diagnosis.text, EXCERPT_LIMIT)).filter(|text| !text.is_empty());
    match record.verdict {
        Verdict::Good => TestResult::Success,
        Verdict::Bad => {
            let type_ = attribute(class.unwrap_or("symptom"), ATTRIBUTE_LIMIT);
            TestResult::Failure { type_, message, cause }
        }
        Verdict::Other => {
            let type_ = attribute(&format!("other: {}", class.unwrap_or("crash")), ATTRIBUTE_LIMIT);
            TestResult::Failure { type_, message, cause }
        }
        Verdict::Skip => TestResult::SkippedWithCause { type_: "skip".into(), message, cause: None },
        Verdict::Blind | Verdict::Lost => {
            TestResult::Error { type_: record.verdict.word().into(), message, cause }
        }
    }
}

fn message(record: &CellRecord) -> &str {
    record.title.as_deref().or(record.reason.as_deref()).unwrap_or_else(|| record.verdict.word())
}

#[cfg(test)]
mod tests;
