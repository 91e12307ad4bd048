//! Kernels: catalogues, getting one (distribution package, local files), and the store.
//!
//! [`Library`] is the way in: it resolves what a user wrote ([`KernelSpec`]) to kernels and gets them. Everything a
//! virtual machine needs of one is in [`Kernel`].
//!
//! ```no_run
//! use kregress::kernel::{KernelError, Library, NoProgress, cache_folder};
//!
//! # fn main() -> Result<(), KernelError> {
//! let library = Library::open(&cache_folder(), &["kernels".into()])?;
//! for wanted in library.resolve(&["6.12..7.2".parse()?], &NoProgress)?.wanted {
//!     let kernel = library.fetch(&wanted, &NoProgress)?;
//!     println!("{} boots {}", kernel.name, kernel.boot_image().display());
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::version::KernelVersion;

mod bzimage;
mod cache;
mod catalogue;
pub mod compile;
mod compression;
mod config;
mod debian;
mod debug;
mod error;
mod fetch;
#[cfg(test)]
pub(crate) mod fixtures;
mod housekeeping;
mod index;
mod library;
mod local;
mod modinfo;
mod modules;
mod progress;
mod select;
mod similar;
mod spec;
mod store;
#[cfg(test)]
mod tests;
mod update;
mod wanted;

pub use bzimage::{Image, ImageError};
pub use cache::cache_folder;
pub use catalogue::CatalogueError;
pub use config::KernelConfig;
pub use debian::{AptError, Archive, DebError, DebianBuild, Package};
pub use debug::{DebugError, DebugInfo};
pub use error::KernelError;
pub use housekeeping::{BuildPlace, Collected, Stored};
pub use library::Library;
pub use modules::{ModuleError, ModuleFile, ModuleState, ModuleTree};
pub use progress::{
    BarProgress, FetchProgress, LineProgress, NoProgress, Stage, among as fetch_progress,
    for_stderr as progress_for_stderr, megabytes,
};
pub(crate) use similar::closest;
pub use spec::{KernelSpec, Selector, SpecError};
pub use store::StoreError;
pub use wanted::{Available, KernelState, Larger, LeftOut, Resolution, Wanted};

/// Which of a distribution's images of one version.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// For virtual machines: small, few drivers.
    Cloud,
    /// The general one, with all modules.
    Plain,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavour::Cloud => "cloud",
            Flavour::Plain => "plain",
        })
    }
}

/// Where a kernel came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Packages of Debian.
    Debian {
        /// The packages' names.
        packages: Vec<String>,
        /// Their Debian version.
        version: String,
        /// The suites that had them.
        suites: Vec<String>,
    },
    /// Compiled here.
    Built {
        /// The source, in words.
        source: String,
        /// The configuration: names of fragments, `small+kasan`.
        config: String,
        /// The patches' files, in order.
        patches: Vec<String>,
        /// Compiler and linker, in their own words.
        compiler: String,
        /// Digest of everything that the build depended on.
        key: String,
        /// Digest of what was asked for, without a look at the source.
        words: String,
    },
    /// A file that the user named.
    Local {
        /// The image.
        image: PathBuf,
        /// The `lib/modules/RELEASE` folder, if one was given.
        modules: Option<PathBuf>,
    },
}

/// One bootable kernel, complete on this host.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Short name for reports, which is a spec too: `6.17.13`; longer where that would be ambiguous (`6.12.117+deb12`,
    /// `6.17.13-plain`).
    pub name: String,
    /// What `uname -r` says in the guest.
    pub release: String,
    /// The upstream version; its local part tells builds of one version apart.
    pub version: KernelVersion,
    /// Which of the distribution's images; `None` for other kernels.
    pub flavour: Option<Flavour>,
    /// The image as packaged (bzImage).
    pub image: PathBuf,
    /// The uncompressed ELF kernel, where QEMU can boot it directly (PVH). It skips the decompression in the guest, and
    /// with it the kernel's address randomisation.
    pub vmlinux: Option<PathBuf>,
    /// Build options, where they are known.
    pub config: Option<KernelConfig>,
    /// Symbols with addresses, where they come with the kernel.
    pub system_map: Option<PathBuf>,
    /// Its modules.
    pub modules: ModuleTree,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of `image`, 64 hexadecimal digits.
    pub digest: String,
}

impl Kernel {
    /// The file that boots fastest: the uncompressed one where it exists.
    pub fn boot_image(&self) -> &Path {
        self.vmlinux.as_deref().unwrap_or(&self.image)
    }
}
