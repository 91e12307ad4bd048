//! Changelogs of Debian's kernel packages (deb-changelog(5)), which list what each version brought.
//!
//! A list of an upstream point release is indented by four (`    - title`), what Debian added itself by two
//! (`  * title`). Long titles go on in the next line, deeper. In front may stand an architecture in brackets, behind
//! vulnerabilities and bugs in parentheses. What is seen in the changelogs of 5.10, 6.1 and 6.12.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

use kernel_version::compare_debian;
use regex::Regex;

use crate::{Evidence, Fix, Standing};

static HEADER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^linux(?:-\S+)? \(([^)\s]+)\) [^;]*;").expect("valid"));
static ITEM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:  \*|    -) (.*)$").expect("valid"));
/// More of the item above, or a paragraph of prose below it.
static CONTINUATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:    |      )(\S.*)$").expect("valid"));
static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\s*\((?:[^()]*\bCVE-\d+-\d+[^()]*|(?:really )?closes:[^()]*|fixes:[^()]*)\)")
        .expect("valid")
});
static CVE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"CVE-\d{4}-\d{4,}").expect("valid"));
static ARCHITECTURES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:\[[^\]]*\]\s*)+").expect("valid"));
static REVERT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^(?:\S.*: )?Revert:?\s+["“](.*)["”]\.?$"#).expect("valid"));

/// What one version brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The package's version, `6.1.176-1`.
    pub version: String,
    /// Its items in order.
    pub items: Vec<Item>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The commit's title, without architectures, vulnerabilities and bug numbers.
    pub title: String,
    /// The vulnerabilities that it is said to repair.
    pub cves: Vec<String>,
}

impl Item {
    fn new(text: &str) -> Item {
        let cves = CVE.find_iter(text).map(|found| found.as_str().to_owned()).collect();
        let title = BEHIND.replace_all(text, "");
        let title = ARCHITECTURES.replace(title.trim(), "");
        Item { title: title.trim().to_owned(), cves }
    }

    /// The title that it takes back, if it takes one back.
    pub fn reverted(&self) -> Option<&str> {
        REVERT.captures(&self.title).map(|found| found.get(1).expect("the group is not optional").as_str())
    }
}

/// A changelog, newest entry first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changelog {
    entries: Vec<Entry>,
    /// What the items do to a title, and to a vulnerability: changelogs have tens of thousands of items.
    by_title: HashMap<String, Vec<Mention>>,
    by_cve: HashMap<String, Vec<Mention>>,
}

/// What an entry does to a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Adds,
    TakesBack,
}

/// An item that does something to a fix, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mention {
    entry: usize,
    item: usize,
    effect: Effect,
}

impl Changelog {
    /// Reads a changelog. Lines that are none of its forms are prose, and nothing is an error.
    ///
    /// The package of a signed image has an entry of its own on top, with the same version but for a `+` in place of the
    /// last hyphen; what it lists belongs to the version that it signs.
    pub fn parse(text: &str) -> Changelog {
        let mut entries: Vec<Entry> = Vec::new();
        let mut item: Option<String> = None;
        let close = |entries: &mut Vec<Entry>, item: &mut Option<String>| {
            if let (Some(text), Some(entry)) = (item.take(), entries.last_mut()) {
                entry.items.push(Item::new(&text));
            }
        };
        for line in text.lines() {
            if let Some(found) = HEADER.captures(line) {
                close(&mut entries, &mut item);
                let signed = line.starts_with("linux-signed");
                let version = if signed { found[1].replacen('+', "-", 1) } else { found[1].to_owned() };
                entries.push(Entry { version, items: Vec::new() });
            } else if let Some(found) = ITEM.captures(line) {
                close(&mut entries, &mut item);
                item = Some(found[1].to_owned());
            } else if let (Some(found), Some(text)) = (CONTINUATION.captures(line), item.as_mut()) {
                // "New upstream stable update:" is followed by addresses, which are no part of a title
                if found[1].contains("://") {
                    continue;
                }
                text.push(' ');
                text.push_str(&found[1]);
            } else {
                close(&mut entries, &mut item);
            }
        }
        close(&mut entries, &mut item);
        Changelog::of(entries)
    }

    fn of(entries: Vec<Entry>) -> Changelog {
        let mut changelog = Changelog::default();
        let listed = entries.iter().enumerate().flat_map(|(at, entry)| {
            entry.items.iter().enumerate().map(move |(place, item)| (at, place, item))
        });
        for (entry, item, listed) in listed {
            let mut note = |title: &str, effect| {
                let mentions = changelog.by_title.entry(normal(title)).or_default();
                mentions.push(Mention { entry, item, effect });
            };
            note(&listed.title, Effect::Adds);
            if let Some(reverted) = listed.reverted() {
                note(reverted, Effect::TakesBack);
            }
            for cve in &listed.cves {
                let mentions = changelog.by_cve.entry(cve.clone()).or_default();
                // a vulnerability may have been repaired by several commits: the newest one that is said to do so completes it
                mentions.push(Mention { entry, item, effect: Effect::Adds });
            }
        }
        Changelog { entries, ..changelog }
    }

