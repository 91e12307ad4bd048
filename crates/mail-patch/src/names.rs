//! The names in a diff's headers, and which path of a tree each of them means.
//!
//! The rules are those of `git apply -p1` and of `patch -p1`: one leading folder is dropped, of two names that differ the
//! second counts unless the first is a beginning of it, a file dated at the epoch is not there. Where a name cannot have
//! a folder to drop (`diff.noprefix`), the tree's own files decide.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::diff::{Diff, FileDiff, Operation};
use super::text;

/// Dates as GNU diff writes them behind a name; the zone is absent in old ones.
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\s+(\d{4}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?: ?([-+])(\d\d):?(\d\d))?\s*$")
        .expect("valid")
});

/// What Subversion puts behind a name, where the tab before it was lost.
static SUBVERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\s+\((?:revision \d+|working copy|nonexistent)\)\s*$").expect("valid"));

/// What `git diff` and its `mnemonicPrefix` put before names.
const PREFIXES: [&str; 8] = ["a", "b", "i", "w", "c", "o", "old", "new"];

/// A name of a `---` or `+++` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name without quotes and date; absent for `/dev/null`.
    pub path: Option<String>,
    /// Whether the file is dated at the epoch, as one that is not there.
    pub epoch: bool,
}

/// Reads what stands behind `--- ` or `+++ `.
pub fn of_header(text: &str) -> Name {
    let text = text.trim_end_matches('\r');
    let (path, rest) = match unquoted(text) {
        Some((path, rest)) => (path, rest),
        None => {
            let end = text.find('\t').or_else(|| DATE.find(text).map(|date| date.start()));
            let (path, rest) = text.split_at(end.unwrap_or(text.len()));
            (path.trim().to_owned(), rest)
        }
    };
    let (path, rest) = match SUBVERSION.find(&path) {
        Some(found) => (path[..found.start()].to_owned(), path[found.start()..].to_owned()),
        None => (path, rest.to_owned()),
    };
    let nothing = ["(revision 0)", "(nonexistent)"].contains(&rest.trim());
    Name { path: (path != "/dev/null").then_some(path), epoch: nothing || is_epoch(&rest) }
}

fn is_epoch(date: &str) -> bool {
    if ["Thu Jan  1 00:00:00 1970", "Thu Jan 01 00:00:00 1970 +0000"]
        .iter()
        .any(|epoch| date.trim_start().starts_with(epoch))
    {
        return true;
    }
    let Some(found) = DATE.captures(date) else { return false };
    let number = |at: usize| found.get(at).and_then(|digits| digits.as_str().parse::<i64>().ok());
    let fraction = found.get(5).is_none_or(|digits| digits.as_str().bytes().all(|byte| byte == b'0'));
    let (Some(hours), Some(minutes), Some(seconds)) = (number(2), number(3), number(4)) else { return false };
    let day = match &found[1] {
        "1970-01-01" => 0,
        "1969-12-31" => -24 * 60,
        _ => return false,
    };
    let zone = number(7).unwrap_or(0) * 60 + number(8).unwrap_or(0);
    let zone = if found.get(6).is_some_and(|sign| sign.as_str() == "-") { -zone } else { zone };
    fraction && seconds == 0 && day + hours * 60 + minutes == zone
}

/// A name in the quotes of git (`core.quotePath`), and what stands behind it.
pub fn unquoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let bytes = inside.as_bytes();
    let mut name = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => return Some((text::decode(&name), inside.get(at..)?)),
            b'\\' => {
                let escape = *bytes.get(at)?;
                at += 1;
                let plain = match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => escape,
                    b'0'..=b'3' => {
                        let digits = std::str::from_utf8(bytes.get(at - 1..at + 2)?).ok()?;
                        at += 2;
                        u8::from_str_radix(digits, 8).ok()?
                    }
                    _ => return None,
                };
                name.push(plain);
            }
            _ => name.push(*byte),
        }
    }
    None
}

/// The two names of a `diff --git` line.
pub fn of_git(names: &str) -> Option<(String, String)> {
    /// Lines longer than this name no files.
    const LONGEST: usize = 8192;
    let names = names.trim_end();
    if names.len() > LONGEST {
        return None;
    }
    if let Some((old, rest)) = unquoted(names) {
        let rest = rest.trim_start();
        return Some((old, unquoted(rest).map_or_else(|| rest.to_owned(), |(new, _)| new)));
    }
    if let Some(at) = names.find(" \"")
        && let Some((new, _)) = unquoted(&names[at + 1..])
    {
        return Some((names[..at].to_owned(), new));
    }
    let pair = |at: usize| (&names[..at], &names[at + 1..]);
    let same =
        |(old, new): &(&str, &str)| old == new || tail(old).is_some_and(|rest| Some(rest) == tail(new));
    let found =
        names.match_indices(' ').map(|(at, _)| pair(at)).find(same).or_else(|| names.split_once(' '))?;
    Some((found.0.to_owned(), found.1.to_owned()))
}

