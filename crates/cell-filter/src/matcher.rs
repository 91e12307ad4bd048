//! How names are matched, in the notation of cargo-nextest's filter sets.

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;

/// What a name must be like.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `=name`: exactly this.
    Equal(String),
    /// `~part`: has this in it.
    Contains(String),
    /// `/regex/`: this is found in it.
    Regex(Regex),
    /// `#glob`: the whole name fits.
    Glob(GlobMatcher),
}

/// What a name without a sign in front means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// The name itself, or a glob where it has a glob's characters.
    Name,
    /// A part of the name, or a glob where it has a glob's characters.
    Part,
}

impl Matcher {
    /// Reads the argument of a predicate, the blanks around it taken away.
    ///
    /// # Errors
    /// What is wrong with it, and where in it, in bytes.
    pub(crate) fn parse(text: &str, bare: Bare) -> Result<Matcher, (usize, String)> {
        if text.is_empty() {
            return Err((0, "nothing stands between the parentheses".to_owned()));
        }
        if let Some(rest) = text.strip_prefix('=') {
            return Ok(Matcher::Equal(rest.to_owned()));
        }
        if let Some(rest) = text.strip_prefix('~') {
            return Ok(Matcher::Contains(rest.to_owned()));
        }
        if let Some(rest) = text.strip_prefix('#') {
            return glob(rest).map_err(|why| (1, why));
        }
        if let Some(regex) = text.strip_prefix('/') {
            let regex = regex
                .strip_suffix('/')
                .ok_or_else(|| (text.len(), "the regular expression has no `/` at its end".to_owned()))?;
            let regex = Regex::new(regex).map_err(|error| {
                let said = error.to_string();
                let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                (1, format!("no regular expression: {why}"))
            })?;
            return Ok(Matcher::Regex(regex));
        }
        if text.contains(['*', '?', '[', '{']) {
            return glob(text).map_err(|why| (0, why));
        }
        Ok(match bare {
            Bare::Name => Matcher::Equal(text.to_owned()),
            Bare::Part => Matcher::Contains(text.to_owned()),
        })
    }

    /// Whether a name is meant.
    pub fn is_match(&self, name: &str) -> bool {
        match self {
            Matcher::Equal(text) => name == text,
            Matcher::Contains(text) => name.contains(text.as_str()),
            Matcher::Regex(regex) => regex.is_match(name),
            Matcher::Glob(glob) => glob.is_match(name),
        }
    }
}

fn glob(text: &str) -> Result<Matcher, String> {
    let glob = GlobBuilder::new(text).build().map_err(|error| format!("no glob: {}", error.kind()))?;
    Ok(Matcher::Glob(glob.compile_matcher()))
}
