//! From the shape of a configuration to the configuration: text becomes values, contradictions come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use cell_filter::Filter;

use super::model::{Config, Given, GroupLimit, Override, Profile, ReportTarget, StopAfter};
use super::profile::DEFAULT;
use super::shape::{ConfigShape, GroupShape, List, OverrideShape, ProfileShape};
use crate::kernel::KernelSpec;
use crate::progress::{FailureOutput, StatusLevel};
use crate::render::{FORMATS, Kind, by_name};
use crate::report::junit::JunitKnown;
use crate::suite::Group;
use crate::vm::accel::AccelRequest;
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::rejection::Rejection;
use crate::yaml::{quantity, word};

/// The words of `accel`.
pub(super) const ACCELS: [(&str, AccelRequest); 3] =
    [("auto", AccelRequest::Auto), ("kvm", AccelRequest::Kvm), ("tcg", AccelRequest::Tcg)];

/// The words of `junit-known`.
pub(super) const JUNIT_KNOWN: [(&str, JunitKnown); 2] =
    [("skipped", JunitKnown::Skipped), ("failure", JunitKnown::Failure)];

/// The words of `status-level`.
pub(super) const STATUS_LEVELS: [(&str, StatusLevel); 6] = [
    ("none", StatusLevel::None),
    ("fail", StatusLevel::Fail),
    ("retry", StatusLevel::Retry),
    ("slow", StatusLevel::Slow),
    ("pass", StatusLevel::Pass),
    ("all", StatusLevel::All),
];

/// The words of `failure-output`.
pub(super) const FAILURE_OUTPUTS: [(&str, FailureOutput); 3] = [
    ("immediate", FailureOutput::Immediate),
    ("final", FailureOutput::Final),
    ("never", FailureOutput::Never),
];

/// Builds the configuration. `None` only where problems were reported; problems may have been reported in any case.
pub(super) fn config(fields: &mut Fields<'_>, shape: &ConfigShape) -> Option<Config> {
    let at = KeyPath::default().key("profiles");
    let mut profiles = BTreeMap::new();
    for (name, shape) in shape.profiles.iter().flatten() {
        let at = at.key(name);
        if let Err(rejection) = word::name(name) {
            fields.reject_key(&at, rejection);
        }
        let none = ProfileShape::default();
        profiles.insert(name.clone(), profile(fields, &at, shape.as_ref().unwrap_or(&none)));
    }
    inheritance(fields, &at, &profiles);
    Some(Config { path: fields.source.path.clone(), profiles })
}

fn profile(fields: &mut Fields<'_>, at: &KeyPath, shape: &ProfileShape) -> Profile {
    Profile {
        inherits: one(fields, &at.key("inherits"), &shape.inherits, word::name),
        kernels: kernels(fields, &at.key("kernels"), &shape.kernels),
        filter: filter(fields, &at.key("filter"), shape.filter.as_ref()),
        attempts: one(fields, &at.key("attempts"), &shape.attempts, attempts),
        retries: one(fields, &at.key("retries"), &shape.retries, retries),
        timeout: one(fields, &at.key("timeout"), &shape.timeout, quantity::duration),
        boot_timeout: one(fields, &at.key("boot-timeout"), &shape.boot_timeout, quantity::duration),
        fail_fast: one(fields, &at.key("fail-fast"), &shape.fail_fast, stop_after),
        jobs: one(fields, &at.key("jobs"), &shape.jobs, |text| quantity::within(text, 1..=10_000)),
        accel: one(fields, &at.key("accel"), &shape.accel, |text| word::one_of(text, &ACCELS)),
        reports: reports(fields, &at.key("reports"), &shape.reports),
        junit_known: one(fields, &at.key("junit-known"), &shape.junit_known, |text| {
            word::one_of(text, &JUNIT_KNOWN)
        }),
        status_level: one(fields, &at.key("status-level"), &shape.status_level, |text| {
            word::one_of(text, &STATUS_LEVELS)
        }),
        failure_output: one(fields, &at.key("failure-output"), &shape.failure_output, |text| {
            word::one_of(text, &FAILURE_OUTPUTS)
        }),
        groups: groups(fields, &at.key("groups"), shape.groups.as_ref()),
        overrides: overrides(fields, &at.key("overrides"), &shape.overrides),
    }
}

/// A value with its place.
fn one<T>(
    fields: &mut Fields<'_>,
    at: &KeyPath,
    text: &Option<String>,
    parse: impl Fn(&str) -> Result<T, Rejection>,
) -> Option<Given<T>> {
    let value = fields.optional(at, text.as_ref(), parse)?;
    Some(Given { value, at: fields.location(at) })
}

fn attempts(text: &str) -> Result<u32, Rejection> {
    quantity::within(text, 1..=10_000)
}

