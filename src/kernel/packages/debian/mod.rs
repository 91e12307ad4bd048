//! Debian's kernels: through the host's own apt, or from a mirror that the user names.

pub(crate) mod apt;
pub(crate) mod group;
pub(crate) mod host;
mod lists;
mod mirror;
pub(crate) mod pin;
pub(crate) mod sources;

pub use sources::Archive;

use super::source::{Opened, Settings};

/// What this distribution is called in records.
pub(crate) const NAME: &str = "debian";

/// The mirror that the user names, or else the host's apt.
pub(crate) fn open(settings: &Settings) -> Opened {
    Ok(Some(match settings.mirror.as_deref().filter(|mirror| !mirror.trim().is_empty()) {
        Some(mirror) => Box::new(mirror::Mirror::new(
            mirror,
            settings.keyring.as_deref(),
            &settings.folder("mirror"),
            settings.arch(),
        )?),
        None => Box::new(apt::Apt::prepare(
            &settings.folder("apt"),
            settings.apt_config.as_deref(),
            settings.arch(),
        )?),
    }))
}
