//! xfstests, from its source tree.

use std::fs;
use std::path::{Path, PathBuf};

use suite_import::Import;
use suite_import::xfstests::{self, Options, Script};

use super::{Target, folder};
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct XfstestsArgs {
    /// A source tree of xfstests
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Folders of its tests
    #[arg(value_name = "FOLDER", default_value = "generic")]
    folders: Vec<String>,
    /// The type of the file system that is tested
    #[arg(long, default_value = "ext4", value_name = "TYPE")]
    fstyp: String,
    /// Only tests of this group; `all` for all of them
    #[arg(long, default_value = "quick", value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) fn read(args: &XfstestsArgs) -> Result<Import, CliError> {
    let tree = folder(&args.path)?;
    let mut scripts = Vec::new();
    for name in &args.folders {
        scripts.append(&mut scripts_of(&tree, name)?);
    }
    let group = (args.group != "all").then(|| args.group.clone());
    let options = Options { tree: tree.display().to_string(), fstyp: args.fstyp.clone(), group };
    Ok(xfstests::read(&scripts, &options))
}

/// The tests of a folder, which are named by three digits.
fn scripts_of(tree: &Path, folder: &str) -> Result<Vec<Script>, CliError> {
    let place = tree.join("tests").join(folder);
    let failed = |error: std::io::Error| {
        CliError::setup(format!(
            "{}: {error}; is {} a source tree of xfstests?",
            place.display(),
            tree.display()
        ))
    };
    let mut scripts = Vec::new();
    for entry in fs::read_dir(&place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_test = name.len() >= 3
            && name.bytes().take(3).all(|byte| byte.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_test && path.is_file() {
            let text = fs::read(&path).map_err(failed)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            scripts.push(Script { name: format!("{folder}/{name}"), text });
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scripts)
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
            scripts_of(folder.path(), "generic").unwrap().into_iter().map(|script| script.name).collect();
        assert_eq!(names, ["generic/001", "generic/002-name"]);
        let error = scripts_of(folder.path(), "none").unwrap_err().to_string();
        assert!(error.contains("is ") && error.contains("a source tree of xfstests?"), "{error}");
    }
}
