//! From what a user wrote to a kernel on disk.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::bzimage::Image;
use super::catalogue::{Catalogue, DEBIAN_FILE, debian_text};
use super::debian::apt::{Apt, LISTS_MAX_AGE};
use super::debian::{DebianBuild, build, pin, unpack};
use super::local;
use super::progress::{FetchProgress, Stage};
use super::select::{Candidate, select};
use super::store::{Identity, Record, Store, write_whole};
use super::wanted::{Available, LeftOut, Resolution, Source, Wanted};
use super::{CatalogueError, Kernel, KernelError, KernelSpec, Origin, StoreError};

/// All kernels that are known and the store of those that are fetched.
#[derive(Debug)]
pub struct Library {
    cache: PathBuf,
    store: Store,
    catalogue: Catalogue,
    known: Mutex<Option<Vec<Candidate>>>,
}

impl Library {
    /// Opens the library whose store is in `cache`, with the catalogues in `catalogue_folders` (which need not exist).
    /// Nothing is written until something is fetched.
    pub fn open(cache: &Path, catalogue_folders: &[PathBuf]) -> Result<Self, KernelError> {
        // apt and QEMU are started with other working folders
        let cache = std::path::absolute(cache)
            .map_err(|source| KernelError::Read { path: cache.to_path_buf(), source })?;
        let catalogue = Catalogue::load(catalogue_folders)?;
        Ok(Library { store: Store::open(&cache), cache, catalogue, known: Mutex::new(None) })
    }

    /// The kernels that `specs` select. Nothing of a kernel is downloaded; package lists are if what is known does not
    /// suffice. Without any spec that adds, all kernels are the start for those that take away.
    pub fn resolve(
        &self,
        specs: &[KernelSpec],
        progress: &dyn FetchProgress,
    ) -> Result<Resolution, KernelError> {
        let first = select(&self.known(), &self.catalogue.named, specs);
        let outdated = |error: &KernelError| {
            let unknown = matches!(
                error,
                KernelError::UnknownVersion { .. }
                    | KernelError::UnknownLine { .. }
                    | KernelError::Empty { .. }
                    | KernelError::Unavailable { .. }
            );
            unknown && self.lists_outdated()
        };
        match first {
            Err(error) if outdated(&error) => match self.update(progress) {
                Ok(()) => select(&self.known(), &self.catalogue.named, specs),
                Err(no_lists) if self.known().is_empty() => Err(no_lists),
                Err(no_lists) => {
                    progress.report("", Stage::Warning(no_lists.to_string()));
                    Err(error)
                }
            },
            result => result,
        }
    }

    /// Every known kernel, oldest first.
    pub fn available(&self) -> Vec<Available> {
        let known = self.known();
        known
            .iter()
            .map(|candidate| Available {
                name: super::select::name_of(&known, candidate),
                version: candidate.version.clone(),
                release: candidate.release.clone(),
                flavour: candidate.flavour,
                package_version: candidate.package_version.clone(),
                suites: candidate.build.as_ref().map_or_else(Vec::new, |build| build.suites().to_vec()),
                stored: candidate.stored.as_ref().map(|(_, record)| record.bytes()),
                download: candidate.build.as_ref().map(DebianBuild::download_size),
                missing: candidate.missing().map(String::from),
            })
            .collect()
    }

    /// The kernels in the store, oldest first. One that is damaged is passed over.
    pub fn fetched(&self) -> Result<Vec<Kernel>, KernelError> {
        let known = self.known();
        let stored = known.iter().filter_map(|candidate| Some((candidate, candidate.stored.as_ref()?)));
        Ok(stored
            .filter_map(|(candidate, (folder, record))| {
                Store::load(folder, record, &super::select::name_of(&known, candidate)).ok()
            })
            .collect())
    }

