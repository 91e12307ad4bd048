//! The root file system that a test's program runs in, where that is not the guest's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// The name of the disk that holds a userland; no other disk of such a test may have it.
pub const USERLAND_DISK: &str = "userland";

/// A root file system with what a test's program needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Userland {
    /// Where its files come from.
    #[serde(flatten)]
    pub source: UserlandSource,
    /// More files or folders: where in the guest, and what of the host.
    pub files: BTreeMap<String, PathBuf>,
    /// More users.
    pub users: Vec<String>,
}

/// Where a userland's files come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserlandSource {
    /// Debian packages with all that they depend on, and all essential ones.
    Packages(Vec<String>),
    /// An OCI image, a tarball or a folder; absolute or relative to the current directory.
    Image(PathBuf),
}
