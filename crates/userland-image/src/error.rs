//! Why there is no userland.

use std::io;
use std::path::{Path, PathBuf};

/// Why a userland could not be resolved or made.
#[derive(Debug, thiserror::Error)]
pub enum UserlandError {
    /// The caller asked for it.
    #[error("interrupted")]
    Cancelled,
    /// A list of packages without one.
    #[error("a userland needs at least one package")]
    NoPackages,
    /// What is no name of a package: apt would take it for something else, such as an option.
    #[error(
        "`{0}` is no name of a Debian package: expected lower-case letters, digits, `+`, `-` and `.`, with `=VERSION` or `:ARCHITECTURE` behind it if need be"
    )]
    BadName(String),
    /// The lists do not have it.
    #[error("there is no package `{name}` in this host's package lists{}", did_you_mean(.meant))]
    UnknownPackage {
        /// As it was asked for.
        name: String,
        /// A similar name.
        meant: Option<String>,
    },
    /// The lists have the package in other versions.
    #[error("the package `{name}` is not there in version {version}{}", others(.there))]
    UnknownVersion {
        /// The package.
        name: String,
        /// The version that was asked for.
        version: String,
        /// The versions that are there.
        there: Vec<String>,
    },
    /// apt finds no set of packages.
    #[error("apt finds no way to install {packages}: {said}")]
    Unsatisfiable {
        /// What was asked for.
        packages: String,
        /// apt's own words.
        said: String,
    },
    /// The package lists cannot be fetched, and there are none from before.
    #[error("fetching the package lists failed: {said}; check the network and this host's apt sources")]
    Update {
        /// apt's own words.
        said: String,
    },
    /// Packages cannot be fetched.
    #[error(
        "fetching packages failed: {said}; the package lists are fetched anew the next time, check the network if that does not help"
    )]
    Download {
        /// apt's own words.
        said: String,
    },
    /// A package is not what the lists say.
    #[error("the package {package} has not the SHA-256 that the package lists name; fetch it again")]
    Hash {
        /// Its file name.
        package: String,
    },
    /// A tool of the host is missing.
    #[error("{tool} cannot be run: {source}; install the package {package}")]
    NoTool {
        /// The program.
        tool: &'static str,
        /// Debian's package that has it.
        package: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A tool of the host failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// What it said.
        said: String,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// `read`, `write` …
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A package, archive or image is damaged, or is none.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An archive has an entry that cannot be in a root file system.
    #[error("{path}: the entry `{entry}` {what}")]
    Entry {
        /// The archive.
        path: PathBuf,
        /// The entry's path, or the beginning of it.
        entry: String,
        /// What is wrong with it.
        what: String,
    },
    /// What is to be added has no proper place.
    #[error("`{path}` is no path of a file in the userland: {what}")]
    BadPath {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A name of a user that tools would not take.
    #[error(
        "`{0}` is no name of a user: expected at most 32 lower-case letters, digits, `-` and `_`, and neither root nor one that is there already"
    )]
    BadUser(String),
}

fn did_you_mean(meant: &Option<String>) -> String {
    meant.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn others(versions: &[String]) -> String {
    if versions.is_empty() { String::new() } else { format!("; there is {}", versions.join(", ")) }
}

impl UserlandError {
    /// For `map_err`: what was done to which file.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UserlandError {
        let path = path.to_path_buf();
        move |source| UserlandError::Io { what, path, source }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> UserlandError {
        UserlandError::Damaged { path: path.to_path_buf(), what: what.into() }
    }
}