fn head(name: &str) -> Option<&str> {
    name.split_once('/').map(|(head, _)| head)
}

/// The name without its first folder.
fn tail(name: &str) -> Option<&str> {
    name.split_once('/').map(|(_, tail)| tail.trim_start_matches('/')).filter(|tail| !tail.is_empty())
}

/// The paths that a section can mean, the likeliest first. Both sides have the same one but in a rename.
fn candidates(old: Option<&str>, new: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |name: Option<&str>| {
        if let Some(name) = name.filter(|name| !found.iter().any(|other| other == name)) {
            found.push(name.to_owned());
        }
    };
    match (old, new) {
        (Some(old), Some(new)) => {
            let prefixed = head(old) != head(new)
                || head(new).is_some_and(|head| PREFIXES.contains(&head) || head == ".");
            // a name that goes on where the other ends is a variation of it: `x.c.orig`
            let varied = tail(new).unwrap_or(new).starts_with(tail(old).unwrap_or(old));
            let (first, second) = if varied { (old, new) } else { (new, old) };
            match prefixed {
                true => {
                    add(tail(first));
                    add(tail(second));
                    if head(old) == head(new) {
                        add(Some(first));
                    }
                    add(Some(first).filter(|_| tail(first).is_none()));
                }
                false => [Some(first), tail(first), Some(second), tail(second)].into_iter().for_each(add),
            }
        }
        (Some(one), None) | (None, Some(one)) => {
            match head(one).is_some_and(|head| PREFIXES.contains(&head) || head == ".") {
                true => [tail(one), Some(one)].into_iter().for_each(add),
                false => [Some(one), tail(one)].into_iter().for_each(add),
            }
        }
        (None, None) => {}
    }
    found
}

/// Gives the sections of a diff the paths that their names most likely mean, without a tree.
pub fn settle(diff: &mut Diff) {
    let dropped = all_dropped(diff);
    for file in &mut diff.files {
        if file.operation != Operation::Change {
            continue;
        }
        if file.old_name.is_none() && file.new_name.is_none() {
            continue;
        }
        let path = likeliest(file, &dropped)
            .or_else(|| candidates(file.old_name.as_deref(), file.new_name.as_deref()).into_iter().next());
        give(file, path);
    }
}

fn give(file: &mut FileDiff, path: Option<String>) {
    file.old_path = path.clone().filter(|_| !file.created);
    file.new_path = path.filter(|_| !file.deleted);
}

/// The first folders that a section with two names shows to be no part of the path.
fn dropped(file: &FileDiff) -> impl Iterator<Item = &str> {
    let names = (file.old_name.as_deref(), file.new_name.as_deref());
    let heads = match names {
        (Some(old), Some(new)) if tail(old).is_some() && tail(old) == tail(new) && head(old) != head(new) => {
            [head(old), head(new)]
        }
        _ => [None, None],
    };
    heads.into_iter().flatten()
}

/// The first folders that any section of a diff shows to be no part of the paths.
fn all_dropped(diff: &Diff) -> BTreeSet<String> {
    diff.files.iter().flat_map(dropped).map(str::to_owned).collect()
}

/// What the names of a diff show of one another.
pub struct Naming {
    dropped: BTreeSet<String>,
    /// Whether a file of the tree has a name of the diff as it stands there, once that was asked.
    whole: OnceCell<bool>,
}

impl Naming {
    /// Of this diff.
    pub fn of(diff: &Diff) -> Naming {
        Naming { dropped: all_dropped(diff), whole: OnceCell::new() }
    }

