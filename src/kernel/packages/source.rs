//! The seam: where a distribution's kernels come from.
//!
//! A [`PackageSource`] knows which kernels there are, of which packages each consists, and brings a package. What is in a
//! package is known to [`unpack`](super::unpack). To add a source: implement the trait in a file of its own beside this
//! one, and add a row to [`SOURCES`]. Its kernels are then selected by version, listed, fetched and bisected as Debian's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::debian::{self, Archive, group};
use crate::arch::{Arch, GUEST};
use crate::cancel::Cancel;
use crate::kernel::{Flavour, architecture};
use crate::version::KernelVersion;

/// What a source may need to know of the host and its user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The cache. A source keeps its indexes and the like in a folder of its own there.
    pub cache: PathBuf,
    /// An apt configuration file in the place of the host's.
    pub apt_config: Option<PathBuf>,
    /// Addresses of Debian's archives, separated by spaces, and the keyring for their signatures.
    pub mirror: Option<String>,
    pub keyring: Option<PathBuf>,
    /// The architecture whose packages are meant; the default one if none is named.
    pub arch: Option<&'static Arch>,
}

/// What opening a source gives: `None` where this host or its user has not asked for it.
pub(crate) type Opened = Result<Option<Box<dyn PackageSource>>, SourceError>;

/// One row of the table of sources.
pub(crate) struct Row {
    /// The distribution, as it is written in records.
    pub name: &'static str,
    /// Below the cache, the folder that has the list of its kernels, `kernels.json`.
    pub folder: &'static str,
    /// Makes it usable.
    pub open: fn(&Settings) -> Opened,
}

/// All sources.
pub(crate) static SOURCES: &[Row] = &[Row { name: debian::NAME, folder: "apt", open: debian::open }];

impl Settings {
    /// What the environment says: `KREGRESS_DEBIAN_MIRROR` and `KREGRESS_DEBIAN_KEYRING`.
    pub(crate) fn of_environment(cache: &Path) -> Settings {
        Settings {
            cache: cache.to_path_buf(),
            apt_config: None,
            mirror: std::env::var("KREGRESS_DEBIAN_MIRROR").ok(),
            keyring: std::env::var_os("KREGRESS_DEBIAN_KEYRING").map(PathBuf::from),
            arch: None,
        }
    }

    /// The same for packages of this architecture.
    pub(crate) fn of(&self, arch: &'static Arch) -> Settings {
        Settings { arch: Some(arch), ..self.clone() }
    }

    /// The architecture whose packages are meant.
    pub(crate) fn arch(&self) -> &'static Arch {
        self.arch.unwrap_or(GUEST)
    }

    /// A folder of a source below the cache: each architecture has one of its own.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let arch = self.arch();
        self.cache.join(if arch == GUEST { name.to_owned() } else { format!("{name}-{}", arch.debian) })
    }

    /// The source of this distribution's packages.
    pub(crate) fn open(&self, distribution: &str) -> Result<Box<dyn PackageSource>, SourceError> {
        let row = SOURCES.iter().find(|row| row.name == distribution);
        let opened = row.map(|row| (row.open)(self)).transpose()?.flatten();
        opened.ok_or_else(|| SourceError::Unconfigured { distribution: distribution.to_string() })
    }

    /// Where the list of a source's kernels is.
    pub(crate) fn index(&self, row: &Row) -> PathBuf {
        self.folder(row.folder).join("kernels.json")
    }
}

/// Where kernels of a distribution come from.
pub(crate) trait PackageSource: std::fmt::Debug + Send + Sync {
    /// Fetches the index anew.
    fn update(&self) -> Result<Updated, SourceError>;

    /// The same for somebody who has no use for it any more when `cancel` is set; a source that cannot be stopped goes on.
    fn update_unless(&self, _cancel: &Cancel) -> Result<Updated, SourceError> {
        self.update()
    }

    /// The kernels of the index that is there, oldest first.
    fn kernels(&self) -> Result<Vec<PackagedKernel>, SourceError>;

