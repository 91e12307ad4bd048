//! Test suites and test cases as XML, element by element, so that a document of any length is written piece by piece.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, Event};

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
    /// Fit for one CDATA section.
    pub output: Option<String>,
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
    /// Counts a cell with this result, as its test case says it.
    pub fn add(&mut self, verdict: Option<Verdict>, ended: RunEnd, time: Duration) {
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

    /// Counts a test case.
    fn count(&mut self, case: &Case) {
        self.tests += 1;
        self.time += case.time;
        match case.outcome {
            Outcome::Success => {}
            Outcome::Failure(_) => self.failures += 1,
            Outcome::Error(_) => self.errors += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
    }
}

/// The start tag of a test suite with this number in its document, from 0, and its properties.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn suite_start(suite: &Suite, number: usize, totals: &Totals) -> io::Result<String> {
    xml(|writer| begin(writer, suite, number, totals))
}

/// The element of a test case.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(super) fn case_element(case: &Case) -> io::Result<String> {
    xml(|writer| push_case(writer, case))
}

/// A document of one test suite.
///
/// # Errors
/// Those of the XML writer; writing to memory, it has none that a run could cause.
pub(crate) fn document(suite: &Suite, cases: &[Case]) -> io::Result<String> {
    let mut totals = Totals::default();
    cases.iter().for_each(|case| totals.count(case));
    xml(|writer| {
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
        writer.write_event(Event::Start(BytesStart::new("testsuites")))?;
        begin(writer, suite, 0, &totals)?;
        cases.iter().try_for_each(|case| push_case(writer, case))?;
        writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
        writer.write_event(Event::End(BytesEnd::new("testsuites")))
    })
}

fn xml(write: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> io::Result<String> {
    let mut writer = Writer::new(Vec::new());
    write(&mut writer)?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn begin(writer: &mut Writer<Vec<u8>>, suite: &Suite, number: usize, totals: &Totals) -> io::Result<()> {
    let Totals { tests, errors, failures, skipped: _, time } = totals;
    let attributes = [
        ("id", number.to_string()),
        ("name", suite.name.clone()),
        ("package", "kregress".to_owned()),
        ("tests", tests.to_string()),
        ("errors", errors.to_string()),
        ("failures", failures.to_string()),
        ("hostname", "localhost".to_owned()),
        ("timestamp", suite.timestamp.to_string()),
        ("time", time.as_secs_f64().to_string()),
    ];
    let skipped = suite.extras.iter().map(|extras| ("skipped", extras.skipped.to_string()));
    let mut tag = BytesStart::new("testsuite");
    attributes
        .into_iter()
        .chain(skipped)
        .for_each(|(name, value)| tag.push_attribute((name, value.as_str())));
    writer.write_event(Event::Start(tag))?;
    let Some(extras) = &suite.extras else { return Ok(()) };
    writer.write_event(Event::Start(BytesStart::new("properties")))?;
    for (name, value) in &extras.properties {
        writer
            .create_element("property")
            .with_attributes([("name", *name), ("value", value.as_str())])
            .write_empty()?;
    }
    writer.write_event(Event::End(BytesEnd::new("properties")))
}

fn push_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let time = case.time.as_secs_f64().to_string();
    let attributes =
        [("name", case.name.as_str()), ("time", time.as_str()), ("classname", case.classname.as_str())];
    let element = writer.create_element("testcase").with_attributes(attributes);
    let result = match &case.outcome {
        Outcome::Success => None,
        Outcome::Failure(reason) => Some(("failure", reason)),
        Outcome::Error(reason) => Some(("error", reason)),
        Outcome::Skipped(reason) => Some(("skipped", reason)),
    };
    if result.is_none() && case.output.is_none() {
        return element.write_empty().map(drop);
    }
    let inside = |writer: &mut Writer<Vec<u8>>| {
        if let Some((name, Reason { kind, message, details })) = result {
            let attributes = [("type", kind.as_str()), ("message", message.as_str())];
            let element = writer.create_element(name).with_attributes(attributes);
            match details {
                Some(text) => element.write_cdata_content(BytesCData::new(text.as_str()))?,
                None => element.write_empty()?,
            };
        }
        if let Some(text) = &case.output {
            writer.create_element("system-out").write_cdata_content(BytesCData::new(text.as_str()))?;
        }
        Ok(())
    };
    element.write_inner_content(inside).map(drop)
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
        <error type="x" message="y &quot; tests=&quot;0&quot;"/>
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
        let mut totals = Totals::default();
        cases.iter().for_each(|case| totals.count(case));
        let mut parts = suite_start(&suite, 0, &totals).unwrap();
        cases.iter().for_each(|case| parts += &case_element(case).unwrap());
        assert!(whole.ends_with(&format!("<testsuites>{parts}</testsuite></testsuites>")), "{parts}");
        let properties = vec![("qemu", "<8>".to_owned())];
        let suite = Suite { extras: Some(Extras { skipped: 1, properties }), ..suite };
        let tag = suite_start(&suite, 3, &Totals::default()).unwrap();
        assert!(tag.contains(r#"id="3""#) && tag.ends_with(r#" time="0" skipped="1"><properties><property name="qemu" value="&lt;8&gt;"/></properties>"#), "{tag}");
    }
}
