//! Ranges of kernel versions.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::{KernelVersion, Line, VersionError, serde_as_text};

serde_as_text!(VersionRange);

/// One end of a [`VersionRange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The whole line, candidates included.
    Line(Line),
    /// One version; without a local part it stands for every build of that upstream version.
    Version(KernelVersion),
}

impl Bound {
    /// Where `version` lies seen from this end: `Equal` when the end covers it.
    fn place(&self, version: &KernelVersion) -> Ordering {
        match self {
            Bound::Line(line) => match version.line() {
                Some(of_version) => of_version.cmp(line),
                None => Ordering::Greater,
            },
            Bound::Version(end) if end.local.is_empty() => version.upstream.cmp(&end.upstream),
            Bound::Version(end) => version.cmp(end),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Line(line) => line.fmt(f),
            Bound::Version(version) => {
                let text = version.to_string();
                // the first release of a line has the line's name: alone it would be read as the line
                let ending = if text.parse::<Line>().is_ok() { ".0" } else { "" };
                write!(f, "{text}{ending}")
            }
        }
    }
}

impl FromStr for Bound {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        text.parse().map(Bound::Line).or_else(|_| text.parse().map(Bound::Version))
    }
}

/// All versions between two ends, both included; an end that is missing is open: `6.12..7.2`, `6.12.57..`, `..6.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    first: Option<Bound>,
    last: Option<Bound>,
}

/// A string that is no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// There is no `..` in it.
    #[error("`{0}` is no range: expected two versions or lines with `..` between them, like `6.12..7.2`")]
    NotARange(String),
    /// One end is no version.
    #[error("in the range `{range}`: {source}")]
    Bound {
        /// The whole range.
        range: String,
        /// What is wrong with the end.
        source: VersionError,
    },
    /// The first version is newer than the last one.
    #[error(
        "the range `{range}` can hold nothing: {first} is newer than {last}; write it as `{last}..{first}`"
    )]
    Reversed {
        /// The whole range.
        range: String,
        /// Its first end.
        first: String,
        /// Its last end.
        last: String,
    },
}

impl VersionRange {
    /// Whether `version` lies in the range.
    pub fn contains(&self, version: &KernelVersion) -> bool {
        self.first.as_ref().is_none_or(|end| end.place(version).is_ge())
            && self.last.as_ref().is_none_or(|end| end.place(version).is_le())
    }
}

impl From<Line> for VersionRange {
    fn from(line: Line) -> Self {
        VersionRange { first: Some(Bound::Line(line)), last: Some(Bound::Line(line)) }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = &self.first {
            first.fmt(f)?;
        }
        f.write_str("..")?;
        if let Some(last) = &self.last {
            last.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for VersionRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (first, last) = text.split_once("..").ok_or_else(|| RangeError::NotARange(text.to_string()))?;
        // `..=` is what Rust calls an inclusive range; ours is inclusive in either spelling
        let last = last.strip_prefix('=').unwrap_or(last);
        let end = |text_of_end: &str| match text_of_end {
            "" => Ok(None),
            end => {
                end.parse().map(Some).map_err(|source| RangeError::Bound { range: text.to_string(), source })
            }
        };
        let range = VersionRange { first: end(first)?, last: end(last)? };
        if let (Some(first), Some(last)) = (&range.first, &range.last) {
            let reversed = match (first, last) {
                (Bound::Line(first), Bound::Line(last)) => first > last,
                (Bound::Version(first), last) => last.place(first).is_gt(),
                (first, Bound::Version(last)) => first.place(last).is_lt(),
            };
            if reversed {
                return Err(RangeError::Reversed {
                    range: text.to_string(),
                    first: first.to_string(),
                    last: last.to_string(),
                });
            }
        }
        Ok(range)
    }
}
