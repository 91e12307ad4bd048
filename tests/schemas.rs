//! The JSON Schemas agree with the readers: on keys, on every file of the box, and on a table of good and bad ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use kregress::{config, kernel, machine, suite};
use serde_json::Value;

/// A kind of file.
struct Kind {
    name: &'static str,
    schema: Value,
    keys: BTreeSet<String>,
    /// Whether the reader takes a file.
    reads: fn(&Path) -> bool,
}

fn kinds() -> [Kind; 4] {
    [
        Kind {
            name: "suite",
            schema: suite::schema(),
            keys: suite::keys(),
            reads: |path| suite::load_file(path).is_ok(),
        },
        Kind {
            name: "machine",
            schema: machine::schema(),
            keys: machine::keys(),
            reads: |path| machine::Machines::load(path.parent().unwrap()).is_ok(),
        },
        Kind {
            name: "config",
            schema: config::schema(),
            keys: config::keys(),
            reads: |path| config::load(path).is_ok(),
        },
        Kind {
            name: "catalogue",
            schema: kernel::catalogue_schema(),
            keys: kernel::catalogue_keys(),
            reads: |path| {
                let folder = path.parent().unwrap().to_owned();
                kernel::Library::open(&folder.join("cache"), &[folder]).is_ok()
            },
        },
    ]
}

fn kind(name: &str) -> Kind {
    kinds().into_iter().find(|kind| kind.name == name).unwrap()
}

/// What the schema finds wrong with a document.
fn complaints(validator: &Validator, text: &str) -> Vec<String> {
    let Ok(document) = serde_yaml::from_str::<Value>(text) else { return vec!["no YAML".to_owned()] };
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn validator(kind: &Kind) -> Validator {
    jsonschema::validator_for(&kind.schema).unwrap_or_else(|error| panic!("{}: {error}", kind.name))
}

/// The keys of a schema as paths, and the words of those that have some; what nests in itself is shown once.
fn keys<'s>(
    root: &'s Value,
    schema: &'s Value,
    path: &str,
    above: &[&'s Value],
    found: &mut BTreeSet<String>,
    words: &mut BTreeSet<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).expect("what a reference names");
        return keys(root, target, path, above, found, words);
    }
    for word in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        words.insert(format!("{path}.{word}"));
    }
    let own = &schema["properties"];
    if own.is_object() && above.contains(&own) {
        return;
    }
    let above = &[above, &[own]].concat();
    for list in ["anyOf", "oneOf", "allOf"] {
        for part in schema[list].as_array().into_iter().flatten() {
            keys(root, part, path, above, found, words);
        }
    }
    for (key, value) in own.as_object().into_iter().flatten() {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        found.insert(below.clone());
        keys(root, value, &below, above, found, words);
    }
    for nested in ["items", "additionalProperties"] {
        if schema[nested].is_object() {
            keys(root, &schema[nested], path, above, found, words);
        }
    }
}

#[test]
fn schemas_and_readers_have_the_same_keys() {
    for Kind { name, schema, keys: wanted, .. } in kinds() {
        let (mut found, mut words) = (BTreeSet::new(), BTreeSet::new());
        keys(&schema, &schema, "", &[], &mut found, &mut words);
        let more: Vec<&String> = found.difference(&wanted).collect();
        // the variants of an enum are words here and keys there
        let less: Vec<&String> = wanted.difference(&found).filter(|key| !words.contains(*key)).collect();
        assert!(more.is_empty() && less.is_empty(), "{name}: more {more:?}, less {less:?}");
        assert!(found.len() > 9, "{name}");
    }
}

/// The YAML files of a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

