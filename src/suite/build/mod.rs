//! From the shape of a suite to the suite: text becomes values, defaults are filled in, contradictions come out.

mod machine;
pub(super) mod messages;
mod program;
mod scheduling;
mod symptom;
mod userland;

pub(super) use machine::{CLOCKS, Settings};
pub(super) use program::ProgramShape;
pub(super) use symptom::SymptomShape;

use std::path::Path;
use std::sync::Arc;

use jiff::Span;
use jiff::civil::Date;

use super::check;
use super::messages::KnownMessages;
use super::model::{Commit, Expiry, Group, History, Known, KnownVerdict, Suite, Test};
use super::range;
use super::shape::{CommitShape, DefaultsShape, HistoryShape, KnownShape, List, SuiteShape, TestShape};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::rejection::Rejection;
use crate::yaml::word;

/// Builds the suite. `None` only where problems were reported; problems may have been reported in any case.
pub(super) fn suite(fields: &mut Fields<'_>, shape: &SuiteShape) -> Option<Suite> {
    let top = KeyPath::default();
    let path = fields.source.path.clone();
    let dir = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let known_messages = Arc::new(messages::of_suite(fields, shape.known_messages.as_ref()));
    let name = fields.required(&top.key("suite"), shape.suite.as_ref(), word::name);
    let summary = fields.required(&top.key("summary"), shape.summary.as_ref(), word::sentence);
    let defaults = shape.defaults.clone().unwrap_or_default();
    // Tests may override every default: a wrong one must not wait for the first test that does not.
    let groups = scheduling::groups(fields, name.as_deref().unwrap_or_default(), shape.groups.as_ref());
    let context = Context {
        test: top.key("defaults"),
        defaults_path: top.key("defaults"),
        defaults: &defaults,
        dir: &dir,
        messages: &known_messages,
        groups: &groups,
    };
    machine::settings(fields, &context, &TestShape::default());
    scheduling::scheduling(fields, &context, &TestShape::default());
    userland::userland(fields, &context, &TestShape::default());
    userland::kernel_files(fields, &context, &TestShape::default(), false);

    let tests_path = top.key("tests");
    let no_tests = Vec::new();
    let shapes = shape.tests.as_ref().unwrap_or(&no_tests);
    if shape.tests.is_none() {
        fields.missing(&tests_path);
    } else if shapes.is_empty() {
        let span = fields.key_span(&tests_path);
        let help = "add `- name: …` below, or remove the file".to_owned();
        fields.report(
            ProblemKind::MissingKey,
            span,
            "a suite needs at least one test".into(),
            "empty".into(),
            help,
        );
    }
    let mut tests = Vec::new();
    for (nth, shape) in shapes.iter().enumerate() {
        let context = Context { test: tests_path.index(nth), ..context.clone() };
        match shape {
            Some(shape) => tests.extend(test(fields, &context, name.as_deref().unwrap_or_default(), shape)),
            None => fields.missing(&context.test),
        }
    }
    check::names(fields, shapes);
    check::controls(fields, shapes);
    Some(Suite { name: name?, summary: summary?, path, dir, tests })
}

/// Where the values of a test come from.
#[derive(Clone)]
struct Context<'a> {
    test: KeyPath,
    defaults_path: KeyPath,
    defaults: &'a DefaultsShape,
    dir: &'a Path,
    messages: &'a Arc<KnownMessages>,
    groups: &'a [Arc<Group>],
}

impl Context<'_> {
    /// The test's own value or else the default, with its path.
    fn pick<'v, T>(
        &self,
        section: &str,
        key: &str,
        own: Option<&'v T>,
        default: Option<&'v T>,
    ) -> Picked<'v, T> {
        match (own, default) {
            (None, Some(_)) => (self.defaults_path.key(section).key(key), default),
            _ => (self.test.key(section).key(key), own),
        }
    }
}

type Picked<'v, T> = (KeyPath, Option<&'v T>);

fn test(fields: &mut Fields<'_>, context: &Context<'_>, suite: &str, shape: &TestShape) -> Option<Arc<Test>> {
    let at = &context.test;
    let name = fields.required(&at.key("name"), shape.name.as_ref(), word::name);
    let summary = fields.required(&at.key("summary"), shape.summary.as_ref(), word::sentence);
    let links = fields.list(&at.key("links"), shape.links.as_ref(), word::link);
    let history = history(fields, &at.key("history"), shape.history.as_ref());
    let settings = machine::settings(fields, context, shape);
    let turn = scheduling::scheduling(fields, context, shape);
    let boots = fields.optional(&at.key("boots"), shape.boots.as_ref(), word::sentence);
    let userland = userland::userland(fields, context, shape);
    if userland.is_some() {
        userland::disk_name(fields, &settings.machine.disks, &settings.at.disks);
    }
    let prepare = program::prepare(fields, context.dir, &at.key("prepare"), &shape.prepare);
    let files = program::files(fields, context, shape);
    let program = program::program(fields, context, shape.program.as_ref());
    let symptom = symptom::symptom(fields, context.dir, &at.key("symptom"), shape.symptom.as_ref());
    let known = known(fields, &at.key("known"), &shape.known);
    check::disks(fields, at, &settings, &prepare);
    check::userland(fields, at, program.as_ref(), userland.is_some());
    check::times(fields, &settings, symptom.as_ref());
    check::clock(fields, &settings, userland.is_some().then(|| at.key("userland")));
    if let (Some(program), Some(symptom)) = (&program, &symptom) {
        check::endless(fields, at, &settings, program, symptom);
    }
    check::sysctl(fields, &settings);
    check::file_names(fields, at, name.as_deref(), &files, &prepare, &settings);
    let span = fields.location(&at.key("name"));
    let control_of = fields.optional(&at.key("control-of"), shape.control_of.as_ref(), word::name);
    let symptom = symptom?;
    Some(Arc::new(Test {
        suite: suite.to_owned(),
        name: name?,
        summary: summary?,
        links,
        history,
        needs: settings.needs,
        machine: settings.machine,
        files,
        sysctl: settings.sysctl,
        prepare,
        program: program?,
        dose: settings.dose,
        timeout: settings.timeout,
        hang: settings.hang,
        turn,
        boots,
        kernel_files: userland::kernel_files(fields, context, shape, userland.is_some()),
        userland,
        probes: symptom.probes(),
        symptom,
        control_of,
        known,
        messages: Arc::clone(context.messages),
        span,
    }))
}

