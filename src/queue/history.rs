//! What a tree's history already has of a queue.

use std::path::{Path, PathBuf};

use kernel_fixes::{Backports, Fix, Standing};

use super::base::says;
use crate::patch::PatchMail;

/// How many of a tree's last commits are looked through for a backport.
const LOOKED_THROUGH: &str = "-30000";

/// The commits of a tree.
pub struct TreeHistory {
    repository: PathBuf,
    commit: String,
    backports: std::cell::OnceCell<Backports>,
}

impl TreeHistory {
    /// Of a commit of a repository.
    pub fn new(repository: &Path, commit: &str) -> TreeHistory {
        TreeHistory {
            repository: repository.to_owned(),
            commit: commit.to_owned(),
            backports: Default::default(),
        }
    }

    /// The commit that is this patch or a backport of the same one, shortened.
    pub fn has(&self, patch: &PatchMail) -> Option<String> {
        let own = patch.commit.iter().chain(&patch.tags.upstream);
        let contained = own.clone().find(|id| self.contains(id));
        let backport = || {
            let upstream = patch.tags.upstream.as_deref()?;
            let found = self.backports().of(upstream)?;
            found.reverted_by.is_none().then(|| found.commit.clone())
        };
        contained.cloned().or_else(backport).map(|id| id.chars().take(12).collect())
    }

    /// Whether a commit of upstream is part of it, or a commit of the same title is.
    pub fn has_upstream(&self, commit: &str, title: &str) -> bool {
        let known = Fix { titles: vec![title.to_owned()], ..Fix::of_commits([commit]) };
        self.contains(commit) || matches!(self.backports().standing(&known), Standing::Contains(_))
    }

    fn contains(&self, id: &str) -> bool {
        says(&self.repository, &["merge-base", "--is-ancestor", id, &self.commit]).is_some()
    }

    fn backports(&self) -> &Backports {
        self.backports.get_or_init(|| {
            let format = "--format=%H%x00%B%x01";
            let said = says(&self.repository, &["log", "--reverse", LOOKED_THROUGH, format, &self.commit]);
            let mut backports = Backports::default();
            for entry in said.unwrap_or_default().split('\u{1}') {
                if let Some((commit, message)) = entry.trim_start().split_once('\0') {
                    backports.add(commit, message);
                }
            }
            backports
        })
    }
}
