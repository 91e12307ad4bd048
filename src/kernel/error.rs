//! What can go wrong between a kernel's name and its files.

use std::path::PathBuf;

use kernel_modules::{ImageError, ModuleError};

use super::catalogue::CatalogueError;
use super::catalogue::spec::SpecError;
use super::compile::BuildError;
use super::packages::files::FileError;
use super::packages::source::SourceError;
use super::packages::unpack::UnpackError;
use super::progress::megabytes;
use super::store::StoreError;
use crate::failure::Failure;

/// Why a kernel is unavailable. Every message names the kernel or file and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The user's expression cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No known kernel has this version.
    #[error("no known kernel is `{spec}`{hint}")]
    UnknownVersion {
        /// What the user wrote.
        spec: String,
        /// What there is instead.
        hint: String,
    },
    /// No catalogue has a kernel of this name.
    #[error("no catalogue has a kernel named `{name}`, and no file is called so{hint}")]
    UnknownName {
        /// What the user wrote.
        name: String,
        /// What could have been meant.
        hint: String,
    },
    /// No known kernel belongs to this line.
    #[error("`{spec}`: no known kernel is of the line {line}; there are {known}")]
    UnknownLine {
        /// What the user wrote.
        spec: String,
        /// The line.
        line: String,
        /// The lines that exist.
        known: String,
    },
    /// A file is of another architecture than was named with it.
    #[error(
        "{path} is a kernel for {found}, and {wanted} was named; leave the architecture out, a file says it itself"
    )]
    OtherArchitecture {
        /// What the user gave.
        path: PathBuf,
        /// What it is for.
        found: &'static str,
        /// What was named.
        wanted: &'static str,
    },
    /// The expression selects nothing.
    #[error("`{spec}` selects no known kernel; there are {known}")]
    Empty {
        /// What the user wrote.
        spec: String,
        /// What exists.
        known: String,
    },
    /// The kernel is known, its packages are unavailable.
    #[error("{name} cannot be fetched: {reason}; choose another version (kregress kernels list --available)")]
    Unavailable {
        /// The kernel.
        name: String,
        /// Why.
        reason: String,
    },
    /// No debug information is available.
    #[error("{reason}")]
    NoDebug {
        /// Why, and what to do.
        reason: String,
    },
    /// No package list has a kernel's debug package.
    #[error(
        "no package list has {package} {version}: Debian drops debug packages with the kernel; unpack one that you have and name its folder with --debug"
    )]
    NoDebugPackage {
        /// The package.
        package: String,
        /// Its version.
        version: String,
    },
    /// A disk is too full for what is to be fetched.
    #[error(
        "{what} needs {} in {folder}, and {} are free; make room (kregress cache gc) or choose another folder with KREGRESS_CACHE",
        megabytes(*needed), megabytes(*free)
    )]
    NoRoom {
        /// What is to be fetched.
        what: String,
        /// Where.
        folder: PathBuf,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A kernel image is not usable.
    #[error("kernel image {path}: {source}")]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// A file of the user's cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A catalogue cannot be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A kernel could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// apt could not help.
    #[error(transparent)]
    Packages(#[from] SourceError),
    /// Files of the user's are no kernel, or not a whole one.
    #[error(transparent)]
    File(FileError),
    /// Packages cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Modules are unavailable.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl From<FileError> for KernelError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Read { path, source } => KernelError::Read { path, source },
            other => KernelError::File(other),
        }
    }
}

impl KernelError {
    /// Who is to blame. `words` says what is to be known of a build for which the kernel is.
    pub fn into_failure(self, words: impl FnOnce(&BuildError) -> String) -> Failure {
        match self {
            KernelError::Build(error) => error.into_failure(words),
            KernelError::Packages(SourceError::Interrupted) => Failure::Cancelled,
            error if error.is_hosts() => Failure::Host(error.to_string()),
            error => Failure::Kernel(error.to_string()),
        }
    }

    /// Whether this host, its network or its user is to blame, rather than the kernel: another kernel would fail in the
    /// same way.
    pub fn is_hosts(&self) -> bool {
        match self {
            KernelError::Unavailable { .. } | KernelError::Image { .. } | KernelError::Module(_) => false,
            KernelError::Build(error) => error.is_hosts(),
            KernelError::Packages(error) => {
                !matches!(error, SourceError::Gone { .. } | SourceError::Hash { .. })
            }
            KernelError::Unpack(error) => matches!(error, UnpackError::Write { .. }),
            _ => true,
        }
    }
}
