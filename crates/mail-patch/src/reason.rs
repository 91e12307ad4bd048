//! Why a hunk does not apply, and what its place in the source looks like instead.

use std::collections::HashMap;

use serde::Serialize;

use super::damage::Damage;
use super::diff::{FileDiff, Kind};
use super::place::{self, Fit, HunkTarget, Text};
use super::reading::Reading;
use super::source::Source;
use super::text::{shortened, squeezed};

/// Why something of a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Reason {
    /// The hunk is damaged.
    Damaged {
        /// How.
        damages: Vec<Damage>,
    },
    /// The source has what the hunk adds, and lacks what it removes.
    AlreadyApplied {
        /// At this line, from 1.
        at: usize,
    },
    /// Its context is at several lines.
    Several {
        /// Which, from 1.
        lines: Vec<usize>,
    },
    /// Its context is in the file, but belongs to the file's start or end, or ends with another newline.
    FileEnd {
        /// Where it is, from 1.
        at: usize,
        /// What is wrong with that.
        text: String,
    },
    /// What white space was lost matters.
    WhiteSpace {
        /// Why.
        text: String,
    },
    /// The closest lines of the source are others.
    ContextDiffers {
        /// The first of them, from 1; absent where nothing is like the hunk.
        at: Option<usize>,
        /// The differences: `-` is what the patch expects, `+` what the source has.
        differences: Vec<String>,
        /// The commits that last touched them.
        touched: Vec<String>,
        /// How many of the added lines, of how many, stand there already: another form of the change may be in.
        there: (usize, usize),
    },
    /// There is no such file.
    Missing {
        /// Files of the same name elsewhere in the source.
        elsewhere: Vec<String>,
    },
    /// The patch makes a file that is there.
    Exists,
    /// The patch deletes a file that has lines which the patch does not know.
    LinesLeft {
        /// How many.
        count: usize,
    },
    /// It is a merge's difference to all of its parents.
    Combined,
    /// The patch changes a file where the source has a symbolic link, or a link where it has a file.
    OtherKind {
        /// Whether the source has the link.
        link: bool,
    },
    /// The patch states a mode that is no file's and no link's.
    NoFile {
        /// As it stands there.
        mode: String,
    },
    /// Too much was looked at for the patch's other hunks.
    GaveUp {
        /// How many hunks were looked for.
        after: usize,
    },
    /// It is binary.
    Binary {
        /// Whether the patch has the contents.
        contents: bool,
    },
    /// A path leads out of the source.
    Outside {
        /// Which.
        path: String,
    },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Damaged { damages } => {
                let all: Vec<String> = damages.iter().map(Damage::to_string).collect();
                write!(f, "damaged: {}", all.join("; "))
            }
            Reason::AlreadyApplied { at } => {
                write!(f, "already applied: the source has the result at line {at}")
            }
            Reason::Several { lines } => {
                let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
                write!(f, "ambiguous: it fits at lines {}, and nothing says which is meant", lines.join(", "))
            }
            Reason::FileEnd { at, text } => write!(f, "it fits only at line {at}, but {text}"),
            Reason::WhiteSpace { text } => write!(f, "white space lost: {text}"),
            Reason::ContextDiffers { at: Some(at), there: (there, of), .. } => {
                write!(f, "context differs; the closest lines of the source start at line {at}")?;
                if *there > 0 {
                    write!(f, "; {there} of the {of} lines that it adds stand there already")?;
                }
                Ok(())
            }
            Reason::ContextDiffers { at: None, .. } => {
                f.write_str("context differs; nothing like it is in the file")
            }
            Reason::Missing { elsewhere } if elsewhere.is_empty() => {
                f.write_str("no such file in the source")
            }
            Reason::Missing { elsewhere } => {
                write!(f, "no such file; renamed? of the same name: {}", elsewhere.join(", "))
            }
            Reason::Exists => f.write_str("the patch makes this file, but the source has one"),
            Reason::LinesLeft { count } => {
                let lines = if *count == 1 { "line" } else { "lines" };
                write!(
                    f,
                    "the patch deletes this file, but the source's has {count} {lines} more than the patch removes"
                )
            }
            Reason::Combined => f.write_str(
                "a combined diff shows a merge and is no patch; `git diff PARENT MERGE` makes one",
            ),
            Reason::OtherKind { link: true } => {
                f.write_str("the patch changes a file, but the source has a symbolic link there")
            }
            Reason::OtherKind { link: false } => {
                f.write_str("the patch changes a symbolic link, but the source has a file there")
            }
            Reason::NoFile { mode } if mode == "160000" => {
                f.write_str("a submodule, whose commit is no file of the source")
            }
            Reason::NoFile { mode } => {
                write!(f, "`{}` is no mode of a file; expected 100644, 100755 or 120000", shortened(mode))
            }
            Reason::GaveUp { after } => {
                write!(f, "given up after {after} hunks, too many of which are not where the patch says")
            }
            Reason::Binary { contents: true } => {
                f.write_str("a binary patch (`GIT binary patch`), which is not read; `git apply` does")
            }
            Reason::Binary { contents: false } => f.write_str(
                "the diff says that a binary file differs, and not how; `git diff --binary` makes one that does",
            ),
            Reason::Outside { path } if path.to_ascii_lowercase().contains(".git") => {
                write!(f, "`{path}` is in git's own folder or outside the source; the patch is refused")
            }
            Reason::Outside { path } => write!(f, "`{path}` leads out of the source; the patch is refused"),
        }
    }
}

