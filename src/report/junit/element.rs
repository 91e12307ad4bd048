//! Test suites and test cases as XML, element by element, so that a document of any length is written piece by piece.
//! `junit-report` writes whole documents only, and has no properties; its elements are taken out of small documents and
//! completed event by event.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use junit_report::{OffsetDateTime, Report, TestCase, TestCaseBuilder, TestResult, TestSuiteBuilder};
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use super::text::cdata;
use crate::report::fold::RunEnd;
use crate::verdict::Verdict;

/// A test suite without its test cases.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    pub name: String,
    pub timestamp: Timestamp,
    /// What the start tag says of the test cases that were skipped, and the properties; absent: neither.
    pub extras: Option<Extras>,
}

/// What only the test suites of a run have.
#[derive(Clone, Debug)]
pub(crate) struct Extras {
    pub skipped: u64,
    pub properties: Vec<(&'static str, String)>,
}

/// A test case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub name: String,
    pub classname: String,
    pub time: Duration,
    pub outcome: Outcome,
    /// Other attempts that failed.
    pub reruns: Vec<Rerun>,
    /// Fit for one CDATA section.
    pub output: Option<String>,
}

/// Another attempt at a test case, that failed. maven-surefire's words for it, which are Jenkins's too: `rerunFailure` and
/// `rerunError` beside a failure, `flakyFailure` and `flakyError` in a success.
#[derive(Clone, Debug)]
pub(crate) struct Rerun {
    pub element: &'static str,
    pub kind: String,
    pub message: String,
    /// Jenkins reads it as the trace.
    pub trace: String,
}

/// The result of a test case.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Success,
    Failure(Reason),
    Error(Reason),
    Skipped(Reason),
}

/// Why a test case has another result than success.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    /// The attribute `type`.
    pub kind: String,
    pub message: String,
    /// Fit for one CDATA section.
    pub details: Option<String>,
}

/// What the start tag of a test suite says of its test cases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub tests: u64,
    pub errors: u64,
    pub failures: u64,
    pub skipped: u64,
    pub time: Duration,
}

impl Totals {
    /// Adds those of a suite.
    pub fn join(&mut self, other: &Totals) {
        self.tests += other.tests;
        self.errors += other.errors;
        self.failures += other.failures;
        self.skipped += other.skipped;
        self.time += other.time;
    }

