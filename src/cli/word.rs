//! Types of library rooms as values of options: the rooms themselves know nothing of a command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::kernel::Flavour;
use crate::lab::vm::KeepVmcore;
use crate::progress::MessageFormat;
use crate::report::junit::JunitKnown;
use crate::vm::accel::AccelRequest;

/// A type with a word for each of its values.
pub trait Words: Copy + Send + Sync + 'static {
    /// Each value with its word and a line for the help.
    const ALL: &'static [(Self, &'static str, &'static str)];
}

impl Words for AccelRequest {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (AccelRequest::Auto, "auto", "KVM where it works, else TCG"),
        (AccelRequest::Kvm, "kvm", "The host's processor"),
        (AccelRequest::Tcg, "tcg", "QEMU's translator"),
    ];
}

impl Words for Flavour {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Flavour::Cloud, "cloud", "For virtual machines: small, few drivers"),
        (Flavour::Plain, "plain", "The general one, with all modules"),
    ];
}

impl Words for MessageFormat {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (MessageFormat::Human, "human", "Lines for people, on standard error"),
        (
            MessageFormat::Json,
            "json",
            "One JSON object a line on standard output; people still get theirs on standard error, unless both are the same terminal",
        ),
    ];
}

impl Words for KeepVmcore {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (KeepVmcore::Never, "never", "Of no attempt"),
        (KeepVmcore::OnFailure, "on-failure", "Of attempts that are neither good nor skipped"),
        (KeepVmcore::Always, "always", "Of every attempt"),
    ];
}

impl Words for JunitKnown {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (JunitKnown::Skipped, "skipped", "As skipped, with the reason"),
        (JunitKnown::Failure, "failure", "As any failure"),
    ];
}

/// Takes a person as tags of commits name one: `Name <address>`.
///
/// # Errors
/// What is expected instead, in words.
pub fn person(text: &str) -> Result<String, String> {
    let parts = text.trim().strip_suffix('>').and_then(|text| text.split_once('<'));
    let is_name =
        |name: &str| !name.trim().is_empty() && !name.contains(|c: char| c.is_control() || c == '>');
    let is_address = |address: &str| {
        let has_no = |c: char| !address.contains(c);
        let (user, host) = address.split_once('@').unwrap_or_default();
        !user.is_empty()
            && !host.is_empty()
            && !address.contains(char::is_whitespace)
            && has_no('<')
            && has_no('>')
    };
    match parts {
        Some((name, address)) if is_name(name) && is_address(address) => Ok(text.trim().to_owned()),
        _ => Err("expected a name and an address, as in 'Name <name@example.org>'".to_owned()),
    }
}

/// Takes the words of a type.
pub fn words<T: Words>() -> impl TypedValueParser<Value = T> {
    let values = T::ALL.iter().map(|(_, word, help)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(values).map(|word| of_word(&word).expect("a word of the list"))
}

/// The word of a value.
pub fn word_of<T: Words + PartialEq>(value: T) -> &'static str {
    T::ALL.iter().find(|(known, ..)| *known == value).map_or("", |(_, word, _)| word)
}

/// The value of a word; case does not count.
pub fn of_word<T: Words>(word: &str) -> Option<T> {
    T::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(word)).map(|(value, ..)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_a_name_and_an_address() {
        for text in ["A Tester <tester@example.org>", "Ä. Ö'B (C) <a+b@c>"] {
            assert_eq!(person(text).as_deref(), Ok(text));
        }
        let none = [
            "x",
            "",
            "a@b.c",
            "<a@b.c>",
            "A <>",
            "A <a>",
            "A <@b>",
            "A <a@>",
            "A <a@b.c> B",
            "A\nB <a@b.c>",
            "A <a@b c>",
            "A <<a@b>",
        ];
        for text in none {
            assert!(person(text).is_err(), "{text:?}");
        }
    }
}