fn history(fields: &mut Fields<'_>, at: &KeyPath, shape: Option<&HistoryShape>) -> History {
    let Some(shape) = shape else { return History::default() };
    let mut one = |key: &str, shape: Option<&CommitShape>| commit(fields, &at.key(key), shape?);
    let (introduced, exposed, fixed) = (
        one("introduced", shape.introduced.as_ref()),
        one("exposed", shape.exposed.as_ref()),
        one("fixed", shape.fixed.as_ref()),
    );
    let mut also_fixed = Vec::new();
    for (nth, shape) in shape.also_fixed.iter().flatten().enumerate() {
        let at = at.key("also-fixed").index(nth);
        match shape {
            Some(shape) => also_fixed.extend(commit(fields, &at, shape)),
            None => fields.missing(&at),
        }
    }
    History {
        introduced,
        exposed,
        fixed,
        also_fixed,
        cves: fields.list(&at.key("cves"), shape.cves.as_ref(), word::cve),
        files: fields.list(&at.key("files"), shape.files.as_ref(), word::source_file),
    }
}

fn commit(fields: &mut Fields<'_>, at: &KeyPath, shape: &CommitShape) -> Option<Commit> {
    let version = fields.optional(&at.key("version"), shape.version.as_ref(), range::version);
    let title = fields.optional(&at.key("title"), shape.title.as_ref(), word::sentence);
    let commit = fields.required(&at.key("commit"), shape.commit.as_ref(), word::commit)?;
    Some(Commit { commit, version, title })
}

/// The verdicts that a list may foretell.
pub(super) const VERDICTS: [(&str, KnownVerdict); 5] = [
    ("bad", KnownVerdict::Bad),
    ("good", KnownVerdict::Good),
    ("other", KnownVerdict::Other),
    ("skip", KnownVerdict::Skip),
    ("blind", KnownVerdict::Blind),
];

fn expiry(text: &str) -> Result<Expiry, Rejection> {
    match text {
        "never" => Ok(Expiry::Never),
        day => messages::day(day).map(Expiry::On).map_err(|rejection| Rejection {
            expected: format!("{}, or `never`", rejection.expected),
            ..rejection
        }),
    }
}

/// How long an entry of this day holds that does not say.
fn expiry_by_default(since: Date) -> Expiry {
    since.checked_add(Span::new().days(Expiry::DAYS)).map_or(Expiry::Never, Expiry::On)
}

fn known(fields: &mut Fields<'_>, at: &KeyPath, shapes: &List<KnownShape>) -> Vec<Known> {
    let mut known = Vec::new();
    for (nth, shape) in shapes.iter().flatten().enumerate() {
        let at = at.index(nth);
        let Some(shape) = shape else {
            fields.missing(&at);
            continue;
        };
        let versions = fields.required(&at.key("versions"), shape.versions.as_ref(), str::parse);
        let verdict =
            fields.required(&at.key("verdict"), shape.verdict.as_ref(), |text| word::one_of(text, &VERDICTS));
        let note = fields.optional(&at.key("note"), shape.note.as_ref(), word::sentence);
        let reason = fields.optional(&at.key("reason"), shape.reason.as_ref(), word::sentence);
        if note.is_some() && reason.is_some() {
            fields.exactly_one(&at, &["reason", "note"], &["reason", "note"]);
        }
        let link = fields.optional(&at.key("link"), shape.link.as_ref(), word::link);
        let since = fields.optional(&at.key("since"), shape.since.as_ref(), messages::day);
        let said = fields.optional(&at.key("expires"), shape.expires.as_ref(), expiry);
        let span = fields.location(&at.key("versions"));
        if let (Some(versions), Some(verdict)) = (versions, verdict) {
            let expires = said.or_else(|| since.map(expiry_by_default)).unwrap_or(Expiry::Unsaid);
            known.push(Known { versions, verdict, note: reason.or(note), link, since, expires, span });
        }
    }
    known
}
