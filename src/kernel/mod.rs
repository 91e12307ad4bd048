//! Kernels: which there are (`catalogue`), where they come from (`packages`), what is compiled here ([`compile`]), and
//! where they are kept (`store`). What is in an image and which modules a kernel has is the crate `kernel-modules`.
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

use crate::arch::Arch;
use crate::version::KernelVersion;

mod architecture;
mod cache;
mod catalogue;
pub mod compile;
mod debug;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod library;
mod packages;
mod progress;
mod provenance;
mod store;
#[cfg(test)]
mod tests;
pub mod tools;

pub use cache::{COLLECTIONS, cache_folder};
pub use catalogue::CatalogueError;
pub use catalogue::keys as catalogue_keys;
pub use catalogue::schema as catalogue_schema;
pub use catalogue::spec::{ArchChoice, KernelSpec, Selector, SpecError};
pub use catalogue::wanted::{
    Available, KernelState, LargerImage, RequestedKernel, Resolution, UnavailableKernel,
};
pub use debug::{DebugError, DebugInfo};
pub use error::KernelError;
pub use kernel_modules::{
    Image, ImageError, KernelConfig, ModuleError, ModuleFile, ModuleState, ModuleTree, closest,
};
pub use library::{
    BuildPlace, Collected, DebugState, HEADERS, HEADERS_OF_ARCHITECTURE, KeptChangelog, Library, Stored,
    best_changelog,
};
pub use packages::container::PackageError;
pub use packages::debian::Archive;
pub use packages::files::FileError;
pub use packages::source::{Package, PackagedKernel, SourceError};
pub use packages::unpack_file;
pub use progress::{FetchProgress, NoProgress, Stage, megabytes, waiting};
pub use provenance::Provenance;
pub use store::StoreError;

/// Which of a distribution's images of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
pub enum KernelOrigin {
    /// Packages of Debian.
    Debian {
        /// The packages' names.
        packages: Vec<String>,
        /// Their Debian version.
        version: String,
        /// The suites that had them.
        suites: Vec<String>,
    },
    /// Packages of another distribution.
    Packaged {
        /// The name of the source that had them.
        distribution: String,
        /// The packages' names.
        packages: Vec<String>,
        /// Their version.
        version: String,
        /// The parts of the distribution that had them.
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
    /// Packages or archives of the user's, unpacked.
    File {
        /// The file or folder.
        path: PathBuf,
        /// Digest of everything that was unpacked.
        key: String,
    },
    /// A file that the user named.
    Local {
        /// The image.
        image: PathBuf,
        /// The `lib/modules/RELEASE` folder, if one was given.
        modules: Option<PathBuf>,
    },
}

impl KernelOrigin {
    /// Packages of a distribution.
    pub(crate) fn of_packages(build: &PackagedKernel) -> KernelOrigin {
        let packages = build.packages.iter().map(|package| package.name.clone()).collect();
        let (version, suites) = (build.package_version.clone(), build.suites().to_vec());
        match build.distribution.as_str() {
            packages::debian::NAME => KernelOrigin::Debian { packages, version, suites },
            distribution => {
                KernelOrigin::Packaged { distribution: distribution.to_owned(), packages, version, suites }
            }
        }
    }

    /// Distribution and version of the packages, if it came from some.
    pub(crate) fn package(&self) -> Option<(&str, &str)> {
        match self {
            KernelOrigin::Debian { version, .. } => Some((packages::debian::NAME, version)),
            KernelOrigin::Packaged { distribution, version, .. } => Some((distribution, version)),
            KernelOrigin::Built { .. } | KernelOrigin::File { .. } | KernelOrigin::Local { .. } => None,
        }
    }
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
    /// What it runs on.
    pub arch: &'static Arch,
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
    pub origin: KernelOrigin,
    /// SHA-256 of `image`, 64 hexadecimal digits.
    pub digest: String,
}

impl Kernel {
    /// The file that boots fastest: the uncompressed one where it exists.
    pub fn boot_image(&self) -> &Path {
        self.vmlinux.as_deref().unwrap_or(&self.image)
    }
}