    /// The packages of the index that is there with a kernel's source in them.
    fn source_packages(&self) -> Result<Vec<Package>, SourceError>;

    /// The packages of the index that is there with this name, of every version.
    fn packages_named(&self, name: &str) -> Result<Vec<Package>, SourceError>;

    /// Downloads a package to `target` and compares it with its hash; a part that is there already is continued.
    /// `progress` gets the bytes so far. When `cancel` is set the part that is there stays.
    fn download(
        &self,
        package: &Package,
        target: &Path,
        progress: &(dyn Fn(u64) + Sync),
        cancel: Option<&Cancel>,
    ) -> Result<(), SourceError>;

    /// Downloads a package whose hash is not known. For writing a catalogue only: nothing may be run from it.
    fn download_unverified(&self, package: &Package, target: &Path) -> Result<(), SourceError>;
}

fn debian() -> String {
    debian::NAME.to_string()
}

fn is_debian(distribution: &str) -> bool {
    distribution == debian::NAME
}

/// Why a source of packages could not help.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A tool of apt is not installed.
    #[error(
        "cannot run {tool}: {source}; kernels come from Debian's packages through apt, install `apt`, name a mirror with KREGRESS_DEBIAN_MIRROR, or use a kernel of your own (-k FILE)"
    )]
    NoApt {
        /// The program.
        tool: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No source entry serves one of Debian's archives.
    #[error(
        "no entry in this host's apt sources serves Debian's {archive} archive; add one for any Debian release (see sources.list(5)), name a mirror with KREGRESS_DEBIAN_MIRROR, or use a kernel of your own (-k FILE)"
    )]
    NoDebianSource {
        /// The archive that is needed.
        archive: Archive,
    },
    /// A program of apt failed.
    #[error(
        "{what} failed: {said}; check the network and the proxy that apt is configured with (kernels in the store need neither)"
    )]
    Failed {
        /// What was tried.
        what: String,
        /// What apt said about it.
        said: String,
    },
    /// A package is no longer on the mirror.
    #[error(
        "{package} {version} is gone from the mirror (404): Debian keeps old versions for a while only; choose another version (kregress kernels list --available)"
    )]
    Gone {
        /// The package.
        package: String,
        /// Its Debian version.
        version: String,
    },
    /// A download does not have the hash it must have.
    #[error(
        "{package} {version} as downloaded does not match its SHA-256: {said}; nothing of it was used, try again or check the mirror and the proxy in between"
    )]
    Hash {
        /// The package.
        package: String,
        /// Its Debian version.
        version: String,
        /// What apt said about it.
        said: String,
    },
    /// A stored index or catalogue names a source that this host does not have.
    #[error(
        "this host has no source for packages of {distribution}; choose another kernel (kregress kernels list --available)"
    )]
    Unconfigured {
        /// The distribution.
        distribution: String,
    },
    /// The user ended it.
    #[error("interrupted; what has come in is kept, and the next download goes on from there")]
    Interrupted,
    /// What the mirror says of its packages is too old to be believed, or not yet to be.
    #[error(
        "Debian's package lists cannot be believed: {said}; check this host's clock, and whether the mirror that apt is configured with is still kept up (kernels in the store and in catalogues need no lists)"
    )]
    Expired {
        /// What apt said about it.
        said: String,
    },
    /// A file of the private configuration, of the lists or of a download cannot be read or written.
    #[error(
        "cannot {what} {path}: {source}; the cache folder needs to be writable and have room (kregress cache gc), KREGRESS_CACHE chooses another one"
    )]
    Io {
        /// Read or write.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The cache folder's name cannot be written into apt's configuration.
    #[error(
        "the cache folder {0} has a quote, a line break or undecodable bytes in its name, which apt's configuration cannot express; set KREGRESS_CACHE to another folder"
    )]
    Unquotable(PathBuf),
    /// What the user wrote is no mirror's address.
    #[error(
        "`{given}` in KREGRESS_DEBIAN_MIRROR is no mirror: {reason}; write its address (http://HOST/debian), and that of the security archive behind it if there is one (http://HOST/debian-security)"
    )]
    Address {
        /// What was written.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// None of the addresses that the user has named serves an archive.
    #[error(
        "no address in KREGRESS_DEBIAN_MIRROR serves Debian's {archive} archive; add it, separated by a space (the security archive's ends in debian-security)"
    )]
    NoMirror {
        /// The archive that is needed.
        archive: Archive,
    },
    /// A mirror that the user has named cannot be used.
    #[error(
        "{what} failed: {said}; check the address in KREGRESS_DEBIAN_MIRROR, the network and the proxy (kernels in the store need none of them)"
    )]
    Mirror {
        /// What was tried.
        what: String,
        /// What happened.
        said: String,
    },
    /// There are no keys to check the mirror's signatures with.
    #[error(
        "there are no keys to check the mirror's signatures with: {said}; install debian-archive-keyring, or name the archive's keyring with KREGRESS_DEBIAN_KEYRING"
    )]
    Keyring {
        /// Which files were looked for, or what is wrong with one.
        said: String,
    },
    /// The program that checks signatures is not there.
    #[error(
        "{program}, which checks the mirror's signatures, is not in PATH; install it (of Debian's package gpgv, elsewhere of gnupg or gnupg2)"
    )]
    Verifier {
        /// Its name.
        program: &'static str,
    },
    /// What the mirror says of its packages is not what somebody has signed whom the user trusts.
    #[error(
        "{what} of the mirror cannot be believed: {said}; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)"
    )]
    Unbelievable {
        /// The file.
        what: String,
        /// What is wrong with it.
        said: String,
    },
}

