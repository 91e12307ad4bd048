//! The files of a source tree that its programs are built from, and a digest of them.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use duct::cmd;
use sha2::{Digest, Sha256};

use super::headers;
use crate::lab::prepare::{PrepareError, hex};
use crate::suite::Collection;

/// What `make autotools` leaves and git ignores: where it is there, it need not be made again.
const GENERATED: &[&str] = &[
    "aclocal.m4",
    "compile",
    "config.guess",
    "config.sub",
    "configure",
    "include/config.h.in",
    "install-sh",
    "m4/Makefile.in",
    "m4/ltp-version.m4",
    "missing",
];

/// The most files that are looked at.
const MOST_FILES: usize = 200_000;

/// Files of a tree, sorted.
#[derive(Debug)]
pub(super) struct Sources {
    pub tree: PathBuf,
    pub files: Vec<PathBuf>,
    /// SHA-256 over their names, modes and contents, hexadecimal.
    pub digest: String,
}

impl Sources {
    /// Lists the files that `program` is built from, by git where the tree is a checkout.
    pub fn of(collection: Collection, tree: &Path, program: &Path) -> Result<Sources, PrepareError> {
        let tree = fs::canonicalize(tree).map_err(PrepareError::io(tree))?;
        let mut files = listed(&tree, &parts(collection, program))?;
        if collection == Collection::Ltp {
            files.extend(GENERATED.iter().map(PathBuf::from).filter(|path| tree.join(path).is_file()));
        }
        Sources::digested(tree, files)
    }

    /// Lists the files of these parts of a tree; those that are not there have none.
    pub fn of_parts(tree: &Path, parts: &[PathBuf]) -> Result<Sources, PrepareError> {
        let tree = fs::canonicalize(tree).map_err(PrepareError::io(tree))?;
        let files = listed(&tree, parts)?;
        Sources::digested(tree, files)
    }

    fn digested(tree: PathBuf, mut files: Vec<PathBuf>) -> Result<Sources, PrepareError> {
        files.sort();
        files.dedup();
        let digest = digest(&tree, &files)?;
        Ok(Sources { tree, files, digest })
    }
}

/// The parts of a tree that matter for a program; none: all of it.
fn parts(collection: Collection, program: &Path) -> Vec<PathBuf> {
    match collection {
        Collection::Ltp | Collection::Xfstests | Collection::Blktests => Vec::new(),
        Collection::Kselftest => {
            let selftests = Path::new("tools/testing/selftests");
            let folder = program.components().next().map_or(Path::new(""), |first| match first {
                Component::Normal(name) => Path::new(name),
                _ => Path::new(""),
            });
            ["kselftest.h", "kselftest_harness.h", "kselftest", "lib.mk", "lib"]
                .iter()
                .map(|name| selftests.join(name))
                .chain([selftests.join(folder), "tools/include".into(), "usr/include".into()])
                .chain(headers::of_any_architecture())
                .collect()
        }
    }
}

/// The files of these parts, by git where the tree is a checkout.
fn listed(tree: &Path, parts: &[PathBuf]) -> Result<Vec<PathBuf>, PrepareError> {
    match listed_by_git(tree, parts) {
        Some(files) => Ok(files),
        None => walked(tree, parts),
    }
}

fn listed_by_git(tree: &Path, parts: &[PathBuf]) -> Option<Vec<PathBuf>> {
    if !tree.join(".git").exists() {
        return None;
    }
    let mut arguments: Vec<std::ffi::OsString> =
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
            .iter()
            .map(Into::into)
            .collect();
    arguments.extend(parts.iter().map(Into::into));
    let listed = cmd("git", arguments).dir(tree).stdout_capture().stderr_null().unchecked().run().ok()?;
    let text = String::from_utf8(listed.stdout).ok().filter(|_| listed.status.success())?;
    let files = text.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    // one that was removed is listed still
    Some(
        files.filter(|path| fs::symlink_metadata(tree.join(path)).is_ok_and(|meta| !meta.is_dir())).collect(),
    )
}

/// All files but those that a build leaves.
fn walked(tree: &Path, parts: &[PathBuf]) -> Result<Vec<PathBuf>, PrepareError> {
    let mut files = Vec::new();
    let mut left: Vec<PathBuf> = match parts {
        [] => vec![PathBuf::new()],
        parts => parts.iter().filter(|part| tree.join(part).exists()).cloned().collect(),
    };
    while let Some(path) = left.pop() {
        let whole = tree.join(&path);
        let meta = fs::symlink_metadata(&whole).map_err(PrepareError::io(&whole))?;
        if !meta.is_dir() {
            if !is_made(&whole, meta.permissions().mode()) {
                files.push(path);
            }
            continue;
        }
        for entry in fs::read_dir(&whole).map_err(PrepareError::io(&whole))? {
            let name = entry.map_err(PrepareError::io(&whole))?.file_name();
            if name != ".git" {
                left.push(path.join(name));
            }
        }
        if files.len() + left.len() > MOST_FILES {
            return Err(PrepareError::Io(format!(
                "{}: more than {MOST_FILES} files; is this a source tree of the collection?",
                tree.display()
            )));
        }
    }
    Ok(files)
}

/// Whether a compiler or linker has made the file.
fn is_made(path: &Path, mode: u32) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    if matches!(ending, Some("o" | "a" | "d" | "so" | "log")) {
        return true;
    }
    if mode & 0o111 == 0 {
        return false;
    }
    let mut start = [0; 4];
    fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
        .is_ok_and(|()| start == *b"\x7fELF")
}

/// Digests of contents by a digest of names, sizes and times: a tree of LTP has five thousand files, and a run asks for
/// each of its tests.
static KNOWN: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

fn digest(tree: &Path, files: &[PathBuf]) -> Result<String, PrepareError> {
    let mut look = Sha256::new();
    look.update(tree.as_os_str().as_encoded_bytes());
    for file in files {
        let path = tree.join(file);
        let meta = fs::symlink_metadata(&path).map_err(PrepareError::io(&path))?;
        look.update(file.as_os_str().as_encoded_bytes());
        for number in
            [meta.ino(), meta.size(), meta.mtime() as u64, meta.mtime_nsec() as u64, meta.ctime_nsec() as u64]
        {
            look.update(number.to_le_bytes());
        }
    }
    let look = hex(&look.finalize());
    let known = || KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(digest) = known().get(&look) {
        return Ok(digest.clone());
    }
    let mut hash = Sha256::new();
    for file in files {
        let path = tree.join(file);
        let meta = fs::symlink_metadata(&path).map_err(PrepareError::io(&path))?;
        let contents = match meta.is_symlink() {
            true => fs::read_link(&path).map(|to| to.into_os_string().into_encoded_bytes()),
            false => fs::read(&path),
        };
        let contents = contents.map_err(PrepareError::io(&path))?;
        let name = file.as_os_str().as_encoded_bytes();
        for part in [name, &[u8::from(meta.permissions().mode() & 0o111 != 0)], &contents[..]] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let digest = hex(&hash.finalize());
    known().insert(look, digest.clone());
    Ok(digest)
}
