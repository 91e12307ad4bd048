//! What a queue and its tree lack of upstream: commits that repair what is queued, reverts of it, and what patches that do
//! not apply may need first. Facts with commit and subject; nothing is judged.

use std::path::Path;

use super::base::says;
use super::history::TreeHistory;
use super::needs::same_commit;
use super::reading::Reading;
use crate::event::queue::{Missing, MissingKind};
use crate::patch::queue::Queued;
use crate::patch::{Application, HunkResult, tags};
use crate::version::Line;

/// Commits of upstream that are looked through.
const LOOKED_THROUGH: &str = "-60000";

/// Commits that are named for one place of a patch that does not apply.
const NAMED: &str = "-5";

/// Where upstream is.
pub struct Upstream<'a> {
    /// The repository.
    pub repository: &'a Path,
    /// Its branch.
    pub reference: &'a str,
    /// The history of the tree that the queue is put on, where it has one.
    pub tree: Option<&'a TreeHistory>,
    /// The line of that tree: what its first release has is there.
    pub line: Option<Line>,
}

impl Upstream<'_> {
    /// What is missing for a queue.
    pub fn missing(&self, reading: &Reading) -> Vec<Missing> {
        let mut found = self.repairs(reading);
        for (queued, application) in &reading.refused {
            found.extend(self.prerequisites(queued, application, reading));
        }
        found.sort_by_key(|one| one.patch);
        found
    }

    /// The release that the tree's line begins with, as a tag that the repository has.
    fn release(&self) -> Option<String> {
        let line = self.line?;
        let tag = format!("v{}.{}", line.major, line.minor);
        says(self.repository, &["rev-parse", "--verify", "--quiet", &format!("{tag}^{{commit}}")])
            .map(|_| tag)
    }

    /// Whether the tree or the queue has a commit of upstream.
    fn has(&self, commit: &str, title: &str, reading: &Reading) -> bool {
        let queued = reading.kept.iter().any(|queued| {
            let patch = &queued.patch;
            let ids = [&patch.tags.upstream, &patch.commit];
            patch.title() == title || ids.into_iter().flatten().any(|id| same_commit(id, commit))
        });
        queued
            || self.tree.is_some_and(|tree| tree.has_upstream(commit, title))
            || self.release().is_some_and(|tag| {
                says(self.repository, &["merge-base", "--is-ancestor", commit, &tag]).is_some()
            })
    }

    /// Commits that repair or take back what is queued.
    fn repairs(&self, reading: &Reading) -> Vec<Missing> {
        let known: Vec<(usize, &str)> = reading
            .kept
            .iter()
            .flat_map(|queued| {
                let ids = [&queued.patch.tags.upstream, &queued.patch.commit];
                ids.into_iter().flatten().map(|id| (queued.number, id.as_str()))
            })
            .collect();
        let mut arguments =
            vec!["log", "--no-merges", LOOKED_THROUGH, "--format=%H%x00%B%x01", self.reference];
        let release = self.release().map(|tag| format!("^{tag}"));
        arguments.extend(release.as_deref());
        let said = says(self.repository, &arguments).unwrap_or_default();
        let mut found = Vec::new();
        for entry in said.split('\u{1}') {
            let Some((commit, message)) = entry.trim_start().split_once('\0') else { continue };
            let lower = message.to_ascii_lowercase();
            if !["fixes", "revert"].iter().any(|word| lower.contains(word)) {
                continue;
            }
            let title = message.lines().next().unwrap_or_default().trim();
            let tags = tags::of_message(message);
            let named = |ids: Vec<&str>| {
                known.iter().find(|(_, known)| ids.iter().any(|id| same_commit(id, known))).map(|(n, _)| *n)
            };
            let reverts = named(tags.reverts.iter().map(|reverted| reverted.commit.as_str()).collect());
            let fixes = || named(tags.fixes.iter().map(|fixes| fixes.commit.as_str()).collect());
            let (kind, patch) = match (reverts, fixes()) {
                (Some(patch), _) => (MissingKind::Revert, patch),
                (None, Some(patch)) => (MissingKind::Fix, patch),
                (None, None) => continue,
            };
            if !self.has(commit, title, reading) {
                found.push(missing(kind, patch, commit, title));
            }
        }
        found
    }

    /// Commits that changed what a patch that does not apply stands on.
    fn prerequisites(&self, queued: &Queued, application: &Application, reading: &Reading) -> Vec<Missing> {
        let patch = &queued.patch;
        let mut found: Vec<Missing> = Vec::new();
        let Some(upstream) = patch.tags.upstream.as_deref().or(patch.commit.as_deref()) else { return found };
        for (file, hunk) in patch.decoded.hunks() {
            let failed = application.files.iter().filter(|one| one.path == file.path()).any(|one| {
                let is_it = |(line, result): &(usize, HunkResult)| {
                    *line == hunk.line && matches!(result, HunkResult::Failed(_))
                };
                one.hunks.iter().any(is_it)
            });
            let Some(path) = file.old_path.as_deref().filter(|_| failed && hunk.old.len > 0) else {
                continue;
            };
            let range = format!("-L{},{}:{path}", hunk.old.start, hunk.old.start + hunk.old.len - 1);
            let before = format!("{upstream}^");
            let said =
                says(self.repository, &["log", NAMED, "--no-patch", "--format=%H%x00%s", &range, &before]);
            for (commit, title) in said.unwrap_or_default().lines().filter_map(|line| line.split_once('\0')) {
                let is_new = found.iter().all(|one| !commit.starts_with(&one.commit));
                if is_new && !self.has(commit, title, reading) {
                    found.push(missing(MissingKind::Prerequisite, queued.number, commit, title));
                }
            }
        }
        found
    }
}

fn missing(kind: MissingKind, patch: usize, commit: &str, title: &str) -> Missing {
    Missing { kind, patch, commit: commit.chars().take(12).collect(), title: title.to_owned() }
}
