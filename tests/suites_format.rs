//! `suites/README.md` tells the truth: its example loads, and it names every key that there is.

use std::fs;
use std::path::Path;

use kregress::suite::{ProblemKind, Suite, SuiteError, load_dir, load_file};
use miette::Diagnostic;
use proptest::prelude::*;

const README: &str = include_str!("../suites/README.md");

fn load(text: &[u8]) -> Result<Suite, SuiteError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, text).unwrap();
    load_file(path)
}

fn example() -> &'static str {
    README
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the README has an example")
}

#[test]
fn the_example_loads() {
    let suite = load(example().as_bytes()).unwrap_or_else(|error| panic!("{}", error.render(false, 110)));
    let tests: Vec<String> = suite.tests.iter().map(|test| test.id()).collect();
    assert_eq!(tests, ["block::elevator-switch-race", "block::elevator-switch-control"]);
}

#[test]
fn the_suites_of_the_project_load() {
    let dir = Path::new("suites");
    let none = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .all(|entry| !entry.path().display().to_string().ends_with(".yaml"));
    if none {
        return loud_skip::skip(format_args!("there are no suites in {}", dir.display()));
    }
    load_dir(dir).unwrap_or_else(|error| panic!("{}", error.render(false, 110)));
}

/// The loader names the keys of a mapping when it meets one that it does not know.
#[test]
fn every_key_is_documented() {
    let text = "suite: x\nsummary: x\nzzz: 1\ndefaults: {zzz: 1}\ntests:\n  - zzz: 1\n    history: {zzz: 1, fixed: {zzz: 1}}\n    \
                needs: {zzz: 1}\n    machine: {zzz: 1, disks: [{zzz: 1}]}\n    prepare: [{zzz: 1}]\n    program: {zzz: 1}\n    \
                dose: {zzz: 1}\n    timeout: {zzz: 1}\n    hang: {zzz: 1}\n    known: [{zzz: 1}]\n    symptom: {zzz: 1, crash: {zzz: 1}, \
                hung-task: {zzz: 1}, leak: {zzz: 1}, kmemleak: {zzz: 1}, reported: {zzz: 1}, exit: {zzz: 1}}\n";
    let error = load(text.as_bytes()).unwrap_err();
    let mut keys = 0;
    let mut mappings = 0;
    for problem in error.problems().iter().filter(|problem| problem.kind() == ProblemKind::UnknownKey) {
        let help = problem.help().map(|help| help.to_string()).unwrap_or_default();
        let Some(list) = help.strip_prefix("the keys here are: ") else { continue };
        for key in list.split(", ") {
            assert!(README.contains(&format!("`{key}`")), "suites/README.md does not speak of `{key}`");
            keys += 1;
        }
        mappings += 1;
    }
    assert_eq!(mappings, text.matches("zzz").count());
    assert!(keys > 60, "{keys}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&bytes).map_err(|error| error.render(false, 110));
    }

    /// A suite in which some piece of text was replaced loads, or says why not.
    #[test]
    fn no_mutation_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, "[a-z:\\[\\]{}&*!|>'\"#,~0-9ü\n\t -]{0,12}"), 1..4),
    ) {
        let mut text: Vec<char> = example().chars().collect();
        for (at, length, replacement) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, replacement.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = load(text.as_bytes()) {
            prop_assert!(!error.problems().is_empty());
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(!error.render(true, 80).is_empty());
        }
    }
}
