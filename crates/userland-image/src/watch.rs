//! What a caller learns while a userland is made, and how it ends that.

use crate::error::UserlandError;

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another process makes the same thing.
    Waiting,
    /// Package lists are fetched.
    Updating,
    /// apt looks for what the packages depend on.
    Resolving,
    /// Packages are fetched; in bytes.
    Downloading {
        /// Here already.
        done: u64,
        /// All of them.
        total: u64,
    },
    /// A package or layer is unpacked.
    Unpacking {
        /// Its name.
        name: &'a str,
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// The file system is written.
    Writing {
        /// How many files it has.
        files: usize,
        /// Their contents, bytes.
        bytes: u64,
    },
    /// An image that was made earlier is held against its sum.
    Verifying,
    /// Something that the user should know and that ends nothing.
    Notice(&'a str),
}

/// The caller's side of work that takes long.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Whether to stop; asked several times a second.
    pub cancelled: &'a dyn Fn() -> bool,
    /// Gets what is being done.
    pub progress: &'a dyn Fn(Progress<'_>),
}

impl Default for Watch<'_> {
    /// Nobody stops it, and nobody looks.
    fn default() -> Self {
        Watch { cancelled: &|| false, progress: &|_| {} }
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch<'_> {
    pub(crate) fn tell(&self, progress: Progress<'_>) {
        (self.progress)(progress);
    }

    /// # Errors
    /// The caller wants no more of it.
    pub(crate) fn check(&self) -> Result<(), UserlandError> {
        if (self.cancelled)() { Err(UserlandError::Cancelled) } else { Ok(()) }
    }
}