/// What became of an update of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updated {
    /// What went wrong beyond a suite that the mirror does not have. The lists that were fetched are usable.
    pub problems: Vec<String>,
}

/// One package file in an archive's pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, in the distribution's way of writing it.
    pub version: String,
    /// The archive whose pool it is in.
    pub archive: Archive,
    /// Path below the archive's base address.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// Suites whose index names it.
    pub suites: Vec<String>,
}

/// One kernel as a distribution packages it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagedKernel {
    /// The [`name`](PackageSource::name) of the source that has it.
    #[serde(default = "debian", skip_serializing_if = "is_debian")]
    pub distribution: String,
    /// What it runs on.
    #[serde(
        with = "architecture",
        default = "architecture::default",
        skip_serializing_if = "architecture::is_default"
    )]
    pub arch: &'static Arch,
    /// The upstream version with what tells this build from others of it: `6.12.90+deb13.1`, `6.1.180+deb11.52`.
    pub version: KernelVersion,
    /// The release string (`uname -r`).
    pub release: String,
    /// Which of the images of that version.
    pub flavour: Flavour,
    /// The packages' version, in the distribution's way of writing it.
    pub package_version: String,
    /// The packages to unpack.
    pub packages: Vec<Package>,
    /// Why the kernel cannot be put together from the packages that are known, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl PackagedKernel {
    /// Bytes to download.
    pub fn download_size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// Whether both are the same upload of the same kernel.
    pub(crate) fn is_same(&self, other: &PackagedKernel) -> bool {
        self.distribution == other.distribution
            && self.release == other.release
            && self.package_version == other.package_version
    }

    /// Whether all of its packages are known. If `missing` says something all the same, the mirror did not have one of
    /// them when it was last asked; another mirror may.
    pub(crate) fn is_complete(&self) -> bool {
        match is_debian(&self.distribution) {
            true => group::has_all_parts(self.arch, &self.packages),
            false => !self.packages.is_empty(),
        }
    }

    /// The same kernel when no suite has it any more.
    pub(crate) fn without_suites(mut self) -> Self {
        for package in &mut self.packages {
            package.suites.clear();
        }
        self
    }

    /// Suites that have its first package.
    pub fn suites(&self) -> &[String] {
        self.packages.first().map_or(&[], |package| &package.suites)
    }
}
