//! Which commit a patch was taken from, in the forms that kernel trees and distributions write it.
//!
//! | who | form |
//! | --- | --- |
//! | stable (Documentation/process/stable-kernel-rules.rst) | `commit SHA upstream.`, `[ Upstream commit SHA ]` |
//! | `git cherry-pick -x`, Ubuntu, Android | `(cherry picked from commit SHA)`, with a tree behind the id, `(backported from commit SHA)` |
//! | Debian (DEP-3) | `Origin: upstream\|backport, URL`, `Applied-Upstream: VERSION, URL` |
//! | SUSE | `Git-commit: SHA` |
//! | Yocto | `Upstream-Status: Backport [URL]` |
//! | openEuler | `mainline inclusion`, `from mainline-v6.2-rc1`, `commit SHA` |
//! | Red Hat, CIQ | `commit SHA` beside `Author:` or `commit-author`; `Upstream Status: linux.git commit SHA` |
//! | SONiC | `[ upstream SHA ]` |
//! | tip | `Commit-ID: SHA` |
//! | stable, of what does not apply | `git cherry-pick -x SHA` |
//!
//! A form counts only as a statement of its own: prose may name any commit. So does what a revert says of the commit that
//! it takes back, see [`reverts`].

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::text::{Line, squeezed};

/// A commit of another tree, written as a hexadecimal id, perhaps shortened.
const ID: &str = "([0-9a-f]{8,40})";
/// What may stand behind an id: the commit's title.
const TITLE: &str = r#"(?:\s*\(\s*["'“].*?["'”]\s*\))?"#;

fn pattern(text: &str) -> Regex {
    let text = text.replace("ID", ID).replace("TITLE", TITLE);
    Regex::new(&format!("(?i){text}")).expect("valid")
}

/// In brackets, anywhere.
static BRACKETS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\[\s*(?:(?:from\s+)?(?:upstream|mainline):?\s+(?:commit:?\s+)?ID|commit:?\s+ID\s+(?:(?:from|in)\s+)?(?:upstream|mainline))\b[^\]]*\]",
    )
});
/// In parentheses, anywhere; a tree may stand behind the id.
static PICKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\((?:cherry[ -]?picked|back[ -]?ported|adapted)\s+from\s+(?:(?:upstream|mainline)\s+)?(?:commit:?\s+)?(?:ID\b|<?(https?://[^\s>)]+)>?)\s*([^)]*)\)",
    )
});
/// A paragraph that begins with it.
static STATEMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\W*(?:(?:(?:this\s+is\s+)?(?:commit:?\s+)?ID TITLE\s+(?:(?:from|in)\s+)?(?:upstream|mainline)(?:\s+(?:linux|kernel|tree))*|(?:(?:is\s+)?from\s+)?(?:upstream|mainline)(?:[ -]commit(?:\s+id)?)?:?\s+ID TITLE)\s*(?:[.:,;\])(]|$)|this\s+(?:patch\s+|commit\s+)?is\s+(?:the\s+)?(?:upstream|mainline)\s+commit\s+ID)"
            .replace(" TITLE", "TITLE")
            .as_str(),
    )
});
/// A sentence that begins with it.
static BACKPORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[.!?:]\s+|\(|\[\s*)(?:this\s+(?:patch\s+|commit\s+)?(?:is\s+)?)?(?:an?\s+|the\s+)?(?:[a-z]+\s+)?(?:backport(?:ed)?\s+(?:of|from)|backports|cherry[ -]?picked\s+from)\s+(?:the\s+)?(?:(?:upstream|mainline|stable)\s+)?(?:commit:?\s+)?ID\b",
    )
});
static KEYED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\s*(origin|applied-upstream|upstream(?:[ -](?:status|id))?|mainline|(?:(?:upstream|mainline|original|git)[ -])?commit[ -]id|(?:upstream|mainline|original|git)[ -]commit(?:s|\(s\))?|(?:backport(?:ed)?|cherry[ -]?picked)[ -](?:of|from))\s*:\s*(\S.*)$",
    )
});
static KEYED_ID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:backport(?:ed)?|accepted|applied|merged|queued|upstream|mainline|in|from|as|since|linus|[\w./-]*linux[\w./-]*|[\w-]+\.git|v?\d+\.\d+(?:\.\d+)?(?:-rc\d+)?)\b[\s,:;(]*)*[\[(<]?\s*(?:commit\s*:?\s*)?ID\b",
    )
});
/// A commit in an address: cgit and gitweb's parameters, and paths of git.kernel.org, GitHub and GitLab.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:[?&;]id=|[?&;]h=|/linus/|/c/|/commit/|/torvalds/|\bcommit:)ID(?:\.patch)?(?:[^0-9a-z/]|$)")
});
/// A tree of a distribution's own, whose commits nobody else has.
static OTHER_TREE: LazyLock<Regex> = LazyLock::new(|| pattern(r"googlesource|android-review|chromium"));
/// What stable's maintainers write of a commit that does not apply to a line.
static CHERRY_PICK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*git\s+cherry-pick\s+(?:-[-\w]+\s+)*ID\s*$"));
static BACKPORTED_ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:backport(?:ed)?|cherry[ -]?picked)\s+(?:of|from)\s+<?(https?://\S+)$"));
static STABLE_ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"/stable/|linux-stable|[?&;]h=linux-\d+\.\d+\.y"));
/// A tree that is no part of mainline's history.
static STABLE_TREE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[\s/])(?:linux-)?v?\d+\.\d+(?:\.\w+)?\b|stable"));
static BARE_COMMIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*commit\s+ID\s*$"));
static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:not|no|never|isn't|instead\s+of|rather\s+than|unlike|without)\b[^.!?]*$")
});
static REVERT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:this\s+)?(?:partial(?:ly)?\s+)?revert(?:s|ed|ing)?:?\s+(?:the\s+)?(upstream\s+|mainline\s+)?(?:commit\s+)?ID\bTITLE(?:[,(\s]*(?:which\s+(?:is|was)\s+)?(?:(?:upstream|mainline)\s+commit\s+ID|commit\s+IDTITLE\s+(?:upstream|mainline)))?[^.]*",
    )
});