/// A file that is not there.
pub fn missing(path: &str, file: &FileDiff, source: &dyn Source) -> Reason {
    if file.renamed() && file.new_path.as_deref().is_some_and(|new| source.read(new).is_some()) {
        return Reason::AlreadyApplied { at: 1 };
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    Reason::Missing { elsewhere: source.named(name) }
}

/// Where the file has what the hunk makes of it; `wanted.first` is the first line of the hunk's new side.
pub fn undone(file: Text<'_>, wanted: HunkTarget<'_>) -> Option<usize> {
    let lines = place::reversed(wanted.lines);
    // without a line to compare anything would fit
    if place::old_side(&lines).is_empty() {
        return None;
    }
    match place::place(file, 0, HunkTarget { lines: &lines, ..wanted }, 0) {
        Fit::At { line, .. } => Some(line),
        _ => None,
    }
}

/// A hunk whose context is in the file, where git does not take it.
pub fn at_an_end(file: Text<'_>, wanted: HunkTarget<'_>) -> Option<Reason> {
    let at = place::elsewhere(file, wanted)?;
    let old = place::old_side(wanted.lines);
    let at_end = at + old.len() == file.lines.len();
    let newline = old.last().is_none_or(|line| line.newline);
    let text = if at_end && newline != file.newline {
        let (has, says) = if file.newline { ("a", "none") } else { ("no", "one") };
        format!("the source's file has {has} newline at its end, and the patch says {says}")
    } else if wanted.first <= 1 && at > 0 {
        "a hunk of line 1 belongs to the start of the file".to_owned()
    } else if !at_end {
        "a hunk without context below its changes, or without a newline, belongs to the end of the file"
            .to_owned()
    } else {
        return None;
    };
    Some(Reason::FileEnd { at: at + 1, text })
}

/// A hunk, read this way, that fits nowhere in this file.
pub fn nowhere(
    file: Text<'_>,
    words: &[String],
    reading: &Reading,
    wanted: usize,
    path: &str,
    source: &dyn Source,
) -> Reason {
    let (lines, newline, file) = (&reading.lines, file.newline, file.lines);
    let old: Vec<String> = place::old_side(lines).iter().map(|line| line.text.clone()).collect();
    let Some(at) = closest(words, &old, wanted) else {
        return Reason::ContextDiffers {
            at: None,
            differences: Vec::new(),
            touched: Vec::new(),
            there: (0, 0),
        };
    };
    let end = (at + old.len()).min(file.len());
    let mut found: Vec<&str> = file[at..end].to_vec();
    let mut expected = old.clone();
    let ends = place::old_side(lines).last().is_none_or(|line| line.newline);
    if end == file.len() && ends != newline {
        const MARK: &str = "\\ No newline at end of file";
        if ends { found.push(MARK) } else { expected.push(MARK.to_owned()) }
    }
    let around: Vec<String> =
        file[at..(end + lines.len()).min(file.len())].iter().map(|line| squeezed(line)).collect();
    let added = lines.iter().filter(|line| line.kind == Kind::Add).map(|line| squeezed(&line.text));
    let added: Vec<String> = added.filter(|text| text.len() > 3).collect();
    let there = added.iter().filter(|text| around.contains(text)).count();
    Reason::ContextDiffers {
        at: Some(at + 1),
        differences: differences(&expected, &found, reading.loose),
        touched: source.touched(path, at + 1, end),
        there: (there, added.len()),
    }
}

/// Where most of the hunk's lines are, in order, or else most of its words, as where functions were renamed; of equal
/// places the one closest to `wanted`.
fn closest(lines: &[String], old: &[String], wanted: usize) -> Option<usize> {
    /// A line counts as so many words.
    const LINE: usize = 4;
    let expected: Vec<String> = old.iter().map(|line| squeezed(line)).collect();
    // a brace is everywhere
    let telling = |text: &&String| text.len() > 3;
    let span = old.len() + 2;
    // every telling line and every word has a number, and how often it is looked for
    let mut ids: HashMap<&str, usize> = HashMap::new();
    let mut weights: Vec<usize> = Vec::new();
    for line in expected.iter().filter(telling) {
        let id = *ids.entry(line).or_insert(weights.len());
        if id == weights.len() {
            weights.push(0);
        }
        weights[id] += LINE;
    }
    let mut parts: HashMap<&str, usize> = HashMap::new();
    for word in expected.iter().flat_map(|line| parts_of(line)) {
        if !parts.contains_key(word) {
            parts.insert(word, weights.len());
            weights.push(1);
        }
    }
    let known: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| {
            let all = ids.get(line.as_str()).into_iter().copied();
            all.chain(parts_of(line).filter_map(|word| parts.get(word).copied())).collect()
        })
        .collect();
    let mut counts = vec![0_usize; weights.len()];
    let mut score = 0;
    let mut best: Option<(usize, usize)> = None;
    for at in 0..lines.len() {
        let entering =
            if at == 0 { 0..span.min(lines.len()) } else { at + span - 1..(at + span).min(lines.len()) };
        for id in known.get(entering).into_iter().flatten().flatten() {
            score += if counts[*id] == 0 { weights[*id] } else { 0 };
            counts[*id] += 1;
        }
        let nearer = |other: usize| at.abs_diff(wanted) < other.abs_diff(wanted);
        if score > 0 && best.is_none_or(|(most, other)| score > most || score == most && nearer(other)) {
            best = Some((score, at));
        }
        for id in &known[at] {
            counts[*id] -= 1;
            score -= if counts[*id] == 0 { weights[*id] } else { 0 };
        }
    }
    // words alone are found by chance
    best.filter(|(score, _)| *score >= LINE).map(|(_, at)| at)
}

