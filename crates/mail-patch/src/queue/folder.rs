//! Folders of patch files without a series file: those of `git format-patch`, OpenWrt's numbered patches, maildirs.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Endings of files that are read.
const ENDINGS: [&str; 5] = ["patch", "diff", "eml", "mbox", "mail"];

/// The patch files of a folder, in the order of their numbers; those of a maildir where it is one.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let maildir = folder.join("cur").is_dir() && folder.join("new").is_dir();
    let places = if maildir { vec![folder.join("cur"), folder.join("new")] } else { vec![folder.to_owned()] };
    let mut found = Vec::new();
    for place in places {
        for entry in std::fs::read_dir(place)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let named = maildir || ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending));
            let hidden = name(&path).starts_with('.');
            if named && !hidden && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort_by(|one, other| by_number(&name(one), &name(other)));
    Ok(found)
}

/// Whether the files' names alone give the order: each begins with a number.
pub fn are_numbered(files: &[PathBuf]) -> bool {
    files.iter().all(|path| name(path).starts_with(|c: char| c.is_ascii_digit()))
}

/// The number that a file's name begins with.
pub fn number(path: &Path) -> Option<u64> {
    digits(&name(path)).parse().ok()
}

/// The digits that a name begins with.
pub fn digits(name: &str) -> &str {
    &name[..name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len()]
}

/// Whether a file by its name is a patch, and not a mail that may be an answer without one.
pub fn is_patch_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ["patch", "diff"].iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// The name of a file in its folder.
pub fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The order of names such as `2-x.patch` and `10-y.patch`: numbers by their values.
pub fn by_number(one: &str, other: &str) -> Ordering {
    let parted = |text: &str| {
        let digits = digits(text);
        (digits.parse::<u128>().unwrap_or(0), text[digits.len()..].to_owned(), text.to_owned())
    };
    let both_numbered = [one, other].iter().all(|text| text.starts_with(|c: char| c.is_ascii_digit()));
    if both_numbered { parted(one).cmp(&parted(other)) } else { one.cmp(other) }
}

/// The queues of a stable-queue repository, which has one a line.
pub fn stable_queues(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| name(path).starts_with("queue-") && path.join("series").is_file())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["10-b", "2-a", "0002-a", "b", "010-a", "a"];
        names.sort_by(|one, other| by_number(one, other));
        assert_eq!(names, ["0002-a", "2-a", "010-a", "10-b", "a", "b"]);
    }
}
