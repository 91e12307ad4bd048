//! Patches: what they change, and the hunk that a message is about.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::kernel::store::sha256;

/// A patch, as text in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// What it is called in messages: its file.
    pub name: String,
    /// A unified diff, possibly with a mail or a commit's message before it.
    pub text: Vec<u8>,
}

/// Why a patch is not on the tree.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The file cannot be read.
    #[error("cannot read the patch {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It has no diff, or one that leaves the tree.
    #[error("the patch {name} cannot be used: {reason}")]
    Unusable {
        /// The patch.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A hunk does not fit.
    #[error("the patch {name} does not apply to {tree}: {reason}")]
    DoesNotApply {
        /// The patch.
        name: String,
        /// The source.
        tree: String,
        /// Which hunk, of which file, with its lines.
        reason: String,
    },
    /// The tree cannot be changed.
    #[error("cannot put the patch {name} on {tree}: {source}")]
    Io {
        /// The patch.
        name: String,
        /// The source.
        tree: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Patch {
    /// Reads a patch's file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Patch, PatchError> {
        let text = fs::read(path).map_err(|source| PatchError::Read { path: path.to_path_buf(), source })?;
        Ok(Patch { name: path.display().to_string(), text })
    }

    /// SHA-256 of its text.
    pub(super) fn digest(&self) -> String {
        sha256(&self.text)
    }

    /// The files that it changes, makes or removes, below the tree.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, PatchError> {
        let unusable = |reason: String| PatchError::Unusable { name: self.name.clone(), reason };
        let text = String::from_utf8_lossy(&self.text);
        let mut files: Vec<PathBuf> = Vec::new();
        let mut has_hunk = false;
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            has_hunk |= line.starts_with("@@ -");
            let from = line.strip_prefix("--- ");
            let to = lines.peek().and_then(|next| next.strip_prefix("+++ ")).filter(|_| from.is_some());
            let renamed = ["rename from ", "rename to ", "copy to "]
                .iter()
                .find_map(|prefix| line.strip_prefix(prefix))
                .map(|path| format!("a/{path}"));
            // a file may be new and empty, or change nothing but its mode
            let has_mode = lines.peek().is_some_and(|next| {
                ["old mode ", "new file mode ", "deleted file mode "]
                    .iter()
                    .any(|mode| next.starts_with(mode))
            });
            let git = line.strip_prefix("diff --git a/").filter(|_| has_mode);
            let moded = git.and_then(|names| names.split_once(" b/")).map(|(_, path)| format!("b/{path}"));
            has_hunk |= renamed.is_some() || moded.is_some();
            let headers = [from.filter(|_| to.is_some()), to, renamed.as_deref(), moded.as_deref()];
            for name in headers.into_iter().flatten() {
                let name = name.split('\t').next().unwrap_or_default().trim_end();
                if name == "/dev/null" {
                    continue;
                }
                let path = Path::new(name);
                let below: PathBuf = path.components().skip(1).collect();
                let inside = path.is_relative()
                    && below.components().all(|part| matches!(part, Component::Normal(_)))
                    && !below.as_os_str().is_empty();
                if !inside {
                    return Err(unusable(format!(
                        "it changes `{name}`; expected paths of the form a/FILE and b/FILE below the tree"
                    )));
                }
                if !files.contains(&below) {
                    files.push(below);
                }
            }
        }
        if files.is_empty() || !has_hunk {
            return Err(unusable(
                "there is no unified diff in it (lines `--- a/FILE`, `+++ b/FILE`, `@@ … @@`)".to_string(),
            ));
        }
        Ok(files)
    }

    /// Hunk `number` (from 1) of `file`: its line in the patch, from 1, and its text.
    pub(super) fn hunk(&self, file: &str, number: usize) -> Option<(usize, String)> {
        let text = String::from_utf8_lossy(&self.text);
        let lines: Vec<&str> = text.lines().collect();
        let of_file = |line: &str| {
            let path = line.strip_prefix("+++ ").or_else(|| line.strip_prefix("--- "))?;
            path.split('\t').next()?.split_once('/').map(|(_, path)| path.trim_end() == file)
        };
        let start = lines.iter().position(|line| of_file(line) == Some(true))?;
        let mut seen = 0;
        for (at, line) in lines.iter().enumerate().skip(start) {
            let other =
                line.starts_with("diff --git ") || line.starts_with("+++ ") && of_file(line) == Some(false);
            if other && at > start + 1 {
                return None;
            }
            if line.starts_with("@@ -") {
                seen += 1;
                if seen == number {
                    let body =
                        lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '+', '-', '\\']));
                    let shown: Vec<&str> = std::iter::once(line).chain(body.take(14)).copied().collect();
                    return Some((at + 1, shown.join("\n")));
                }
            }
        }
        None
    }
}
