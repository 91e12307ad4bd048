//! Loading files of one sort: from text to a value, and which files a folder has.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::decode::decode;
use super::document;
use super::fields::Fields;
use super::file_kind::FileKind;
use super::problem::Problem;
use super::source::Source;

/// Most problems shown of one file; the rest is usually more of the same.
const MOST_PROBLEMS: usize = 50;

/// Reads a file as `S` and makes a `T` of it; what does not fit is reported, and then there is no `T`.
pub(crate) fn read<S: DeserializeOwned, T>(
    format: &'static FileKind,
    path: &Path,
    build: impl FnOnce(&mut Fields<'_>, &S) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let source = Source::read(format, path).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let value = match document::parse(&source, &mut problems) {
        Ok(root) => {
            let mut fields = Fields::new(&source, &root, &mut problems);
            decode(&mut fields).and_then(|shape| build(&mut fields, &shape))
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(in_order(problems)),
    }
}

/// By place, each once: a default that is wrong comes up with everything that takes it.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let place = |problem: &Problem| problem.location().map(|location| (location.line, location.column));
    problems.sort_by_key(place);
    problems.dedup_by(|a, b| place(a) == place(b) && a.to_string() == b.to_string());
    problems.truncate(MOST_PROBLEMS);
    problems
}

/// The `*.yaml` and `*.yml` files of a folder, sorted by name; folders below are not searched.
pub(crate) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
