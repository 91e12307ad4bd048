//! Test suites whose test cases are written one by one. The `junit-report` crate knows whole documents only, so single
//! elements are taken out of small ones.

use junit_report::{Duration, Error, Report, TestCase, TestSuite};

use crate::report::ReportError;
use crate::report::fold::RunEnd;
use crate::verdict::Verdict;

/// What the start tag of a test suite says of its test cases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) tests: u64,
    pub(super) errors: u64,
    pub(super) failures: u64,
    pub(super) skipped: u64,
    pub(super) time: Duration,
}

impl Totals {
    /// Counts a cell with this result, as its test case says it.
    pub(super) fn add(&mut self, verdict: Option<Verdict>, ended: RunEnd, time: Duration) {
        self.tests += 1;
        self.time += time;
        match (verdict, ended) {
            (Some(Verdict::Good), _) => {}
            (Some(Verdict::Bad | Verdict::Other), _) => self.failures += 1,
            (Some(Verdict::Skip), _) | (None, RunEnd::Cancelled | RunEnd::Running) => self.skipped += 1,
            (Some(Verdict::Blind | Verdict::Lost), _) | (None, RunEnd::Killed | RunEnd::Finished) => {
                self.errors += 1;
            }
        }
    }
}

/// The start tag of a test suite with this number in its document, from 0.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn start_tag(suite: TestSuite, number: usize, totals: &Totals) -> Result<String, ReportError> {
    let element = document(suite)?;
    let tag = element.find("<testsuite ").map_or("", |at| &element[at..]);
    let tag = tag.split_once("/>").map_or(tag, |(tag, _)| tag);
    // quotes in a value are escaped, so none of these stands in one
    let Totals { tests, errors, failures, skipped: _, time } = totals;
    let counts = format!(r#" tests="{tests}" errors="{errors}" failures="{failures}""#);
    let tag = tag
        .replacen(r#" id="0""#, &format!(r#" id="{number}""#), 1)
        .replacen(r#" tests="0" errors="0" failures="0""#, &counts, 1)
        .replacen(r#" time="0""#, &format!(r#" time="{}""#, time.as_seconds_f64()), 1);
    Ok(tag + ">")
}

/// The element of a test case.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn case_element(case: TestCase) -> Result<String, ReportError> {
    let mut suite = TestSuite::new("");
    suite.add_testcase(case);
    let mut element = document(suite)?;
    element.truncate(element.rfind("</testsuite>").unwrap_or(element.len()));
    Ok(element.split_off(element.find("<testcase ").unwrap_or(element.len())))
}

/// A document of one test suite.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(crate) fn document(suite: TestSuite) -> Result<String, Error> {
    let mut report = Report::new();
    report.add_testsuite(suite);
    let mut xml = Vec::new();
    report.write_xml(&mut xml)?;
    Ok(String::from_utf8_lossy(&xml).into_owned())
}

#[cfg(test)]
mod tests {
    use junit_report::{OffsetDateTime, TestCaseBuilder};

    use super::*;

    #[test]
    fn elements_are_those_of_a_whole_document() {
        let seconds = Duration::milliseconds(1_234);
        let cases = [
            TestCaseBuilder::success("a", seconds).build(),
            TestCaseBuilder::failure("<b> </testsuite>", seconds, "x", "y \" tests=\"0\"").build(),
            TestCaseBuilder::error("c", Duration::ZERO, "x", "<testcase name=\"x\"/>")
                .set_system_out("o")
                .build(),
            TestCaseBuilder::skipped("d").build(),
        ];
        let mut suite =
            TestSuite::new("n \" id=\"0\" tests=\"0\" errors=\"0\" failures=\"0\" time=\"0\"/><testsuite ");
        suite.set_timestamp(OffsetDateTime::UNIX_EPOCH);
        let mut whole = suite.clone();
        whole.add_testcases(cases.clone());
        let totals = Totals { tests: 4, errors: 1, failures: 1, skipped: 1, time: whole.time() };
        let mut parts = start_tag(suite, 0, &totals).unwrap();
        cases.into_iter().for_each(|case| parts += &case_element(case).unwrap());
        parts += "</testsuite></testsuites>";
        assert!(document(whole).unwrap().ends_with(&format!("<testsuites>{parts}")), "{parts}");
    }
}
