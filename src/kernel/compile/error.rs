//! What can go wrong between a source and a kernel.

use std::io;
use std::path::PathBuf;

use super::fragment::ConfigError;
use super::patch::PatchError;
use crate::failure::Failure;
use crate::kernel::packages::source::SourceError;
use crate::kernel::store::StoreError;
use kernel_modules::ModuleError;

/// Why a kernel was not built. Which variant it is says whose fault it is: a patch that does not apply or a tree that does
/// not compile is an answer about them, the others are not.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A patch cannot be applied.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The configuration cannot be read, or is not possible in this tree.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tree does not compile.
    #[error("{tree} does not compile with {compiler}:\n{said}\nthe whole log is {log}{hint}")]
    Compile {
        /// The source.
        tree: String,
        /// The compiler's first line about itself.
        compiler: String,
        /// The first error, in the words of the tool that found it.
        said: String,
        /// The whole log.
        log: PathBuf,
        /// What could be done about it; empty if nothing is known.
        hint: String,
    },
    /// It was asked to stop.
    #[error("interrupted while building {name}; the next build goes on from there")]
    Cancelled {
        /// The kernel.
        name: String,
    },
    /// The source is unavailable or is no kernel's.
    #[error("{what}: {reason}")]
    Source {
        /// The repository, folder, tarball or package.
        what: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// This host lacks programs or files that compiling needs.
    #[error(
        "compiling a kernel needs {tools}, which this host lacks; `sudo apt-get install {packages}` installs it"
    )]
    Tools {
        /// What is missing, in words.
        tools: String,
        /// Debian's packages that have it.
        packages: String,
    },
    /// There are no tools that compile for an architecture, neither installed nor among Debian's packages.
    #[error(
        "compiling a kernel for {arch} needs a cross compiler, which this host lacks and Debian's packages did not give ({source}); `sudo apt-get install {packages}` installs it"
    )]
    CrossTools {
        /// The architecture.
        arch: &'static str,
        /// Debian's package of the compiler.
        packages: String,
        /// Why it could not be fetched.
        source: SourceError,
    },
    /// The host failed: its disk is full, its memory does not suffice.
    #[error("building {name} failed on this host: {reason}")]
    Host {
        /// The kernel.
        name: String,
        /// What happened and what to do.
        reason: String,
    },
    /// A file or folder of the cache cannot be used.
    #[error(
        "cannot {what} {path}: {source}; the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one"
    )]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// apt could not help with a source package.
    #[error(transparent)]
    Packages(#[from] SourceError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A module that was built cannot be read.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl BuildError {
    /// Whether this host or its user is to blame, rather than the tree, its patches and what it
    /// makes of the configuration.
    pub fn is_hosts(&self) -> bool {
        !matches!(
            self,
            BuildError::Patch(_)
                | BuildError::Config(ConfigError::Lost { .. })
                | BuildError::Compile { .. }
                | BuildError::Module(_)
        )
    }

    /// Who is to blame. `words` says what is to be known of one for which the kernel is.
    pub fn into_failure(self, words: impl FnOnce(&BuildError) -> String) -> Failure {
        match self {
            BuildError::Cancelled { .. } | BuildError::Packages(SourceError::Interrupted) => {
                Failure::Cancelled
            }
            error if error.is_hosts() => Failure::Host(error.to_string()),
            error => Failure::Kernel(words(&error)),
        }
    }

    /// A failed use of `path`, for `map_err`.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> BuildError {
        let path = path.into();
        move |source| BuildError::Io { what, path, source }
    }

    /// A source that cannot be used.
    pub(super) fn source(what: impl ToString, reason: impl ToString) -> BuildError {
        BuildError::Source { what: what.to_string(), reason: reason.to_string() }
    }
}
