//! What unified diffs hold.
//!
//! The form is that of POSIX `diff -u` with git's extended headers (git-diff, "Generating patch text with -p"). A hunk
//! announces how many lines of the old and of the new file it holds; one that does not hold them is damaged, whatever
//! it looks like.

use super::damage::Damage;
pub use super::header::{Header, Span};
pub use super::parse::{goes_on, marked, read, start};
use super::text::Line;

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
    /// What is wrong with the header itself, which was read all the same.
    pub header: Header,
    /// The lines.
    pub body: Body,
    /// Lines right behind a whole hunk that could be more of it, or a text: blanks and `-` begin both.
    pub surplus: Vec<HunkLine>,
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

/// What happens to a file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// It is made, changed or deleted in its place.
    #[default]
    Change,
    /// It gets another name.
    Rename,
    /// It is copied, so that the old file stays.
    Copy,
}

/// What is done to one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Line of the input.
    pub line: usize,
    /// The old name as the headers have it, with its prefix; absent for `/dev/null`.
    pub old_name: Option<String>,
    /// And the new one.
    pub new_name: Option<String>,
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
    /// Whether it is moved or copied.
    pub operation: Operation,
    /// Whether the file is new.
    pub created: bool,
    /// Whether the file is deleted.
    pub deleted: bool,
    /// Whether `---` and `+++` announce hunks.
    pub announced: bool,
    /// Whether it is a merge's difference to all of its parents, which says of no file what it becomes.
    pub combined: bool,
    /// Lines that begin like a hunk's header and are none.
    pub unread: Vec<Line>,
    /// Whether the contents are binary, which is not read.
    pub binary: bool,
    /// Whether they are there (`GIT binary patch`), and not only said to differ.
    pub binary_contents: bool,
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
        self.operation == Operation::Rename
    }

    /// Whether nothing of it says what is done to the file, though hunks or contents are announced.
    pub fn lacks_hunks(&self) -> bool {
        /// git's ids of an empty file, SHA-1 and SHA-256.
        const EMPTY: [&str; 2] = [
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
        ];
        if !self.hunks.is_empty() || self.binary || self.combined {
            return false;
        }
        let empty = |id: &Option<String>| {
            id.as_ref().is_none_or(|id| EMPTY.iter().any(|full| full.starts_with(id.as_str())))
        };
        let acts =
            self.operation != Operation::Change || self.created || self.deleted || self.new_mode.is_some();
        let differs = match (self.created, self.deleted) {
            (true, _) => !empty(&self.new_blob),
            (_, true) => !empty(&self.old_blob),
            _ => self.old_blob != self.new_blob,
        };
        self.announced || differs || !acts
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

    /// About how many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        let lines = |body: &Body| match body {
            Body::Whole(lines) => lines.iter().map(|line| line.text.len() + 2).sum(),
            Body::Damaged { raw, .. } => raw.iter().map(|line| line.text.len() + 1).sum::<usize>(),
            Body::RunTogether(text) => text.len(),
            Body::Wrapped(_) => 0,
        };
        /// What the headers of a hunk and of a file take.
        const HEADERS: [usize; 2] = [30, 100];
        let hunks: usize = self.hunks().map(|(_, hunk)| HEADERS[0] + lines(&hunk.body)).sum();
        hunks + HEADERS[1] * self.files.len()
    }

    /// Whether every hunk holds what it announces.
    pub fn is_whole(&self) -> bool {
        self.hunks().all(|(_, hunk)| hunk.lines().is_some())
    }
}
