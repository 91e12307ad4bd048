//! A project's configuration: the file `kregress.yaml`, found in the current folder or above it as cargo and git find
//! theirs, with the settings of its profiles.
//!
//! This room reads the file and says what each profile sets and where that is written. What a command line or the
//! environment say besides is laid over it by [`crate::cli`]. `docs/configuration.md` is the reference for people.

mod build;
mod load;
mod model;
mod overrides;
mod profile;
mod reports;
mod shape;

use std::collections::BTreeSet;

pub use load::{FILE_NAME, find, load};
pub use model::{Config, Given, GroupLimit, Override, Profile, ReportTarget, StopAfter};
pub use overrides::{Adjustments, Tuning};
pub use profile::{ActiveProfile, DEFAULT};
pub use reports::write_targets;

use crate::yaml::file_kind::FileKind;

/// The keys that a configuration may have, as paths: `profiles.overrides.filter`.
pub fn keys() -> BTreeSet<String> {
    crate::yaml::keys::keys::<shape::ConfigShape>()
}

/// The JSON Schema of a configuration.
pub fn schema() -> serde_json::Value {
    crate::yaml::schema::of_text::<shape::ConfigShape>("the configuration of a project of kregress")
}

/// The configuration's own words in messages.
static FORMAT: FileKind = FileKind {
    noun: "configuration",
    path: "kregress.yaml",
    start: "a configuration starts with `profiles:`, and below it `default:` with its settings",
    too_many: "a configuration needs a few hundred",
    example,
};

fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "profiles" => "{default: {kernels: [6.12.57]}}",
        "filter" => "'suite(block)'",
        "max" => "1",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
