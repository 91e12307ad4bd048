//! The parts of a test suite that the schema has and the `junit-report` crate has no field for: properties and the
//! number of skipped tests.

use junit_report::TestSuite;

use super::ATTRIBUTE_LIMIT;
use super::text::attribute;
use crate::report::fold::{CellSummary, RunSummary};
use crate::report::text::escape;

/// Those of one test suite.
pub(super) struct Extras {
    skipped: usize,
    properties: Vec<(&'static str, String)>,
}

impl Extras {
    pub(super) fn new(run: &RunSummary, cells: &[&CellSummary], suite: &TestSuite) -> Extras {
        let mut properties = vec![("run", run.id.clone()), ("kregress", run.kregress.clone())];
        if let Some(release) = cells.iter().find_map(|cell| cell.release.clone()) {
            properties.push(("release", release));
        }
        if let Some(host) = &run.host {
            properties.push(("qemu", host.qemu.clone()));
            properties.push(("accel", host.accel.clone()));
        }
        properties.push(("ended", run.ended.word().into()));
        Extras { skipped: suite.skipped(), properties }
    }

    fn element(&self) -> String {
        let property = |(name, value): &(&str, String)| {
            format!(r#"<property name="{name}" value="{}"/>"#, escape(&attribute(value, ATTRIBUTE_LIMIT)))
        };
        format!("<properties>{}</properties>", self.properties.iter().map(property).collect::<String>())
    }
}

/// Adds the extras to the start tags of the test suites. In the writer's output `<` and `>` are markup everywhere but
/// in CDATA sections, which are stepped over.
pub(super) fn add_extras(xml: &str, extras: &[Extras]) -> String {
    const SUITE: &str = "<testsuite ";
    const SECTION: &str = "<![CDATA[";
    let mut out = String::with_capacity(xml.len() + 400 * extras.len());
    let mut extras = extras.iter();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let (before, markup) = rest.split_at(at);
        out.push_str(before);
        let end = if markup.starts_with(SECTION) { "]]>" } else { ">" };
        let length = markup.find(end).map_or(markup.len(), |at| at + end.len());
        let (markup, after) = markup.split_at(length);
        rest = after;
        match markup.strip_suffix('>') {
            Some(tag) if tag.starts_with(SUITE) => {
                out.push_str(tag);
                match extras.next() {
                    Some(extra) => {
                        out.push_str(&format!(r#" skipped="{}">{}"#, extra.skipped, extra.element()));
                    }
                    None => out.push('>'),
                }
            }
            _ => out.push_str(markup),
        }
    }
    out.push_str(rest);
    out
}
