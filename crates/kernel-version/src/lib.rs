//! Kernel versions: parsing, order, lines and ranges.
//!
//! One type reads every spelling a user, a distribution or a running kernel has for a version: `6.17.13`, `v6.17-rc3`,
//! `7.3~rc7` (Debian), `6.12.90+deb13.1`, `next-20260306`, and whole release strings such as
//! `6.17.13+deb13-cloud-amd64`. What follows the upstream version is kept as the *local part*.
//!
//! Version order is not time order: 6.12.69 can carry a fix that 6.16.12 lacks.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

mod order;
mod range;
#[cfg(test)]
mod tests;

pub use order::compare_debian;
pub use range::{Bound, RangeError, VersionRange};

/// What upstream calls a tree, without anything a distribution adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// A release or release candidate: `6.12`, `6.12.90`, `7.3-rc7`.
    Release {
        /// First number.
        major: u32,
        /// Second number; with the first it names the line.
        minor: u32,
        /// Third number; 0 for a release without one (`6.12`).
        patch: u32,
        /// The candidate's number, `None` for the release itself.
        rc: Option<u32>,
    },
    /// A day's linux-next tree, by its date as a number (20260306).
    Next(u32),
}

impl Upstream {
    /// What orders: linux-next is ahead of every release, a candidate comes before its release.
    fn key(&self) -> (bool, u32, u32, u32, u32) {
        match *self {
            Upstream::Release { major, minor, patch, rc } => {
                (false, major, minor, patch, rc.unwrap_or(u32::MAX))
            }
            Upstream::Next(date) => (true, date, 0, 0, 0),
        }
    }
}

impl Ord for Upstream {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Upstream {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Upstream::Release { major, minor, patch, rc } => {
                write!(f, "{major}.{minor}")?;
                if patch != 0 {
                    write!(f, ".{patch}")?;
                }
                if let Some(rc) = rc {
                    write!(f, "-rc{rc}")?;
                }
                Ok(())
            }
            Upstream::Next(date) => write!(f, "next-{date:08}"),
        }
    }
}

/// A kernel's version: the upstream version and, possibly, a local part that a distribution or a builder added.
///
/// Ordered by the upstream version, then by the local part the way Debian orders (numbers as numbers, `~` before
/// the empty string).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KernelVersion {
    upstream: Upstream,
    local: String,
}

/// A string that is no kernel version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no kernel version: {reason}; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`"
)]
pub struct VersionError {
    found: String,
    reason: &'static str,
}

impl KernelVersion {
    /// An upstream version without a local part.
    pub fn upstream_only(upstream: Upstream) -> Self {
        KernelVersion { upstream, local: String::new() }
    }

    /// The upstream version in a Debian package version: `7.3~rc7-1~exp1` is `7.3-rc7`, `6.12.90-2~bpo12+1` is `6.12.90`.
    ///
    /// The Debian revision is dropped, it counts packagings and not kernels.
    pub fn from_debian(package_version: &str) -> Result<Self, VersionError> {
        let upstream = package_version.rsplit_once('-').map_or(package_version, |(upstream, _)| upstream);
        upstream.parse()
    }

    /// The upstream part.
    pub fn upstream(&self) -> Upstream {
        self.upstream
    }

    /// What follows the upstream version, with its separator (`+deb13-cloud-amd64`); empty when there is nothing.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The same upstream version with another local part, which must be empty or start with a separator.
    pub fn with_local(&self, local: impl Into<String>) -> Self {
        KernelVersion { upstream: self.upstream, local: local.into() }
    }

    /// The line this version belongs to; `None` for linux-next.
    pub fn line(&self) -> Option<Line> {
        match self.upstream {
            Upstream::Release { major, minor, .. } => Some(Line { major, minor }),
            Upstream::Next(_) => None,
        }
    }
}

impl Ord for KernelVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upstream
            .cmp(&other.upstream)
            .then_with(|| compare_debian(&self.local, &other.local))
            // so that the order agrees with `==` where Debian's order sees no difference (`1` and `01`)
            .then_with(|| self.local.cmp(&other.local))
    }
}

impl PartialOrd for KernelVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.upstream, self.local)
    }
}

impl FromStr for KernelVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = |reason| VersionError { found: text.to_string(), reason };
        if text.len() > 256 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(fail("it is too long or has blanks in it"));
        }
        if let Some(rest) = text.strip_prefix("next-") {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if digits != 8 {
                return Err(fail("the date after `next-` has not eight digits"));
            }
            let date = rest[..8].parse().map_err(|_| fail("the date is no number"))?;
            return Ok(KernelVersion {
                upstream: Upstream::Next(date),
                local: local_part(&rest[8..]).map_err(fail)?,
            });
        }
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (major, rest) = number(rest).ok_or_else(|| fail("it does not start with a number"))?;
        let rest = rest.strip_prefix('.').ok_or_else(|| fail("a second number is missing"))?;
        let (minor, rest) = number(rest).ok_or_else(|| fail("a second number is missing"))?;
        let (patch, rest) = match rest.strip_prefix('.') {
            Some(rest) => number(rest).ok_or_else(|| fail("there is no number after the last `.`"))?,
            None => (0, rest),
        };
        let candidate = rest.strip_prefix("-rc").or_else(|| rest.strip_prefix("~rc"));
        let (rc, rest) = match candidate {
            Some(rest) => {
                let (rc, rest) = number(rest).ok_or_else(|| fail("there is no number after `rc`"))?;
                if rc == u32::MAX {
                    return Err(fail("the number after `rc` is too large"));
                }
                (Some(rc), rest)
            }
            None => (None, rest),
        };
        let local = local_part(rest).map_err(fail)?;
        Ok(KernelVersion { upstream: Upstream::Release { major, minor, patch, rc }, local })
    }
}

/// The number that `text` starts with, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Checks what follows the upstream version: nothing, or something behind a separator.
fn local_part(rest: &str) -> Result<String, &'static str> {
    match rest.chars().next() {
        None | Some('+' | '-' | '~' | '_') => Ok(rest.to_string()),
        Some('.') => Err("it has more than three numbers"),
        Some(_) => Err("the upstream version is not followed by `+`, `-`, `~` or `_`"),
    }
}

/// Serialises a type as the text of its `Display`, reads it with its `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

serde_as_text!(KernelVersion);
serde_as_text!(Line);

/// A stable line, named by its first two numbers: 6.12 holds 6.12-rc1 to the last 6.12.y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Line {
    type Err = VersionError;

    /// Reads `6.12`, `v6.12` and `6.12.y`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = || VersionError { found: text.to_string(), reason: "a line is two numbers, like `6.12`" };
        let rest = text.strip_prefix('v').unwrap_or(text);
        let rest = rest.strip_suffix(".y").unwrap_or(rest);
        let (major, minor) = rest.split_once('.').ok_or_else(fail)?;
        let whole = |text: &str| number(text).filter(|(_, rest)| rest.is_empty()).map(|(n, _)| n);
        Ok(Line { major: whole(major).ok_or_else(fail)?, minor: whole(minor).ok_or_else(fail)? })
    }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
