//! `Cc: stable@vger.kernel.org # …`: which lines want a patch.
//!
//! The forms are those of Documentation/process/stable-kernel-rules.rst and what people make of them. A note that says
//! something else than lines stays a note.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::subject::LineName;
use super::text::squeezed;
use kernel_version::Line;

/// A line or a release of one: `5.15`, `v5.15+`, `5.15.x`, `6.1.13`, `linux-6.1.y`, `6.1-stable`, `v5.15-rc1`.
const NAME: &str = r"(?:linux-|stable-|stable/)?v?(\d+)\.(\d+|x)(?:\.(?:\d+|x|y|z))*(?:-rc\d+)?(?:-stable)?";

fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?i){}", text.replace("NAME", NAME))).expect("valid")
}

static PREREQUISITE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:NAME\+?\s*:\s*)([0-9a-f]{7,40})\b(?:\s*:\s*(.*)|\s*\(.(.*).\))?$"));
static UNTIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(up\s*to|until|till?|through|<=|≤|<|before|below|pre-?|(?:older|earlier|lower)\s+than|prior\s+to)\s*(?:and\s+including\s+)?NAME\b",
    )
});
static AFTER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:>|after|above|(?:newer|later|higher)\s+than)\s*NAME\b"));
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"^NAME\+?$"));
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:only\s+)?(?:for|from|in|between)\s+)?NAME\s*(?:-|–|\.\.\.?|to|through|until|up\s+to)\s*NAME\b",
    )
});
static SINCE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(only\s+)?(?:(?:please\s+(?:apply|backport|queue|pick)|back-?port|apply|(?:to|for)|since|from|starting(?:\s+(?:with|from|at))?|>=|≥|needed\s+(?:in|for|by|since|from)|needs|needed|in|for|kernels?|versions?|all\s+(?:since|from))\s*)*NAME(\s*\+|\s*(?:and|or)\s+(?:later|newer|up|above|onwards?|higher)|\s+onwards?|\s+only|\s*(?:and|or)\s+(?:older|earlier|below|before)|\s*-\s*$)?(?:[\s.]|$)",
    )
});
static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:but\s+|and\s+)?(?:is\s+)?(?:not|no|never|except|without|excluding|isn't|doesn't)\b")
});
static PARTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[,;&]|:\s|\b/\b|\s(?:but|except)\s"));
static AND: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+and\s+(v?\d)"));

/// That the author wants it in the stable trees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stable {
    /// The oldest line that needs it: `Cc: stable@… # 5.15+`.
    pub since: Option<LineName>,
    /// What stands behind the `#`; of several lines each, parted by `; `.
    pub note: Option<String>,
    /// The newest line that needs it: `# up to 6.6`, `# 6.1 only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<LineName>,
    /// The first newer line that does not: `# < 6.6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<LineName>,
    /// The newest older line that does not: `# > 6.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<LineName>,
    /// The lines that are counted up: `# 4.19, 5.4, 5.10`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineName>,
    /// Commits that a line needs first: `# 3.3.x: a1f84a3: title`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<Prerequisite>,
}

/// A commit that has to be picked before the patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prerequisite {
    /// The line that needs it, and those above.
    pub line: LineName,
    /// Its id.
    pub commit: String,
    /// Its title.
    pub title: Option<String>,
}

impl Stable {
    /// Takes in one more `Cc:` line: the note behind its address.
    pub fn take(&mut self, note: Option<&str>) {
        let Some(note) = note.map(str::trim).filter(|note| !note.is_empty()) else { return };
        self.note = Some(match self.note.take() {
            Some(before) => format!("{before}; {note}"),
            None => note.to_owned(),
        });
        if let Some(found) = PREREQUISITE.captures(note) {
            if let Some(line) = name(&found, 1) {
                let title = found.get(4).or(found.get(5)).map(|title| title.as_str().to_owned());
                self.prerequisites.push(Prerequisite { line, commit: found[3].to_lowercase(), title });
                self.oldest(line);
            }
            return;
        }
        let mut listed = Vec::new();
        let note = listed_words(note);
        let note = AND.replace_all(&note, ", $1");
        for part in PARTS.split(&note).map(str::trim).filter(|part| !NEGATED.is_match(part)) {
            listed.extend(self.part(part));
        }
        match listed.as_slice() {
            [] => {}
            [one] if self.lines.is_empty() => self.oldest(*one),
            several => {
                several.iter().for_each(|line| self.oldest(*line));
                self.lines.extend(several);
            }
        }
    }

