//! Kernels from Debian's packages, through the host's own apt.

pub(crate) mod apt;
pub(crate) mod build;
pub(crate) mod deb;
mod host;
mod lists;
pub(crate) mod pin;
pub(crate) mod sources;
pub(crate) mod unpack;

pub use apt::AptError;
pub use build::{DebianBuild, Package};
pub use deb::DebError;
pub use sources::Archive;
