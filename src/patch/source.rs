//! The source that a patch is tried on. It is only ever read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::git;

/// A tree of files.
pub trait Source {
    /// The contents of a file; `None` when there is none.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// Whether a file may be executed: all of its mode that git keeps.
    fn is_executable(&self, path: &str) -> bool;

    /// Paths of files with this name, for a file that was moved.
    fn named(&self, name: &str) -> Vec<String>;

    /// The commits that last touched these lines, newest first, as `id title`; empty without a history.
    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String>;
}

/// A folder, with or without a git history.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The source in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }
}

/// Whether a path of a patch stays inside the tree.
pub fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

impl Source for Folder {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        if is_inside(path) { std::fs::read(self.root.join(path)).ok() } else { None }
    }

    fn is_executable(&self, path: &str) -> bool {
        let of_owner = |file: std::fs::Metadata| file.permissions().mode() & 0o100 != 0;
        is_inside(path) && std::fs::metadata(self.root.join(path)).is_ok_and(of_owner)
    }

    fn named(&self, name: &str) -> Vec<String> {
        const MOST: usize = 8;
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && entry.file_name() != ".git" {
                    folders.push(entry.path());
                } else if kind.is_file() && entry.file_name() == name {
                    let path = entry.path();
                    found.extend(path.strip_prefix(&self.root).ok().map(|path| path.display().to_string()));
                }
            }
            if found.len() >= MOST {
                break;
            }
        }
        found.sort();
        found
    }

    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String> {
        if !self.root.join(".git").exists() || !is_inside(path) {
            return Vec::new();
        }
        git::touched(&self.root, "HEAD", path, first, last)
    }
}

/// A few files in memory, for tests; those that end in `.sh` may be executed.
#[cfg(test)]
pub(crate) struct Memory(std::collections::BTreeMap<String, Vec<u8>>);

#[cfg(test)]
impl Memory {
    /// These files.
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Memory {
        Memory(files.iter().map(|(path, text)| ((*path).to_owned(), text.to_vec())).collect())
    }
}

#[cfg(test)]
impl Source for Memory {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn is_executable(&self, path: &str) -> bool {
        path.ends_with(".sh")
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}