    /// The entries, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the changelog shows of `fix` in the kernel of the package version `version`. A version that the changelog does not
    /// [cover](Changelog::covers) has no answer: what came into 6.1 is not in 6.12 for that.
    pub fn standing(&self, fix: &Fix, version: &str) -> Standing {
        let Some(reached) = self.place_of(version) else { return Standing::Unknown };
        let of = |mentions: Option<&Vec<Mention>>| {
            mentions.map_or(Standing::Unknown, |mentions| self.decide(reached, mentions))
        };
        Standing::of_parts(fix.titles.iter().map(|title| of(self.by_title.get(&normal(title)))))
            .or_else(|| Standing::of_parts(fix.cves.iter().map(|cve| of(self.by_cve.get(cve)))))
    }

    /// Whether it tells anything of `version`: it has an entry for it, or its newest one is of the same line and no older.
    pub fn covers(&self, version: &str) -> bool {
        self.place_of(version).is_some()
    }

    /// The place of the newest entry that `version` has.
    fn place_of(&self, version: &str) -> Option<usize> {
        let version = base(version);
        if let Some(own) = self.entries.iter().position(|entry| base(&entry.version) == version) {
            return Some(own);
        }
        let newest = self.entries.first()?;
        let same_line =
            line(&newest.version) == line(version) && compare_debian(version, base(&newest.version)).is_le();
        let reached = |entry: &Entry| compare_debian(&entry.version, version) != Ordering::Greater;
        // where no entry is as old, the version has none
        same_line.then(|| self.entries.iter().position(reached).unwrap_or(self.entries.len()))
    }

    /// The newest effect up to the entry `reached`. One that adds is complete only if nothing after it adds more.
    /// `mentions` are in the order of the entries.
    fn decide(&self, reached: usize, mentions: &[Mention]) -> Standing {
        let mut later: Option<Evidence> = None;
        for of_entry in mentions.chunk_by(|one, other| one.entry == other.entry) {
            // within an entry the order of items says nothing: a commit that is added and taken back in one version is not in it
            let taken_back = of_entry.iter().find(|mention| mention.effect == Effect::TakesBack);
            let Mention { entry, item, effect } = *taken_back.unwrap_or(&of_entry[0]);
            let Entry { version, items } = &self.entries[entry];
            let evidence = Evidence { place: version.clone(), words: items[item].title.clone() };
            match (entry >= reached, effect) {
                (false, Effect::Adds) => later = Some(evidence),
                (false, Effect::TakesBack) => later = None,
                (true, Effect::TakesBack) => return Standing::Lacks(evidence),
                (true, Effect::Adds) => {
                    return later.map_or(Standing::Contains(evidence), |_| Standing::Unknown);
                }
            }
        }
        later.map_or(Standing::Unknown, Standing::Lacks)
    }
}

/// A version without what a rebuild for another release adds: `6.12.57-1~bpo12+1` has the contents of `6.12.57-1`.
fn base(version: &str) -> &str {
    version.find("~bpo").or_else(|| version.find("~deb")).map_or(version, |at| &version[..at])
}