    /// Gets a kernel: from the store, or by downloading and unpacking it. Safe to call from several threads and
    /// processes at once.
    pub fn fetch(&self, wanted: &Wanted, progress: &dyn FetchProgress) -> Result<Kernel, KernelError> {
        match wanted.source() {
            Source::Local(local) => local::load(local, wanted.name(), &self.cache),
            Source::Known(candidate) => {
                if let Some((folder, record)) = &candidate.stored {
                    match Store::load(folder, record, wanted.name()) {
                        Ok(kernel) => return Ok(kernel),
                        Err(damaged) if candidate.build.is_none() => return Err(damaged.into()),
                        Err(damaged) => progress.report(wanted.name(), Stage::Warning(damaged.to_string())),
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

    fn fetch_build(
        &self,
        name: &str,
        build: &DebianBuild,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        if let Some(reason) = &build.missing {
            return Err(KernelError::Unavailable { name: name.to_string(), reason: reason.clone() });
        }
        let lock = self.store.lock(&build.release, || progress.report(name, Stage::Waiting))?;
        // another process may have been faster
        let stored = |(folder, record): &(PathBuf, Record)| {
            is_build(record, build) && Store::check(folder, record).is_ok()
        };
        if let Some((folder, record)) = self.store.records().iter().find(|entry| stored(entry)) {
            self.forget_known();
            return Ok(Store::load(folder, record, name)?);
        }
        let packages = self.download(name, build, progress)?;
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
        build: &DebianBuild,
        progress: &dyn FetchProgress,
    ) -> Result<Vec<PathBuf>, KernelError> {
        let apt = Apt::prepare(&self.cache.join("apt"))?;
        let folder = self.store.downloads()?;
        let total = build.download_size();
        let mut before = 0;
        let mut paths = Vec::new();
        for package in &build.packages {
            let path = folder.join(format!(
                "{}_{}.deb",
                package.name,
                &package.sha256[..16.min(package.sha256.len())]
            ));
            let report = |done: u64| progress.report(name, Stage::Download { done: before + done, total });
            apt.download(package, &path, &report)?;
            before += package.size;
            paths.push(path);
        }
        Ok(paths)
    }

    fn install(
        &self,
        name: &str,
        build: &DebianBuild,
        packages: &[PathBuf],
        partial: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<Kernel, KernelError> {
        let modules = unpack::unpack(packages, &build.release, partial)?;
        progress.report(name, Stage::Extract);
        let path = partial.join("vmlinuz");
        let data = fs::read(&path).map_err(|source| KernelError::Read { path: path.clone(), source })?;
        let failed = |source| KernelError::Image { path: path.clone(), source };
        if let Some(elf) = Image::parse(&data).map_err(failed)?.uncompressed().map_err(failed)? {
            let path = partial.join("vmlinux");
            write_whole(&path, &elf).map_err(|source| StoreError::Io { what: "write", path, source })?;
        }
        let identity = Identity {
            release: build.release.clone(),
            version: build.version.clone(),
            flavour: Some(build.flavour),
            origin: Origin::Debian {
                packages: build.packages.iter().map(|package| package.name.clone()).collect(),
                version: build.package_version.clone(),
                suites: build.suites().to_vec(),
            },
        };
        let (folder, record) = self.store.commit(partial, identity, &modules)?;
        progress.report(name, Stage::Ready { bytes: record.bytes() });
        Ok(Store::load(&folder, &record, name)?)
    }

    /// When the package lists were fetched; `None` if never.
    pub fn lists_fetched(&self) -> Option<SystemTime> {
        fs::metadata(self.index_path()).and_then(|meta| meta.modified()).ok()
    }

    /// Whether the package lists are missing or older than a day.
    pub fn lists_outdated(&self) -> bool {
        let age = self.lists_fetched().map(|fetched| fetched.elapsed().unwrap_or_default());
        age.is_none_or(|age| age > LISTS_MAX_AGE)
    }

    /// Fetches the package lists anew.
    pub fn update(&self, progress: &dyn FetchProgress) -> Result<(), KernelError> {
        let _lock = self.store.lock("apt", || progress.report("", Stage::Waiting))?;
        progress.report("", Stage::Lists);
        let apt = Apt::prepare(&self.cache.join("apt"))?;
        for problem in apt.update()?.problems {
            progress.report("", Stage::Warning(problem));
        }
        let builds = build::group(apt.kernel_packages()?);
        let path = self.index_path();
        let text = serde_json::to_vec(&builds).map_err(std::io::Error::other);
        text.and_then(|text| write_whole(&path, &text)).map_err(|source| StoreError::Io {
            what: "write",
            path,
            source,
        })?;
        self.forget_known();
        Ok(())
    }

    /// Writes the catalogue of Debian's kernels into `folder`, from the package lists as they are now. Kernels that have
    /// left the lists stay in it; packages that have left them are looked up in the pool and pinned by their hash.
    /// Returns the file and the kernels of it that cannot be had.
    pub fn write_catalogue(
        &self,
        folder: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<(PathBuf, Vec<LeftOut>), KernelError> {
        self.update(progress)?;
        let apt = Apt::prepare(&self.cache.join("apt"))?;
        let downloads = self.store.downloads()?;
        let mut builds = self.indexed();
        for build in &mut builds {
            if build.missing.is_some() {
                progress.report(&build.release, Stage::LookUp);
                let before = self.catalogue.builds.iter().find(|old| old.is_same(build));
                pin::complete(&apt, build, before, &downloads)?;
            }
        }
        let left: Vec<DebianBuild> = self
            .catalogue
            .builds
            .iter()
            .filter(|old| !builds.iter().any(|new| new.is_same(old)))
            .cloned()
            .collect();
        builds.extend(left.into_iter().map(DebianBuild::without_suites));
        build::sort(&mut builds);
        let path = folder.join(DEBIAN_FILE);
        let write = || {
            fs::create_dir_all(folder)?;
            write_whole(&path, debian_text(&builds).as_bytes())
        };
        write().map_err(|source| CatalogueError::Io { what: "write", path: path.clone(), source })?;
        let lost = builds.iter().filter_map(|build| {
            Some(LeftOut { name: build.release.clone(), reason: build.missing.clone()? })
        });
        Ok((path, lost.collect()))
    }

    /// The kernels that the package lists name; none if there are no lists.
    fn indexed(&self) -> Vec<DebianBuild> {
        let text = fs::read(self.index_path()).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn index_path(&self) -> PathBuf {
        self.cache.join("apt/kernels.json")
    }

    fn forget_known(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Store, catalogues and package lists put together, oldest first.
    fn known(&self) -> Vec<Candidate> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get_or_insert_with(|| merge(self.store.records(), &self.catalogue.builds, self.indexed()))
            .clone()
    }
}

/// Whether a stored kernel is this build.
fn is_build(record: &Record, build: &DebianBuild) -> bool {
    record.release == build.release
        && matches!(&record.origin, Origin::Debian { version, .. } if *version == build.package_version)
}

fn merge(
    records: Vec<(PathBuf, Record)>,
    pinned: &[DebianBuild],
    mut builds: Vec<DebianBuild>,
) -> Vec<Candidate> {
    // what the lists say is newer, unless they lack a part that the catalogue has
    for pinned in pinned {
        match builds.iter_mut().find(|build| build.is_same(pinned)) {
            Some(build) if build.missing.is_some() => *build = pinned.clone(),
            Some(_) => {}
            None => builds.push(pinned.clone()),
        }
    }
    let mut records: Vec<Option<(PathBuf, Record)>> = records.into_iter().map(Some).collect();
    let mut known: Vec<Candidate> = Vec::new();
    for build in builds {
        let stored = records
            .iter_mut()
            .find(|entry| entry.as_ref().is_some_and(|(_, record)| is_build(record, &build)));
        let stored = stored.and_then(Option::take);
        known.push(Candidate {
            version: build.version.clone(),
            release: build.release.clone(),
            flavour: Some(build.flavour),
            package_version: Some(build.package_version.clone()),
            stored,
            build: Some(build),
        });
    }
    for (folder, record) in records.into_iter().flatten() {
        let package_version = match &record.origin {
            Origin::Debian { version, .. } => Some(version.clone()),
            Origin::Local { .. } => None,
        };
        known.push(Candidate {
            version: record.version.clone(),
            release: record.release.clone(),
            flavour: record.flavour,
            package_version,
            stored: Some((folder, record)),
            build: None,
        });
    }
    known.sort_by(|a, b| match a.version.upstream().cmp(&b.version.upstream()) {
        Ordering::Equal => a.preference(b).then_with(|| a.flavour.cmp(&b.flavour)),
        order => order,
    });
    known
}
