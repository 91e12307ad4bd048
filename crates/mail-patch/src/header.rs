//! The headers of hunks.

use std::sync::LazyLock;

use regex::Regex;

static HEADER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: ?(.*))?$").expect("valid"));
/// A header that lost or gained a character, with its numbers still in their places.
static NEARLY_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*@{1,2}\s*-\s*(\d+)\s*(?:,\s*(\d+))?\s*\+\s*(\d+)\s*(?:,\s*(\d+))?\s*@{0,2}(?:\s?(.*))?$")
        .expect("valid")
});
/// What begins like a header, whatever became of it.
static LIKE_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:@@|@\s*-?\s*\d|-\s*\d+(?:,\d+)?\s+\+\s*\d+(?:,\d+)?\s*@)").expect("valid")
});
/// A run of lines of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first line, from 1; for an empty run the line before it.
    pub start: usize,
    /// How many.
    pub len: usize,
}

/// How a hunk's header is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// As it must be.
    #[default]
    Exact,
    /// Broken in two lines.
    Wrapped,
    /// With a blank or an `@` too few or too many.
    Misspelt,
}

/// Reads a hunk's header: the spans of the old and the new file, and the text behind it.
pub fn exact(text: &str) -> Option<(Span, Span, String)> {
    let found = HEADER.captures(text.trim_end_matches('\r'))?;
    let number = |at: usize| found.get(at).map_or(Some(1), |digits| digits.as_str().parse().ok());
    let old = Span { start: number(1)?, len: number(2)? };
    let new = Span { start: number(3)?, len: number(4)? };
    let section = found.get(5).map_or("", |section| section.as_str()).to_owned();
    Some((old, new, section))
}

/// Reads one with a blank or an `@` too few or too many.
pub fn nearly(text: &str) -> Option<(Span, Span, String)> {
    let found = NEARLY_HEADER.captures(text.trim_end_matches('\r'))?;
    let number = |at: usize| found.get(at).map_or(Some(1), |digits| digits.as_str().parse().ok());
    let section = found.get(5).map_or("", |section| section.as_str()).to_owned();
    Some((Span { start: number(1)?, len: number(2)? }, Span { start: number(3)?, len: number(4)? }, section))
}

/// Whether the line begins like one, whatever it is.
pub fn is_like(text: &str) -> bool {
    // most lines are not worth the expression
    text.as_bytes().contains(&b'@') && LIKE_HEADER.is_match(text)
}
