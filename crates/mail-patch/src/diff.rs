//! Unified diffs: what they hold, and reading them with every hunk's lines counted.
//!
//! The form is that of POSIX `diff -u` with git's extended headers (git-diff, "Generating patch text with -p"). A hunk
//! announces how many lines of the old and of the new file it holds; one that does not hold them is damaged, whatever
//! it looks like.

use std::sync::LazyLock;

use regex::Regex;

use super::damage::Damage;
use super::text::Line;

static HEADER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: ?(.*))?$").expect("valid"));
static INDEX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})(?: (\d{6}))?").expect("valid"));
static SIGNATURE_VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d+\.\d+(\.|$)").expect("valid"));

/// A run of lines of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first line, from 1; for an empty run the line before it.
    pub start: usize,
    /// How many.
    pub len: usize,
}

/// What a line of a hunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// On both sides.
    Context,
    /// Only on the old side.
    Remove,
    /// Only on the new side.
    Add,
}

impl Kind {
    /// The character before the line.
    pub fn mark(self) -> char {
        match self {
            Kind::Context => ' ',
            Kind::Remove => '-',
            Kind::Add => '+',
        }
    }

    /// Lines of the old and of the new side that it stands for.
    pub fn counts(self) -> (usize, usize) {
        match self {
            Kind::Context => (1, 1),
            Kind::Remove => (1, 0),
            Kind::Add => (0, 1),
        }
    }
}

/// A line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HunkLine {
    /// What it is.
    pub kind: Kind,
    /// Its text without the mark.
    pub text: String,
    /// Its line in the input.
    pub line: usize,
    /// Whether it ends with a newline; false below `\ No newline at end of file`.
    pub newline: bool,
}

impl HunkLine {
    /// A line that ends with a newline.
    pub fn new(kind: Kind, text: impl Into<String>, line: usize) -> HunkLine {
        HunkLine { kind, text: text.into(), line, newline: true }
    }
}

/// What stands below a hunk's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// As many lines as announced.
    Whole(Vec<HunkLine>),
    /// Too few, too many, or lines that are no hunk's.
    Damaged {
        /// The lines up to the next header, signature or end.
        raw: Vec<Line>,
        /// Whether the text ends here, so that more may be missing.
        at_end: bool,
    },
    /// The line breaks are gone; the text that stands where the lines should be.
    RunTogether(String),
    /// Something was put around every line, which has to be taken off first.
    Wrapped(Damage),
}

/// One hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The header's line in the input.
    pub line: usize,
    /// The lines that it announces of the old file.
    pub old: Span,
    /// The lines that it announces of the new file.
    pub new: Span,
    /// The text behind the header, usually the function's first line.
    pub section: String,
    /// The lines.
    pub body: Body,
    /// A line right behind a whole hunk that is neither empty nor the start of anything: text, or the rest of the
    /// hunk's last line.
    pub tail: Option<Line>,
}

impl Hunk {
    /// The lines, where they are whole.
    pub fn lines(&self) -> Option<&[HunkLine]> {
        match &self.body {
            Body::Whole(lines) => Some(lines),
            _ => None,
        }
    }
}

/// What is done to one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Line of the input.
    pub line: usize,
    /// The file before; absent for a new one.
    pub old_path: Option<String>,
    /// The file after; absent for a deleted one.
    pub new_path: Option<String>,
    /// git's id of the file's contents before, often shortened.
    pub old_blob: Option<String>,
    /// And after.
    pub new_blob: Option<String>,
    /// The file's mode before, where it is stated.
    pub old_mode: Option<String>,
    /// The file's mode after, where it is new or changes.
    pub new_mode: Option<String>,
    /// Whether it is copied, so that the old file stays.
    pub copied: bool,
    /// Whether the contents are binary, which is not read.
    pub binary: bool,
    /// The hunks, in order.
    pub hunks: Vec<Hunk>,
}

impl FileDiff {
    /// The name to call it by.
    pub fn path(&self) -> &str {
        self.new_path.as_deref().or(self.old_path.as_deref()).unwrap_or("?")
    }

    /// Whether it is renamed.
    pub fn renamed(&self) -> bool {
        matches!((&self.old_path, &self.new_path), (Some(old), Some(new)) if old != new) && !self.copied
    }

    /// Lines that are added and removed, of the hunks that are whole.
    pub fn changed(&self) -> (usize, usize) {
        let lines = self.hunks.iter().filter_map(Hunk::lines).flatten();
        lines.fold((0, 0), |(added, removed), line| match line.kind {
            Kind::Add => (added + 1, removed),
            Kind::Remove => (added, removed + 1),
            Kind::Context => (added, removed),
        })
    }
}

/// A diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The files, in order.
    pub files: Vec<FileDiff>,
}

impl Diff {
    /// All hunks with their files.
    pub fn hunks(&self) -> impl Iterator<Item = (&FileDiff, &Hunk)> {
        self.files.iter().flat_map(|file| file.hunks.iter().map(move |hunk| (file, hunk)))
    }

