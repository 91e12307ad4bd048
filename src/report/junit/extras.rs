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

/// How the start tag of a test suite begins.
pub(super) const SUITE: &str = "<testsuite ";

/// Gives the element of a test suite its number in the document instead of the writer's, and adds the extras to its
/// start tag, which is the first one.
pub(super) fn add_extras(element: &str, number: usize, extras: Option<&Extras>) -> String {
    let Some((tag, rest)) = element.split_once('>') else { return element.to_owned() };
    let tag = tag.replacen(r#" id="0""#, &format!(r#" id="{number}""#), 1);
    match extras {
        Some(extras) => format!(r#"{tag} skipped="{}">{}{rest}"#, extras.skipped, extras.element()),
        None => format!("{tag}>{rest}"),
    }
}
