//! What a mail says about its own diff (`git diff --stat`), held against the diff. A mail that was cut off between two
//! hunks is whole but for that.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::damage::{Damage, DamageKind, Fix};
use super::diff::Diff;
use super::text::Line;

static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?\s*$")
        .expect("valid")
});
/// A file's row; a binary one has no count. The bar may be shortened, the count is not.
static ROW: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s(\S.*?)\s+\|\s+(?:(\d+)(?: [+-]*)?|Bin\b.*)\s*$").expect("valid"));

/// The last statistics that stand before a diff.
#[derive(Debug, Default)]
struct Stat {
    /// Line of the input.
    line: usize,
    /// Name and count of changed lines, in order.
    rows: Vec<(String, Option<usize>)>,
    /// Files, insertions and deletions.
    summary: Option<(usize, usize, usize)>,
}

/// Compares what stands before a diff with the diff; `None` where both agree, or nothing is said, or the diff is
/// damaged anyway.
pub fn check(before: &[Line], diff: &Diff) -> Option<Damage> {
    let stat = last(before)?;
    let whole = |diff: &Diff| {
        diff.is_whole()
            && diff.files.iter().all(|file| !file.binary && !file.lacks_hunks() && file.unread.is_empty())
    };
    if !whole(diff) {
        return None;
    }
    let changed: Vec<(usize, usize)> = diff.files.iter().map(super::diff::FileDiff::changed).collect();
    let (added, removed) = changed.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let proof = match stat.summary {
        Some((files, more, less)) if (files, more, less) != (diff.files.len(), added, removed) => {
            let found = describe(diff.files.len(), added, removed);
            Some(format!("the mail says {}, and the diff has {found}", describe(files, more, less)))
        }
        Some(_) => None,
        None => rows(&stat, diff, &changed),
    }?;
    let less = stat
        .summary
        .is_none_or(|(files, more, less)| files > diff.files.len() || more > added || less > removed);
    let why = if less {
        "a part of the patch may be missing; compare with the raw mail"
    } else {
        "the statistics may be those of another version; compare with the raw mail"
    };
    Some(Damage { kind: DamageKind::StatDiffers, lines: vec![stat.line], proof, fix: Fix::None(why.into()) })
}

fn describe(files: usize, added: usize, removed: usize) -> String {
    let word = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("{}, {} and {}", word(files, "file"), word(added, "insertion"), word(removed, "deletion"))
}

/// Rows against the files of the same names.
fn rows(stat: &Stat, diff: &Diff, changed: &[(usize, usize)]) -> Option<String> {
    /// Files of a diff in which shortened names are no longer looked for.
    const MANY: usize = 2000;
    let by_name: BTreeMap<&str, usize> =
        diff.files.iter().zip(changed).map(|(file, count)| (file.path(), count.0 + count.1)).collect();
    stat.rows.iter().find_map(|(name, count)| {
        // shortened in front, or a rename
        let end = name.strip_prefix("...").unwrap_or(name);
        if name.contains("=>") {
            return None;
        }
        let shortened = || by_name.iter().find(|(path, _)| path.ends_with(end)).map(|(_, count)| *count);
        // of thousands of names none is worth looking for the end of
        let found = by_name.get(name.as_str()).copied();
        let found = found.or_else(|| if by_name.len() < MANY { shortened() } else { None });
        if found.is_none() && by_name.len() >= MANY {
            return None;
        }
        match (found, count) {
            (None, _) => Some(format!("the mail names `{name}`, and the diff does not have it")),
            (Some(found), Some(count)) if found != *count => Some(format!(
                "the mail says that {count} lines of `{name}` change, and the diff changes {found}"
            )),
            _ => None,
        }
    })
}

fn last(before: &[Line]) -> Option<Stat> {
    let mut last: Option<Stat> = None;
    let mut open = Stat::default();
    for line in before {
        if let Some(found) = SUMMARY.captures(&line.text) {
            let number = |at: usize| found.get(at).and_then(|digits| digits.as_str().parse().ok());
            let summary = Some((number(1)?, number(2).unwrap_or(0), number(3).unwrap_or(0)));
            let rows = std::mem::take(&mut open).rows;
            last = Some(Stat { line: line.number, rows, summary });
        } else if let Some(found) = ROW.captures(&line.text) {
            if open.rows.is_empty() {
                open.line = line.number;
            }
            let count = found.get(2).and_then(|digits| digits.as_str().parse().ok());
            open.rows.push((found[1].to_owned(), count));
        } else if !line.text.trim().is_empty() && !open.rows.is_empty() {
            last = Some(std::mem::take(&mut open));
        }
    }
    if open.rows.is_empty() { last } else { Some(open) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diff, text};

    const DIFF: &str = "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1,2 @@\n-a\n+b\n+c\n";

    fn said(before: &str) -> Option<String> {
        check(&text::lines(before, 1), &diff::read(&text::lines(DIFF, 10))).map(|damage| damage.to_string())
    }

    #[test]
    fn statistics_that_agree_say_nothing() {
        for before in [
            "why\n",
            " fs/a.c | 3 ++-\n 1 file changed, 2 insertions(+), 1 deletion(-)\n",
            " fs/a.c | 3 ++-\n",
            " .../a.c | 3 ++-\n",
            // of a cover letter, then its own
            " fs/a.c | 9 ++-\n 7 files changed, 2 insertions(+)\n\n fs/a.c | 3 ++-\n 1 file changed, 2 insertions(+), 1 deletion(-)\n",
            "a table\n x | y\n",
        ] {
            assert_eq!(said(before), None, "{before}");
        }
    }

    #[test]
    fn statistics_of_more_than_there_is_are_noticed() {
        let all: Vec<String> = [
            " fs/a.c | 4 ++--\n 1 file changed, 2 insertions(+), 2 deletions(-)\n",
            " 2 files changed, 2 insertions(+), 1 deletion(-)\n",
            " fs/a.c | 3 ++-\n fs/b.c | 1 +\n",
            " fs/a.c | 7 ++-\n",
            " 1 file changed, 1 insertion(+), 1 deletion(-)\n",
        ]
        .into_iter()
        .filter_map(said)
        .collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        line 2: not what the diffstat says: the mail says 1 file, 2 insertions and 2 deletions, and the diff has 1 file, 2 insertions and 1 deletion; not repairable: a part of the patch may be missing; compare with the raw mail
        line 1: not what the diffstat says: the mail says 2 files, 2 insertions and 1 deletion, and the diff has 1 file, 2 insertions and 1 deletion; not repairable: a part of the patch may be missing; compare with the raw mail
        line 1: not what the diffstat says: the mail names `fs/b.c`, and the diff does not have it; not repairable: a part of the patch may be missing; compare with the raw mail
        line 1: not what the diffstat says: the mail says that 7 lines of `fs/a.c` change, and the diff changes 3; not repairable: a part of the patch may be missing; compare with the raw mail
        line 1: not what the diffstat says: the mail says 1 file, 1 insertion and 1 deletion, and the diff has 1 file, 2 insertions and 1 deletion; not repairable: the statistics may be those of another version; compare with the raw mail
        ");
    }
}