/// A commit that a patch takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reverted {
    /// Its id in the tree that the patch is for.
    pub commit: String,
    /// Its id in mainline, where the description names both.
    pub upstream: Option<String>,
}

/// What a description says of where the patch is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The commit in mainline, or in a tree that leads there.
    pub upstream: Option<String>,
    /// The commit in a stable tree that it was taken from.
    pub from_stable: Option<String>,
    /// The commits that it takes back.
    pub reverts: Vec<Reverted>,
}

/// Reads the forms above. Of several statements the strongest counts, and of equal ones the first.
pub fn read(lines: &[Line]) -> Origin {
    let mut origin = Origin::default();
    let mut found = [const { None }; 4];
    let mut note = |rank: usize, id: &str| {
        found[rank].get_or_insert_with(|| id.to_lowercase());
    };
    for paragraph in paragraphs(lines) {
        let (paragraph, reverted) = without_reverts(&paragraph);
        origin.reverts.extend(reverted);
        for found in BRACKETS.captures_iter(&paragraph) {
            first_id(&found).into_iter().for_each(|id| note(0, id));
        }
        if let Some(id) = STATEMENT.captures(&paragraph).as_ref().and_then(first_id) {
            note(0, id);
        }
        for found in PICKED.captures_iter(&paragraph) {
            let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
            let (address, tree) = (part(2), part(3));
            if OTHER_TREE.is_match(address) || OTHER_TREE.is_match(tree) {
                continue;
            }
            let of_address = ADDRESS.captures(address);
            let id = of_address.as_ref().map_or(part(1), |found| found.get(1).map_or("", |id| id.as_str()));
            let stable = STABLE_TREE.is_match(tree) || STABLE_ADDRESS.is_match(address);
            match stable && !tree.contains("torvalds") {
                _ if id.is_empty() => {}
                true => _ = origin.from_stable.get_or_insert_with(|| id.to_lowercase()),
                false => note(1, id),
            }
        }
        let prose = PICKED.replace_all(&paragraph, "");
        for found in BACKPORT.captures_iter(&prose) {
            let negated = NEGATED.is_match(just_before(&prose, found.get(0).map_or(0, |all| all.start())));
            let stable = found.get(0).is_some_and(|all| all.as_str().contains("stable"));
            match first_id(&found).filter(|_| !negated) {
                Some(id) if stable => _ = origin.from_stable.get_or_insert_with(|| id.to_lowercase()),
                Some(id) => note(2, id),
                None => {}
            }
        }
    }
    for (at, line) in lines.iter().enumerate() {
        if let Some((id, stable)) = keyed(&line.text) {
            match stable {
                true => _ = origin.from_stable.get_or_insert(id),
                false => note(1, &id),
            }
        } else if let Some(picked) = CHERRY_PICK.captures(&line.text) {
            note(3, &picked[1]);
        } else if let Some(stated) = STATEMENT.captures(&line.text)
            && stands_alone(lines, at)
        {
            first_id(&stated).into_iter().for_each(|id| note(0, id));
        } else if let Some(bare) = BARE_COMMIT.captures(&line.text) {
            match beside(lines, at) {
                Beside::Mainline => note(3, &bare[1]),
                Beside::Stable => _ = origin.from_stable.get_or_insert_with(|| bare[1].to_lowercase()),
                Beside::Nothing => {}
            }
        }
    }
    origin.upstream = found.into_iter().flatten().next();
    origin
}

