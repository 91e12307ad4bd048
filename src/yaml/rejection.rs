//! Why a piece of text is not the value that its key wants.

/// A value that was refused: what was found, what is expected, and what to do.
///
/// The parsers of single values (patterns, ranges of versions, durations, sizes …) return it; the
/// loader adds the position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found}, expected {expected}")]
pub struct Rejection {
    /// What stands there, fit to follow "found".
    pub found: String,
    /// What would be right, fit to follow "expected".
    pub expected: String,
    /// What the author can do about it, a sentence without a full stop.
    pub help: Option<String>,
}

impl Rejection {
    /// A rejection whose `found` is the text itself, quoted and cut to a readable length.
    pub fn of(text: &str, expected: impl Into<String>) -> Self {
        Self { found: quoted(text), expected: expected.into(), help: None }
    }

    /// A rejection that describes what is wrong with the text.
    pub fn because(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { found: found.into(), expected: expected.into(), help: None }
    }

    /// Adds the advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The text between backticks: one line, at most 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    format!("`{line}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_one_short_line() {
        assert_eq!(quoted("two"), "`two`");
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a b [31m`");
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }
}
