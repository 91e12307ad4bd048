//! The symptom of a test: its keys, and what they are built into.

use std::path::Path;

use globset::Glob;
use schemars::JsonSchema;
use serde::Deserialize;

use super::program;
use crate::observation::SlabCaches;
use crate::oops::ReportKind;
use crate::suite::pattern::Pattern;
use crate::suite::reference::Reference;
use crate::suite::shape::{List, WordOr};
use crate::suite::symptom::{CrashPattern, HangPattern, KmemleakPattern, LeakPattern, ProbeKind, Symptom};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::rejection::Rejection;
use crate::yaml::schema::words;
use crate::yaml::{quantity, word};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::suite) struct SymptomShape {
    any: List<SymptomShape>,
    all: List<SymptomShape>,
    detectors: List<SymptomShape>,
    crash: Option<WordOr<CrashShape>>,
    hung_task: Option<HungTaskShape>,
    leak: Option<LeakShape>,
    kmemleak: Option<KmemleakShape>,
    reported: Option<ReportedShape>,
    exit: Option<WordOr<ExitShape>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CrashShape {
    title: Option<String>,
    kind: List<String>,
    trace: List<String>,
    like: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HungTaskShape {
    functions: List<String>,
    task: Option<String>,
    owner: List<String>,
    cycle: List<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LeakShape {
    #[schemars(extend("enum" = words(&PROBES)))]
    probe: Option<String>,
    cache: Option<String>,
    size: Option<String>,
    per_iteration: Option<String>,
    at_least: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KmemleakShape {
    functions: List<String>,
    at_least: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ReportedShape {
    matching: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExitShape {
    code: Option<String>,
}

/// The words of `probe`.
const PROBES: [(&str, ProbeKind); 1] = [("slab", ProbeKind::Slab)];

/// Share of the expected growth that counts as a leak: background noise is far below half, a leak is at it or above.
const AT_LEAST: f64 = 0.5;
/// The largest object of a slab cache, bytes: what is larger is allocated in pages (`KMALLOC_MAX_CACHE_SIZE` of two pages
/// on x86; more where pages are larger).
const LARGEST_OBJECT: u32 = 128 << 10;
/// Leaked objects that can be asked for: the agent reads twice as many.
const MOST_LEAKED: u64 = 1000;
/// The exit code that says "skip".
const SKIP: i32 = 77;

/// Builds a symptom; `dir` is the suite's folder.
pub(super) fn symptom(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    shape: Option<&SymptomShape>,
) -> Option<Symptom> {
    let Some(shape) = shape else {
        fields.missing(at);
        return None;
    };
    let kinds = [
        ("any", shape.any.is_some()),
        ("all", shape.all.is_some()),
        ("detectors", shape.detectors.is_some()),
        ("crash", shape.crash.is_some()),
        ("hung-task", shape.hung_task.is_some()),
        ("leak", shape.leak.is_some()),
        ("kmemleak", shape.kmemleak.is_some()),
        ("reported", shape.reported.is_some()),
        ("exit", shape.exit.is_some()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    let kind = fields.exactly_one(at, &given, &kinds.map(|(key, _)| key))?;
    let at = at.key(kind);
    match kind {
        "any" => Some(Symptom::Any(parts(fields, dir, &at, &shape.any)?)),
        "all" => Some(Symptom::All(parts(fields, dir, &at, &shape.all)?)),
        "detectors" => Some(Symptom::Detectors(parts(fields, dir, &at, &shape.detectors)?)),
        "crash" => match shape.crash.as_ref()? {
            WordOr::Word(text) => fields
                .optional(&at, Some(text), |text| word::one_of(text, &[("any", ())]))
                .map(|()| Symptom::Crash(CrashPattern::default())),
            WordOr::Keys(shape) => crash(fields, dir, &at, shape),
        },
        "hung-task" => hung_task(fields, &at, shape.hung_task.as_ref()?),
        "leak" => leak(fields, &at, shape.leak.as_ref()?),
        "kmemleak" => kmemleak(fields, &at, shape.kmemleak.as_ref()?),
        "reported" => {
            let matching = shape.reported.as_ref()?.matching.as_ref();
            Some(Symptom::Reported { matching: fields.required(&at.key("matching"), matching, str::parse)? })
        }
        "exit" => {
            let code = match shape.exit.as_ref()? {
                WordOr::Word(text) => fields.optional(&at, Some(text), exit_code),
                WordOr::Keys(shape) => fields.required(&at.key("code"), shape.code.as_ref(), exit_code),
            };
            Some(Symptom::Exit { code: code? })
        }
        other => unreachable!("{other} is in the table"),
    }
}

fn parts(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    shapes: &List<SymptomShape>,
) -> Option<Vec<Symptom>> {
    let shapes = shapes.as_ref()?;
    if shapes.is_empty() {
        let headline = format!("`{}` has no symptoms", at.name());
        let help = "list at least one: `- crash: …`".to_owned();
        fields.report(ProblemKind::WrongValue, fields.key_span(at), headline, "empty".into(), help);
        return None;
    }
    // Every part is built before any is given up, for its problems.
    let built: Vec<Option<Symptom>> = shapes
        .iter()
        .enumerate()
        .map(|(nth, shape)| symptom(fields, dir, &at.index(nth), shape.as_ref()))
        .collect();
    built.into_iter().collect()
}

fn crash(fields: &mut Fields<'_>, dir: &Path, at: &KeyPath, shape: &CrashShape) -> Option<Symptom> {
    let title: Option<Pattern> = fields.optional(&at.key("title"), shape.title.as_ref(), str::parse);
    let kinds = fields.list(&at.key("kind"), shape.kind.as_ref(), report_kind);
    let kind = (!kinds.is_empty()).then_some(kinds);
    let trace = fields.list(&at.key("trace"), shape.trace.as_ref(), str::parse);
    let like = like(fields, dir, &at.key("like"), shape.like.as_ref());
    let given = shape.title.is_some()
        || shape.like.is_some()
        || shape.kind.as_ref().is_some_and(|kinds| !kinds.is_empty());
    if !given && shape.trace.as_ref().is_none_or(Vec::is_empty) {
        return says_nothing(fields, at, "crash", "`title`, `kind`, `trace` or `like`");
    }
    Some(Symptom::Crash(CrashPattern { title, kind, trace, like }))
}

/// The report of a log that lies beside the suite.
fn like(fields: &mut Fields<'_>, dir: &Path, at: &KeyPath, text: Option<&String>) -> Option<Reference> {
    let path = program::file(fields, dir, at, Some(text?))?;
    match Reference::read(&path, text?) {
        Ok(reference) => Some(reference),
        Err(error) => {
            let headline = format!("{} does not say how the bug looks: {error}", at.described());
            let (span, help) = (fields.span(at), error.remedy().to_owned());
            fields.report(ProblemKind::WrongValue, span, headline, "this log".into(), help);
            None
        }
    }
}

fn hung_task(fields: &mut Fields<'_>, at: &KeyPath, shape: &HungTaskShape) -> Option<Symptom> {
    let functions = fields.list(&at.key("functions"), shape.functions.as_ref(), str::parse);
    let task = fields.optional(&at.key("task"), shape.task.as_ref(), str::parse);
    let owner = fields.list(&at.key("owner"), shape.owner.as_ref(), str::parse);
    let cycle = fields.list(&at.key("cycle"), shape.cycle.as_ref(), str::parse);
    let lists = [&shape.functions, &shape.owner, &shape.cycle];
    if shape.task.is_none() && lists.iter().all(|list| list.as_ref().is_none_or(Vec::is_empty)) {
        return says_nothing(fields, at, "hung task", "`functions`, `task`, `owner` or `cycle`");
    }
    Some(Symptom::HungTask(HangPattern { functions, task, owner, cycle }))
}

/// A pattern without parts would take every crash or hang for this bug.
fn says_nothing(fields: &mut Fields<'_>, at: &KeyPath, what: &str, parts: &str) -> Option<Symptom> {
    if !fields.is_refused(at) {
        let headline = format!("this symptom fits every {what}");
        let any = if what == "crash" { "; `crash: any` if every one of them is" } else { "" };
        let help = format!("say with {parts} how this bug's {what} looks; any other is not this bug{any}");
        fields.report(ProblemKind::WrongValue, fields.key_span(at), headline, "says nothing".into(), help);
    }
    None
}

fn leak(fields: &mut Fields<'_>, at: &KeyPath, shape: &LeakShape) -> Option<Symptom> {
    let probe = fields.optional(&at.key("probe"), shape.probe.as_ref(), |text| word::one_of(text, &PROBES));
    let caches = caches(fields, at, shape);
    let per_iteration =
        fields.required(&at.key("per-iteration"), shape.per_iteration.as_ref(), quantity::growth);
    let at_least = fields.optional(&at.key("at-least"), shape.at_least.as_ref(), quantity::fraction);
    let at_least = at_least.unwrap_or(AT_LEAST);
    // a word that was refused is reported, and ends the loading of the suite
    let probe = probe.unwrap_or(ProbeKind::Slab);
    Some(Symptom::Leak(LeakPattern { probe, caches: caches?, per_iteration: per_iteration?, at_least }))
}

fn caches(fields: &mut Fields<'_>, at: &KeyPath, shape: &LeakShape) -> Option<SlabCaches> {
    let kinds = [("size", shape.size.is_some()), ("cache", shape.cache.is_some())];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    match fields.exactly_one(at, &given, &kinds.map(|(key, _)| key))? {
        "size" => {
            let size = |text: &str| quantity::within(text, 1..=LARGEST_OBJECT);
            fields.required(&at.key("size"), shape.size.as_ref(), size).map(SlabCaches::Size)
        }
        _ => fields.required(&at.key("cache"), shape.cache.as_ref(), cache).map(SlabCaches::Named),
    }
}

fn kmemleak(fields: &mut Fields<'_>, at: &KeyPath, shape: &KmemleakShape) -> Option<Symptom> {
    let functions = fields.list(&at.key("functions"), shape.functions.as_ref(), str::parse);
    let count = |text: &str| quantity::within(text, 1..=MOST_LEAKED);
    let at_least = fields.optional(&at.key("at-least"), shape.at_least.as_ref(), count);
    if shape.functions.as_ref().is_none_or(Vec::is_empty) {
        return says_nothing(fields, at, "leak", "`functions`");
    }
    Some(Symptom::Kmemleak(KmemleakPattern { functions, at_least: at_least.unwrap_or(1) }))
}

fn cache(text: &str) -> Result<String, Rejection> {
    let expected = "the name of a slab cache or a glob, such as `kmalloc-192` or `kmalloc{,-rnd-*}-192`";
    if !text.contains(|c: char| c.is_ascii_alphanumeric()) || text.contains(char::is_whitespace) {
        return Err(Rejection::of(text, expected));
    }
    match Glob::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(Rejection::because(format!("a glob that does not parse: {}", error.kind()), expected))
        }
    }
}

/// A word that no report ever has would be a symptom that is never seen, and so a `good` for every kernel.
fn report_kind(text: &str) -> Result<String, Rejection> {
    if text.parse::<ReportKind>().is_ok() {
        return Ok(text.to_owned());
    }
    let rejection =
        Rejection::of(text, "one of syzkaller's report types, such as `WARNING`, `KASAN-READ` or `HANG`");
    // case is what is most often wrong with one, so it must not count
    let lower: Vec<String> = ReportKind::ALL.iter().map(|kind| kind.word().to_lowercase()).collect();
    let plain = text.replace(' ', "-").to_lowercase();
    let meant = word::meant(&plain, lower.iter().map(String::as_str))
        .and_then(|word| ReportKind::ALL.iter().find(|kind| kind.word().to_lowercase() == word));
    Err(match meant {
        Some(kind) => rejection.help(format!("did you mean `{kind}`?")),
        None => rejection,
    })
}

fn exit_code(text: &str) -> Result<i32, Rejection> {
    match quantity::within(text, 1..=255)? {
        SKIP => Err(Rejection::of(text, "an exit code other than 77, which says \"skip\"")),
        code => Ok(code),
    }
}
