//! Loading suites: a file, or all files of a folder. And lists of known messages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::messages::KnownMessages;
use super::model::Suite;
use super::{FORMAT, MESSAGES_FORMAT, build};
use crate::yaml::load;
use crate::yaml::problem::{LoadError as SuiteError, Problem, ProblemKind};
use crate::yaml::source::plain;

/// Loads one suite.
///
/// # Errors
///
/// Everything that is wrong with the file, each problem with its place.
pub fn load_file(path: impl AsRef<Path>) -> Result<Suite, SuiteError> {
    read(path.as_ref()).map_err(SuiteError::new)
}

/// Loads known messages from a file of their own: what a suite has under `known-messages`, as a whole file.
///
/// # Errors
///
/// Everything that is wrong with the file, each problem with its place.
pub fn load_messages(path: impl AsRef<Path>) -> Result<KnownMessages, SuiteError> {
    load::read(&MESSAGES_FORMAT, path.as_ref(), build::messages::file).map_err(SuiteError::new)
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

/// Whether suites lie in this folder.
pub fn has_suites(dir: &Path) -> bool {
    suite_files(dir).is_ok()
}

fn suite_files(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    let refused = |headline: String, help: &str| {
        Problem::new(&FORMAT, ProblemKind::Unreadable, dir, headline).help(help.to_owned())
    };
    let files = load::files(dir).map_err(|error| {
        let headline = format!("cannot read the folder of suites: {}", plain(&error));
        refused(headline, "name a folder that holds suite files, such as suites/")
    })?;
    if files.is_empty() {
        let headline = "found no suite (*.yaml) in this folder".to_owned();
        return Err(refused(headline, "suites lie directly in the folder, not in folders below it"));
    }
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
                Problem::new(&FORMAT, ProblemKind::Duplicate, &suite.path, headline)
                    .help(format!("the other is {}; rename one of them", earlier.path.display())),
            );
        } else {
            first.insert(&suite.name, suite);
        }
    }
    problems
}

fn read(path: &Path) -> Result<Suite, Vec<Problem>> {
    load::read(&FORMAT, path, build::suite)
}
