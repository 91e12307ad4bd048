//! Getting kernels: out of the store, or downloaded, unpacked and put there.

use std::fs;
use std::path::{Path, PathBuf};

use std::sync::atomic::{AtomicUsize, Ordering};

use kernel_modules::{Image, ModuleIndex};

use super::{Library, is_build};
use crate::cancel::Cancel;
use crate::version::{KernelVersion, Upstream};

/// What ELF files start with.
const ELF: &[u8] = b"\x7fELF";
use crate::kernel::catalogue::wanted::{RequestedKernel, Source};
use crate::kernel::packages::files::Part;
use crate::kernel::packages::local::{LocalFiles, LocalKernel};
use crate::kernel::packages::source::{Package, PackagedKernel, SourceError};
use crate::kernel::packages::{local, unpack};
use crate::kernel::progress::waiting::{FETCHES_IT, STORES_IT};
use crate::kernel::progress::{FetchProgress, NoProgress, Stage};
use crate::kernel::store::{Identity, Record, Store, write_whole};
use crate::kernel::{Kernel, KernelError, KernelOrigin, StoreError};

impl Library {
    /// Gets a kernel: from the store, or by downloading and unpacking it. Safe to call from several threads and
    /// processes at once.
    pub fn fetch(
        &self,
        wanted: &RequestedKernel,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        match wanted.source() {
            Source::Local(local) => match &local.files {
                LocalFiles::InPlace { image, modules } => {
                    local::load(local, (image, modules.as_deref()), wanted.name(), &self.cache)
                }
                LocalFiles::Packed(parts) => self.fetch_files(wanted.name(), local, parts, progress),
            },
            Source::Built(request, _) => {
                let (folder, record) = self.builder.build_stored(request, progress, &self.cancel)?;
                self.forget_known();
                Ok(self.load(&folder, &record, wanted.name())?)
            }
            Source::Known(candidate) => {
                if let Some((folder, record)) = &candidate.stored {
                    match self.load(folder, record, wanted.name()) {
                        Ok(kernel) => return Ok(kernel),
                        Err(damaged) if candidate.build.is_none() => return Err(damaged.into()),
                        Err(damaged) => {
                            let text = format!("{damaged}; it is fetched again now");
                            progress.report(wanted.name(), Stage::Warning(text));
                        }
                    }
                }
                let build = candidate.build.as_ref().ok_or_else(|| KernelError::Unavailable {
                    name: wanted.name().to_string(),
                    reason: "its packages are not known".to_string(),
                })?;
                let kernel = self.fetch_build(wanted.name(), build, progress);
                if kernel.is_err() {
                    progress.report(wanted.name(), Stage::Failed);
                }
                kernel
            }
        }
    }

    /// Downloads what [`fetch`](Library::fetch) of this kernel would download, and unpacks nothing. It ends when `enough` is
    /// set; what has come in is kept, and a fetch goes on from there. What is unavailable is reported by the fetch.
    pub fn download_ahead(&self, wanted: &RequestedKernel, enough: &Cancel) {
        let Some(build) = to_download(wanted) else { return };
        // whoever holds the lock fetches it already
        if let Ok(Some(_lock)) = self.store.try_lock(&build.release) {
            let _ = self.download(wanted.name(), build, &NoProgress, enough);
        }
    }

    /// Removes what [`download_ahead`](Library::download_ahead) has brought of a kernel that is not needed after all.
    pub fn forget_ahead(&self, wanted: &RequestedKernel) {
        let Some(build) = to_download(wanted) else { return };
        if let (Ok(Some(_lock)), Ok(folder)) = (self.store.try_lock(&build.release), self.store.downloads()) {
            for package in &build.packages {
                let _ = fs::remove_file(folder.join(file_name(package)));
            }
        }
    }

