//! `--pick`: which patches of a queue are meant.

use std::str::FromStr;

use super::Missing;
use crate::subject::{self, LineName};

/// Which patches are meant: `3`, `3..7`, `1,4..`, `v1`, `v1:3..7`, `6.1`, `6.1:3..7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// The version.
    pub version: Option<u32>,
    /// The stable line, where there is a series for each of several.
    pub line: Option<LineName>,
    /// First and last numbers, both included; empty for all.
    pub numbers: Vec<(usize, usize)>,
}

/// What is picked is not there, or nothing is said by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// It cannot be read.
    #[error(
        "`{0}` picks nothing; expected a number (3), a range (3..7), several of them (1,4..6), a version (v1, v1:3..7), or a stable line (6.1, 6.1:3..7)"
    )]
    Syntax(String),
    /// No patch has the number.
    #[error("no patch {number}; {there}")]
    NoNumber {
        /// The number.
        number: usize,
        /// What is there.
        there: String,
    },
    /// No patch has the version.
    #[error("no patch of version {version}; there are {there}")]
    NoVersion {
        /// The version.
        version: u32,
        /// Those that are there.
        there: String,
    },
    /// No patch is for the line.
    #[error("no patch for {line}; there are some for {there}")]
    NoLine {
        /// The line.
        line: LineName,
        /// Those that are there.
        there: String,
    },
}

impl FromStr for Pick {
    type Err = PickError;

    fn from_str(text: &str) -> Result<Pick, PickError> {
        let wrong = || PickError::Syntax(text.to_owned());
        let (mut version, mut line, mut numbers) = (None, None, "");
        for part in text.split(':') {
            if !numbers.is_empty() {
                return Err(wrong());
            } else if let Some(found) = subject::line_name(part).filter(|_| line.is_none()) {
                line = Some(found);
            } else if let (Some(digits), None) = (part.strip_prefix(['v', 'V']), version) {
                version = Some(digits.parse().map_err(|_| wrong())?);
            } else if part.is_empty() {
                return Err(wrong());
            } else {
                numbers = part;
            }
        }
        let number = |text: &str, open: usize| match text.trim() {
            "" => Ok(open),
            text => text.parse().map_err(|_| wrong()),
        };
        let mut ranges = Vec::new();
        for part in numbers.split(',').filter(|_| !numbers.is_empty()) {
            let range = match part.split_once("..").or_else(|| part.split_once('-')) {
                Some((first, last)) => (number(first, 1)?, number(last.trim_start_matches('='), usize::MAX)?),
                None => {
                    let one: usize = part.trim().parse().map_err(|_| wrong())?;
                    (one, one)
                }
            };
            if range.0 > range.1 {
                return Err(wrong());
            }
            ranges.push(range);
        }
        Ok(Pick { version, line, numbers: ranges })
    }
}

impl Pick {
    /// Whether numbers are named.
    pub fn is_by_number(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Whether a patch with this number is meant.
    pub fn takes(&self, number: usize) -> bool {
        self.numbers.is_empty() || self.numbers.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether every end that is named exists.
    pub(super) fn check(&self, numbers: &[usize], missing: &[Missing]) -> Result<(), PickError> {
        let is_there = |number: &usize| {
            *number == usize::MAX
                || numbers.contains(number)
                || missing.iter().any(|one| one.number == *number)
        };
        let ends = self.numbers.iter().flat_map(|(first, last)| [first, last]);
        let lone = self.numbers.iter().filter(|(first, last)| first == last).map(|(first, _)| first);
        let lost = lone
            .filter(|number| !numbers.contains(number))
            .chain(ends.filter(|number| !is_there(number)))
            .next();
        match lost {
            None => Ok(()),
            Some(number) => {
                let there = match numbers {
                    [] => "there is none".to_owned(),
                    [1] => "there is only one".to_owned(),
                    [one] => format!("there is only patch {one}"),
                    [first, .., last] => format!("there are {} from {first} to {last}", numbers.len()),
                };
                Err(PickError::NoNumber { number: *number, there })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_are_read() {
        for (text, version, numbers) in [
            ("3", None, vec![(3, 3)]),
            ("3..7", None, vec![(3, 7)]),
            ("3-7", None, vec![(3, 7)]),
            ("3..", None, vec![(3, usize::MAX)]),
            ("..2", None, vec![(1, 2)]),
            ("1,4..6", None, vec![(1, 1), (4, 6)]),
            ("v1", Some(1), vec![]),
            ("v2:3..7", Some(2), vec![(3, 7)]),
        ] {
            assert_eq!(text.parse(), Ok(Pick { version, line: None, numbers }), "{text}");
        }
        let shown = |text: &str| {
            let pick: Pick = text.parse().unwrap();
            let line = pick.line.map(|line| line.to_string()).unwrap_or_default();
            format!("{text}: {:?} {line} {:?}", pick.version, pick.numbers)
        };
        insta::assert_snapshot!(["6.1", "v6.12", "6.1.y", "6.1:2..3", "v2:6.6", "6.6:v2:1"].map(shown).join("\n"), @r"
        6.1: None 6.1 []
        v6.12: None 6.12 []
        6.1.y: None 6.1 []
        6.1:2..3: None 6.1 [(2, 3)]
        v2:6.6: Some(2) 6.6 []
        6.6:v2:1: Some(2) 6.6 [(1, 1)]
        ");
        for text in ["", "x", "7..3", "v", "v1:x", "1,", "1..2..3", "6.1:6.6", "6.1:", ":3", "3:6.1"] {
            assert!(text.parse::<Pick>().is_err(), "{text}");
        }
    }
}