    /// Reads `5.15+` or `up to 6.6`; answers a line that stands for itself.
    fn part(&mut self, part: &str) -> Option<LineName> {
        if let Some(found) = UNTIL.captures(part) {
            let line = name(&found, 2)?;
            let with = ["up to", "upto", "until", "til", "till", "through", "<=", "≤"];
            match with.contains(&squeezed(&found[1]).to_lowercase().as_str()) {
                true => self.until = Some(line),
                false => self.before = Some(line),
            }
        } else if let Some(found) = AFTER.captures(part) {
            self.after = name(&found, 1);
        } else if let Some(found) = BETWEEN.captures(part) {
            let (one, other) = (name(&found, 1)?, name(&found, 3)?);
            let (old, new) = if key(one) <= key(other) { (one, other) } else { (other, one) };
            self.oldest(old);
            self.until = Some(new);
        } else if let Some(found) = SINCE.captures(part) {
            let line = name(&found, 2)?;
            let tail = found.get(4).map_or(String::new(), |tail| tail.as_str().trim().to_lowercase());
            if found.get(1).is_some() || tail == "only" {
                self.oldest(line);
                self.until = Some(line);
            } else if ["older", "earlier", "below", "before"].into_iter().any(|word| tail.ends_with(word)) {
                self.until = Some(line);
            } else if tail.is_empty() {
                return Some(line);
            } else {
                self.oldest(line);
            }
        }
        None
    }

    fn oldest(&mut self, line: LineName) {
        if self.since.is_none_or(|since| key(line) < key(since)) {
            self.since = Some(line);
        }
    }

    /// Whether the note names lines at all.
    pub fn names_lines(&self) -> bool {
        [self.since, self.until, self.before, self.after].iter().any(Option::is_some)
    }

    /// Whether this line wants the patch.
    pub fn covers(&self, line: Line) -> bool {
        let this = key(LineName(line));
        let listed = self.lines.is_empty() || self.lines.iter().any(|one| key(*one) == this);
        listed
            && self.since.is_none_or(|since| this >= key(since))
            && self.until.is_none_or(|until| this <= key(until))
            && self.before.is_none_or(|before| this < key(before))
            && self.after.is_none_or(|after| this > key(after))
    }
}

/// In a sentence: `5.15 and later`, `6.1 up to 6.6`.
impl std::fmt::Display for Stable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.lines.is_empty() {
            let names: Vec<String> = self.lines.iter().map(LineName::to_string).collect();
            return f.write_str(&names.join(", "));
        }
        match (self.since, self.until, self.before) {
            (Some(since), Some(until), _) if since == until => write!(f, "{since} only"),
            (Some(since), Some(until), _) => write!(f, "{since} up to {until}"),
            (Some(since), None, Some(before)) => write!(f, "{since} up to what is before {before}"),
            (Some(since), None, None) => write!(f, "{since} and later"),
            (None, Some(until), _) => write!(f, "{until} and earlier"),
            (None, None, Some(before)) => write!(f, "what is before {before}"),
            (None, None, None) => match self.after {
                Some(after) => write!(f, "what is after {after}"),
                None => f.write_str("no line"),
            },
        }
    }
}

/// The note with commas between lines that only blanks part: `5.15.y 6.1.y`.
fn listed_words(note: &str) -> String {
    let words: Vec<&str> = note.split_whitespace().collect();
    let mut out = String::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            out.push_str(if WORD.is_match(words[at - 1]) && WORD.is_match(word) { ", " } else { " " });
        }
        out.push_str(word);
    }
    out
}

fn key(line: LineName) -> (u32, u32) {
    (line.0.major, line.0.minor)
}

