//! The debug information of a kernel: what the cache has, and the package that a distribution has it in.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kernel_modules::is_module;

use super::housekeeping::Stored;
use super::{Library, fetch};
use crate::kernel::packages::container::{DEB, PackageError};
use crate::kernel::packages::debian;
use crate::kernel::packages::source::{Package, SourceError};
use crate::kernel::packages::unpack::UnpackError;
use crate::kernel::progress::waiting::{ASKS_APT, FETCHES_IT};
use crate::kernel::progress::{FetchProgress, Stage};
use crate::kernel::store::Store;
use crate::kernel::store::debug::{AddError, DebugFolder, DebugOrigin};
use crate::kernel::{Kernel, KernelError, KernelOrigin, StoreError};

/// What is kept of a package takes less than this many times its size: of 1.8 GB xz makes 320 MB, and gzip 832 MB.
const KEPT_FOR_PACKED: u64 = 3;

/// Debian's packages have a stub of a line in the place of System.map where they have none.
const SYSTEM_MAP_STUB: u64 = 4096;

/// What there is of a kernel's debug information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DebugState {
    /// It is in this folder: `vmlinux.gz`, and a file for each module.
    Here(PathBuf),
    /// It is in this package, which is not here.
    Package {
        /// The package's name.
        name: String,
        /// Its version, which is the kernel's.
        version: String,
    },
    /// It is not known where; why, and what to do.
    Nowhere(String),
}

/// Carries errors out of the walk through a package.
enum WalkError {
    Package(PackageError),
    Store(StoreError),
}

impl From<PackageError> for WalkError {
    fn from(error: PackageError) -> Self {
        WalkError::Package(error)
    }
}

impl Library {
    /// What there is of a kernel's debug information. Where it is here, others are kept from removing it while this
    /// library exists.
    pub fn debug_of(&self, kernel: &Kernel) -> DebugState {
        if let Some(folder) = self.kept_debug(kernel) {
            return DebugState::Here(folder);
        }
        let name = &kernel.name;
        match &kernel.origin {
            KernelOrigin::Debian { version, .. } => {
                let package = format!("linux-image-{}-dbg", kernel.release);
                DebugState::Package { name: package, version: version.clone() }
            }
            KernelOrigin::Built { config, .. } if !has_debug_info(kernel) => DebugState::Nowhere(format!(
                "kernel {name} was compiled without debug information; add `debuginfo` to its configuration \
                 (config: {config}+debuginfo), and it is kept with the kernel"
            )),
            KernelOrigin::Built { .. } => DebugState::Nowhere(format!(
                "the debug information of kernel {name} is not in the cache any more; remove {} and build it again",
                kernel.image.parent().unwrap_or(&kernel.image).display()
            )),
            KernelOrigin::Packaged { distribution, .. } => DebugState::Nowhere(format!(
                "which package of {distribution} has the debug information of kernel {name} is not known; unpack it and \
                 name the folder with --debug"
            )),
            KernelOrigin::File { .. } | KernelOrigin::Local { .. } => DebugState::Nowhere(format!(
                "kernel {name} is a file of yours; name the folder that it was built in, or its vmlinux, with --debug or \
                 --vmlinux"
            )),
        }
    }

    fn kept_debug(&self, kernel: &Kernel) -> Option<PathBuf> {
        let is_it = |origin: &DebugOrigin| match (origin, &kernel.origin) {
            (DebugOrigin::Package { version: found, .. }, KernelOrigin::Debian { version, .. }) => {
                found == version
            }
            (DebugOrigin::Built { key: found }, KernelOrigin::Built { key, .. }) => found == key,
            _ => false,
        };
        let records = self.store.debug_records();
        let mut fitting =
            records.iter().filter(|(_, record)| record.release == kernel.release && is_it(&record.origin));
        let (folder, _) = fitting.find(|(folder, record)| Store::is_whole_debug(folder, record))?;
        let used = Store::use_debug(folder).ok()?;
        self.in_use.lock().push(used);
        Some(folder.clone())
    }

    /// Gets a kernel's debug information: out of the cache, or out of its distribution's debug package.
    ///
    /// # Errors
    /// If there is none, no package list has it, there is no room for it, or it cannot be downloaded or unpacked.
    pub fn fetch_debug(&self, kernel: &Kernel, progress: &dyn FetchProgress) -> Result<PathBuf, KernelError> {
        let (name, version) = match self.debug_of(kernel) {
            DebugState::Here(folder) => return Ok(folder),
            DebugState::Nowhere(reason) => return Err(KernelError::NoDebug { reason }),
            DebugState::Package { name, version } => (name, version),
        };
        let shown = &kernel.name;
        let lock_name = Store::debug_lock_name(&kernel.release);
        let waiting = || progress.report(shown, Stage::Waiting(FETCHES_IT));
        let lock = self.store.lock_unless(&self.cancel, &lock_name, waiting)?;
        let lock = lock.ok_or(SourceError::Interrupted)?;
        if let DebugState::Here(folder) = self.debug_of(kernel) {
            // another process was faster
            return Ok(folder);
        }
        let package = self.debug_package(&name, &version, progress)?;
        let downloads = self.store.downloads()?;
        let path = downloads.join(fetch::file_name(&package));
        let there = fs::metadata(&path).map_or(0, |meta| meta.len());
        let needed = (package.size * (1 + KEPT_FOR_PACKED)).saturating_sub(there);
        check_room(&downloads, needed, &name)?;

        let total = package.size;
        let report = |done: u64| progress.report(shown, Stage::Download { done, total });
        let source = self.settings.open(debian::NAME)?;
        source.download(&package, &path, &report, Some(&self.cancel))?;
        progress.report(shown, Stage::Unpack);
        let kept = self.store.begin_debug(&kernel.release, &lock)?;
        let unpacked = unpack(&path, &kept);
        // fetched again rather than kept: a damaged one must not come back
        let _ = fs::remove_file(&path);
        unpacked?;
        let origin = DebugOrigin::Package { name, version, sha256: package.sha256 };
        let (folder, record) = kept.commit(&kernel.release, origin)?;
        progress.report(shown, Stage::Ready { bytes: record.bytes() });
        self.kept_debug(kernel).ok_or_else(|| {
            let reason = "it was removed while it was written".to_owned();
            StoreError::Damaged { folder, reason }.into()
        })
    }

