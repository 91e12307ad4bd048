//! From what the sources say of a fix and of a cause to what is expected.

use std::sync::Arc;

use kernel_fixes::{Changelog, Fix, Standing};

use super::tree::{BranchPoint, KernelTree};
use super::{Because, Expectation, Expected, FixSource};
use crate::suite::{Commit, History};
use crate::version::{KernelVersion, Upstream};

/// What is known of a kernel's history.
#[derive(Debug, Default)]
pub struct KnownKernel<'t> {
    /// Its place in a repository.
    pub tree: Option<(&'t KernelTree, BranchPoint)>,
    /// The changelog that tells of its package, and the package's version.
    pub changelog: Option<(Arc<Changelog>, String)>,
    /// Its version.
    pub upstream: Option<Upstream>,
    /// Whether it may have more than its place in the repository and its changelog show: a user's own patches. Then nothing is
    /// said to be lacking.
    pub may_have_more: bool,
}

/// What is expected of a test with this history; `None` where it names no fix, or nothing is known.
pub fn expectation(history: &History, kernel: &KnownKernel<'_>) -> Option<Expectation> {
    let fixes: Vec<&Commit> = history.fixes().collect();
    let causes: Vec<&Commit> = history.introduced.iter().chain(&history.exposed).collect();
    let fix = kernel.standing(&fixes, &history.cves);
    if let Some((Standing::Contains(evidence), source)) = fix {
        return Some(of(Expected::Good, Because::FixContained, source, evidence));
    }
    let cause = kernel.standing(&causes, &[]);
    match (fix, cause) {
        (_, Some((Standing::Lacks(evidence), source))) => {
            Some(of(Expected::Good, Because::CauseLacking, source, evidence))
        }
        (Some((Standing::Lacks(evidence), source)), cause) => {
            let is_there = matches!(cause, Some((Standing::Contains(_), _)));
            let expected = if is_there { Expected::Bad } else { Expected::PossiblyBad };
            Some(of(expected, Because::FixLacking, source, evidence))
        }
        _ => None,
    }
}

fn of(
    expected: Expected,
    because: Because,
    source: FixSource,
    evidence: kernel_fixes::Evidence,
) -> Expectation {
    Expectation { expected, because, source, place: evidence.place, words: evidence.words }
}