fn retries(text: &str) -> Result<u32, Rejection> {
    quantity::within(text, 0..=1_000)
}

fn stop_after(text: &str) -> Result<StopAfter, Rejection> {
    match text {
        "yes" | "true" => Ok(StopAfter(Some(1))),
        "no" | "false" => Ok(StopAfter(None)),
        _ => text.parse().ok().filter(|most| *most > 0).map(|most| StopAfter(Some(most))).ok_or_else(|| {
            Rejection::of(text, "`true`, `false`, or the number of failures after which no test is begun")
        }),
    }
}

fn kernels(fields: &mut Fields<'_>, at: &KeyPath, list: &List<String>) -> Option<Given<Vec<String>>> {
    let entries = list.as_ref()?;
    if entries.is_empty() {
        let found = "an empty list, with which no test would run anywhere";
        let rejection = Rejection::because(found, "at least one kernel, such as `[6.12.57]`");
        fields.reject(
            at,
            rejection.help("name one, or remove the key: then the kernels of every run are meant"),
        );
        return None;
    }
    let mut kernels = Vec::new();
    for (nth, entry) in entries.iter().enumerate() {
        let at = at.index(nth);
        let Some(text) = entry else {
            fields.missing(&at);
            continue;
        };
        match text.parse::<KernelSpec>() {
            Ok(_) => kernels.push(text.clone()),
            Err(error) => {
                let help =
                    "kernels are named as `-k` takes them; `kregress kernels list` shows some".to_owned();
                let span = fields.span(&at);
                fields.report(ProblemKind::WrongValue, span, error.to_string(), "this one".into(), help);
            }
        }
    }
    Some(Given { value: kernels, at: fields.location(at) })
}

fn filter(fields: &mut Fields<'_>, at: &KeyPath, text: Option<&String>) -> Option<Given<Filter>> {
    match Filter::parse(text?) {
        Ok(value) => Some(Given { value, at: fields.location(at) }),
        Err(error) => {
            let column = error.text[..error.at.min(error.text.len())].chars().count() + 1;
            let headline = format!("the filter cannot be read: {}", error.message);
            let label = format!("at its column {column}");
            let help =
                "a filter is written as `-E` takes it, such as `suite(block) & kernel(>=6.12)`".to_owned();
            fields.report(ProblemKind::WrongValue, fields.span(at), headline, label, help);
            None
        }
    }
}

/// A filter that must be there.
fn needed_filter(fields: &mut Fields<'_>, at: &KeyPath, text: Option<&String>) -> Option<Given<Filter>> {
    if text.is_none() {
        fields.missing(at);
    }
    let meant = filter(fields, at, text)?;
    if meant.value.needs_earlier_run() {
        let headline =
            "`verdict()` and `duration()` ask for an earlier run, and there is none here".to_owned();
        let help = "choose by suite, test, kernel, need, file or fix".to_owned();
        fields.report(ProblemKind::Contradiction, fields.span(at), headline, "asked here".into(), help);
        return None;
    }
    Some(meant)
}

fn reports(fields: &mut Fields<'_>, at: &KeyPath, list: &List<String>) -> Option<Given<Vec<ReportTarget>>> {
    let entries = list.as_ref()?;
    if entries.is_empty() {
        let found = "an empty list, with which a run would leave no report";
        let rejection = Rejection::because(found, "at least one format of reports, such as `[junit]`");
        fields
            .reject(at, rejection.help("name one, or remove the key: then a run leaves those of every run"));
        return None;
    }
    let value = fields.list(at, Some(entries), report);
    Some(Given { value, at: fields.location(at) })
}

/// What a run's folder has besides its reports.
const RUNS_OWN: [&str; 3] = ["journal.jsonl", "outline.jsonl", "attempts"];

/// `junit`, or `markdown=summary.md`.
fn report(text: &str) -> Result<ReportTarget, Rejection> {
    let (format, file) = match text.split_once('=') {
        Some((_, file)) if RUNS_OWN.contains(&file.trim()) => {
            return Err(Rejection::of(file, "a name that no file of a run itself has")
                .help(format!("a run's own are {}", RUNS_OWN.join(", "))));
        }
        Some((format, file)) => (format, Some(word::file_name(file)?)),
        None => (text, None),
    };
    let names = || FORMATS.iter().filter_map(|format| format.name(Kind::Run));
    let Some(renderer) = by_name(format, Kind::Run) else {
        let known: Vec<&str> = names().collect();
        let rejection = Rejection::of(text, format!("a format of reports: {}", known.join(", ")));
        return Err(match word::meant(format, names()) {
            Some(meant) => rejection.help(format!("did you mean `{meant}`?")),
            None => rejection,
        });
    };
    if file.is_none() && renderer.file(Kind::Run).is_none() {
        return Err(Rejection::of(text, "the name of its file as well, as this format has none of its own")
            .help(format!("write `{format}=FILE`")));
    }
    Ok(ReportTarget { format: format.to_owned(), file })
}

