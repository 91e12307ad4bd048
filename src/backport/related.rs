//! Which tests are about a patch's bug: what ties a mail to the suites' links, commits and files.

use std::sync::Arc;

use serde::Serialize;

use crate::patch::PatchMail;
use crate::suite::Test;

/// What ties a test to a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "what")]
pub enum Tie {
    /// The user named the test.
    Named,
    /// The same commit.
    Commit(String),
    /// syzbot's id of the bug.
    Syzbot(String),
    /// The same mail or page.
    Link(String),
    /// The patch touches a file that the defect is in. There may be several defects in a file.
    File(String),
}

impl Tie {
    /// Whether the test is about the very bug.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Tie::File(_))
    }
}

impl std::fmt::Display for Tie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Tie::Named => f.write_str("named"),
            Tie::Commit(id) => write!(f, "commit {id}"),
            Tie::Syzbot(id) => write!(f, "syzbot's id {id}"),
            Tie::Link(link) => write!(f, "link {link}"),
            Tie::File(path) => write!(f, "it touches {path}"),
        }
    }
}

/// A test that is about a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// `suite::test`.
    pub test: String,
    /// What ties them.
    pub tie: Tie,
}

/// The tests that are about these patches; `commit` is the id that the patch has in its own repository. Tests that only
/// share a file are given where there is no better tie.
pub fn related(patches: &[&PatchMail], commit: Option<&str>, tests: &[Arc<Test>]) -> Vec<Related> {
    // a control is never bad
    let own = || tests.iter().filter(|test| test.control_of.is_none());
    let with = |find: &dyn Fn(&Test) -> Option<Tie>| -> Vec<Related> {
        own().filter_map(|test| Some(Related { test: test.id(), tie: find(test)? })).collect()
    };
    let certain = with(&|test| by_commit(patches, commit, test).or_else(|| by_link(patches, test)));
    if certain.is_empty() { with(&|test| by_file(patches, test)) } else { certain }
}

fn by_commit(patches: &[&PatchMail], commit: Option<&str>, test: &Test) -> Option<Tie> {
    let history = &test.history;
    let same = |a: &str, b: &str| {
        let length = a.len().min(b.len());
        length >= 7 && a.get(..length).zip(b.get(..length)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let is_fix = |id: &str| history.fixes().any(|fixed| same(&fixed.commit, id));
    let causes = || history.introduced.iter().chain(&history.exposed);
    let is_cause = |id: &str| causes().any(|cause| same(&cause.commit, id));
    let upstream = patches.iter().filter_map(|patch| patch.tags.upstream.as_deref()).chain(commit);
    let fixes = patches.iter().flat_map(|patch| &patch.tags.fixes).map(|fixes| fixes.commit.as_str());
    let found =
        upstream.into_iter().find(|id| is_fix(id)).or_else(|| fixes.into_iter().find(|id| is_cause(id)))?;
    Some(Tie::Commit(found.chars().take(12).collect()))
}

fn by_link(patches: &[&PatchMail], test: &Test) -> Option<Tie> {
    let ids = patches.iter().flat_map(|patch| &patch.tags.syzbot);
    let reported = |id: &&String| test.links.iter().any(|link| link.contains(&format!("extid={id}")));
    if let Some(id) = ids.into_iter().find(reported) {
        return Some(Tie::Syzbot(id.clone()));
    }
    let mut places: Vec<&str> = Vec::new();
    for patch in patches {
        places.extend(patch.tags.values("Link").chain(patch.tags.values("Closes")));
        places.extend(patch.id.as_deref());
    }
    let same = |link: &&String| places.iter().any(|place| place_of(place) == place_of(link));
    test.links.iter().find(same).cloned().map(Tie::Link)
}

/// What a link leads to: a mail's id wherever it is archived, else the address without its scheme.
fn place_of(link: &str) -> &str {
    let bare = link.trim_matches(['<', '>']).trim_end_matches('/');
    let last = bare.rsplit('/').next().unwrap_or(bare);
    if last.contains('@') { last } else { bare.split_once("://").map_or(bare, |(_, rest)| rest) }
}

fn by_file(patches: &[&PatchMail], test: &Test) -> Option<Tie> {
    let touched = || patches.iter().flat_map(|patch| &patch.decoded.files);
    let is_touched = |path: &&String| touched().any(|file| file.path() == path.as_str());
    test.history.files.iter().find(is_touched).cloned().map(Tie::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Input;

    const SUITE: &str = "\
suite: s
summary: s
tests:
- name: fixed
  summary: t
  history: {fixed: {commit: 9b25f381de6b}, files: [fs/x.c]}
  program: {shell: 'true'}
  symptom: {exit: {code: 1}}
- name: linked
  summary: t
  links: ['https://lore.kernel.org/all/1@example.org/', 'https://syzkaller.appspot.com/bug?extid=b0a0670332b6b3230a0a']
  history: {introduced: {commit: 559dc11143eb}, files: [fs/x.c, fs/y.c]}
  program: {shell: 'true'}
  symptom: {exit: {code: 1}}
- name: control
  summary: t
  control-of: linked
  history: {files: [fs/x.c]}
  program: {shell: 'true'}
  symptom: {exit: {code: 1}}
";

    fn found(head: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.yaml");
        std::fs::write(&path, SUITE).unwrap();
        let suite = crate::suite::load_file(&path).unwrap_or_else(|error| panic!("{error:?}"));
        let text = format!(
            "From: a <a@b.c>\nSubject: [PATCH] x\n\n{head}\n---\n--- a/fs/x.c\n+++ b/fs/x.c\n@@ -1 +1 @@\n-a\n+b\n"
        );
        let input = Input::read("x", text.as_bytes()).unwrap();
        let patches = PatchMail::all(&input);
        let patches: Vec<&PatchMail> = patches.iter().collect();
        related(&patches, None, &suite.tests).iter().map(|one| format!("{}: {}", one.test, one.tie)).collect()
    }

    #[test]
    fn a_test_is_found_by_what_the_mail_says() {
        let table: &[(&str, &[&str])] = &[
            (
                "[ Upstream commit 9b25f381de6b8942645f43735cb0a4fb0ab3a6d1 ]",
                &["s::fixed: commit 9b25f381de6b"],
            ),
            ("Fixes: 559dc11143eb (\"x\")", &["s::linked: commit 559dc11143eb"]),
            (
                "Reported-by: syzbot+b0a0670332b6b3230a0a@syzkaller.appspotmail.com",
                &["s::linked: syzbot's id b0a0670332b6b3230a0a"],
            ),
            (
                "Link: https://patch.msgid.link/1@example.org",
                &["s::linked: link https://lore.kernel.org/all/1@example.org/"],
            ),
            ("", &["s::fixed: it touches fs/x.c", "s::linked: it touches fs/x.c"]),
        ];
        for (head, expected) in table {
            assert_eq!(found(head), *expected, "{head}");
        }
    }
}
