//! Changelogs of Debian's kernel packages (deb-changelog(5)), which list what each version brought.
//!
//! A list of an upstream point release is indented by four (`    - title`), what Debian added itself by two
//! (`  * title`). Long titles go on in the next line, deeper. In front may stand an architecture in brackets, behind
//! vulnerabilities and bugs in parentheses. What is seen in the changelogs of 5.10, 6.1 and 6.12.

use std::cmp::Ordering;
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
}

/// What an entry does to a fix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Adds,
    TakesBack,
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
        Changelog { entries }
    }

    /// The entries, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the changelog shows of `fix` in the kernel of the package version `version`. Versions of other lines than the
    /// changelog's own have no answer: what came into 6.1 is not in 6.12 for that.
    pub fn standing(&self, fix: &Fix, version: &str) -> Standing {
        if !self.covers(version) {
            return Standing::Unknown;
        }
        let by_cve = || Standing::of_parts(fix.cves.iter().map(|cve| self.of_cve(cve, version)));
        Standing::of_parts(fix.titles.iter().map(|title| self.of_title(title, version))).or_else(by_cve)
    }

    /// Whether `version` is of the line that the changelog's newest entry is of, and no newer than that.
    fn covers(&self, version: &str) -> bool {
        let Some(newest) = self.entries.first() else { return false };
        line(&newest.version) == line(version) && compare_debian(base(version), base(&newest.version)).is_le()
    }

    fn of_title(&self, title: &str, version: &str) -> Standing {
        let wanted = normal(title);
        self.decide(version, |item| {
            if normal(&item.title) == wanted {
                Some(Effect::Adds)
            } else if item.reverted().is_some_and(|reverted| normal(reverted) == wanted) {
                Some(Effect::TakesBack)
            } else {
                None
            }
        })
    }

    fn of_cve(&self, cve: &str, version: &str) -> Standing {
        // a vulnerability may have been repaired by several commits: the newest one that is said to do so completes it
        self.decide(version, |item| item.cves.iter().any(|known| known == cve).then_some(Effect::Adds))
    }

    /// The newest effect up to `version`. One that adds is complete only if nothing after `version` adds more.
    fn decide(&self, version: &str, effect: impl Fn(&Item) -> Option<Effect>) -> Standing {
        let mut later: Option<Evidence> = None;
        for entry in &self.entries {
            let reached = compare_debian(&entry.version, base(version)) != Ordering::Greater;
            // within an entry the order of items says nothing: a commit that is added and taken back in one version is not in it
            let mut effects: Vec<(Effect, &Item)> =
                entry.items.iter().filter_map(|item| Some((effect(item)?, item))).collect();
            effects.sort_by_key(|(effect, _)| *effect == Effect::Adds);
            let Some(&(effect, item)) = effects.first() else { continue };
            let evidence = Evidence { place: entry.version.clone(), words: item.title.clone() };
            match (reached, effect) {
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
}