    /// Gets several kernels, `jobs` at a time, and calls `each` with every one as soon as it is there. The results come in
    /// any order.
    pub fn fetch_all(
        &self,
        wanted: &[RequestedKernel],
        jobs: usize,
        progress: &dyn FetchProgress,
        each: &(dyn Fn(&RequestedKernel, Result<Kernel, KernelError>) + Sync),
    ) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, wanted.len().max(1)) {
                scope.spawn(|| {
                    while let Some(wanted) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                        && !self.cancel.is_set()
                    {
                        each(wanted, self.fetch(wanted, progress));
                    }
                });
            }
        });
    }

    /// Loads a stored kernel after its contents have been checked, and keeps others from removing it while this
    /// library exists.
    fn load(&self, folder: &Path, record: &Record, name: &str) -> Result<Kernel, StoreError> {
        let lock = Store::mark_used(folder)?;
        Store::verify(folder, record)?;
        let kernel = Store::load(folder, record, name)?;
        self.in_use.lock().push(lock);
        Ok(kernel)
    }

    fn fetch_build(
        &self,
        name: &str,
        build: &PackagedKernel,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        if let Some(reason) = build.missing.as_ref().filter(|_| !build.is_complete()) {
            return Err(KernelError::Unavailable { name: name.to_string(), reason: reason.clone() });
        }
        let waiting = || progress.report(name, Stage::Waiting(FETCHES_IT));
        let lock = self.store.lock_unless(&self.cancel, &build.release, waiting)?;
        let lock = lock.ok_or(SourceError::Interrupted)?;
        // another process may have been faster
        let stored = |(folder, record): &(PathBuf, Record)| {
            is_build(record, build) && Store::verify(folder, record).is_ok()
        };
        if let Some((folder, record)) = self.store.records().iter().find(|entry| stored(entry)) {
            self.forget_known();
            return Ok(self.load(folder, record, name)?);
        }
        let packages = self.download(name, build, progress, &self.cancel)?;
        progress.report(name, Stage::Unpack);
        let partial = self.store.begin(&build.release, &lock)?;
        let result = self.install(name, build, &packages, &partial, progress);
        if result.is_err() {
            // a later run would remove it too; what matters is the room on a full disk
            let _ = fs::remove_dir_all(&partial);
        }
        // packages are fetched again rather than kept: a damaged one must not come back
        for package in &packages {
            let _ = fs::remove_file(package);
        }
        self.forget_known();
        result
    }

    /// Downloads the packages of a build one after the other.
    fn download(
        &self,
        name: &str,
        build: &PackagedKernel,
        progress: &dyn FetchProgress,
        cancel: &Cancel,
    ) -> Result<Vec<PathBuf>, KernelError> {
        let source = self.settings.of(build.arch).open(&build.distribution)?;
        let folder = self.store.downloads()?;
        let total = build.download_size();
        let mut before = 0;
        let mut paths = Vec::new();
        for package in &build.packages {
            let path = folder.join(file_name(package));
            let report = |done: u64| progress.report(name, Stage::Download { done: before + done, total });
            if let Err(error) = source.download(package, &path, &report, Some(cancel)) {
                if matches!(error, SourceError::Gone { .. }) {
                    self.store.note_gone(&package.sha256);
                    self.forget_known();
                }
                return Err(error.into());
            }
            before += package.size;
            if cancel.is_set() {
                return Err(SourceError::Interrupted.into());
            }
            paths.push(path);
        }
        Ok(paths)
    }

    fn install(
        &self,
        name: &str,
        build: &PackagedKernel,
        packages: &[PathBuf],
        partial: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        let modules = unpack::unpack(packages, &build.release, partial)?;
        let identity = Identity {
            release: build.release.clone(),
            version: build.version.clone(),
            arch: build.arch,
            flavour: Some(build.flavour),
            origin: KernelOrigin::of_packages(build),
        };
        self.keep(name, partial, identity, &modules, progress)
    }

    /// Puts what was unpacked into `partial` into the store, with the uncompressed kernel, where QEMU can boot it.
    fn keep(
        &self,
        name: &str,
        partial: &Path,
        identity: Identity,
        modules: &ModuleIndex,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        progress.report(name, Stage::Extract);
        let path = partial.join("vmlinuz");
        let data = fs::read(&path).map_err(|source| KernelError::Read { path: path.clone(), source })?;
        let failed = |source| KernelError::Image { path: path.clone(), source };
        let image = Image::parse(&data).map_err(failed)?;
        if !data.starts_with(ELF)
            && let Some(elf) = image.uncompressed().map_err(failed)?
        {
            let path = partial.join("vmlinux");
            write_whole(&path, &elf).map_err(|source| StoreError::Io { what: "write", path, source })?;
        }
        let (folder, record) = self.store.commit(partial, identity, modules)?;
        progress.report(name, Stage::Ready { bytes: record.bytes(&folder) });
        Ok(self.load(&folder, &record, name)?)
    }

    /// Gets a kernel out of packages and archives of the user's, which are unpacked once.
    fn fetch_files(
        &self,
        name: &str,
        local: &LocalKernel,
        parts: &[Part],
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        let lock_name = format!("file-{}", &local.digest[..12]);
        let waiting = || progress.report(name, Stage::Waiting(STORES_IT));
        let lock = self.store.lock_unless(&self.cancel, &lock_name, waiting)?;
        let lock = lock.ok_or(SourceError::Interrupted)?;
        let is_it = |(folder, record): &(PathBuf, Record)| {
            matches!(&record.origin, KernelOrigin::File { key, .. } if *key == local.digest)
                && Store::verify(folder, record).is_ok()
        };
        if let Some((folder, record)) = self.store.records().iter().find(|entry| is_it(entry)) {
            return Ok(self.load(folder, record, name)?);
        }
        progress.report(name, Stage::Unpack);
        let partial = self.store.begin(&lock_name, &lock)?;
        let unpack = || {
            let modules = local::unpack(local, parts, &partial)?;
            let nothing = Upstream::Release { major: 0, minor: 0, patch: 0, rc: None };
            let version = local.release.parse().unwrap_or_else(|_| KernelVersion::upstream_only(nothing));
            let path = std::path::absolute(&local.given).unwrap_or_else(|_| local.given.clone());
            let identity = Identity {
                release: local.release.clone(),
                version,
                arch: local.arch,
                flavour: None,
                origin: KernelOrigin::File { path, key: local.digest.clone() },
            };
            self.keep(name, &partial, identity, &modules, progress)
        };
        let result = unpack();
        if result.is_err() {
            let _ = fs::remove_dir_all(&partial);
            progress.report(name, Stage::Failed);
        }
        result
    }
}

/// The packages of a kernel that has to be downloaded and can be.
fn to_download(wanted: &RequestedKernel) -> Option<&PackagedKernel> {
    let Source::Known(candidate) = wanted.source() else { return None };
    let build = candidate.build.as_ref().filter(|build| build.is_complete())?;
    candidate.stored.is_none().then_some(build)
}

/// What a package is called while it comes in.
pub(super) fn file_name(package: &Package) -> String {
    format!("{}_{}.deb", package.name, &package.sha256[..16.min(package.sha256.len())])
}
