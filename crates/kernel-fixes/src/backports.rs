//! The commits of a branch, by the commits of mainline that they are backports of.

use std::collections::HashMap;

use mail_patch::tags;

use crate::{Evidence, Fix, Standing};

/// A commit of a branch that names one of mainline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backport {
    /// The branch's commit.
    pub commit: String,
    /// Its title.
    pub title: String,
    /// Whether a later commit of the branch took it back.
    pub reverted_by: Option<String>,
}

/// What a branch has, oldest commits first.
#[derive(Clone, Debug, Default)]
pub struct Backports {
    /// By the whole or shortened id of the mainline commit.
    by_upstream: HashMap<String, Backport>,
    /// The upstream id of a commit of the branch.
    upstream_of: HashMap<String, String>,
    by_title: HashMap<String, String>,
}

/// Shorter ids are not compared.
const SHORTEST_ID: usize = 8;

impl Backports {
    /// Takes in the next younger commit of the branch: its id and its whole message.
    pub fn add(&mut self, commit: &str, message: &str) {
        let title = message.lines().next().unwrap_or_default().trim();
        let tags = tags::of_message(message);
        for reverted in &tags.reverts {
            let upstream = reverted
                .upstream
                .as_ref()
                .or_else(|| self.key_of(&reverted.commit).and_then(|id| self.upstream_of.get(&id)));
            let original = upstream.cloned().unwrap_or_else(|| reverted.commit.clone());
            let known = self.find(&original).or_else(|| self.find(&reverted.commit));
            let reverted_by = Some(commit.to_owned());
            match known.and_then(|id| self.by_upstream.get_mut(&id)) {
                Some(backport) => backport.reverted_by = reverted_by,
                // it is older than the branch
                None => {
                    let backport =
                        Backport { commit: original.clone(), title: title.to_owned(), reverted_by };
                    self.by_upstream.insert(original, backport);
                }
            }
        }
        let upstream = tags.upstream.unwrap_or_else(|| commit.to_owned());
        self.upstream_of.insert(commit.to_owned(), upstream.clone());
        self.by_title.insert(title.to_owned(), upstream.clone());
        let backport = Backport { commit: commit.to_owned(), title: title.to_owned(), reverted_by: None };
        self.by_upstream.insert(upstream, backport);
    }

    fn key_of(&self, commit: &str) -> Option<String> {
        matching(self.upstream_of.keys(), commit)
    }

    fn find(&self, upstream: &str) -> Option<String> {
        matching(self.by_upstream.keys(), upstream)
    }

    /// The commit of the branch that is `upstream`, or a backport of it.
    pub fn of(&self, upstream: &str) -> Option<&Backport> {
        self.by_upstream.get(&self.find(upstream)?)
    }

    /// What the branch shows of a fix. That none of its commits names one of mainline is no proof that it is not there: it may be
    /// older than the branch.
    pub fn standing(&self, fix: &Fix) -> Standing {
        let answer = |backport: &Backport| match &backport.reverted_by {
            Some(commit) => Standing::Lacks(Evidence {
                place: commit.clone(),
                words: format!("takes back: {}", backport.title),
            }),
            None => {
                Standing::Contains(Evidence { place: backport.commit.clone(), words: backport.title.clone() })
            }
        };
        Standing::of_parts(fix.commits.iter().map(|commit| self.of(commit).map_or(Standing::Unknown, answer)))
            .or_else(|| {
                Standing::of_parts(fix.titles.iter().map(|title| {
                    let found = self.by_title.get(title.trim()).and_then(|id| self.by_upstream.get(id));
                    found.map_or(Standing::Unknown, answer)
                }))
            })
    }
}

/// The id that `wanted` is, or that one of both shortens.
fn matching<'i>(mut ids: impl Iterator<Item = &'i String>, wanted: &str) -> Option<String> {
    let wanted = wanted.to_ascii_lowercase();
    if wanted.len() < SHORTEST_ID {
        return None;
    }
    ids.find(|id| id.starts_with(&wanted) || (id.len() >= SHORTEST_ID && wanted.starts_with(id.as_str())))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIX: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn branch() -> Backports {
        let mut branch = Backports::default();
        branch.add("a1a1a1a1a1a1", &format!("block: hold it\n\ncommit {FIX} upstream.\n\nWords.\n"));
        branch.add("b2b2b2b2b2b2", &format!("fs: keep it\n\n[ Upstream commit {OTHER} ]\n\nWords.\n"));
        branch.add("c3c3c3c3c3c3", "net: only here\n\nWords.\n");
        branch
    }

    fn shown(branch: &Backports, fix: &Fix) -> String {
        match branch.standing(fix) {
            Standing::Contains(evidence) => format!("contains {}", evidence.place),
            Standing::Lacks(evidence) => format!("lacks {}", evidence.place),
            Standing::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_backport_is_found_by_the_commit_that_it_names() {
        assert_eq!(shown(&branch(), &Fix::of_commits([FIX])), "contains a1a1a1a1a1a1");
        assert_eq!(shown(&branch(), &Fix::of_commits([&FIX[..12]])), "contains a1a1a1a1a1a1");
        assert_eq!(shown(&branch(), &Fix::of_commits([OTHER])), "contains b2b2b2b2b2b2");
        assert_eq!(shown(&branch(), &Fix::of_commits(["c3c3c3c3c3c3"])), "contains c3c3c3c3c3c3");
        assert_eq!(shown(&branch(), &Fix::titled("fs: keep it")), "contains b2b2b2b2b2b2");
        assert_eq!(shown(&branch(), &Fix::of_commits([FIX, OTHER])), "contains b2b2b2b2b2b2");
    }

    #[test]
    fn silence_is_no_proof() {
        assert_eq!(shown(&branch(), &Fix::of_commits(["ffffffffffff"])), "unknown");
        assert_eq!(shown(&branch(), &Fix::of_commits([FIX, "ffffffffffff"])), "unknown");
        // too short to be an id
        assert_eq!(shown(&branch(), &Fix::of_commits(["01234"])), "unknown");
    }

    #[test]
    fn what_was_taken_back_is_lacking_until_it_comes_again() {
        let mut branch = branch();
        branch.add("d4d4d4d4d4d4", "Revert \"block: hold it\"\n\nThis reverts commit a1a1a1a1a1a1.\n");
        assert_eq!(shown(&branch, &Fix::of_commits([FIX])), "lacks d4d4d4d4d4d4");
        branch.add("e5e5e5e5e5e5", &format!("block: hold it\n\ncommit {FIX} upstream.\n"));
        assert_eq!(shown(&branch, &Fix::of_commits([FIX])), "contains e5e5e5e5e5e5");
        // one that is older than the branch
        let older = "7777777777777777777777777777777777777777";
        branch.add("f6f6f6f6f6f6", &format!("Revert \"net: old\"\n\nThis reverts commit {older}.\n"));
        assert_eq!(shown(&branch, &Fix::of_commits([older])), "lacks f6f6f6f6f6f6");
    }
}
