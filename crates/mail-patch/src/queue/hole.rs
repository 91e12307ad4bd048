//! Which files a folder of numbered patches lacks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder;

/// A patch that is not there.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost {
    /// The file, by its place among those that are there, that it belongs before.
    pub before: usize,
    /// What is known of it.
    pub what: String,
}

/// More than this in one hole is another way of numbering.
const WIDEST: u64 = 1000;

impl Lost {
    /// What is missing among `files`, which are in the order of their numbers; `parts` is what the subject of each says of
    /// its series. Collections that leave room between numbers, as OpenWrt's does, lack nothing.
    pub fn of(files: &[PathBuf], parts: &[Option<(u32, u32)>]) -> Vec<Lost> {
        let numbers: Vec<u64> = files.iter().map_while(|path| folder::number(path)).collect();
        if numbers.len() < files.len() {
            return Vec::new();
        }
        let here: BTreeSet<u64> = numbers.iter().copied().filter(|number| *number > 0).collect();
        let Some((&first, &last)) = here.first().zip(here.last()) else { return Vec::new() };
        let length = length(&numbers, parts);
        let wanted = match length {
            Some(length) => 1..=last.max(length),
            None if files.iter().all(|path| is_format_patch(path)) || is_dense(first, last, here.len()) => {
                first..=last
            }
            None => return Vec::new(),
        };
        let span = wanted.end().saturating_sub(*wanted.start());
        if span > WIDEST + here.len() as u64 {
            return Vec::new();
        }
        let width = files.iter().map(|path| folder::digits(&folder::name(path)).len()).min().unwrap_or(1);
        let lost = wanted.filter(|number| !here.contains(number));
        lost.map(|number| {
            let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
            let before = numbers.partition_point(|other| *other < number);
            Lost { before, what: format!("{number:0width$}-….patch{of}") }
        })
        .collect()
    }
}

/// How long the series is, where at least two subjects have the number of their file and none of these says otherwise.
fn length(numbers: &[u64], parts: &[Option<(u32, u32)>]) -> Option<u64> {
    let own = numbers.iter().zip(parts).filter_map(|(number, part)| {
        let (part, of) = (*part)?;
        (part > 0 && u64::from(part) == *number).then_some((part, of))
    });
    let own: BTreeSet<(u32, u32)> = own.collect();
    let mut lengths = own.iter().map(|(_, of)| *of);
    let length = lengths.next().filter(|_| own.len() > 1)?;
    lengths.all(|other| other == length).then_some(u64::from(length))
}

/// Whether a name is one that `git format-patch` gives: four digits and a dash. It leaves no number out.
fn is_format_patch(path: &Path) -> bool {
    let name = folder::name(path);
    let digits = folder::digits(&name);
    digits.len() == 4 && name[4..].starts_with('-')
}

/// Whether numbers count from the beginning, and most of them are there.
fn is_dense(first: u64, last: u64, here: usize) -> bool {
    first == 1 && (here as u64) * 2 > last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(part, of)` as a subject has it.
    type Said = Option<(u32, u32)>;

    /// What lacks among files, a word each; `name@part/of` is what a subject says.
    fn lost(files: &str) -> String {
        let named = files.split_whitespace().map(|file| match file.split_once('@') {
            None => (file, None),
            Some((name, said)) => {
                let (part, of) = said.split_once('/').unwrap();
                (name, Some((part.parse().unwrap(), of.parse().unwrap())))
            }
        });
        let (names, parts): (Vec<&str>, Vec<Said>) = named.unzip();
        let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        let lost = Lost::of(&paths, &parts);
        lost.iter().map(|one| format!("{}@{}", one.what, one.before)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn holes_are_told_from_room_between_numbers() {
        let table = [
            ("0001-a.patch 0002-b.patch", ""),
            ("0001-a.patch 0003-c.patch", "0002-….patch@1"),
            ("0000-cover-letter.patch 0001-a.patch 0003-c.patch", "0002-….patch@2"),
            // an own patch beside one of the series
            ("0036-w.patch 0037-x.patch 0037-zz-planted.patch 0038-y.patch", ""),
            ("0036-w.patch 0037-x.patch 0037-zz-planted.patch 0039-y.patch", "0038-….patch@3"),
            // chosen by whoever handed it in
            ("0003-c.patch@3/5", ""),
            ("0002-b.patch 0003-c.patch", ""),
            // the subjects say how many there are
            ("0002-b.patch@2/4 0003-c.patch@3/4", "0001-….patch of 4@0, 0004-….patch of 4@2"),
            ("0001-a.patch@1/3 0003-c.patch@3/3 0004-mine.patch", "0002-….patch of 3@1"),
            // numbered anew
            ("0001-a.patch@4/9 0002-b.patch@6/9", ""),
            ("0001-a.patch@1/2 0002-b.patch@2/2 0003-c.patch@3/4 0004-d.patch@4/4", ""),
            ("1-a.patch 2-b.patch 4-d.patch", "3-….patch@2"),
            ("01-a.patch 03-c.patch", "02-….patch@1"),
            ("10-a.patch 20-b.patch", ""),
            ("2-b.patch 10-c.patch", ""),
            ("100-a.patch 101-b.patch 200-c.patch", ""),
            ("1-a.patch 10-b.patch 20-c.patch", ""),
            ("20240101-a.patch 20250101-b.patch", ""),
            ("0001-a.patch 9999-b.patch", ""),
        ];
        for (files, expected) in table {
            assert_eq!(lost(files), expected, "{files}");
        }
    }
}
