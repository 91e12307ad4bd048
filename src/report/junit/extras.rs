//! The parts of a test suite that the schema has and the `junit-report` crate has no field for: properties and the
//! number of skipped tests.

use super::ATTRIBUTE_LIMIT;
use super::text::attribute;
use crate::report::fold::RunSummary;
use crate::report::text::escape;

/// Those of one test suite.
pub(super) struct Extras {
    skipped: u64,
    properties: Vec<(&'static str, String)>,
}

impl Extras {
    pub(super) fn new(run: &RunSummary, cells: &[usize], skipped: u64) -> Extras {
        let mut properties = vec![("run", run.id.clone()), ("kregress", run.kregress.clone())];
        if let Some(release) = cells.iter().find_map(|place| run.outline(*place).release()) {
            properties.push(("release", release.to_owned()));
        }
        if let Some(host) = &run.host {
            properties.push(("qemu", host.qemu.clone()));
            properties.push(("accel", host.accel.clone()));
        }
        properties.push(("ended", run.ended.word().into()));
        Extras { skipped, properties }
    }

    fn element(&self) -> String {
        let property = |(name, value): &(&str, String)| {
            format!(r#"<property name="{name}" value="{}"/>"#, escape(&attribute(value, ATTRIBUTE_LIMIT)))
        };
        format!("<properties>{}</properties>", self.properties.iter().map(property).collect::<String>())
    }
}

/// Adds the extras to the start tag of a test suite.
pub(super) fn add_extras(tag: &str, extras: &Extras) -> String {
    let tag = tag.strip_suffix('>').unwrap_or(tag);
    format!(r#"{tag} skipped="{}">{}"#, extras.skipped, extras.element())
}
