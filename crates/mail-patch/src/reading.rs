//! A hunk as it can be read.

use super::damage::{Damage, DamageKind, Fix};
use super::diff::{HunkLine, Kind, marked};
use super::text::{Line, shortened};

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

/// Whether a line is neither empty nor has a mark, that of a missing newline included.
pub fn is_text(line: &Line) -> bool {
    !line.text.trim().is_empty() && !line.text.starts_with("\\ ") && marked(line).is_none()
}

/// The damage that this is, where a text stands right behind an added line that ends its hunk.
pub fn behind_added(last: &HunkLine, tail: &Line, fix: Fix) -> Option<Damage> {
    (last.kind == Kind::Add && is_text(tail)).then(|| Damage {
        kind: DamageKind::LineWrapped,
        lines: vec![tail.number],
        proof: format!("`{}` stands right behind an added line that ends its hunk", shortened(&tail.text)),
        fix,
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_behind_an_added_line_is_doubted() {
        let table = [
            (Kind::Add, "true);", true),
            (Kind::Add, "\\ No newline at end of file", false),
            (Kind::Add, "", false),
            (Kind::Add, " context", false),
            (Kind::Context, "true);", false),
        ];
        for (kind, text, doubted) in table {
            let found =
                behind_added(&HunkLine::new(kind, "f(a,", 1), &Line::new(2, text), Fix::None(String::new()));
            assert_eq!(found.is_some(), doubted, "{kind:?} {text}");
        }
    }
}