/// The line in two groups of a match; `3.x` is 3.0.
fn name(found: &regex::Captures<'_>, at: usize) -> Option<LineName> {
    let minor = found.get(at + 1)?.as_str();
    let minor = if minor.eq_ignore_ascii_case("x") { 0 } else { minor.parse().ok()? };
    Some(LineName(Line { major: found.get(at)?.as_str().parse().ok()?, minor }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(notes: &[&str]) -> String {
        let mut stable = Stable::default();
        notes.iter().for_each(|note| stable.take(Some(note)));
        let line = |line: Option<LineName>| line.map_or("-".to_owned(), |line| line.to_string());
        let before = stable.before.map(|line| format!(" before {line}")).unwrap_or_default();
        let after = stable.after.map(|line| format!("after {line} ")).unwrap_or_default();
        let mut out = format!(
            "{} => {after}{} .. {}{before}",
            notes.join(" / "),
            line(stable.since),
            line(stable.until)
        );
        if !stable.lines.is_empty() {
            out += &format!(" ({stable})");
        }
        for one in &stable.prerequisites {
            out += &format!(" [{}: {} {}]", one.line, one.commit, one.title.as_deref().unwrap_or("?"));
        }
        out
    }

    #[test]
    fn notes_name_lines() {
        let notes: [&[&str]; 45] = [
            &["v5.15+"],
            &["5.15.x"],
            &["5.15"],
            &["6.1.x: abcdef123456: sched: check"],
            &["3.3.x: a1f84a3: one", "3.3.x: 1b9508f: two", "3.3.x"],
            &["4.19, 5.4, 5.10"],
            &["5.10,5.15"],
            &["5.10, 5.15 and 6.1"],
            &["up to 6.6"],
            &["<= 6.6"],
            &["< 6.6"],
            &[">= 6.6"],
            &["6.1 only"],
            &["only 6.1"],
            &["v6.1.13+"],
            &["6.1-6.6"],
            &["5.15 - 6.1"],
            &["from 5.15 to 6.1"],
            &["all"],
            &["since v5.15"],
            &["starting with 5.15"],
            &["5.15 and later"],
            &["5.15 and older"],
            &["v5.15 onwards"],
            &["after -rc3"],
            &["5.15+: abc", "6.1+"],
            &["not needed in 5.10, needs 6.1"],
            &["v5.15+ but not 6.1"],
            &["3.x"],
            &["v5.15-rc1+"],
            &["see patch description, needs adjustments for <= 6.3"],
            &["5.15+, up to 6.6"],
            &["please backport to 5.15 and 6.1"],
            &["backport to 5.15, 6.1"],
            &["5.15/6.1"],
            &["stable/linux-5.15.y"],
            &["> 6.1"],
            &["newer than 6.1"],
            &["5.15.y 6.1.y"],
            &["please apply to 5.15.y 6.1.y and 6.6.y"],
            &["v5.15+ v6.1+"],
            &["below 6.6"],
            &["pre-6.1"],
            &["> 5.15, < 6.6"],
            &["v5.4..v6.1"],
        ];
        insta::assert_snapshot!(notes.iter().map(|notes| shown(notes)).collect::<Vec<_>>().join("\n"), @r"
        v5.15+ => 5.15 .. -
        5.15.x => 5.15 .. -
        5.15 => 5.15 .. -
        6.1.x: abcdef123456: sched: check => 6.1 .. - [6.1: abcdef123456 sched: check]
        3.3.x: a1f84a3: one / 3.3.x: 1b9508f: two / 3.3.x => 3.3 .. - [3.3: a1f84a3 one] [3.3: 1b9508f two]
        4.19, 5.4, 5.10 => 4.19 .. - (4.19, 5.4, 5.10)
        5.10,5.15 => 5.10 .. - (5.10, 5.15)
        5.10, 5.15 and 6.1 => 5.10 .. - (5.10, 5.15, 6.1)
        up to 6.6 => - .. 6.6
        <= 6.6 => - .. 6.6
        < 6.6 => - .. - before 6.6
        >= 6.6 => 6.6 .. -
        6.1 only => 6.1 .. 6.1
        only 6.1 => 6.1 .. 6.1
        v6.1.13+ => 6.1 .. -
        6.1-6.6 => 6.1 .. 6.6
        5.15 - 6.1 => 5.15 .. 6.1
        from 5.15 to 6.1 => 5.15 .. 6.1
        all => - .. -
        since v5.15 => 5.15 .. -
        starting with 5.15 => 5.15 .. -
        5.15 and later => 5.15 .. -
        5.15 and older => - .. 5.15
        v5.15 onwards => 5.15 .. -
        after -rc3 => - .. -
        5.15+: abc / 6.1+ => 5.15 .. -
        not needed in 5.10, needs 6.1 => 6.1 .. -
        v5.15+ but not 6.1 => 5.15 .. -
        3.x => 3.0 .. -
        v5.15-rc1+ => 5.15 .. -
        see patch description, needs adjustments for <= 6.3 => - .. -
        5.15+, up to 6.6 => 5.15 .. 6.6
        please backport to 5.15 and 6.1 => 5.15 .. - (5.15, 6.1)
        backport to 5.15, 6.1 => 5.15 .. - (5.15, 6.1)
        5.15/6.1 => 5.15 .. - (5.15, 6.1)
        stable/linux-5.15.y => 5.15 .. -
        > 6.1 => after 6.1 - .. -
        newer than 6.1 => after 6.1 - .. -
        5.15.y 6.1.y => 5.15 .. - (5.15, 6.1)
        please apply to 5.15.y 6.1.y and 6.6.y => 5.15 .. - (5.15, 6.1, 6.6)
        v5.15+ v6.1+ => 5.15 .. -
        below 6.6 => - .. - before 6.6
        pre-6.1 => - .. - before 6.1
        > 5.15, < 6.6 => after 5.15 - .. - before 6.6
        v5.4..v6.1 => 5.4 .. 6.1
        ");
    }

    #[test]
    fn a_line_is_covered_within_its_bounds() {
        let line = |text: &str| {
            let (major, minor) = text.split_once('.').unwrap();
            Line { major: major.parse().unwrap(), minor: minor.parse().unwrap() }
        };
        for (note, inside, outside) in [
            ("5.15+", &["5.15", "6.1"][..], &["5.10"][..]),
            ("<= 6.6", &["6.6", "5.4"], &["6.12"]),
            ("< 6.6", &["6.1"], &["6.6"]),
            ("4.19, 5.4", &["4.19", "5.4"], &["5.10"]),
            ("6.1 only", &["6.1"], &["6.6", "5.15"]),
            ("> 6.1", &["6.6"], &["6.1", "5.15"]),
        ] {
            let mut stable = Stable::default();
            stable.take(Some(note));
            assert!(inside.iter().all(|name| stable.covers(line(name))), "{note}");
            assert!(!outside.iter().any(|name| stable.covers(line(name))), "{note}");
        }
    }
}
