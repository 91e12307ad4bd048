//! What else people send in place of a unified diff: named as what it is, with what would make a patch of it.

use std::sync::LazyLock;

use regex::Regex;

use super::text::Line;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("valid")
}

static NORMAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+(?:,\d+)?[acd]\d+(?:,\d+)?\s*$"));
static ED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+(?:,\d+)?[acd]\s*$"));
static RCS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[ad]\d+ \d+\s*$"));
static STAT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ \d+ files? changed(?:, |\s*$)"));
static RANGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*\d+:\s+[0-9a-f]{7,40} [=!<>] +(?:\d+|-):\s+(?:[0-9a-f]{7,40}|-{7,40})"));

/// What the lines of a message without a unified diff hold; `None` where that is only text.
pub fn named(lines: &[Line]) -> Option<&'static str> {
    let text = |at: usize| lines.get(at).map_or("", |line| line.text.as_str());
    let any = |is: &dyn Fn(usize) -> bool| (0..lines.len()).any(is);
    let first = lines.iter().find(|line| !line.text.trim().is_empty()).map_or("", |line| &line.text);
    if first.starts_with("# v2 git bundle") || first.starts_with("# v3 git bundle") {
        return Some(
            "a git bundle; `git fetch` takes its commits into a repository, which can be named as REPOSITORY@A..B",
        );
    }
    // before the others: it shows their lines
    if any(&|at| {
        text(at).starts_with("*** ")
            && text(at + 1).starts_with("--- ")
            && text(at + 2).starts_with("*******")
    }) {
        return Some(
            "a context diff (`***` and `---`), which is not read; `diff -u`, or `filterdiff --format=unified`, makes a unified one",
        );
    }
    let side = |line: &str| {
        ["< ", "> ", "<\t", ">\t"].iter().any(|mark| line.starts_with(mark)) || line == "<" || line == ">"
    };
    if any(&|at| NORMAL.is_match(text(at)) && side(text(at + 1))) {
        return Some(
            "a diff without context (`5c5`, `<` and `>`), which says of no file what is changed; `diff -u` makes a unified one",
        );
    }
    let dot = (0..lines.len()).rev().find(|at| text(*at) == ".").unwrap_or(0);
    if any(&|at| ED.is_match(text(at)) && (text(at).trim_end().ends_with('d') || at < dot)) {
        return Some("a script for ed (`diff -e`), which is not run; `diff -u` makes a unified diff");
    }
    if any(&|at| RCS.is_match(text(at))) {
        return Some(
            "a diff for RCS (`diff -n`, `a5 1` and `d5 1`), which is not read; `diff -u` makes a unified one",
        );
    }
    if any(&|at| text(at).contains("are available in the Git repository at")) {
        return Some(
            "a request to pull, which names commits and does not have them; fetch its branch and name them as REPOSITORY@A..B",
        );
    }
    if any(&|at| RANGE.is_match(text(at))) {
        return Some("a comparison of two series (`git range-diff`), which is no patch; fetch the series");
    }
    if any(&|at| STAT.is_match(text(at))) {
        return Some(
            "only the statistics of a diff (`--stat`), and not the diff; `git format-patch` without --stat writes both",
        );
    }
    None
}

/// What bytes that are no text begin with.
pub fn packed(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "gzip's"),
        (b"\xfd7zXZ\0", "xz's"),
        (b"BZh", "bzip2's"),
        (b"\x28\xb5\x2f\xfd", "zstd's"),
        (b"PK\x03\x04", "zip's"),
        (b"\xff\xfe", "UTF-16 text's"),
    ];
    known.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, whose)| *whose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    #[test]
    fn what_is_no_unified_diff_is_named() {
        for (text, word) in [
            (
                "*** a/f.c\t2020\n--- b/f.c\t2021\n***************\n*** 5,7 ****\n! a\n--- 5,7 ----\n! b\n",
                "context diff",
            ),
            ("why\n\n5c5\n< a\n---\n> b\n", "without context"),
            ("12,13d11\n< a\n< b\n", "without context"),
            ("5c\nb\n.\n", "for ed"),
            ("12,13d\n", "for ed"),
            ("d5 1\na5 1\nb\n", "for RCS"),
            (
                "The following changes since commit 0:\n\n  x\n\nare available in the Git repository at:\n\n  u t\n\n f.c | 2 +-\n 1 file changed, 1 insertion(+)\n",
                "request to pull",
            ),
            (
                "why\n---\n f.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n-- \n2.47\n",
                "statistics",
            ),
            ("1:  0123456 ! 1:  89abcde x: y\n    @@ Commit message\n", "two series"),
            ("# v2 git bundle\n", "bundle"),
        ] {
            assert!(named(&lines(text, 1)).is_some_and(|said| said.contains(word)), "{word}: {text}");
        }
        for text in ["why\n", "***\n--- \n", "5c of it\n", "a5 1 is it\n", "see 3d below\n"] {
            assert_eq!(named(&lines(text, 1)), None, "{text}");
        }
    }
}
