//! Ranges of kernel versions as suites write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::rejection::Rejection;

const EXPECTED: &str = "kernel versions, such as `6.12`, `6.16..6.17.13`, `5.10..` or `..6.1`";

/// A range of kernel versions, checked but kept as text: `6.12` (that version, or the whole line), `6.16..6.17.13`
/// (both ends included; an end that names a line covers all of it), `6.16..`, `..6.12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct VersionRange(String);

impl VersionRange {
    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionRange {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        let (from, to) = match text.split_once("..") {
            Some(ends) => ends,
            None => (text, text),
        };
        let (from, to) = (end(text, from)?, end(text, to)?);
        match (from, to) {
            (None, None) => {
                Err(Rejection::of(text, EXPECTED).help("leave the key out if every version is meant"))
            }
            (Some(from), Some(to)) if from.order(&to) == Ordering::Greater => Err(Rejection::because(
                format!("{} .. {}: it ends before it starts", from.text, to.text),
                EXPECTED,
            )
            .help(format!("did you mean `{}..{}`?", to.text, from.text))),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Checks one version, such as `v6.17-rc3`.
pub(super) fn version(text: &str) -> Result<String, Rejection> {
    match End::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Rejection::of(text, "a kernel version, such as `v6.17-rc3` or `6.12.69`")),
    }
}

fn end<'a>(whole: &str, text: &'a str) -> Result<Option<End<'a>>, Rejection> {
    match text {
        "" => Ok(None),
        text => End::parse(text).map(Some).ok_or_else(|| Rejection::of(whole, EXPECTED)),
    }
}

/// One end of a range: its numbers, and the release candidate.
struct End<'a> {
    text: &'a str,
    numbers: Vec<u32>,
    candidate: Option<u32>,
}

impl<'a> End<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let plain = plain.split_once('+').map_or(plain, |(upstream, _)| upstream);
        let (numbers, candidate) = match plain.split_once("-rc").or_else(|| plain.split_once("~rc")) {
            Some((numbers, candidate)) => (numbers, Some(candidate.parse().ok()?)),
            None => (plain, None),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?;
        let numbers: Vec<u32> = numbers.split('.').map(digits).collect::<Option<_>>()?;
        (2..=3).contains(&numbers.len()).then_some(Self { text, numbers, candidate })
    }

    /// The order of two ends as far as both are given: `6.12` is neither before nor after `6.12.9`.
    fn order(&self, other: &Self) -> Ordering {
        let common = self.numbers.len().min(other.numbers.len());
        self.numbers[..common].cmp(&other.numbers[..common]).then_with(|| {
            match (self.candidate, other.candidate) {
                (Some(a), Some(b)) => a.cmp(&b),
                (None, Some(_)) if self.numbers.len() == other.numbers.len() => Ordering::Greater,
                _ => Ordering::Equal,
            }
        })
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        for text in [
            "6.12",
            "6.10",
            "6.16..6.17.13",
            "5.10..",
            "..6.1",
            "6.12..6.12.9",
            "6.12.9..6.12",
            "v6.16-rc1..v6.17-rc3",
            "6.17-rc3..6.17",
            "7.3~rc7..7.3.4+deb13",
        ] {
            assert_eq!(text.parse::<VersionRange>().map(|range| range.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "..",
            "6",
            "6.x",
            "six",
            "6.17..6.16",
            "6.12.9..6.12.8",
            "6.17..6.17-rc3",
            "6.1...6.2",
            "1.2.3.4",
        ] {
            assert!(text.parse::<VersionRange>().is_err(), "{text}");
        }
        let refused = "6.17..6.16".parse::<VersionRange>().unwrap_err();
        insta::assert_snapshot!(refused, @"found 6.17 .. 6.16: it ends before it starts, expected kernel versions, such as `6.12`, `6.16..6.17.13`, `5.10..` or `..6.1`");
        assert_eq!(refused.help.as_deref(), Some("did you mean `6.16..6.17`?"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[v0-9.+~rc-]{0,24}") {
            let _ = text.parse::<VersionRange>();
        }
    }
}
