//! JUnit XML: one test suite per kernel, the kregress suite as class name, the test as name.
//!
//! The structure is that of Jenkins's `junit-10.xsd`, the form that CI systems read. `bad` and `other` are failures,
//! `blind` and `lost` errors, `skip` is skipped. A cell that was not run is skipped when the run was ended on purpose
//! and an error when the runner was killed: nobody decided to leave it out. Whether a result is known to the suite
//! changes nothing here, it is said in the test's output.

mod extras;
pub(crate) mod text;

use junit_report::{
    Duration, OffsetDateTime, Report, TestCase, TestCaseBuilder, TestResult, TestSuite, TestSuiteBuilder,
};

use self::extras::{Extras, SUITE, add_extras};
use self::text::{attribute, cdata};
use super::evidence;
use super::fold::{CellSummary, Ended, RunSummary};
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
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub fn junit(run: &RunSummary) -> Result<String, junit_report::Error> {
    pieces(run).collect()
}

/// The document in pieces, each test suite one of its own.
pub fn pieces(run: &RunSummary) -> impl Iterator<Item = Result<String, junit_report::Error>> + '_ {
    let suites = run.cells_by_kernel().into_iter().map(|(kernel, cells)| {
        let mut suite = TestSuiteBuilder::new(&attribute(kernel, ATTRIBUTE_LIMIT));
        suite
            .set_timestamp(timestamp(run))
            .add_testcases(cells.iter().map(|cell| test_case(cell, run.ended)));
        let mut suite = suite.build();
        suite.package = "kregress".into();
        let extras = Extras::new(run, &cells, &suite);
        (suite, Some(extras))
    });
    let suites = suites.chain(unnamed(run).map(|suite| (suite, None)));
    let elements = suites.enumerate().map(|(number, (suite, extras))| element(suite, number, extras));
    let begin = "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites>";
    let [begin, end] = [begin, "</testsuites>"].map(|tag| std::iter::once(Ok(tag.to_owned())));
    begin.chain(elements).chain(end)
}

/// The element of one test suite, the one of this number in the document, from 0.
fn element(suite: TestSuite, number: usize, extras: Option<Extras>) -> Result<String, junit_report::Error> {
    let mut report = Report::new();
    report.add_testsuite(suite);
    let mut xml = Vec::new();
    report.write_xml(&mut xml)?;
    let xml = String::from_utf8_lossy(&xml);
    // the writer knows whole documents only
    let (begin, end) = (xml.find(SUITE).unwrap_or(0), xml.rfind("</testsuites>").unwrap_or(xml.len()));
    Ok(add_extras(&xml[begin..end], number, extras.as_ref()))
}

/// Stands for the cells that were announced and never named, because the runner was killed while it planned: without
/// it the document would look like that of a complete run.
fn unnamed(run: &RunSummary) -> Option<TestSuite> {
    let missing = run.planned() - run.cells.len() as u64;
    let message = format!("{missing} more cells were to run and were never named");
    let mut case = TestCaseBuilder::error("plan", Duration::ZERO, "not run", &message);
    case.set_classname("kregress");
    let mut suite = TestSuiteBuilder::new("plan");
    suite.set_timestamp(timestamp(run)).add_testcase(case.build());
    let mut suite = suite.build();
    suite.package = "kregress".into();
    (missing > 0).then_some(suite)
}

fn timestamp(run: &RunSummary) -> OffsetDateTime {
    let seconds = run.started.map_or(0, |at| at.as_second());
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn test_case(cell: &CellSummary, ended: Ended) -> TestCase {
    let (suite, test) = cell.suite_and_test();
    let seconds = match &cell.record {
        Some(record) => record.seconds,
        None => cell.attempts.iter().map(|attempt| attempt.seconds).sum(),
    };
    let mut case = TestCaseBuilder::success(
        &attribute(test, ATTRIBUTE_LIMIT),
        Duration::milliseconds((seconds * 1000.0) as i64),
    );
    case.set_classname(&attribute(suite, ATTRIBUTE_LIMIT));
    case.set_system_out(&cdata(&evidence::text(cell), OUTPUT_LIMIT));
    let mut case = case.build();
    case.result = result(cell, ended);
    case
}

fn result(cell: &CellSummary, ended: Ended) -> TestResult {
    let Some(record) = &cell.record else {
        let (type_, message) = ("not run".to_owned(), ended.why_not_run().to_owned());
        return match ended {
            Ended::Cancelled | Ended::Running => TestResult::SkippedWithCause { type_, message, cause: None },
            Ended::Killed | Ended::Finished => TestResult::Error { type_, message, cause: None },
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