impl KnownKernel<'_> {
    /// What the first source that tells says of these commits, or of these vulnerabilities; `None` where none tells.
    fn standing(&self, commits: &[&Commit], cves: &[String]) -> Option<(Standing, FixSource)> {
        if commits.is_empty() && cves.is_empty() {
            return None;
        }
        let mut fix = Fix { cves: cves.to_vec(), ..Fix::default() };
        for commit in commits {
            let titled = self.tree.as_ref().and_then(|(tree, _)| tree.title(&commit.commit));
            fix.commits.push(commit.commit.clone());
            fix.titles.extend(titled.map(str::to_owned).or_else(|| commit.title.clone()));
        }
        // a fix is contained where all of its commits are: titles of some of them do not tell
        if fix.titles.len() < fix.commits.len() {
            fix.titles.clear();
        }
        let by_tree =
            self.tree.as_ref().map_or(Standing::Unknown, |(tree, at)| at.standing(tree, &fix.commits));
        let by_changelog = || match &self.changelog {
            Some((changelog, version)) => changelog.standing(&fix, version),
            None => Standing::Unknown,
        };
        let told = match by_tree {
            Standing::Contains(_) => Some((by_tree, FixSource::Git)),
            // a package has patches of its own, which its upstream's tree lacks
            Standing::Lacks(_) => match by_changelog() {
                contains @ Standing::Contains(_) => Some((contains, FixSource::Changelog)),
                _ => Some((by_tree, FixSource::Git)),
            },
            Standing::Unknown => match by_changelog() {
                Standing::Unknown => Some((self.by_version(commits), FixSource::Version)),
                told => Some((told, FixSource::Changelog)),
            },
        };
        told.filter(|(standing, _)| match standing {
            Standing::Contains(_) => true,
            Standing::Lacks(_) => !self.may_have_more,
            Standing::Unknown => false,
        })
    }

    /// What the first versions of mainline that have the commits say: a later version has them as well. An earlier one may have
    /// them as backports.
    fn by_version(&self, commits: &[&Commit]) -> Standing {
        let Some(kernel) = self.upstream else { return Standing::Unknown };
        let mut newest: Option<(Upstream, &str)> = None;
        for commit in commits {
            let Some(text) = commit.version.as_deref() else { return Standing::Unknown };
            let Ok(version) = text.parse::<KernelVersion>() else { return Standing::Unknown };
            let version = version.upstream();
            // what a stable line got says nothing of other lines
            if matches!(version, Upstream::Release { patch: 0, .. }) && version <= kernel {
                newest = newest.max(Some((version, text)));
            } else {
                return Standing::Unknown;
            }
        }
        match newest {
            Some((_, text)) => {
                Standing::Contains(kernel_fixes::Evidence { place: text.to_owned(), words: String::new() })
            }
            None => Standing::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "\
linux (6.1.40-1) stable; urgency=high

  * New upstream stable update:
    - null_blk: take the lock (CVE-2026-10001)

 -- A Maker <maker@example.org>  Mon, 16 Nov 2026 10:17:40 +0100

linux (6.1.30-1) stable; urgency=medium

  * New upstream stable update:
    - fs: count twice

 -- A Maker <maker@example.org>  Mon, 16 Nov 2025 10:17:40 +0100
";

    fn commit(id: &str, title: Option<&str>, version: Option<&str>) -> Commit {
        Commit { commit: id.into(), version: version.map(Into::into), title: title.map(Into::into) }
    }

    #[track_caller]
    fn check(history: &History, version: &str, expected: &str) {
        let changelog = Arc::new(Changelog::parse(CHANGELOG));
        let upstream = KernelVersion::from_debian(version).unwrap().upstream();
        let kernel = KnownKernel {
            changelog: Some((changelog, version.to_owned())),
            upstream: Some(upstream),
            ..KnownKernel::default()
        };
        let shown = expectation(history, &kernel)
            .map_or_else(|| "-".to_owned(), |found| format!("{:?}: {}", found.expected, found.reason()));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_changelog_tells_by_vulnerability_and_by_title() {
        let by_cve = History { cves: vec!["CVE-2026-10001".into()], ..History::default() };
        check(&by_cve, "6.1.40-1", "Good: its changelog has the fix in 6.1.40-1");
        check(&by_cve, "6.1.30-1", "PossiblyBad: the fix came in 6.1.40-1, by the changelog");
        let fixed = Some(commit("0123456789ab", Some("null_blk: take the lock"), None));
        let by_title = History { fixed, ..History::default() };
        check(&by_title, "6.1.40-1~bpo11+1", "Good: its changelog has the fix in 6.1.40-1");
        let untitled = History { also_fixed: vec![commit("89abcdef0123", None, None)], ..by_title.clone() };
        check(&untitled, "6.1.40-1", "-");
        let caused =
            History { introduced: Some(commit("89abcdef0123", None, Some("v5.4-rc1"))), ..by_title.clone() };
        check(&caused, "6.1.30-1", "Bad: the fix came in 6.1.40-1, by the changelog");
        let young = History { introduced: Some(commit("89abcdef0123", None, Some("v6.5-rc1"))), ..by_title };
        check(&young, "6.1.30-1", "PossiblyBad: the fix came in 6.1.40-1, by the changelog");
        check(&History::default(), "6.1.40-1", "-");
    }

    #[test]
    fn a_version_of_mainline_tells_of_later_ones_alone() {
        let fixed = |version| History {
            fixed: Some(commit("0123456789ab", None, Some(version))),
            ..History::default()
        };
        check(&fixed("v6.0-rc3"), "6.1.40-1", "Good: mainline has the fix since v6.0-rc3");
        check(&fixed("v6.1"), "6.1.40-1", "Good: mainline has the fix since v6.1");
        check(&fixed("v6.2-rc1"), "6.1.40-1", "-");
        // of a stable line
        check(&fixed("v6.0.7"), "6.1.40-1", "-");
    }

    #[test]
    fn of_a_kernel_with_patches_of_a_users_nothing_is_lacking() {
        let by_cve = History { cves: vec!["CVE-2026-10001".into()], ..History::default() };
        let changelog = Arc::new(Changelog::parse(CHANGELOG));
        let kernel = KnownKernel {
            changelog: Some((changelog, "6.1.30-1".into())),
            may_have_more: true,
            ..KnownKernel::default()
        };
        assert_eq!(expectation(&by_cve, &kernel), None);
    }
}
