//! Three-way merges: where a repository has the very file that a patch was made for, the change is merged into the
//! tree's own file as `git merge-file` does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use super::apply::{Application, Options, Outcome, apply};
use super::git::GitTree;
use super::patch_mail::PatchMail;
use super::source::{LINK, Source};

/// The result of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// New contents by path, and new modes as [`Application::modes`] has them.
    Merged(BTreeMap<String, Option<Vec<u8>>>, BTreeMap<String, String>),
    /// The tree has the change already.
    Already,
    /// These files, each with its number of conflicts.
    Conflicts(Vec<(String, usize)>),
}

/// The file that each path was when the patch was made.
struct Before<'b> {
    tree: &'b GitTree,
    /// Ids of the contents by path.
    blobs: BTreeMap<&'b str, &'b str>,
}

impl Source for Before<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.tree.blob(self.blobs.get(path)?)
    }

    fn mode(&self, path: &str) -> &'static str {
        self.tree.mode(path)
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}

/// Merges patches that do not apply to `source`. `history` is a tree of the repository that may have the files they were
/// made for; `None` where it does not have all of them, or the patch does not even apply to those. `scratch` is a folder
/// to work in.
///
/// # Errors
/// The scratch folder cannot be written, or `git` cannot be run; in words.
pub fn merge(
    patches: &[&PatchMail],
    source: &dyn Source,
    history: &GitTree,
    options: Options,
    scratch: &Path,
) -> Result<Option<Merge>, String> {
    let mut blobs = BTreeMap::new();
    for patch in patches {
        let diff = if options.repair { &patch.decoded } else { &patch.as_sent };
        for file in &diff.files {
            let (Some(path), Some(blob)) = (&file.old_path, &file.old_blob) else { continue };
            if !blobs.contains_key(path.as_str()) {
                blobs.insert(path.as_str(), blob.as_str());
            }
        }
    }
    let before = Before { tree: history, blobs };
    if before.blobs.is_empty() || before.blobs.values().any(|id| history.blob(id).is_none()) {
        return Ok(None);
    }
    let theirs = apply(patches, &before, options);
    if !theirs.outcome.applies() {
        return Ok(None);
    }
    let (mut merged, mut conflicts) = (BTreeMap::new(), Vec::new());
    for (path, new) in &theirs.contents {
        let sides = (source.read(path), before.read(path), new);
        let result = match sides {
            (ours, base, new) if ours == base => new.clone(),
            (ours, _, new) if ours == *new => ours,
            // two links have no lines to merge
            (Some(_), Some(_), Some(_)) if source.mode(path) == LINK || before.mode(path) == LINK => {
                conflicts.push((path.clone(), 1));
                continue;
            }
            (Some(ours), Some(base), Some(new)) => match merge_file(&ours, &base, new, scratch)? {
                Ok(text) => Some(text),
                Err(count) => {
                    conflicts.push((path.clone(), count));
                    continue;
                }
            },
            // gone on one side and changed on the other
            _ => {
                conflicts.push((path.clone(), 1));
                continue;
            }
        };
        merged.insert(path.clone(), result);
    }
    Ok(Some(match conflicts.is_empty() {
        false => Merge::Conflicts(conflicts),
        true if merged.iter().all(|(path, new)| source.read(path) == *new) => Merge::Already,
        true => Merge::Merged(merged, theirs.modes),
    }))
}

/// Applies patches; what does not apply and is whole is merged, where one of the repositories knows the files that the
/// patches were made for.
///
/// # Errors
/// As [`merge`].
pub fn apply_or_merge(
    patches: &[&PatchMail],
    source: &dyn Source,
    histories: &[&GitTree],
    options: Options,
    scratch: &Path,
) -> Result<Application, String> {
    let mut applied = apply(patches, source, options);
    if applied.outcome != Outcome::DoesNotApply {
        return Ok(applied);
    }
    for history in histories {
        match merge(patches, source, history, options, scratch)? {
            Some(Merge::Merged(contents, modes)) => {
                applied.outcome = Outcome::Merged;
                (applied.contents, applied.modes) = (contents, modes);
            }
            Some(Merge::Already) => applied.outcome = Outcome::AlreadyApplied,
            Some(Merge::Conflicts(files)) => applied.conflicts = files,
            None => continue,
        }
        break;
    }
    Ok(applied)
}

/// Merges one file; the inner error is the number of conflicts.
fn merge_file(
    ours: &[u8],
    base: &[u8],
    theirs: &[u8],
    scratch: &Path,
) -> Result<Result<Vec<u8>, usize>, String> {
    let names = ["ours", "base", "theirs"];
    for (name, text) in names.iter().zip([ours, base, theirs]) {
        let path = scratch.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let output = Command::new("git")
        .args(["merge-file", "-p", "--quiet"])
        .args(names)
        .current_dir(scratch)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run: {error}; `sudo apt-get install git` installs it"))?;
    match output.status.code() {
        Some(0) => Ok(Ok(output.stdout)),
        // up to 127 it is the number of conflicts
        Some(count @ 1..=127) => Ok(Err(count as usize)),
        _ => Err(format!("git merge-file failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