fn first_id<'t>(found: &regex::Captures<'t>) -> Option<&'t str> {
    found.iter().skip(1).flatten().next().map(|id| id.as_str())
}

/// The text before a place, of a long one the end.
fn just_before(text: &str, place: usize) -> &str {
    const LONGEST: usize = 400;
    let start = (place.saturating_sub(LONGEST)..=place).find(|at| text.is_char_boundary(*at));
    &text[start.unwrap_or(place)..place]
}

/// The text's paragraphs, each on one line.
fn paragraphs(lines: &[Line]) -> Vec<String> {
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    texts
        .split(|text| text.trim().is_empty())
        .map(|lines| squeezed(&lines.join(" ")))
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// Takes the sentences out that say what is reverted.
fn without_reverts(paragraph: &str) -> (String, Vec<Reverted>) {
    let reverted = REVERT.captures_iter(paragraph).map(|found| {
        let id = |at: usize| found.get(at).map(|id| id.as_str().to_lowercase());
        let commit = id(2).unwrap_or_default();
        let upstream = id(3).or_else(|| id(4)).or_else(|| found.get(1).is_some().then(|| commit.clone()));
        Reverted { commit, upstream }
    });
    let reverted = reverted.collect();
    (REVERT.replace_all(paragraph, "").into_owned(), reverted)
}

/// The commit of a line such as `Git-commit: SHA`, and whether it is one of a stable tree.
fn keyed(text: &str) -> Option<(String, bool)> {
    if let Some(found) = BACKPORTED_ADDRESS.captures(text) {
        let id = ADDRESS.captures(&found[1]).filter(|_| !OTHER_TREE.is_match(text))?;
        return Some((id[1].to_lowercase(), STABLE_ADDRESS.is_match(text)));
    }
    let found = KEYED.captures(text)?;
    let (name, value) = (found[1].to_lowercase(), found[2].trim());
    let first = value.split([',', ' ', '[']).next().unwrap_or_default().to_lowercase();
    let elsewhere = match name.as_str() {
        "origin" => ["vendor", "other"].contains(&first.as_str()),
        name if name.ends_with("status") => {
            ["pending", "submitted", "denied", "inappropriate", "inactive-upstream"].contains(&first.as_str())
        }
        _ => false,
    };
    if elsewhere {
        return None;
    }
    let id = ADDRESS.captures(value).or_else(|| KEYED_ID.captures(value))?;
    Some((id[1].to_lowercase(), STABLE_ADDRESS.is_match(value)))
}

/// Whether the line is no part of a sentence of the lines before: it begins a paragraph, or follows a header.
fn stands_alone(lines: &[Line], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| lines[before].text.trim()) else { return true };
    let keyed = before.split_once(": ").is_some_and(|(name, _)| !name.contains(' '));
    before.is_empty() || keyed || before.ends_with(['.', ':'])
}

