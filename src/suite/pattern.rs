//! A regular expression that was compiled when its suite was loaded.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::yaml::rejection::Rejection;

/// Bound on a compiled pattern, in bytes: far above any honest pattern, far below what nested repetition can cost.
const SIZE_LIMIT: usize = 1 << 20;

/// A regular expression (the syntax of the `regex` crate), matched anywhere in a text unless it is anchored.
///
/// It never matches the empty text: a pattern that does, matches everything, and a symptom that fits every crash
/// is a wrong verdict in waiting. Two patterns are equal when their texts are.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether the pattern matches somewhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The compiled expression, for callers that need the place of a match.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        let expected = "a regular expression (syntax of the Rust crate regex)";
        let regex = RegexBuilder::new(text).size_limit(SIZE_LIMIT).build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                Rejection::because("a pattern that grows beyond 1 MiB when compiled", expected)
                    .help("repeat less: `x{1000}` inside another repetition multiplies")
            }
            error => Rejection::because(format!("a pattern that {}", reason(&error)), expected)
                .help("write `\\(` `\\[` `\\.` for the characters themselves, and put the pattern in 'single quotes'"),
        })?;
        if regex.is_match("") {
            let found =
                if text.is_empty() { "an empty pattern" } else { "a pattern that matches the empty text" };
            return Err(Rejection::because(found, "a pattern that can fail")
                .help("it would match every text; name at least one character that must be there"));
        }
        Ok(Self(regex))
    }
}

/// The last line of the crate's multi-line message holds the reason; the lines before it draw the pattern again.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("does not parse: {}", last.trim_start_matches("error: "))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_search_anywhere() {
        let pattern: Pattern = "blk_mq_debugfs_register_sched(_hctx)?".parse().unwrap();
        assert!(pattern.is_match("BUG: unable to handle … in blk_mq_debugfs_register_sched_hctx"));
        assert!(!pattern.is_match("blk_mq_debugfs"));
    }

    #[test]
    fn useless_and_costly_patterns_are_refused() {
        let refusal = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        insta::assert_snapshot!(refusal("foo("), @"found a pattern that does not parse: unclosed group, expected a regular expression (syntax of the Rust crate regex)");
        insta::assert_snapshot!(refusal(""), @"found an empty pattern, expected a pattern that can fail");
        insta::assert_snapshot!(refusal("(foo)?"), @"found a pattern that matches the empty text, expected a pattern that can fail");
        insta::assert_snapshot!(refusal("(a{999}){999}"), @"found a pattern that grows beyond 1 MiB when compiled, expected a regular expression (syntax of the Rust crate regex)");
    }
}
