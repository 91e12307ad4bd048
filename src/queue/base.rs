//! Which tree a series is made for: `base-commit:`, `prerequisite-patch-id:`, and the tree that its subjects name.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::patch::{Queue, git};

/// How many of a tree's last commits are looked through for a prerequisite.
const LOOKED_THROUGH: usize = 500;

/// What a series says of its base, held against a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// What the tree lacks of it, a sentence each; empty: nothing that is known.
    pub lacks: Vec<String>,
    /// What cannot be known, and what else is to be said.
    pub notes: Vec<String>,
}

impl Base {
    /// Holds a series against a tree: a commit of a repository, or something without a history.
    pub fn of(queue: &Queue, tree: &str, history: Option<(&Path, &str)>) -> Base {
        let mut base = Base::default();
        if let Some(wanted) = &queue.base_commit {
            match history {
                None => base.notes.push(format!(
                    "made on {wanted} (base-commit); {tree} has no history that could say whether it is that"
                )),
                Some((repository, commit)) => base.commit(wanted, tree, repository, commit),
            }
        }
        if !queue.prerequisites.is_empty() {
            base.prerequisites(queue, tree, history);
        }
        let named = queue.patches.iter().find_map(|queued| queued.patch.subject.as_ref()?.tree.clone());
        base.notes.extend(named.map(|name| format!("its subject is for {name}")));
        let asked = queue.patches.iter().find_map(|queued| queued.patch.tags.syz_test.clone());
        base.notes.extend(asked.map(|asked| {
            format!("its mail asks for a test on {} {} (#syz test)", asked.repository, asked.branch)
        }));
        base
    }

    fn commit(&mut self, wanted: &str, tree: &str, repository: &Path, commit: &str) {
        let short = &wanted[..wanted.len().min(12)];
        let Some(id) = git::resolve(repository, wanted) else {
            self.lacks.push(format!(
                "it is made on {wanted} (base-commit), which {} does not have; fetch it, and name it: --onto {}@{short}",
                repository.display(),
                repository.display()
            ));
            return;
        };
        if id == commit || says(repository, &["merge-base", "--is-ancestor", &id, commit]).is_some() {
            return;
        }
        let title = says(repository, &["log", "-1", "--format=%s", &id]).unwrap_or_default();
        self.lacks.push(format!(
            "it is made on {short} \"{}\" (base-commit), which {tree} does not contain; --onto {}@{short} tests it there",
            title.trim(),
            repository.display()
        ));
    }

    fn prerequisites(&mut self, queue: &Queue, tree: &str, history: Option<(&Path, &str)>) {
        let count = queue.prerequisites.len();
        let patches = if count == 1 { "one patch".to_owned() } else { format!("{count} patches") };
        let Some((repository, commit)) = history else {
            self.notes.push(format!(
                "it needs {patches} first (prerequisite-patch-id); {tree} has no history that could say whether they are there"
            ));
            return;
        };
        let known = patch_ids(repository, commit);
        let lost: Vec<&str> =
            queue.prerequisites.iter().filter(|id| !known.contains(*id)).map(String::as_str).collect();
        if !lost.is_empty() {
            self.lacks.push(format!(
                "it needs {patches} first (prerequisite-patch-id), of which {} not among the last {LOOKED_THROUGH} commits \
                 of {tree}: {}; put them in front of the queue",
                if lost.len() == 1 { "one is" } else { "these are" },
                lost.join(", ")
            ));
        }
    }
}

/// The ids that `git patch-id --stable` gives the last commits; none where git is not there.
fn patch_ids(repository: &Path, commit: &str) -> BTreeSet<String> {
    let most = format!("-{LOOKED_THROUGH}");
    let log = git_command(repository, &["log", "-p", "--no-ext-diff", "--no-textconv", &most, commit])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut log) = log else { return BTreeSet::new() };
    let Some(patches) = log.stdout.take() else { return BTreeSet::new() };
    let ids = git_command(repository, &["patch-id", "--stable"]).stdin(patches).output();
    let _ = log.wait();
    let said = ids.map(|ids| ids.stdout).unwrap_or_default();
    let words = |line: &str| line.split_whitespace().next().map(str::to_owned);
    String::from_utf8_lossy(&said).lines().filter_map(words).collect()
}

/// git in a repository that is only read.
pub(super) fn git_command(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    // inside a hook these would lead elsewhere
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command
        .args(["--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-C"])
        .arg(repository)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What git says; `None` where it fails.
pub(super) fn says(repository: &Path, arguments: &[&str]) -> Option<String> {
    let output = git_command(repository, arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
