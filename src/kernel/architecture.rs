//! Architectures in files: by the names that `uname -m` says, and not at all where it is the one that is not named.

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::arch::{ARCHES, Arch, GUEST};

/// What is not named.
pub(crate) fn default() -> &'static Arch {
    GUEST
}

/// Whether it need not be named.
pub(crate) fn is_default(arch: &&'static Arch) -> bool {
    *arch == GUEST
}

pub(crate) fn serialize<S: Serializer>(arch: &&'static Arch, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(arch.name)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Arch, D::Error> {
    let name = String::deserialize(deserializer)?;
    Arch::named(&name).ok_or_else(|| {
        de::Error::custom(format_args!(
            "`{name}` is no architecture that is known here; expected {}",
            names()
        ))
    })
}

/// The known ones, for messages.
pub(crate) fn names() -> String {
    ARCHES.iter().map(|arch| arch.debian).collect::<Vec<_>>().join(", ")
}