    /// Whether every hunk holds what it announces.
    pub fn is_whole(&self) -> bool {
        self.hunks().all(|(_, hunk)| hunk.lines().is_some())
    }
}

/// The first line of the diff in these lines.
pub fn start(lines: &[Line]) -> Option<usize> {
    (0..lines.len()).find(|at| lines[*at].text.starts_with("diff --git ") || is_file_header(&lines[*at..]))
}

/// Whether `---` and `+++` with names stand here.
fn is_file_header(lines: &[Line]) -> bool {
    lines.len() > 1
        && lines[0].text.strip_prefix("--- ").is_some_and(|name| !name.trim().is_empty())
        && lines[1].text.strip_prefix("+++ ").is_some_and(|name| !name.trim().is_empty())
}

/// Whether a mail's signature stands here: `-- ` and, from git, its version.
fn is_signature(lines: &[Line]) -> bool {
    let text = lines[0].text.trim_end_matches('\r');
    (text == "-- " || text == "--")
        && lines
            .get(1)
            .is_none_or(|next| next.text.trim().is_empty() || SIGNATURE_VERSION.is_match(&next.text))
}

/// Reads a diff that starts at the first of these lines. Text between and after the files is passed over.
pub fn read(lines: &[Line]) -> Diff {
    let mut diff = Diff::default();
    let mut at = 0;
    while at < lines.len() {
        let rest = &lines[at..];
        if let Some(names) = rest[0].text.strip_prefix("diff --git ") {
            diff.files.push(git_header(names, rest[0].number));
        } else if is_file_header(rest) {
            file_header(&mut diff, rest);
            at += 1;
        } else if let Some(file) = diff.files.last_mut() {
            if let Some((hunk, length)) = hunk(rest) {
                file.hunks.push(hunk);
                at += length;
                continue;
            }
            if file.hunks.is_empty() {
                extended_header(file, &rest[0].text);
            }
        }
        at += 1;
    }
    diff
}

fn git_header(names: &str, line: usize) -> FileDiff {
    let names = names.trim_end();
    let bare = |name: &str, prefix: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
    // both names are the same but for the prefix, unless rename lines say otherwise
    let middle = names
        .match_indices(' ')
        .map(|(at, _)| (bare(&names[..at], "a/"), bare(&names[at + 1..], "b/")))
        .find(|(old, new)| old == new);
    let (old, new) =
        middle.or_else(|| names.split_once(' ').map(|(old, new)| (bare(old, "a/"), bare(new, "b/")))).unzip();
    FileDiff { line, old_path: old, new_path: new, ..FileDiff::default() }
}

