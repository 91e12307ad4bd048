//! `Fixes:` as people write it: which commits a patch repairs.
//!
//! The form is `Fixes: 54a4f0239f2e ("title")` (Documentation/process/submitting-patches.rst); quotes, parentheses and
//! what stands around the id vary.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::text::squeezed;

/// An id with its title, quoted in one of several ways, or behind a colon or a dash.
static ONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix) \b ([0-9a-f]{7,40}) \b
        (?: [\]>`,]? \s* \( \s* ["“”] (.*?) ["“”] \s* \)
          | [\]>`,]? \s* \( \s* ['‘’] (.*?) ['‘’] \s* \)
          | \s* \( \s* ([^()]*(?:\([^()]*\)[^()]*)*) \)
          | \s* ["“] (.*?) ["”] \s* (?:$|\#|,)
          | \s* (?: : | -\ | \x{2013}\  ) \s* ([^\#]*?) \s* (?:$|\#)
          | \s* \( \s* ["“'] (.*) $
          | \s+ ([a-z][\w/.,+\ -]*:\ [^\#]*?) \s* (?:$|\#)
        )?"#,
    )
    .expect("valid")
});
/// What may stand before the first id.
static LEAD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:upstream\s+|mainline\s+)?(?:(?:git\s+)?commit:?\s*|linux-[\w.-]+\s*)?[\[(<`]?$")
        .expect("valid")
});
static WITHOUT_COLON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"^\s*(?:Fixes\s*[;.-]?\s+|Fix(?:ed)?\s*:?\s+)((?:commit\s+)?[0-9a-fA-F]{8,40}\s*\(\s*["'“].*)$"#,
    )
    .expect("valid")
});

/// An address of a commit: cgit's, GitHub's, GitLab's.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^<?https?://\S*?/(?:c|linus|commits?)/(?:\?(?:\S*?[;&])?id=)?([0-9a-f]{7,40})(?:\.patch)?(?:[/>#?&]\S*)?(?:\s+(.*))?$")
        .expect("valid")
});
/// What is no title: `(v5.10)`.
static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^v?\d+\.\d+[\w.+-]*$").expect("valid"));

/// A commit that the patch repairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fixes {
    /// Its id, often shortened.
    pub commit: String,
    /// Its title.
    pub title: Option<String>,
}

/// The value of a line that says `Fixes` without the colon.
pub fn without_colon(text: &str) -> Option<&str> {
    let is_short = text.len() < super::tags::LONGEST;
    Some(WITHOUT_COLON.captures(Some(text).filter(|_| is_short)?)?.get(1)?.as_str())
}

/// The commits in the value of a `Fixes:` line, continued by `next`, the lines behind it. Answers also how many of these
/// belong to it.
pub fn read(value: &str, next: &[&str]) -> (Vec<Fixes>, usize) {
    let (joined, taken) = continued(value, next);
    let joined = match ADDRESS.captures(&joined) {
        Some(found) => format!("{} {}", &found[1], found.get(2).map_or("", |title| title.as_str())),
        None => joined,
    };
    let mut found: Vec<Fixes> = Vec::new();
    let mut behind = 0;
    for one in ONE.captures_iter(&joined) {
        let (Some(all), Some(id)) = (one.get(0), one.get(1)) else { continue };
        let between = joined[behind..id.start()].trim();
        let follows = match found.is_empty() {
            true => LEAD.is_match(between),
            false => matches!(between.trim_start_matches("commit").trim(), "," | "and" | ", and" | ";" | "&"),
        };
        if !follows {
            break;
        }
        let title = one.iter().skip(2).flatten().next().map(|title| squeezed(title.as_str()));
        // a comma that ended the title is also what parts it from the next
        behind = all.end() - usize::from(all.as_str().ends_with(',') && title.is_some());
        found.push(Fixes {
            commit: id.as_str().to_lowercase(),
            title: title.filter(|title| !title.is_empty() && !VERSION.is_match(title)),
        });
    }
    (found, taken)
}

/// The value joined with the lines that its title goes on in, or begins on.
fn continued(value: &str, next: &[&str]) -> (String, usize) {
    let value = squeezed(value);
    let bare = value.len() <= 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if bare {
        return match next.first().map(|line| line.trim()) {
            Some(line) if line.starts_with("(\"") || line.starts_with("('") => {
                let (title, taken) = continued(line, &next[1..]);
                (format!("{value} {title}"), taken + 1)
            }
            _ => (value, 0),
        };
    }
    let open = |text: &str| {
        let quoted = ["(\"", "('", "(“"].into_iter().any(|start| text.contains(start));
        quoted && text.matches('(').count() > text.matches(')').count()
    };
    let mut joined = value.clone();
    for (at, line) in next.iter().take(3).enumerate() {
        if !open(&joined) {
            return (joined, at);
        }
        let line = line.trim();
        if line.is_empty() || line.split_once(": ").is_some_and(|(name, _)| name.ends_with("-by")) {
            break;
        }
        joined = format!("{joined} {line}");
    }
    if open(&joined) { (value, 0) } else { (joined, next.len().min(3)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_read_however_they_are_quoted() {
        let values = [
            "0123456789ab (\"a: b\")",
            "0123456789ab (\"a: b (c)\")",
            "0123456789ab (a: b)",
            "0123456789ab ('a: b')",
            "0123456789ab (\"a: don't\")",
            "0123456789ab (“a: b”)",
            "0123456789ab \"a: b\"",
            "0123456789ab: a: b",
            "0123456789ab - a: b",
            "commit 0123456789ab (\"a\")",
            "0123456789ab (\"a\") # 5.10",
            "0123456789ab (\"a: b\").",
            "0123456ABCDE (\"a\")",
            "0123456789ab (\"a: \"b\" c\")",
            "0123456789ab (\"a: b\"), cdef01234567 (\"c: d\")",
            "0123456789ab and cdef01234567",
            "linux-6.1.y 0123456789ab (\"a\")",
            "0123456789ab",
            "0123456789ab # 5.10",
            "`0123456789ab` (\"a: b\")",
            "[0123456789ab] (\"a: b\")",
            "git commit 0123456789ab",
            "0123456789ab, (\"a: b\")",
            "0123456789ab a: b",
            "0123456789ab a: b # 5.10",
            "0123456789ab (v5.10)",
            "https://git.example.org/linux/c/0123456789ab",
            "https://git.example.org/linux.git/commit/?id=0123456789ab",
            "https://git.example.org/linux.git/commit/?h=v6.1&id=0123456789ab (\"a: b\")",
            "https://example.org/torvalds/linux/commit/0123456789ab",
            "https://example.org/show_bug.cgi?id=12345678",
            "https://example.org/bug?extid=0123456789ab",
            "v5.1-rc1",
            "CVE-2024-12345678",
            "the crash of 0123456789ab",
            "0123456789ab (\"a: cut",
        ];
        let shown: Vec<String> = values
            .iter()
            .map(|value| {
                let all: Vec<String> = read(value, &[])
                    .0
                    .iter()
                    .map(|one| format!("{} {}", one.commit, one.title.as_deref().unwrap_or("?")))
                    .collect();
                format!("{value} => {}", all.join(" | "))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        0123456789ab ("a: b") => 0123456789ab a: b
        0123456789ab ("a: b (c)") => 0123456789ab a: b (c)
        0123456789ab (a: b) => 0123456789ab a: b
        0123456789ab ('a: b') => 0123456789ab a: b
        0123456789ab ("a: don't") => 0123456789ab a: don't
        0123456789ab (“a: b”) => 0123456789ab a: b
        0123456789ab "a: b" => 0123456789ab a: b
        0123456789ab: a: b => 0123456789ab a: b
        0123456789ab - a: b => 0123456789ab a: b
        commit 0123456789ab ("a") => 0123456789ab a
        0123456789ab ("a") # 5.10 => 0123456789ab a
        0123456789ab ("a: b"). => 0123456789ab a: b
        0123456ABCDE ("a") => 0123456abcde a
        0123456789ab ("a: "b" c") => 0123456789ab a: "b" c
        0123456789ab ("a: b"), cdef01234567 ("c: d") => 0123456789ab a: b | cdef01234567 c: d
        0123456789ab and cdef01234567 => 0123456789ab ? | cdef01234567 ?
        linux-6.1.y 0123456789ab ("a") => 0123456789ab a
        0123456789ab => 0123456789ab ?
        0123456789ab # 5.10 => 0123456789ab ?
        `0123456789ab` ("a: b") => 0123456789ab a: b
        [0123456789ab] ("a: b") => 0123456789ab a: b
        git commit 0123456789ab => 0123456789ab ?
        0123456789ab, ("a: b") => 0123456789ab a: b
        0123456789ab a: b => 0123456789ab a: b
        0123456789ab a: b # 5.10 => 0123456789ab a: b
        0123456789ab (v5.10) => 0123456789ab ?
        https://git.example.org/linux/c/0123456789ab => 0123456789ab ?
        https://git.example.org/linux.git/commit/?id=0123456789ab => 0123456789ab ?
        https://git.example.org/linux.git/commit/?h=v6.1&id=0123456789ab ("a: b") => 0123456789ab a: b
        https://example.org/torvalds/linux/commit/0123456789ab => 0123456789ab ?
        https://example.org/show_bug.cgi?id=12345678 => 
        https://example.org/bug?extid=0123456789ab => 
        v5.1-rc1 => 
        CVE-2024-12345678 => 
        the crash of 0123456789ab => 
        0123456789ab ("a: cut => 0123456789ab a: cut
        "#);
    }

    #[test]
    fn a_title_goes_on_on_the_next_line() {
        let title = |value: &str, next: &[&str]| {
            let (found, taken) = read(value, next);
            (found[0].title.clone().unwrap_or_default(), taken)
        };
        assert_eq!(
            title("0123456789ab (\"a: b", &[" very long title\")", "x"]),
            ("a: b very long title".into(), 1)
        );
        assert_eq!(title("0123456789ab", &["(\"a: b\")"]), ("a: b".into(), 1));
        assert_eq!(title("0123456789ab (\"a: b", &["Signed-off-by: A <a@b.c>"]), ("a: b".into(), 0));
    }

    #[test]
    fn the_colon_may_be_missing() {
        for said in ["Fixes", "Fixes;", "Fixes -", "Fix:", "Fixed:", "Fixed"] {
            assert!(without_colon(&format!("{said} 0123456789ab (\"a: b\")")).is_some(), "{said}");
        }
        assert!(without_colon("Fixes 0123456789 problems").is_none());
    }
}
