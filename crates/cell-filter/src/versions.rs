//! Kernels by version or by name: `kernel(>=6.12, <7.2)`, `kernel(6.12)`, `kernel(6.12.57..6.17)`, `kernel(=mine)`.

use kernel_version::{Bound, KernelVersion, VersionRange};

use super::matcher::{Bare, Matcher};
use super::number::Sign;

/// Which kernels are meant.
#[derive(Clone, Debug)]
pub enum KernelPattern {
    /// All of these hold for the version.
    Versions(Vec<Condition>),
    /// The kernel's name is like this.
    Name(Matcher),
}

/// One condition on a version.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The versions meant.
    range: VersionRange,
    /// The version is outside of the range, not inside.
    outside: bool,
}

impl KernelPattern {
    pub(crate) fn parse(text: &str) -> Result<KernelPattern, (usize, String)> {
        let name_sign =
            text.starts_with(['~', '#', '/']) || (text.starts_with('=') && !is_version(&text[1..]));
        if name_sign {
            return Matcher::parse(text, Bare::Name).map(KernelPattern::Name);
        }
        let first = text.split(',').next().unwrap_or_default().trim();
        // a version may have a local part behind a dash, as `6.12.57-1`, which is no later version
        if let Some((from, to)) = first.split_once('-')
            && to.contains('.')
            && format!("{from}..{to}").parse::<VersionRange>().is_ok()
        {
            return Err((from.len(), format!("a range is written with `..`: `{from}..{to}`")));
        }
        let versions = Sign::split(first).is_some() || first.contains("..") || is_version(first);
        if !versions {
            return Matcher::parse(text, Bare::Name).map(KernelPattern::Name);
        }
        let mut at = 0;
        let mut conditions = Vec::new();
        for part in text.split(',') {
            let begin = at + (part.len() - part.trim_start().len());
            conditions.push(condition(part.trim()).map_err(|(place, why)| (begin + place, why))?);
            at += part.len() + 1;
        }
        Ok(KernelPattern::Versions(conditions))
    }

    /// Whether a kernel is meant. One without a version is outside of every range.
    pub fn is_match(&self, name: &str, version: Option<&KernelVersion>) -> bool {
        match self {
            KernelPattern::Name(matcher) => matcher.is_match(name),
            KernelPattern::Versions(conditions) => version.is_some_and(|version| {
                conditions.iter().all(|condition| condition.range.contains(version) != condition.outside)
            }),
        }
    }
}

fn is_version(text: &str) -> bool {
    text.trim().parse::<Bound>().is_ok()
}

fn condition(text: &str) -> Result<Condition, (usize, String)> {
    let range = |written: String, outside| match written.parse() {
        Ok(range) => Ok(Condition { range, outside }),
        Err(error) => Err((0, format!("{error}"))),
    };
    if text.contains("..") {
        return range(text.to_owned(), false);
    }
    let (sign, rest) = match Sign::split(text) {
        Some((sign, rest)) => (sign, rest.trim()),
        None => (Sign::Equal, text),
    };
    let at = text.len() - rest.len();
    if !is_version(rest) {
        let why = format!("`{rest}` is no kernel version: expected one such as `6.12` or `6.12.57`");
        return Err((at, why));
    }
    match sign {
        Sign::Equal => range(format!("{rest}..{rest}"), false),
        Sign::AtLeast => range(format!("{rest}.."), false),
        Sign::AtMost => range(format!("..{rest}"), false),
        // what is before the first of a line, or behind its last, is outside of what is open at that end
        Sign::Below => range(format!("{rest}.."), true),
        Sign::Above => range(format!("..{rest}"), true),
    }
}
