//! Loading suites: a file, or all files of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::build;
use super::decode::decode;
use super::document;
use super::fields::Fields;
use super::model::Suite;
use super::problem::{Problem, ProblemKind, SuiteError};
use super::source::{Source, plain};

/// Most problems shown of one file; the rest is usually more of the same.
const MOST_PROBLEMS: usize = 50;

/// Loads one suite.
///
/// # Errors
///
/// Everything that is wrong with the file, each problem with its place.
pub fn load_file(path: impl AsRef<Path>) -> Result<Suite, SuiteError> {
    read(path.as_ref()).map_err(SuiteError::new)
}

/// Loads the suites of a folder: its `*.yaml` and `*.yml` files, sorted by name; folders below are not searched.
///
/// # Errors
///
/// Everything that is wrong with any of the files; a folder without suites is an error, too.
pub fn load_dir(dir: impl AsRef<Path>) -> Result<Vec<Suite>, SuiteError> {
    let dir = dir.as_ref();
    let mut suites: Vec<Suite> = Vec::new();
    let mut problems = Vec::new();
    for path in suite_files(dir).map_err(|problem| SuiteError::new(vec![problem]))? {
        match read(&path) {
            Ok(suite) => suites.push(suite),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(shared_names(&suites));
    if problems.is_empty() { Ok(suites) } else { Err(SuiteError::new(problems)) }
}

fn suite_files(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(
            ProblemKind::Unreadable,
            dir,
            format!("cannot read the folder of suites: {}", plain(&error)),
        )
        .help("name a folder that holds suite files, such as suites/".to_owned())
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Problem::new(ProblemKind::Unreadable, dir, "found no suite (*.yaml) in this folder")
            .help("suites lie directly in the folder, not in folders below it".to_owned()));
    }
    files.sort();
    Ok(files)
}

/// Suites of the same name would give two tests the same id.
fn shared_names(suites: &[Suite]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Suite> = BTreeMap::new();
    let mut problems = Vec::new();
    for suite in suites {
        if let Some(earlier) = first.get(suite.name.as_str()) {
            let headline = format!("two suites are named `{}`", suite.name);
            problems.push(
                Problem::new(ProblemKind::Duplicate, &suite.path, headline)
                    .help(format!("the other is {}; rename one of them", earlier.path.display())),
            );
        } else {
            first.insert(&suite.name, suite);
        }
    }
    problems
}

fn read(path: &Path) -> Result<Suite, Vec<Problem>> {
    parse(&Source::read(path).map_err(|problem| vec![problem])?)
}

fn parse(source: &Source) -> Result<Suite, Vec<Problem>> {
    let mut problems = Vec::new();
    let suite = match document::parse(source, &mut problems) {
        Ok(root) => {
            let mut fields = Fields::new(source, &root, &mut problems);
            decode(&mut fields).and_then(|shape| build::suite(&mut fields, &shape))
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match suite {
        Some(suite) if problems.is_empty() => Ok(suite),
        _ => Err(in_order(problems)),
    }
}

/// By place, each once: a default that is wrong comes up with every test that takes it.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let place = |problem: &Problem| problem.location().map(|location| (location.line, location.column));
    problems.sort_by_key(place);
    problems.dedup_by(|a, b| place(a) == place(b) && a.to_string() == b.to_string());
    problems.truncate(MOST_PROBLEMS);
    problems
}
