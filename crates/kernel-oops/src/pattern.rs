//! Regular expressions that are compiled when they are first used: most logs need few of the hundreds that the rules have.

use std::ops::Deref;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

/// Larger programs are no pattern of a rule.
const SIZE_LIMIT: usize = 4 << 20;

/// A regular expression over bytes.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern that is known to be one.
    pub(super) fn trusted(text: String) -> Pattern {
        Pattern { text, compiled: OnceLock::new() }
    }

    /// A pattern of which that is not known.
    ///
    /// # Errors
    /// If it is no regular expression, or a huge one.
    pub(super) fn checked(text: String) -> Result<Pattern, regex::Error> {
        let compiled = OnceLock::from(build(&text)?);
        Ok(Pattern { text, compiled })
    }
}

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        self.compiled.get_or_init(|| build(&self.text).expect("the embedded patterns are tested"))
    }
}

fn build(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).unicode(false).size_limit(SIZE_LIMIT).build()
}