/// The parts of identifiers, of three letters at least.
fn parts_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 2)
}

/// Lines of either side that are compared for a message.
pub const MOST_COMPARED: usize = 400;

/// Both sides, line by line, by their longest common part; of long ones the beginning.
fn differences(expected: &[String], found: &[&str], loose: bool) -> Vec<String> {
    const LONGEST: usize = MOST_COMPARED;
    let (expected, found) = (&expected[..expected.len().min(LONGEST)], &found[..found.len().min(LONGEST)]);
    let words = |text: &str| if loose { squeezed(text) } else { text.to_owned() };
    let expected_words: Vec<String> = expected.iter().map(|line| words(line)).collect();
    let found_words: Vec<String> = found.iter().map(|line| words(line)).collect();
    let same = |a: usize, b: usize| expected_words[a] == found_words[b];
    let (n, m) = (expected.len(), found.len());
    let mut common = vec![vec![0_usize; m + 1]; n + 1];
    for a in (0..n).rev() {
        for b in (0..m).rev() {
            common[a][b] =
                if same(a, b) { common[a + 1][b + 1] + 1 } else { common[a + 1][b].max(common[a][b + 1]) };
        }
    }
    let mut out = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < n || b < m {
        if a < n && b < m && same(a, b) {
            out.push(format!(" {}", found[b]));
            (a, b) = (a + 1, b + 1);
        } else if a < n && (b == m || common[a + 1][b] >= common[a][b + 1]) {
            out.push(format!("-{}", expected[a]));
            a += 1;
        } else {
            out.push(format!("+{}", found[b]));
            b += 1;
        }
    }
    out
}
