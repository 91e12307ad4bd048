//! A hunk as it can be read.

use super::damage::Damage;
use super::diff::HunkLine;
use super::text::Line;

/// One way to read a damaged hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The lines.
    pub lines: Vec<HunkLine>,
    /// How many empty context lines are missing.
    pub lost_blanks: usize,
    /// Whether the white space at the start of lines is only what was left of it.
    pub loose: bool,
    /// What was joined to the hunk's header.
    pub section: Option<String>,
    /// What this reading does not know.
    pub unknown: Option<Damage>,
}

impl Reading {
    /// A hunk as its lines stand there.
    pub fn of(lines: Vec<HunkLine>) -> Reading {
        Reading { lines, lost_blanks: 0, loose: false, section: None, unknown: None }
    }
}

/// What a damaged hunk can have said.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// The damage found.
    pub damages: Vec<Damage>,
    /// The ways to read it; exactly one that is not loose needs no source.
    pub readings: Vec<Reading>,
}

/// What is not known of an added line that was broken in two.
pub const BLANKS_UNKNOWN: &str =
    "joined to the line before with one blank; how much white space the added line had there is not known";

/// Joins a line to the one before it; answers whether the white space between them is a guess.
pub fn join(last: &mut HunkLine, line: &Line) -> bool {
    let text = line.text.trim_start();
    let sure = last.text.ends_with(' ') && text.len() == line.text.len();
    if !last.text.ends_with(' ') {
        last.text.push(' ');
    }
    last.text.push_str(text);
    !sure
}