fn groups(
    fields: &mut Fields<'_>,
    at: &KeyPath,
    shapes: Option<&BTreeMap<String, Option<GroupShape>>>,
) -> Vec<Given<GroupLimit>> {
    let mut groups = Vec::new();
    for (name, shape) in shapes.into_iter().flatten() {
        let at = at.key(name);
        if let Err(rejection) = word::name(name) {
            fields.reject_key(&at, rejection);
        }
        let shape = shape.as_ref();
        let meant = shape.and_then(|shape| shape.filter.as_ref());
        let meant = needed_filter(fields, &at.key("filter"), meant);
        let max = shape.and_then(|shape| shape.max.as_ref());
        let max = fields.required(&at.key("max"), max, |text| quantity::within(text, 1..=1_000));
        if let (Some(meant), Some(max)) = (meant, max) {
            let group = Arc::new(Group { name: format!("group {name}"), max });
            groups.push(Given { value: GroupLimit { filter: meant.value, group }, at: meant.at });
        }
    }
    groups
}

fn overrides(fields: &mut Fields<'_>, at: &KeyPath, list: &List<OverrideShape>) -> Vec<Given<Override>> {
    let mut overrides = Vec::new();
    for (nth, entry) in list.iter().flatten().enumerate() {
        let at = at.index(nth);
        let Some(OverrideShape { filter, attempts: clean, retries: again, timeout }) = entry else {
            fields.missing(&at);
            continue;
        };
        let meant = needed_filter(fields, &at.key("filter"), filter.as_ref());
        let value = |meant: Given<Filter>, fields: &mut Fields<'_>| Override {
            filter: meant.value,
            attempts: one(fields, &at.key("attempts"), clean, attempts),
            retries: one(fields, &at.key("retries"), again, retries),
            timeout: one(fields, &at.key("timeout"), timeout, quantity::duration),
        };
        if clean.is_none() && again.is_none() && timeout.is_none() && !fields.is_refused(&at) {
            let headline = "the override sets nothing".to_owned();
            let help = "give `attempts:`, `retries:` or `timeout:`".to_owned();
            fields.report(ProblemKind::MissingKey, fields.key_span(&at), headline, "this one".into(), help);
        }
        if let Some(meant) = meant {
            let place = meant.at.clone();
            let value = value(meant, fields);
            overrides.push(Given { value, at: place });
        }
    }
    overrides
}

/// Who inherits from whom: from profiles that there are, and never from itself.
fn inheritance(fields: &mut Fields<'_>, at: &KeyPath, profiles: &BTreeMap<String, Profile>) {
    for (name, profile) in profiles {
        let Some(Given { value: parent, .. }) = &profile.inherits else { continue };
        let at = at.key(name).key("inherits");
        if name == DEFAULT {
            let headline = format!("the profile `{DEFAULT}` inherits from none, as all others do from it");
            let help = "remove this line, or give the profile another name".to_owned();
            fields.report(ProblemKind::Contradiction, fields.span(&at), headline, "not here".into(), help);
        } else if parent != DEFAULT && !profiles.contains_key(parent) {
            fields.reject(&at, unknown_profile(parent, profiles));
        } else if let Some(circle) = circle(name, profiles) {
            let headline = format!("`inherits` goes in a circle: {}", circle.join(" -> "));
            let help = "one of them has to inherit from another profile, or from none".to_owned();
            fields.report(ProblemKind::Contradiction, fields.span(&at), headline, "part of it".into(), help);
        }
    }
}

/// A profile that there is not, with the one that was meant.
pub(super) fn unknown_profile(name: &str, profiles: &BTreeMap<String, Profile>) -> Rejection {
    let mut known: Vec<&str> = profiles.keys().map(String::as_str).collect();
    if !known.contains(&DEFAULT) {
        known.push(DEFAULT);
    }
    let rejection = Rejection::of(name, format!("the name of a profile: {}", known.join(", ")));
    match word::meant(name, known.iter().copied()) {
        Some(meant) => rejection.help(format!("did you mean `{meant}`?")),
        None => rejection.help("add it below `profiles:`, or name one that is there"),
    }
}

/// The way from a profile back to itself, if there is one.
fn circle(name: &str, profiles: &BTreeMap<String, Profile>) -> Option<Vec<String>> {
    let mut way = vec![name.to_owned()];
    loop {
        let parent = profiles.get(way.last()?)?.inherits.as_ref()?;
        let seen = way.contains(&parent.value);
        way.push(parent.value.clone());
        if seen {
            // a circle further up is told of those that are in it
            return (parent.value == name).then_some(way);
        }
    }
}
