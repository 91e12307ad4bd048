//! The source that a patch is tried on. It is only ever read.

use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// A tree of files.
pub trait Source {
    /// The contents of a file; `None` when there is none.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

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
        let range = format!("-L{first},{last}:{path}");
        let git = Command::new("git")
            .arg("-C")
            .arg(&self.root)
            .args(["--no-optional-locks", "log", "-3", "--no-patch", "--format=%h %s", &range])
            .output();
        match git {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }
}