    /// The section with the paths that it has in a tree: `exists` says of files whether they are there, `folder` of folders.
    pub fn resolved<'f>(
        &self,
        diff: &Diff,
        file: &'f FileDiff,
        exists: &dyn Fn(&str) -> bool,
        folder: &dyn Fn(&str) -> bool,
    ) -> Cow<'f, FileDiff> {
        /// Sections that are asked how their names are to be read.
        const MOST: usize = 32;
        if file.operation != Operation::Change {
            return Cow::Borrowed(file);
        }
        let all = candidates(file.old_name.as_deref(), file.new_name.as_deref());
        let path = if !file.created {
            all.iter().filter(|_| all.len() > 1).find(|path| exists(path)).cloned()
        } else if let (Some(one), [_, _]) = (&file.new_name, all.as_slice()) {
            // nothing else of the diff says what is dropped: the folder it belongs to is there
            let whole = head(one)
                .is_some_and(|head| !PREFIXES.contains(&head) && head != "." && !self.dropped.contains(head));
            let parent = one.rsplit_once('/').map_or("", |(parent, _)| parent);
            let as_it_stands = |other: &FileDiff| {
                !other.created
                    && other.new_name.is_some()
                    && other.new_name == other.old_name
                    && other.new_name.as_deref().is_some_and(exists)
            };
            let others_whole =
                whole && *self.whole.get_or_init(|| diff.files.iter().take(MOST).any(as_it_stands));
            whole
                .then(|| {
                    if folder(parent) || others_whole {
                        Some(one.clone())
                    } else {
                        tail(one).map(str::to_owned)
                    }
                })
                .flatten()
        } else {
            None
        };
        match path {
            Some(path) if path != file.path() => {
                let mut other = file.clone();
                give(&mut other, Some(path));
                Cow::Owned(other)
            }
            _ => Cow::Borrowed(file),
        }
    }
}

/// The path of a new or deleted file below a folder that is dropped elsewhere in the diff.
fn likeliest(file: &FileDiff, dropped: &BTreeSet<String>) -> Option<String> {
    let one = match (&file.old_name, &file.new_name) {
        (Some(one), None) | (None, Some(one)) => one,
        // a file dated at the epoch
        (Some(_), Some(new)) if file.created => new,
        (Some(old), Some(_)) if file.deleted => old,
        _ => return None,
    };
    let first = head(one)?;
    dropped.contains(first).then(|| tail(one).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unquoted() {
        let (name, rest) = unquoted(r#""b/caf\303\251 \"x\".c" more"#).expect("quoted");
        assert_eq!((name.as_str(), rest), ("b/café \"x\".c", " more"));
        assert_eq!(unquoted(r#""open"#), None);
        assert_eq!(of_git(r#""a/\303\251" "b/\303\251""#), Some(("a/é".into(), "b/é".into())));
        assert_eq!(of_git("a/with space b/with space"), Some(("a/with space".into(), "b/with space".into())));
        assert_eq!(of_git("fs/a.c fs/a.c"), Some(("fs/a.c".into(), "fs/a.c".into())));
    }

    #[test]
    fn a_file_of_the_epoch_is_not_there() {
        for (date, epoch) in [
            ("x\t1970-01-01 00:00:00.000000000 +0000", true),
            ("x\t1970-01-01 01:00:00.000000000 +0100", true),
            ("x\t1969-12-31 19:00:00.000000000 -0500", true),
            ("x 1970-01-01 00:00:00 +0000", true),
            ("x\tThu Jan  1 00:00:00 1970", true),
            ("x\t1970-01-01 01:00:00.000000000 +0000", false),
            ("x\t2020-01-01 00:00:00.000000000 +0000", false),
            ("x", false),
            ("x\t(revision 0)", true),
            ("x\t(nonexistent)", true),
            ("x\t(revision 12)", false),
            ("x (working copy)", false),
            ("x\tThu Jan 01 00:00:00 1970 +0000", true),
        ] {
            let name = of_header(date);
            assert_eq!((name.path.as_deref(), name.epoch), (Some("x"), epoch), "{date}");
        }
    }

    #[test]
    fn the_likeliest_path_is_that_of_git() {
        let first = |old: &str, new: &str| candidates(Some(old), Some(new)).remove(0);
        for (old, new, path) in [
            ("a/fs/a.c", "b/fs/a.c", "fs/a.c"),
            ("i/fs/a.c", "w/fs/a.c", "fs/a.c"),
            ("old/fs/a.c", "new/fs/a.c", "fs/a.c"),
            ("linux.orig/fs/a.c", "linux/fs/a.c", "fs/a.c"),
            ("./fs/a.c", "./fs/a.c", "fs/a.c"),
            ("fs/a.c", "fs/a.c", "fs/a.c"),
            ("a/fs/a.c.orig", "b/fs/a.c", "fs/a.c"),
            ("a/fs/a.c", "b/fs/a.c.new", "fs/a.c"),
            ("a/fs/a.c~", "b/fs/a.c", "fs/a.c"),
            ("a.c", "a.c", "a.c"),
        ] {
            assert_eq!(first(old, new), path, "{old} {new}");
        }
    }
}
