//! A commit of a git repository as a source, and what its history tells. The repository is only read: no work tree, no
//! index and no reference of it is touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::source::{EXECUTABLE, LINK, PLAIN, Source, is_inside};

/// Commits that are named for one place.
const NAMED: &str = "-5";

/// The tree of one commit.
#[derive(Clone, Debug)]
pub struct GitTree {
    repository: PathBuf,
    commit: String,
}

impl GitTree {
    /// The tree of a commit of the repository in this folder; `None` where it has no such commit, or is none.
    pub fn new(repository: &Path, reference: &str) -> Option<GitTree> {
        let commit = resolve(repository, reference)?;
        Some(GitTree { repository: repository.to_owned(), commit })
    }

    /// Its commit: 40 hexadecimal digits.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The contents with this id, which may be shortened.
    pub fn blob(&self, id: &str) -> Option<Vec<u8>> {
        git(&self.repository, &["cat-file", "blob", id])
    }

    /// Commits before `upstream` that touched these lines (from 1) of a file as they were right before it, and that this
    /// tree lacks: `id title`, newest first. Empty where the repository does not have `upstream`. A commit counts as
    /// there when the file's history has one of the same title, as a backport has.
    pub fn lacking(&self, upstream: &str, path: &str, first: usize, last: usize) -> Vec<String> {
        let Some(before) = resolve(&self.repository, &format!("{upstream}^")) else { return Vec::new() };
        let touched = touched(&self.repository, &before, path, first, last);
        if touched.is_empty() {
            return touched;
        }
        let titles = self.lines(&["log", "--format=%s", &self.commit, "--", path]);
        let there = |id: &str| {
            let args = ["merge-base", "--is-ancestor", id, self.commit.as_str()];
            git(&self.repository, &args).is_some()
        };
        let is_there = |commit: &String| match commit.split_once(' ') {
            Some((id, title)) => titles.iter().any(|known| known == title) || there(id),
            None => true,
        };
        touched.into_iter().filter(|commit| !is_there(commit)).collect()
    }

    fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let said = git(&self.repository, arguments).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().map(str::to_owned).collect()
    }
}

impl Source for GitTree {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let named = format!("{}:{path}", self.commit);
        if is_inside(path) { git(&self.repository, &["cat-file", "blob", &named]) } else { None }
    }

    fn has_folder(&self, path: &str) -> bool {
        let named = format!("{}:{path}", self.commit);
        is_inside(path)
            && git(&self.repository, &["cat-file", "-t", &named])
                .is_some_and(|kind| kind.trim_ascii() == b"tree")
    }

    fn mode(&self, path: &str) -> &'static str {
        if !is_inside(path) {
            return PLAIN;
        }
        let named = format!(":(literal){path}");
        let listed = git(&self.repository, &["ls-tree", "--full-tree", &self.commit, "--", &named]);
        let listed = listed.unwrap_or_default();
        [EXECUTABLE, LINK].into_iter().find(|mode| listed.starts_with(mode.as_bytes())).unwrap_or(PLAIN)
    }

    fn named(&self, name: &str) -> Vec<String> {
        const MOST: usize = 8;
        let files = self.lines(&["ls-tree", "-r", "--name-only", "--full-tree", &self.commit]);
        let fits = |path: &&String| path.rsplit('/').next() == Some(name);
        files.iter().filter(fits).take(MOST).cloned().collect()
    }

    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String> {
        touched(&self.repository, &self.commit, path, first, last)
    }
}

/// The id of a commit.
pub fn resolve(repository: &Path, reference: &str) -> Option<String> {
    let commit = format!("{reference}^{{commit}}");
    let said = git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}

/// A commit, or a range of them, as `git format-patch` writes mails.
pub fn as_mails(repository: &Path, reference: &str) -> Option<Vec<u8>> {
    let options =
        ["format-patch", "--stdout", "--full-index", "--no-ext-diff", "--no-textconv", "--no-signature"];
    let one = (!reference.contains("..")).then_some("-1");
    let arguments: Vec<&str> =
        options.into_iter().chain(one).chain(["--end-of-options", reference]).collect();
    git(repository, &arguments)
}

/// How many merges a range of commits has, for which [`as_mails`] gives nothing.
pub fn merges(repository: &Path, range: &str) -> usize {
    if !range.contains("..") {
        return 0;
    }
    let said = git(repository, &["rev-list", "--count", "--merges", "--end-of-options", range]);
    String::from_utf8_lossy(&said.unwrap_or_default()).trim().parse().unwrap_or(0)
}

/// The commits that last touched these lines, newest first, as `id title`.
pub(super) fn touched(repository: &Path, commit: &str, path: &str, first: usize, last: usize) -> Vec<String> {
    if !is_inside(path) {
        return Vec::new();
    }
    let range = format!("-L{first},{last}:{path}");
    let said = git(repository, &["log", NAMED, "--no-patch", "--format=%h %s", &range, commit]);
    let said = said.unwrap_or_default();
    String::from_utf8_lossy(&said).lines().map(str::to_owned).collect()
}

/// What git prints in this repository; `None` where it fails.
fn git(repository: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    // inside a hook these would lead elsewhere
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command
        .args(["--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-C"])
        .arg(repository)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}