fn extended_header(file: &mut FileDiff, text: &str) {
    let text = text.trim_end();
    if let Some(found) = INDEX.captures(text) {
        file.old_blob = Some(found[1].to_owned());
        file.new_blob = Some(found[2].to_owned());
        // it stands here where it does not change
        if let Some(mode) = found.get(3) {
            file.old_mode = Some(mode.as_str().to_owned());
        }
    } else if let Some(mode) = text.strip_prefix("new file mode ") {
        file.old_path = None;
        file.new_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("deleted file mode ") {
        file.new_path = None;
        file.old_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("old mode ") {
        file.old_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("new mode ") {
        file.new_mode = Some(mode.to_owned());
    } else if let Some(name) = text.strip_prefix("rename from ") {
        file.old_path = Some(name.to_owned());
    } else if let Some(name) = text.strip_prefix("rename to ") {
        file.new_path = Some(name.to_owned());
    } else if let Some(name) = text.strip_prefix("copy from ") {
        file.old_path = Some(name.to_owned());
        file.copied = true;
    } else if let Some(name) = text.strip_prefix("copy to ") {
        file.new_path = Some(name.to_owned());
    } else if text.starts_with("GIT binary patch") || text.starts_with("Binary files ") {
        file.binary = true;
    }
}

/// `---` and `+++`: the names of a file whose `diff --git` line was read, or of a new one.
fn file_header(diff: &mut Diff, lines: &[Line]) {
    let name = |line: &Line| {
        let name = line.text[4..].trim_end_matches('\r').split('\t').next().unwrap_or_default().trim();
        (name != "/dev/null").then(|| name.to_owned())
    };
    let (old, new) = (name(&lines[0]), name(&lines[1]));
    let of_git = diff
        .files
        .last()
        .is_some_and(|file| file.hunks.is_empty() && !file.binary && file.line + 12 > lines[0].number);
    if of_git && let Some(file) = diff.files.last_mut() {
        if old.is_none() {
            file.old_path = None;
        }
        if new.is_none() {
            file.new_path = None;
        }
        return;
    }
    let (old, new) = without_prefixes(old, new);
    diff.files.push(FileDiff { line: lines[0].number, old_path: old, new_path: new, ..FileDiff::default() });
}

/// Takes `a/` and `b/`, or the two names of a tree's folder, from the names.
fn without_prefixes(old: Option<String>, new: Option<String>) -> (Option<String>, Option<String>) {
    let tail = |name: &str| name.split_once('/').map(|(_, tail)| tail.to_owned());
    let strip = |name: &Option<String>, prefix: &str| {
        name.as_ref().map(|name| name.strip_prefix(prefix).unwrap_or(name).to_owned())
    };
    if let (Some(a), Some(b)) = (&old, &new)
        && a != b
        && let (Some(tail_a), Some(tail_b)) = (tail(a), tail(b))
        && tail_a == tail_b
    {
        return (Some(tail_a), Some(tail_b));
    }
    (strip(&old, "a/"), strip(&new, "b/"))
}

/// A hunk's header.
pub fn header(text: &str) -> Option<(Span, Span, String)> {
    let found = HEADER.captures(text.trim_end_matches('\r'))?;
    let number = |at: usize| found.get(at).map_or(Some(1), |digits| digits.as_str().parse().ok());
    let old = Span { start: number(1)?, len: number(2)? };
    let new = Span { start: number(3)?, len: number(4)? };
    let section = found.get(5).map_or("", |section| section.as_str()).to_owned();
    Some((old, new, section))
}

/// Reads the hunk that starts here; answers it and how many lines it takes.
fn hunk(lines: &[Line]) -> Option<(Hunk, usize)> {
    if !lines[0].text.starts_with("@@ -") {
        return None;
    }
    let mut taken = 1;
    let (old, new, section) = header(&lines[0].text).or_else(|| {
        // broken inside the numbers
        let next = lines.get(1)?;
        taken = 2;
        header(&format!("{} {}", lines[0].text.trim_end(), next.text.trim_start()))
    })?;
    let (body, length) = body(&lines[taken..], old.len, new.len);
    let tail = lines.get(taken + length).filter(|line| {
        let rest = &lines[taken + length..];
        matches!(body, Body::Whole(_)) && marked(line).is_none() && !is_boundary(rest) && !is_signature(rest)
    });
    let tail = tail.cloned();
    Some((Hunk { line: lines[0].number, old, new, section, body, tail }, taken + length))
}

/// What a line of a hunk says by its first character; `None` for one without a mark.
pub fn marked(line: &Line) -> Option<HunkLine> {
    let kind = match line.text.as_bytes().first() {
        None => return Some(HunkLine::new(Kind::Context, "", line.number)),
        Some(b' ') => Kind::Context,
        Some(b'-') => Kind::Remove,
        Some(b'+') => Kind::Add,
        // an empty line of a file with carriage returns
        Some(b'\r') if line.text.len() == 1 => return Some(HunkLine::new(Kind::Context, "\r", line.number)),
        Some(_) => return None,
    };
    Some(HunkLine::new(kind, &line.text[1..], line.number))
}

fn body(lines: &[Line], old: usize, new: usize) -> (Body, usize) {
    let (mut left_old, mut left_new) = (old, new);
    let mut read: Vec<HunkLine> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].text.starts_with("\\ ") {
            if let Some(last) = read.last_mut() {
                last.newline = false;
            }
            at += 1;
            continue;
        }
        if left_old == 0 && left_new == 0 {
            break;
        }
        if is_signature(&lines[at..]) {
            return damaged(lines);
        }
        let Some(line) = marked(&lines[at]) else { return damaged(lines) };
        let (of_old, of_new) = line.kind.counts();
        let (Some(next_old), Some(next_new)) = (left_old.checked_sub(of_old), left_new.checked_sub(of_new))
        else {
            return damaged(lines);
        };
        (left_old, left_new) = (next_old, next_new);
        read.push(line);
        at += 1;
    }
    let surplus = lines.get(at).is_some_and(|line| {
        let dashes = line.text.trim_end().bytes().all(|byte| byte == b'-');
        line.text.starts_with([' ', '+', '-'])
            && !line.text.trim().is_empty()
            && !dashes
            && !is_signature(&lines[at..])
            && !is_boundary(&lines[at..])
    });
    if left_old > 0 || left_new > 0 || surplus { damaged(lines) } else { (Body::Whole(read), at) }
}

/// Whether another hunk or file starts here.
fn is_boundary(lines: &[Line]) -> bool {
    let text = &lines[0].text;
    text.starts_with("diff --git ")
        || (text.starts_with("@@ -") && text.contains('+'))
        || is_file_header(lines)
}

fn damaged(lines: &[Line]) -> (Body, usize) {
    let end = (0..lines.len()).find(|at| is_signature(&lines[*at..]) || is_boundary(&lines[*at..]));
    let length = end.unwrap_or(lines.len());
    (Body::Damaged { raw: lines[..length].to_vec(), at_end: end.is_none() }, length)
}