#[test]
fn every_file_of_the_box_fits_its_schema() {
    for (name, folder) in [("suite", "suites"), ("machine", "vm"), ("catalogue", "kernels")] {
        let validator = validator(&kind(name));
        for path in files(folder) {
            let found = complaints(&validator, &fs::read_to_string(&path).unwrap());
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}

/// What a reader takes is never marked in an editor: the fixtures of the suites' own tests, good and bad.
#[test]
fn a_schema_refuses_nothing_that_the_reader_takes() {
    let suite = kind("suite");
    let validator = validator(&suite);
    let (mut both, mut neither) = (0, 0);
    for folder in ["tests/fixtures/suites/good", "tests/fixtures/suites/bad"] {
        for path in files(folder) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let found = complaints(&validator, &text);
            match ((suite.reads)(&path), found.is_empty()) {
                (true, false) => panic!("{}: {found:?}", path.display()),
                (true, true) => both += 1,
                (false, false) => neither += 1,
                // what only the reader knows: contradictions, files, patterns
                (false, true) => {}
            }
        }
    }
    assert!(both > 0 && neither > 5, "{both} {neither}");
}

const TEST: &str =
    "suite: s\nsummary: s\ntests: [{name: a, summary: a, program: {shell: x}, symptom: {crash: any}";
const KERNEL: &str = "kernels: [{name: mine, source: ";

#[test]
fn schemas_and_readers_agree_on_good_and_bad_documents() {
    let table: Vec<(&str, String, bool)> = vec![
        ("suite", format!("{TEST}}}]"), true),
        ("suite", format!("{TEST}, dose: {{attempts: 3, chance: 0.5}}, needs: {{kernel: 6.10}}}}]"), true),
        ("suite", format!("{TEST}, known: [{{versions: 6.12, verdict: bad}}]}}]"), true),
        ("suite", format!("{TEST}, known: [{{versions: 6.12, verdict: worse}}]}}]"), false),
        ("suite", format!("{TEST}, known: [{{versions: 6.12}}]}}]"), false),
        ("suite", format!("{TEST}, does: {{attempts: 3}}}}]"), false),
        ("suite", format!("{TEST}, links: https://example.org}}]"), false),
        ("suite", format!("{TEST}, links: [https://example.org]}}]"), true),
        ("suite", format!("{TEST}, links: [~]}}]"), false),
        ("suite", format!("{TEST}, links: }}]"), true),
        ("suite", "suite: s\ntests: []\n".to_owned(), false),
        ("suite", TEST.replace("crash: any", "exit: 1") + "}]", true),
        ("suite", TEST.replace("crash: any", "exit: {code: 1}") + "}]", true),
        ("suite", TEST.replace("crash: any", "crash: {titel: x}") + "}]", false),
        (
            "suite",
            TEST.replace("crash: any", "leak: {probe: slob, cache: a, per-iteration: 1}") + "}]",
            false,
        ),
        ("machine", "summary: m\n".to_owned(), true),
        ("machine", "cpus: 2\n".to_owned(), false),
        ("machine", "summary: m\naccel: fast\n".to_owned(), false),
        ("machine", "summary: m\nqemu: 8.0\nmemory: 1G\ncpus: 4\n".to_owned(), true),
        (
            "machine",
            "summary: m\ndevices: [{name: d, kind: nvme, blank: 64M, plugged: start}]\n".to_owned(),
            true,
        ),
        ("machine", "summary: m\ndevices: [{name: d, kind: floppy}]\n".to_owned(), false),
        ("machine", "summary: m\ndevices: {name: d}\n".to_owned(), false),
        (
            "config",
            "profiles: {default: {retries: 2, fail-fast: true, kernels: [6.12, 6.12.57]}, ci: }\n".to_owned(),
            true,
        ),
        ("config", "profiles: {default: {retires: 2}}\n".to_owned(), false),
        ("config", "profiles: {default: {accel: fast}}\n".to_owned(), false),
        ("config", "profiles: {default: {kernels: 6.12.57}}\n".to_owned(), false),
        ("config", "profiles: {default: {overrides: [{retries: 1}]}}\n".to_owned(), false),
        ("config", "profiles: {default: {overrides: [{filter: all(), retries: 1}]}}\n".to_owned(), true),
        ("config", "profile: {}\n".to_owned(), false),
        ("catalogue", format!("{KERNEL}{{debian: '6.12.57'}}}}]\n"), true),
        ("catalogue", format!("{KERNEL}{{local: {{image: bzImage}}}}}}]\n"), true),
        (
            "catalogue",
            format!("{KERNEL}{{git: {{repository: linux, ref: v6.12}}}}, config: small}}]\n"),
            true,
        ),
        ("catalogue", format!("{KERNEL}{{git: {{repository: linux}}}}, config: small}}]\n"), false),
        ("catalogue", format!("{KERNEL}{{svn: x}}}}]\n"), false),
        ("catalogue", "kernels: [{name: mine}]\n".to_owned(), false),
        ("catalogue", "kernels: {}\n".to_owned(), false),
    ];
    for (name, text, wanted) in table {
        let kind = kind(name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.yaml");
        fs::write(&path, &text).unwrap();
        let found = complaints(&validator(&kind), &text);
        assert_eq!((kind.reads)(&path), wanted, "the reader of a {name} on {text}");
        assert_eq!(found.is_empty(), wanted, "the schema of a {name} on {text}: {found:?}");
    }
}
