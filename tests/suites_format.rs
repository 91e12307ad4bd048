//! `suites/README.md` tells the truth: its example loads. And no bytes make the loader panic.

use std::fs;
use std::path::Path;

use kregress::suite::{Suite, SuiteError, load_dir, load_file};
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
