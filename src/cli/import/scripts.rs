//! Collections whose tests are scripts named by three digits, a folder a group: xfstests and blktests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;

/// A test's script.
pub(super) struct Found {
    /// Its name, `generic/001`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The tests of a folder below `tests` of a collection's tree.
pub(super) fn of(tree: &Path, folder: &str, collection: &str) -> Result<Vec<Found>, CliError> {
    let place = tree.join("tests").join(folder);
    let failed = |error: std::io::Error| failed(&place, tree, collection, &error);
    let mut scripts = Vec::new();
    for path in entries(&place).map_err(failed)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_test = name.len() >= 3
            && name.bytes().take(3).all(|byte| byte.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_test && path.is_file() {
            scripts.push(Found { name: format!("{folder}/{name}"), text: read(&path).map_err(failed)? });
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scripts)
}

/// The folders below `tests`, by name.
pub(super) fn folders(tree: &Path, collection: &str) -> Result<Vec<String>, CliError> {
    let place = tree.join("tests");
    let entries = entries(&place).map_err(|error| failed(&place, tree, collection, &error))?;
    let folders = entries.into_iter().filter(|path| path.is_dir());
    let names = folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// A file's text; other bytes than UTF-8 are in comments.
pub(super) fn read(path: &Path) -> std::io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

fn failed(place: &Path, tree: &Path, collection: &str, error: &std::io::Error) -> CliError {
    let (place, tree) = (place.display(), tree.display());
    CliError::setup(format!("{place}: {error}; is {tree} a source tree of {collection}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_what_lies_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let generic = folder.path().join("tests/generic");
        fs::create_dir_all(&generic).unwrap();
        for name in ["001", "001.out", "002-name", "Makefile", "group.list", "003.cfg"] {
            fs::write(generic.join(name), "").unwrap();
        }
        let names: Vec<String> =
            of(folder.path(), "generic", "xfstests").unwrap().into_iter().map(|script| script.name).collect();
        assert_eq!(names, ["generic/001", "generic/002-name"]);
        assert_eq!(folders(folder.path(), "xfstests").unwrap(), ["generic"]);
        let error = of(folder.path(), "none", "xfstests").err().unwrap().to_string();
        assert!(error.contains("is ") && error.contains("a source tree of xfstests?"), "{error}");
    }
}