    /// Counts a cell with this result, as its test case says it; one that is skipped whatever its verdict as such.
    pub fn add(&mut self, verdict: Option<Verdict>, is_skipped: bool, ended: RunEnd, time: Duration) {
        self.tests += 1;
        self.time += time;
        if is_skipped {
            self.skipped += 1;
            return;
        }
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

/// The start tag of a document. junit-10.xsd has no number of skipped test cases here.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn suites_start(name: &str, totals: &Totals) -> io::Result<String> {
    let mut tag = BytesStart::new("testsuites");
    tag.push_attribute(("name", name));
    for (name, count) in [("tests", totals.tests), ("failures", totals.failures), ("errors", totals.errors)] {
        tag.push_attribute((name, count.to_string().as_str()));
    }
    tag.push_attribute(("time", seconds(totals.time).as_str()));
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Start(tag))?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

/// A time as people read it: sums of binary numbers end in noise.
fn seconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The start tag of a test suite with this number in its document, from 0, and its properties.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn suite_start(suite: &Suite, number: usize, totals: &Totals) -> io::Result<String> {
    let document = document(suite, &[])?;
    let mut writer = Writer::new(Vec::new());
    let mut reader = Reader::from_str(&document);
    loop {
        match reader.read_event().map_err(unreadable)? {
            Event::Empty(tag) if tag.name().as_ref() == b"testsuite" => {
                let extras = suite.extras.as_ref();
                writer.write_event(Event::Start(completed(&tag, number, totals, extras)?))?;
                break;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if let Some(extras) = &suite.extras {
        writer.write_event(Event::Start(BytesStart::new("properties")))?;
        for (name, value) in &extras.properties {
            let attributes = [("name", *name), ("value", value.as_str())];
            writer.create_element("property").with_attributes(attributes).write_empty()?;
        }
        writer.write_event(Event::End(BytesEnd::new("properties")))?;
    }
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

/// The tag of a test suite without test cases, with the numbers of those that follow.
fn completed(
    tag: &BytesStart<'_>,
    number: usize,
    totals: &Totals,
    extras: Option<&Extras>,
) -> io::Result<BytesStart<'static>> {
    let mut completed = BytesStart::new("testsuite");
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| unreadable(error.into()))?;
        let value = match attribute.key.as_ref() {
            b"id" => number.to_string(),
            b"tests" => totals.tests.to_string(),
            b"errors" => totals.errors.to_string(),
            b"failures" => totals.failures.to_string(),
            b"time" => seconds(totals.time),
            _ => {
                completed.push_attribute(attribute);
                continue;
            }
        };
        completed.push_attribute((attribute.key.as_ref(), value.as_bytes()));
    }
    if let Some(extras) = extras {
        completed.push_attribute(("skipped", extras.skipped.to_string().as_str()));
    }
    Ok(completed.into_owned())
}

/// The element of a test case.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn case_element(case: &Case) -> io::Result<String> {
    let suite = Suite { name: String::new(), timestamp: Timestamp::UNIX_EPOCH, extras: None };
    let document = document(&suite, std::slice::from_ref(case))?;
    let mut writer = Writer::new(Vec::new());
    let mut reader = Reader::from_str(&document);
    let mut inside = false;
    let mut reruns = Some(&case.reruns).filter(|reruns| !reruns.is_empty());
    loop {
        let event = reader.read_event().map_err(unreadable)?;
        match &event {
            Event::Empty(tag) if tag.name().as_ref() == b"testcase" && reruns.is_some() => {
                let tag = tag.clone().into_owned();
                writer.write_event(Event::Start(tag.clone()))?;
                reruns.take().into_iter().flatten().try_for_each(|rerun| write_rerun(&mut writer, rerun))?;
                writer.write_event(Event::End(tag.to_end()))?;
                continue;
            }
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == b"testcase" => inside = true,
            // they stand behind the result and before the output
            Event::Start(tag) if tag.name().as_ref() == b"system-out" => {
                reruns.take().into_iter().flatten().try_for_each(|rerun| write_rerun(&mut writer, rerun))?;
            }
            Event::End(tag) if tag.name().as_ref() == b"testcase" => {
                reruns.take().into_iter().flatten().try_for_each(|rerun| write_rerun(&mut writer, rerun))?;
            }
            Event::End(tag) if tag.name().as_ref() == b"testsuite" => inside = false,
            Event::Eof => break,
            _ => {}
        }
        if inside {
            writer.write_event(event)?;
        }
    }
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn write_rerun(writer: &mut Writer<Vec<u8>>, rerun: &Rerun) -> io::Result<()> {
    let attributes = [("type", rerun.kind.as_str()), ("message", rerun.message.as_str())];
    let element = writer.create_element(rerun.element).with_attributes(attributes);
    element.write_inner_content(|writer| {
        writer.create_element("stackTrace").write_text_content(BytesText::new(&rerun.trace))?;
        Ok(())
    })?;
    Ok(())
}

/// A document of one test suite, without what only those of a run have.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(crate) fn document(suite: &Suite, cases: &[Case]) -> io::Result<String> {
    let started = OffsetDateTime::from_unix_timestamp(suite.timestamp.as_second());
    let mut builder = TestSuiteBuilder::new(&suite.name);
    builder.set_timestamp(started.unwrap_or(OffsetDateTime::UNIX_EPOCH));
    builder.add_testcases(cases.iter().map(test_case));
    let mut suite = builder.build();
    suite.package = "kregress".into();
    let mut report = Report::new();
    report.add_testsuite(suite);
    let mut xml = Vec::new();
    report.write_xml(&mut xml).map_err(io::Error::other)?;
    Ok(String::from_utf8_lossy(&xml).into_owned())
}

fn test_case(case: &Case) -> TestCase {
    let took = junit_report::Duration::try_from(case.time).unwrap_or(junit_report::Duration::MAX);
    let mut builder = TestCaseBuilder::success(&case.name, took);
    builder.set_classname(&case.classname);
    if let Some(text) = &case.output {
        builder.set_system_out(text);
    }
    let mut built = builder.build();
    built.result = match case.outcome.clone() {
        Outcome::Success => TestResult::Success,
        Outcome::Failure(Reason { kind, message, details }) => {
            TestResult::Failure { type_: kind, cause: body(details, &message), message }
        }
        Outcome::Error(Reason { kind, message, details }) => {
            TestResult::Error { type_: kind, cause: body(details, &message), message }
        }
        Outcome::Skipped(Reason { kind, message, details }) => {
            TestResult::SkippedWithCause { type_: kind, message, cause: details }
        }
    };
    built
}

/// The body of a failure or an error, never absent: GitLab shows nothing else of it, and dorny/test-reporter as jest-junit
/// takes no document in which one is missing.
fn body(details: Option<String>, message: &str) -> Option<String> {
    details.or_else(|| Some(cdata(message, usize::MAX)))
}

/// What was just written is not well-formed: an error of the writer.
fn unreadable(error: quick_xml::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_elements_have_the_order_of_the_schema() {
        let seconds = Duration::from_millis(1_234);
        let reason = |details: Option<&str>| Reason {
            kind: "x".into(),
            message: "y \" tests=\"0\"".into(),
            details: details.map(str::to_owned),
        };
        let case = |name: &str, outcome, output: Option<&str>| Case {
            name: name.into(),
            classname: "c".into(),
            time: seconds,
            outcome,
            reruns: Vec::new(),
            output: output.map(str::to_owned),
        };
        let cases = [
            case("a", Outcome::Success, None),
            case("<b> </testsuite>", Outcome::Failure(reason(Some("<d>"))), None),
            case("e", Outcome::Error(reason(None)), Some("o")),
            case("f", Outcome::Skipped(reason(None)), None),
        ];
        let suite =
            Suite { name: "n' & \"/><testsuite ".into(), timestamp: Timestamp::UNIX_EPOCH, extras: None };
        let whole = document(&suite, &cases).unwrap();
        insta::assert_snapshot!(whole.replace("><", ">\n<"), @r##"
        <?xml version="1.0" encoding="utf-8"?>
        <testsuites>
        <testsuite id="0" name="n&apos; &amp; &quot;/&gt;&lt;testsuite " package="kregress" tests="4" errors="1" failures="1" hostname="localhost" timestamp="1970-01-01T00:00:00Z" time="4.936">
        <testcase name="a" time="1.234" classname="c"/>
        <testcase name="&lt;b&gt; &lt;/testsuite&gt;" time="1.234" classname="c">
        <failure type="x" message="y &quot; tests=&quot;0&quot;">
        <![CDATA[<d>]]>
        </failure>
        </testcase>
        <testcase name="e" time="1.234" classname="c">
        <error type="x" message="y &quot; tests=&quot;0&quot;">
        <![CDATA[y " tests="0"]]>
        </error>
        <system-out>
        <![CDATA[o]]>
        </system-out>
        </testcase>
        <testcase name="f" time="1.234" classname="c">
        <skipped type="x" message="y &quot; tests=&quot;0&quot;"/>
        </testcase>
        </testsuite>
        </testsuites>
        "##);
        // the pieces of a run are those of a whole document
        let totals = Totals { tests: 4, errors: 1, failures: 1, skipped: 1, time: seconds * 4 };
        let mut parts = suite_start(&suite, 0, &totals).unwrap();
        cases.iter().for_each(|case| parts += &case_element(case).unwrap());
        assert!(whole.ends_with(&format!("<testsuites>{parts}</testsuite></testsuites>")), "{parts}");
        let properties = vec![("qemu", "<8>".to_owned())];
        let suite = Suite { extras: Some(Extras { skipped: 1, properties }), ..suite };
        let tag = suite_start(&suite, 3, &Totals::default()).unwrap();
        assert!(tag.contains(r#"id="3""#) && tag.ends_with(r#" time="0" skipped="1"><properties><property name="qemu" value="&lt;8&gt;"/></properties>"#), "{tag}");
    }
}
