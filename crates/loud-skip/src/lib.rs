//! What becomes of a test that lacks something on this host. A test that was skipped looks like one that passed, so it is
//! said on standard error, and where [`VARIABLE`] is set, as in CI, it is a failure.

use std::ffi::OsStr;
use std::fmt::Display;

/// The environment's variable that forbids skipping: set to anything but the empty text.
pub const VARIABLE: &str = "KREGRESS_CI";

/// Whether nothing may be skipped.
pub fn is_forbidden() -> bool {
    forbids(std::env::var_os(VARIABLE).as_deref())
}

fn forbids(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

/// Says why nothing is tested; the caller returns then.
///
/// # Panics
/// Where nothing may be skipped.
#[track_caller]
pub fn skip(missing: impl Display) {
    if let Err(forbidden) = attempt(missing) {
        panic!("{forbidden}");
    }
}

/// As [`skip`], for whoever reports failures in another way.
///
/// # Errors
/// Nothing may be skipped.
pub fn attempt(missing: impl Display) -> Result<(), String> {
    if is_forbidden() {
        return Err(format!("{missing} ({VARIABLE} is set, so that this is no skip)"));
    }
    eprintln!("SKIPPED, nothing was tested: {missing}");
    Ok(())
}

/// Says that a test did not get what is no part of the project and nobody has to have: a corpus that the user names, or
/// hardware. That is no failure anywhere.
pub fn optional(missing: impl Display) {
    eprintln!("SKIPPED, this is optional: {missing}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_empty_text_forbids() {
        let table =
            [(None, false), (Some(""), false), (Some("1"), true), (Some("true"), true), (Some("0"), true)];
        for (value, expected) in table {
            assert_eq!(forbids(value.map(OsStr::new)), expected, "{value:?}");
        }
    }
}
