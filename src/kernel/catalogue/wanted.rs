//! Kernels that are named, before they are fetched.

use std::path::PathBuf;

use serde::Serialize;

use super::select::Candidate;
use crate::arch::Arch;
use crate::kernel::compile::BuildRequest;
#[cfg(test)]
use crate::kernel::packages::local::LocalFiles;
use crate::kernel::packages::local::LocalKernel;
use crate::kernel::packages::source::PackagedKernel;
use crate::kernel::store::Record;
use crate::kernel::{Flavour, architecture};
use crate::version::{KernelVersion, Line};

/// A kernel that a user asked for, not necessarily fetched.
#[derive(Debug, Clone)]
pub struct RequestedKernel {
    name: String,
    source: Source,
    /// Whether the user left it open which image of the version is meant.
    open: bool,
}

/// Whether a kernel has a larger image than the one that its name stands for.
#[derive(Debug, Clone)]
pub enum LargerImage {
    /// There is none, or the user has named the image.
    None,
    /// There is one, and it is unavailable; why.
    Missing(String),
    /// There is one; it bears the name of the small one.
    Known(Box<RequestedKernel>),
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Known(Box<Candidate>),
    /// In files of the user's.
    Local(Box<LocalKernel>),
    /// To be compiled, with what an earlier build of the same words made.
    Built(Box<BuildRequest>, Option<Box<(PathBuf, Record)>>),
}

impl RequestedKernel {
    pub(crate) fn known(name: String, candidate: &Candidate, open: bool) -> Self {
        RequestedKernel { name, source: Source::Known(Box::new(candidate.clone())), open }
    }

    pub(crate) fn local(name: String, local: LocalKernel) -> Self {
        RequestedKernel { name, source: Source::Local(Box::new(local)), open: false }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn built(request: BuildRequest, stored: Option<(PathBuf, Record)>) -> Self {
        RequestedKernel {
            name: request.name.clone(),
            source: Source::Built(Box::new(request), stored.map(Box::new)),
            open: false,
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The short name, which [`Kernel::name`](crate::kernel::Kernel::name) will be.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What selects it again: its name, or the file of a local image.
    pub fn spec(&self) -> String {
        match &self.source {
            Source::Local(local) => {
                let path = std::path::absolute(&local.given);
                path.unwrap_or_else(|_| local.given.clone()).display().to_string()
            }
            Source::Known(_) | Source::Built(..) => self.name.clone(),
        }
    }

    /// What `uname -r` will say; empty for a kernel that has not been built.
    pub fn release(&self) -> &str {
        match &self.source {
            Source::Known(candidate) => &candidate.release,
            Source::Local(local) => &local.release,
            Source::Built(_, stored) => stored.as_deref().map_or("", |(_, record)| &record.release),
        }
    }

    /// What it runs on.
    pub fn arch(&self) -> &'static Arch {
        match &self.source {
            Source::Known(candidate) => candidate.arch,
            Source::Local(local) => local.arch,
            Source::Built(request, _) => request.arch,
        }
    }

    /// The version; `None` for a local kernel whose release string is no version.
    pub fn version(&self) -> Option<KernelVersion> {
        match &self.source {
            Source::Known(candidate) => Some(candidate.version.clone()),
            Source::Local(local) => local.release.parse().ok(),
            Source::Built(request, stored) => match stored.as_deref() {
                Some((_, record)) => Some(record.version.clone()),
                None => request.source.version(),
            },
        }
    }

    /// The flavour; `None` for a local image.
    pub fn flavour(&self) -> Option<Flavour> {
        match &self.source {
            Source::Known(candidate) => candidate.flavour,
            Source::Local(_) | Source::Built(..) => None,
        }
    }

    /// Whether [`Library::fetch`](crate::kernel::Library::fetch) has to compile it, unless the source is as it was.
    pub fn is_to_build(&self) -> bool {
        matches!(&self.source, Source::Built(..))
    }

    /// Whether [`Library::fetch`](crate::kernel::Library::fetch) needs no download and no compiler.
    pub fn is_fetched(&self) -> bool {
        match &self.source {
            Source::Known(candidate) => candidate.stored.is_some(),
            Source::Local(_) => true,
            Source::Built(request, stored) => stored.is_some() && !request.source.can_change(),
        }
    }

    /// Bytes to download; 0 if it is here already.
    pub fn download_size(&self) -> u64 {
        match &self.source {
            Source::Known(candidate) if candidate.stored.is_none() => {
                candidate.build.as_ref().map_or(0, PackagedKernel::download_size)
            }
            _ => 0,
        }
    }
}

/// A kernel that an expression covers and that is unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnavailableKernel {
    /// Its short name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The result of a list of expressions.
#[derive(Debug, Clone, Default)]
pub struct Resolution {
    /// The kernels, each once, in the order of the expressions and within one from old to new.
    pub wanted: Vec<RequestedKernel>,
    /// What a range, a pattern or `all` covers but is unavailable.
    pub left_out: Vec<UnavailableKernel>,
}

/// What it takes to have a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelState {
    /// Its packages were downloaded and it is in the store.
    Fetched,
    /// It was compiled and is in the store.
    Built,
    /// Its packages can be downloaded.
    Available,
    /// It can be compiled.
    ToBuild,
    /// It is unavailable.
    Gone,
}

/// One line of the list of known kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Available {
    /// Short name, which is a spec too.
    pub name: String,
    /// Version with the build's tag.
    pub version: KernelVersion,
    /// What `uname -r` says.
    pub release: String,
    /// What it runs on.
    #[serde(serialize_with = "architecture::serialize", skip_serializing_if = "architecture::is_default")]
    pub arch: &'static Arch,
    /// Which image.
    pub flavour: Option<Flavour>,
    /// Options that find bugs (`KASAN`, `DEBUG_KMEMLEAK` …) and are on; known of fetched kernels only.
    pub options: Vec<String>,
    /// The packages' Debian version.
    pub package_version: Option<String>,
    /// Suites that have it.
    pub suites: Vec<String>,
    /// Bytes in the store, if it is fetched.
    pub stored: Option<u64>,
    /// Bytes to download, if its packages are known.
    pub download: Option<u64>,
    /// Why it is unavailable, if it is.
    pub missing: Option<String>,
    /// What it is compiled from, if it is compiled here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Available {
    /// What it takes to have it.
    pub fn state(&self) -> KernelState {
        match (self.stored, &self.missing, &self.source) {
            (Some(_), _, None) => KernelState::Fetched,
            (Some(_), _, Some(_)) => KernelState::Built,
            (None, Some(_), _) => KernelState::Gone,
            (None, None, Some(_)) => KernelState::ToBuild,
            (None, None, None) => KernelState::Available,
        }
    }

    /// The line it belongs to; `None` for linux-next, and while it is not known what a source is.
    pub fn line(&self) -> Option<Line> {
        self.version.line().filter(|line| line.major > 0)
    }

    /// Bytes that it takes in the store, or those of the download while it is not there.
    pub fn size(&self) -> Option<u64> {
        self.stored.or(self.download)
    }
}

#[cfg(test)]
impl LargerImage {
    /// A larger image that is not looked into.
    pub(crate) fn known_for_tests() -> LargerImage {
        let files = LocalFiles::InPlace { image: "x".into(), modules: None };
        let local = LocalKernel {
            given: "x".into(),
            release: "x".into(),
            digest: "x".into(),
            arch: crate::arch::GUEST,
            files,
        };
        LargerImage::Known(Box::new(RequestedKernel::local("x".into(), local)))
    }
}