/// The two numbers that name a version's line.
fn line(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-', '~', '+']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// A title as it is compared: white space squeezed, without a full stop at its end.
fn normal(title: &str) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
linux-signed-amd64 (6.1.40+2) stable; urgency=high

  * Sign kernel from linux 6.1.40-2

  * ext4: keep a page (Closes: #11)

 -- A Maker <maker@example.org>  Mon, 16 Nov 2026 11:17:40 +0100

linux (6.1.40-1) stable; urgency=high

  * New upstream stable update:
    https://example.org/ChangeLog-6.1.39
    - null_blk: take the lock (CVE-2026-10001)
    - [arm64,armhf] net: a title that is so long that it
      goes on here (CVE-2026-10002)
    - Revert \"fs: count twice\"

  [ A Maker ]
  * net/sched: second part of a repair
    (CVE-2026-10003)

 -- A Maker <maker@example.org>  Mon, 16 Nov 2026 10:17:40 +0100

linux (6.1.30-1) stable; urgency=medium

  * New upstream stable update:
    - fs: count twice
    - net/sched: first part of a repair (CVE-2026-10003)
    - usb: came and went
    - Revert \"usb: came and went\"

 -- A Maker <maker@example.org>  Mon, 16 Nov 2025 10:17:40 +0100
";

    #[track_caller]
    fn check(fix: Fix, version: &str, expected: &str) {
        let shown = match Changelog::parse(TEXT).standing(&fix, version) {
            Standing::Contains(evidence) => format!("contains {}", evidence.place),
            Standing::Lacks(evidence) => format!("lacks {}", evidence.place),
            Standing::Unknown => "unknown".to_owned(),
        };
        assert_eq!(shown, expected, "{fix:?} in {version}");
    }

    #[test]
    fn the_version_that_lists_it_divides_the_line() {
        let lock = || Fix::titled("null_blk: take the lock");
        check(lock(), "6.1.40-1", "contains 6.1.40-1");
        check(lock(), "6.1.40-2", "contains 6.1.40-1");
        check(lock(), "6.1.30-1", "lacks 6.1.40-1");
        check(lock(), "6.1.20-1", "lacks 6.1.40-1");
        check(lock(), "6.1.40-1~bpo11+1", "contains 6.1.40-1");
        check(Fix::of_cve("CVE-2026-10001"), "6.1.30-1", "lacks 6.1.40-1");
    }

    #[test]
    fn what_it_does_not_list_is_unknown() {
        check(Fix::titled("mm: nobody has it"), "6.1.40-1", "unknown");
        check(Fix::of_commits(["0123456789ab"]), "6.1.40-1", "unknown");
        check(Fix::default(), "6.1.40-1", "unknown");
        // another line, and one that is newer than the changelog
        check(Fix::titled("null_blk: take the lock"), "6.12.40-1", "unknown");
        check(Fix::titled("null_blk: take the lock"), "6.1.41-1", "unknown");
    }

    #[test]
    fn a_version_with_an_entry_of_its_own_is_covered_by_the_changelog_of_a_later_line() {
        let text = TEXT.replace("(6.1.40", "(6.2.3");
        let changelog = Changelog::parse(&text);
        let standing = |title: &str, version| match changelog.standing(&Fix::titled(title), version) {
            Standing::Contains(evidence) => format!("contains {}", evidence.place),
            Standing::Lacks(evidence) => format!("lacks {}", evidence.place),
            Standing::Unknown => "unknown".to_owned(),
        };
        assert_eq!(standing("fs: count twice", "6.1.30-1"), "contains 6.1.30-1");
        assert_eq!(standing("null_blk: take the lock", "6.1.30-1~bpo11+1"), "lacks 6.2.3-1");
        // without one it may have got there by another way
        assert_eq!(standing("fs: count twice", "6.1.31-1"), "unknown");
        assert!(changelog.covers("6.2.3-1") && !changelog.covers("6.1.31-1"));
    }

    #[test]
    fn architectures_bugs_and_broken_lines_are_no_part_of_a_title() {
        check(
            Fix::titled("net: a title that is so long that it goes on here"),
            "6.1.40-1",
            "contains 6.1.40-1",
        );
        check(Fix::of_cve("CVE-2026-10002"), "6.1.40-1", "contains 6.1.40-1");
        check(Fix::titled("ext4: keep a page"), "6.1.40-2", "contains 6.1.40-2");
        check(Fix::titled("ext4: keep a page"), "6.1.40-1", "lacks 6.1.40-2");
    }

    #[test]
    fn what_was_taken_back_is_lacking() {
        check(Fix::titled("fs: count twice"), "6.1.30-1", "contains 6.1.30-1");
        check(Fix::titled("fs: count twice"), "6.1.40-1", "lacks 6.1.40-1");
        check(Fix::titled("usb: came and went"), "6.1.30-1", "lacks 6.1.30-1");
    }

    #[test]
    fn a_repair_in_two_parts_is_whole_with_the_second() {
        check(Fix::of_cve("CVE-2026-10003"), "6.1.40-1", "contains 6.1.40-1");
        check(Fix::of_cve("CVE-2026-10003"), "6.1.30-1", "unknown");
        check(Fix::of_cve("CVE-2026-10003"), "6.1.20-1", "lacks 6.1.30-1");
        let both = Fix {
            titles: vec!["fs: count twice".into(), "null_blk: take the lock".into()],
            ..Fix::default()
        };
        check(both, "6.1.30-1", "lacks 6.1.40-1");
    }

    proptest::proptest! {
        /// Changelogs come from wherever a kernel comes from.
        #[test]
        fn no_text_panics(
            text in "(linux \\([0-9.~-]{0,9}\\) [a-z]{0,9}; urgency=[a-z]{0,6}\n|  \\* |    - |  \\[ ?[A-Z]{0,9}|CVE-2026-[0-9]{0,6}|Revert \"|\"|\\(Closes: #[0-9]{0,9}\\)| -- |[a-zé:]{0,9}|\n){0,60}",
            version in ".{0,12}",
        ) {
            let changelog = Changelog::parse(&text);
            let _ = changelog.standing(&Fix::titled("fs: count twice"), &version);
            let _ = changelog.standing(&Fix::of_cve("CVE-2026-1"), &version);
            let _ = changelog.covers(&version);
        }
    }
}
