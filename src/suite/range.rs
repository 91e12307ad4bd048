//! Ranges of kernel versions as suites write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::version::{KernelVersion, RangeError, VersionRange};
use crate::yaml::rejection::Rejection;

const EXPECTED: &str = "kernel versions, such as `6.12`, `6.16..6.17.13`, `5.10..` or `..6.1`";

/// A range of kernel versions: `6.12` (that version, or the whole line), `6.16..6.17.13` (both ends included; an end
/// that names a line covers all of it), `6.16..`, `..6.12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    text: String,
    range: VersionRange,
}

impl Versions {
    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a version lies in the range.
    pub fn contains(&self, version: &KernelVersion) -> bool {
        self.range.contains(version)
    }
}

impl FromStr for Versions {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        if text == ".." {
            return Err(Rejection::of(text, EXPECTED).help("leave the key out if every version is meant"));
        }
        if text.is_empty() {
            return Err(Rejection::of(text, EXPECTED));
        }
        // a version may have a local part behind a dash, as `6.12.57-1`, which is no later version
        if let Some((first, last)) = text.split_once('-')
            && last.contains('.')
            && format!("{first}..{last}").parse::<VersionRange>().is_ok()
        {
            let help = format!("a range is written with `..`: `{first}..{last}`");
            return Err(Rejection::of(text, EXPECTED).help(help));
        }
        let written = if text.contains("..") { text.to_owned() } else { format!("{text}..{text}") };
        match written.parse() {
            Ok(range) => Ok(Self { text: text.to_owned(), range }),
            Err(RangeError::Reversed { first, last, .. }) => {
                Err(Rejection::because(format!("{first} .. {last}: it ends before it starts"), EXPECTED)
                    .help(format!("did you mean `{last}..{first}`?")))
            }
            Err(_) => Err(Rejection::of(text, EXPECTED)),
        }
    }
}

/// Checks one version, such as `v6.17-rc3`.
pub(super) fn version(text: &str) -> Result<String, Rejection> {
    match text.parse::<KernelVersion>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Rejection::of(text, "a kernel version, such as `v6.17-rc3` or `6.12.69`")),
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Versions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Versions {
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
            assert_eq!(text.parse::<Versions>().map(|range| range.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "..", "6", "6.x", "six", "6.17..6.16", "6.12.9..6.12.8", "6.1...6.2", "1.2.3.4"] {
            assert!(text.parse::<Versions>().is_err(), "{text}");
        }
        let dash = "6.12-6.17".parse::<Versions>().unwrap_err();
        assert_eq!(dash.help.as_deref(), Some("a range is written with `..`: `6.12..6.17`"));
        assert!("6.12.57-1".parse::<Versions>().is_ok(), "a local part is no range");
        let refused = "6.17..6.16".parse::<Versions>().unwrap_err();
        insta::assert_snapshot!(refused, @"found 6.17 .. 6.16: it ends before it starts, expected kernel versions, such as `6.12`, `6.16..6.17.13`, `5.10..` or `..6.1`");
        assert_eq!(refused.help.as_deref(), Some("did you mean `6.16..6.17`?"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[v0-9.+~rc-]{0,24}") {
            let _ = text.parse::<Versions>();
        }
    }
}