    /// The package of this name and version in the package lists, which are fetched if they lack it.
    fn debug_package(
        &self,
        name: &str,
        version: &str,
        progress: &dyn FetchProgress,
    ) -> Result<Package, KernelError> {
        let _lock = self.store.lock("apt", || progress.report("", Stage::Waiting(ASKS_APT)))?;
        let source = self.settings.open(debian::NAME)?;
        let find = || -> Result<Option<Package>, SourceError> {
            Ok(source.packages_named(name)?.into_iter().find(|package| package.version == version))
        };
        // without any list there is nothing to read
        if let Ok(Some(package)) = find() {
            return Ok(package);
        }
        progress.report("", Stage::Lists);
        source.update()?;
        find()?.ok_or_else(|| KernelError::NoDebugPackage {
            package: name.to_owned(),
            version: version.to_owned(),
        })
    }

    /// The debug information in the cache, the one that was not used for the longest time first.
    pub fn stored_debug(&self) -> Vec<Stored> {
        let records = self.store.debug_records().into_iter();
        let mut stored: Vec<Stored> = records
            .map(|(folder, record)| Stored {
                used: Store::debug_used(&folder),
                bytes: record.bytes(),
                release: record.release,
                flavour: None,
                folder,
            })
            .collect();
        stored.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.release.cmp(&b.release)));
        stored
    }

    /// Compares all files of debug information with the hashes that they were written with. Gives each with what is wrong
    /// with it.
    pub fn verify_debug(&self) -> Vec<(Stored, Result<(), KernelError>)> {
        let records = self.store.debug_records();
        let result = |stored: Stored| {
            let record = records.iter().find(|(folder, _)| *folder == stored.folder);
            let result = record.map_or(Ok(()), |(folder, record)| Store::verify_debug(folder, record));
            (stored, result.map_err(KernelError::from))
        };
        self.stored_debug().into_iter().map(result).collect()
    }

    /// Removes debug information from the cache unless a process uses it; whether it was removed.
    pub fn remove_debug(&self, stored: &Stored) -> Result<bool, KernelError> {
        Ok(self.store.remove_debug(&stored.folder)?)
    }
}

/// Whether a kernel was configured to have DWARF.
fn has_debug_info(kernel: &Kernel) -> bool {
    kernel.config.as_ref().and_then(|config| config.get("DEBUG_INFO")) == Some("y")
}

/// Packs the kernel's file, its map and those of the modules.
fn unpack(package: &Path, into: &DebugFolder) -> Result<(), KernelError> {
    let each = |path: &str, size: u64, contents: &mut dyn std::io::Read| {
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = match file {
            _ if file.starts_with("vmlinux-") => "vmlinux",
            _ if file.starts_with("System.map-") && size > SYSTEM_MAP_STUB => "System.map",
            _ if is_module(file.trim_end_matches(".debug")) => file,
            _ => return Ok(ControlFlow::Continue(())),
        };
        into.add(name, contents).map_err(|error| match error {
            AddError::Read(error) => WalkError::Package(error.into()),
            AddError::Store(error) => WalkError::Store(error),
        })?;
        Ok(ControlFlow::Continue(()))
    };
    DEB.for_each_file(package, each).map_err(|error| match error {
        WalkError::Store(error) => KernelError::from(error),
        WalkError::Package(source) => {
            let package = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
            UnpackError::Package { package, source }.into()
        }
    })
}

/// Refuses what does not fit on the disk of `folder`.
fn check_room(folder: &Path, needed: u64, what: &str) -> Result<(), KernelError> {
    // where the system does not know, writing says so
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    match free < needed {
        true => {
            Err(KernelError::NoRoom { what: what.to_owned(), folder: folder.to_path_buf(), needed, free })
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_figures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(check_room(folder.path(), 0, "x").is_ok());
        let error =
            check_room(folder.path(), u64::MAX, "linux-image-6.1-dbg").expect_err("no disk is so large");
        let said = error.to_string();
        assert!(
            said.starts_with("linux-image-6.1-dbg needs ") && said.contains("make room (kregress cache gc)"),
            "{said}"
        );
    }
}