enum Beside {
    Mainline,
    Stable,
    Nothing,
}

/// What the lines around `commit SHA` say of it.
fn beside(lines: &[Line], at: usize) -> Beside {
    let near = &lines[at.saturating_sub(3)..(at + 3).min(lines.len())];
    let starts = |word: &str| {
        near.iter().any(|line| {
            line.text.trim_start().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        })
    };
    if starts("stable inclusion") || starts("from stable") {
        Beside::Stable
    } else if ["mainline inclusion", "from mainline", "author:", "commit-author"].into_iter().any(starts) {
        Beside::Mainline
    } else {
        Beside::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    const A: &str = "0123456789abcdef0123456789abcdef01234567";
    const B: &str = "fedcba98765432100123456789abcdef01234567";

    fn of(text: &str) -> Origin {
        read(&lines(&text.replace("AAA", A).replace("BBB", B), 1))
    }

    #[test]
    fn every_form_names_the_commit() {
        let forms = [
            "[ Upstream commit AAA ]",
            "[Upstream commit AAA]",
            "[ commit AAA upstream ]",
            "commit AAA upstream.",
            "Commit AAA upstream",
            "commit AAA (\"x: make y\") upstream.",
            "commit AAA upstream (6.1-stable)",
            "commit AAA\nupstream.",
            "BugLink: x\ncommit AAA upstream.",
            "AAA upstream.",
            "upstream commit AAA.",
            "Upstream commit AAA (\"x: y\")",
            "This is upstream commit AAA.",
            "(cherry picked from commit AAA)",
            "(cherry-picked from commit AAA)",
            "(cherry picked from commit AAA linux-next)",
            "(cherry picked from commit AAA\n https://example.org/linux-next.git master)",
            "(backported from commit AAA)",
            "backport of commit AAA",
            "This is a backport of upstream commit AAA.",
            "This is a partial backport of AAA.",
            "Why.  Backported from mainline commit AAA",
            "Upstream commit: AAA",
            "Upstream-commit: AAA",
            "Upstream: AAA",
            "Upstream: https://git.example.org/linus/AAA",
            "Git-commit: AAA",
            "Origin: https://git.example.org/linus/AAA",
            "Origin: upstream, https://git.example.org/linus/AAA",
            "Origin: backport, https://git.example.org/linux.git/commit/?id=AAA",
            "Origin: upstream, commit:AAA",
            "Applied-Upstream: 6.2, https://git.example.org/linux/commit/AAA.patch",
            "Upstream-Status: Backport [https://git.example.org/torvalds/linux/commit/AAA]",
            "Upstream-Status: Backport [AAA]",
            "mainline inclusion\nfrom mainline-v6.2-rc1\ncommit AAA\ncategory: bugfix",
            "commit AAA\nAuthor: A <a@b.c>\nDate: x",
            "commit BBB from stable v6.1.5\n\ncommit AAA upstream.",
            "stable inclusion\nfrom stable-v6.1.20\ncommit BBB\n\n[ Upstream commit AAA ]",
            "commit AAA upstream.\n\nThis reverts commit BBB.",
            "commit AAA in mainline",
            "commit AAA in mainline.",
            "AAA in mainline",
            "commit AAA from upstream",
            "commit: AAA upstream",
            "This is commit AAA upstream.",
            "commit AAA in upstream linux kernel.",
            "From upstream commit AAA",
            "from mainline commit AAA (\"x: y\")",
            "upstream AAA",
            "[ upstream AAA ]",
            "[ Upstream: AAA ]",
            "[commit AAA from mainline]",
            "[ From upstream commit AAA ]",
            "[ Backport of commit AAA ]",
            "Upstream: v6.2 commit AAA",
            "Upstream: linux.git commit AAA",
            "Upstream Status: net-next.git commit AAA",
            "Upstream Status: since v5.13, commit AAA",
            "Upstream-Status: Backport from v6.2 [commit AAA]",
            "Upstream Commit(s): AAA",
            "Upstream-commits: AAA",
            "Mainline: AAA",
            "Mainline: v6.2 AAA",
            "Upstream-ID: AAA",
            "Commit-ID:     AAA\nGitweb: https://git.example.org/tip/AAA",
            "Cherry-picked-from: AAA",
            "Backported from https://git.example.org/torvalds/linux/commit/AAA",
            "(back ported from commit AAA)",
            "(cherry picked from AAA)",
            "(backported from commit AAA upstream)",
            "(cherry picked from https://git.example.org/linux.git/commit/?id=AAA)",
            "(cherry picked from commit AAA\n https://git.example.org/x.git master)\nBug: 1\nChange-Id: I0",
            "The patch below does not apply to the 6.1-stable tree.\n\ngit checkout FETCH_HEAD\ngit cherry-pick -x AAA\n# <resolve conflicts>",
            "ANBZ: #1\n\ncommit AAA upstream.",
            "jira LE-1\ncve CVE-2024-1\ncommit-author A <a@b.c>\ncommit AAA",
        ];
        let wrong: Vec<_> = forms.iter().filter(|form| of(form).upstream.as_deref() != Some(A)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn what_only_mentions_a_commit_names_none() {
        let texts = [
            "Not a backport of commit AAA upstream, which is different.",
            "The bug was hidden until\ncommit AAA upstream changed the order.",
            "This was fixed by commit AAA upstream in another way.",
            "Since upstream commit AAA (\"x: y\") the lock is held.",
            "Bug-Upstream: AAA",
            "Origin: vendor, https://example.org/commit/AAA",
            "Upstream-Status: Pending [AAA]",
            "Upstream: never",
            "see commit AAA",
            "commit AAA\nis where it began",
            "From upstream commit AAA on it is held.",
            "commit AAA in mainline broke this.",
            "mainline AAA is not affected",
            "(cherry picked from https://android-review.googlesource.com/q/commit:AAA)",
            "(cherry picked from commit AAA https://chromium.googlesource.com/x)",
            "run `git cherry-pick AAA` to see it",
            "Upstream: this was denied, AAA is another way",
        ];
        let wrong: Vec<_> = texts.iter().filter(|text| of(text).upstream.is_some()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_commit_of_a_stable_tree_is_not_mainlines() {
        for text in [
            "stable inclusion\nfrom stable-v5.10.101\ncommit AAA",
            "(cherry picked from commit AAA linux-6.1.y)",
            "Backport of stable commit AAA",
            "Origin: backport, https://git.example.org/stable/linux.git/commit/?h=linux-6.1.y&id=AAA",
        ] {
            let found = of(text);
            assert_eq!((found.upstream, found.from_stable.as_deref()), (None, Some(A)), "{text}");
        }
    }

    #[test]
    fn a_revert_is_not_the_fix() {
        for (text, upstream) in [
            ("This reverts commit AAA which is commit BBB upstream.", Some(B)),
            ("This reverts commit AAA, which is upstream commit BBB.", Some(B)),
            ("This reverts commit\nAAA (\"x: y\") which is\ncommit BBB upstream.\n\nIt broke z.", Some(B)),
            ("This reverts commit AAA (commit BBB upstream).", Some(B)),
            ("This reverts upstream commit AAA.", Some(A)),
            ("This reverts commit AAA.", None),
        ] {
            let found = of(text);
            assert_eq!(found.upstream, None, "{text}");
            let reverted = Reverted { commit: A.into(), upstream: upstream.map(str::to_owned) };
            assert_eq!(found.reverts, [reverted], "{text}");
        }
    }
}
