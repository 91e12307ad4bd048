//! What is wrong with an expression, and where.

use std::fmt;

/// A text that is no filter expression. Shown with the expression and a mark below the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The expression.
    pub text: String,
    /// Where in it, in bytes.
    pub at: usize,
    /// What was found, what was expected.
    pub message: String,
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the line of the place only: an expression may come out of a file
        let at = (0..=self.at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at));
        let at = at.unwrap_or_default();
        let begin = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[begin..].lines().next().unwrap_or_default();
        let column = self.text[begin..at].chars().count();
        let indent: String =
            self.text[begin..at].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "in the filter, at column {}: {}\n    {line}\n    {indent}^", column + 1, self.message)
    }
}
