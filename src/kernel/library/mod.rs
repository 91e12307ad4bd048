//! From what a user wrote to a kernel on disk.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use std::time::{Duration, SystemTime};

mod changelog;
mod debug;
mod fetch;
mod housekeeping;
mod selftests;
mod update;

pub use changelog::{KeptChangelog, best_changelog};
pub use debug::DebugState;
pub use housekeeping::{BuildPlace, Collected, Stored};
pub use selftests::{HEADERS, HEADERS_OF_ARCHITECTURE};

use super::catalogue::Catalogue;
use super::catalogue::select::{Candidate, larger_of, name_of, select};
use super::catalogue::wanted::{Available, LargerImage, RequestedKernel, Resolution, Source};
use super::compile::{BuildRequest, Builder, PatchError};
use super::packages::debian::{self, pin};
use super::packages::source::{PackagedKernel, SOURCES, Settings, SourceError};
use super::progress::waiting::ASKS_APT;
use super::progress::{FetchProgress, Stage};
use super::store::{Record, Store, write_whole};
use super::{Kernel, KernelConfig, KernelError, KernelOrigin, KernelSpec, StoreError};
use crate::arch::{ARCHES, Arch, GUEST};
use crate::cancel::Cancel;
use crate::version::{KernelVersion, Upstream};

/// Age from which package lists are fetched again before they are shown.
const LISTS_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// All kernels that are known and the store of those that are fetched.
#[derive(Debug)]
pub struct Library {
    pub(crate) cache: PathBuf,
    pub(crate) store: Store,
    pub(crate) catalogue: Catalogue,
    /// Held open and locked, so that no other process removes kernels that this one uses.
    pub(crate) in_use: Mutex<Vec<File>>,
    pub(crate) builder: Builder,
    /// Where packages come from.
    pub(crate) settings: Settings,
    /// Ends downloads and builds.
    pub(crate) cancel: Cancel,
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
        Ok(Library {
            store: Store::open(&cache),
            builder: Builder::new(&cache, catalogue_folders),
            cancel: Cancel::new(),
            settings: Settings::of_environment(&cache),
            cache,
            catalogue,
            in_use: Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// Takes mirrors, proxies and keys from this apt configuration file (in the place of the environment's `APT_CONFIG`)
    /// instead of the host's.
    pub fn with_apt_config(mut self, file: &Path) -> Self {
        self.settings.apt_config = Some(file.to_path_buf());
        self.settings.mirror = None;
        self.builder = self.builder.with_sources(self.settings.clone());
        self
    }

    /// Takes Debian's packages from these archives (addresses, separated by spaces) instead of through apt, whose
    /// signatures are checked with this keyring, or with Debian's where it is installed. `KREGRESS_DEBIAN_MIRROR` and
    /// `KREGRESS_DEBIAN_KEYRING` in the environment do the same.
    pub fn with_debian_mirror(mut self, addresses: &str, keyring: Option<&Path>) -> Self {
        self.settings.mirror = Some(addresses.to_owned());
        self.settings.keyring = keyring.map(Path::to_path_buf);
        self.builder = self.builder.with_sources(self.settings.clone());
        self
    }

    /// Compiles with this many processes at a time instead of one per processor.
    pub fn with_build_jobs(mut self, jobs: Option<usize>) -> Self {
        self.builder = self.builder.with_jobs(jobs);
        self
    }

    /// Ends downloads and builds as soon as `cancel` is set. What has come in is kept, and a later one goes on from there.
    pub fn with_cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Compiles sources without and with patches in turn; see [`Builder::for_patches`].
    pub fn for_patches(mut self) -> Self {
        self.builder = self.builder.for_patches();
        self
    }

    /// What compiles kernels here.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// The kernels of the catalogues that are compiled here, by name.
    ///
    /// # Errors
    /// A patch of one of them cannot be read.
    pub fn to_compile(&self) -> Result<Vec<BuildRequest>, PatchError> {
        self.catalogue.named.iter().filter_map(|(name, named)| named.request(name)).collect()
    }

    /// The version of the newest source package of this name in the package lists, which are fetched if they lack it.
    ///
    /// # Errors
    /// The lists are unavailable, or have no such package; in words.
    pub fn newest_source(&self, package: &str, progress: &dyn FetchProgress) -> Result<String, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let _lock = self
            .store
            .lock("apt", || progress.report("", Stage::Waiting(ASKS_APT)))
            .map_err(|e| words(&e))?;
        let debian = self.settings.open(debian::NAME).map_err(|e| words(&e))?;
        let newest = || -> Result<Option<String>, SourceError> {
            let there = debian.source_packages()?.into_iter().filter(|found| found.name == package);
            Ok(there.map(|found| found.version).max_by(|a, b| crate::version::compare_debian(a, b)))
        };
        if let Some(version) = newest().map_err(|e| words(&e))? {
            return Ok(version);
        }
        progress.report("", Stage::Lists);
        debian.update().map_err(|e| words(&e))?;
        newest().map_err(|e| words(&e))?.ok_or_else(|| format!("no package list has `{package}`"))
    }

    /// The kernels that `specs` select. Nothing of a kernel is downloaded; package lists are if what is known does not
    /// suffice. Without any spec that adds, all kernels are the start for those that take away.
    pub fn resolve(
        &self,
        specs: &[KernelSpec],
        progress: &dyn FetchProgress,
    ) -> Result<Resolution, KernelError> {
        let arches: BTreeSet<&str> =
            specs.iter().flat_map(KernelSpec::for_each_arch).map(|spec| spec.arch().name).collect();
        let arches: Vec<&'static Arch> = arches.into_iter().filter_map(Arch::named).collect();
        // what one of several lacks is left out, and so would never have its lists fetched
        if arches.len() > 1 {
            for arch in arches.iter().filter(|arch| **arch != GUEST && self.lists_of(arch).is_none()) {
                if let Err(error) = self.update_of(arch, progress) {
                    progress.report("", Stage::Warning(format!("kernels of {}: {error}", arch.debian)));
                }
            }
        }
        let first = select(&self.known(), &self.catalogue.named, specs);
        let outdated = |error: &KernelError| {
            let unknown = matches!(
                error,
                KernelError::UnknownVersion { .. }
                    | KernelError::UnknownLine { .. }
                    | KernelError::Empty { .. }
                    | KernelError::Unavailable { .. }
            );
            unknown && arches.iter().any(|arch| self.lists_outdated_of(arch))
        };
        let mut resolution = match first {
            Err(error) if outdated(&error) => {
                match arches.iter().try_for_each(|arch| self.update_of(arch, progress)) {
                    Ok(()) => select(&self.known(), &self.catalogue.named, specs),
                    Err(no_lists) if !self.known().iter().any(|known| arches.contains(&known.arch)) => {
                        Err(no_lists)
                    }
                    Err(no_lists) => {
                        progress.report("", Stage::Warning(no_lists.to_string()));
                        Err(error)
                    }
                }
            }
            result => result,
        }?;
        for wanted in &mut resolution.wanted {
            if let Source::Built(request, _) = wanted.source() {
                *wanted = self.to_build(request.as_ref().clone());
            }
        }
        Ok(resolution)
    }

    /// The larger image of a kernel, for tests that need what the small one lacks.
    pub fn larger_image(&self, wanted: &RequestedKernel) -> LargerImage {
        let Source::Known(small) = wanted.source() else { return LargerImage::None };
        if !wanted.is_open() {
            return LargerImage::None;
        }
        let known = self.known();
        match larger_of(&known, small) {
            None => LargerImage::None,
            Some(large) => match large.missing() {
                Some(reason) => LargerImage::Missing(reason.to_owned()),
                None => LargerImage::Known(Box::new(RequestedKernel::known(
                    wanted.name().to_owned(),
                    large,
                    false,
                ))),
            },
        }
    }

    /// A kernel to compile, with what was built of the same words before.
    fn to_build(&self, request: BuildRequest) -> RequestedKernel {
        let words = self.builder.words(&request);
        let stored = self.store.records().into_iter().rfind(|(_, record)| {
            matches!(&record.origin, KernelOrigin::Built { words: built, .. } if Some(built) == words.as_ref())
        });
        RequestedKernel::built(request, stored)
    }

    /// Every known kernel: those with a version of their own, oldest first, then those that catalogues have to be compiled.
    pub fn available(&self) -> Vec<Available> {
        let mut available = self.available_packages();
        for (name, named) in &self.catalogue.named {
            let Some(request) = named.request(name) else { continue };
            available.push(self.available_build(name, request));
        }
        available
    }

    fn available_build(&self, name: &str, request: Result<BuildRequest, PatchError>) -> Available {
        let nothing = Upstream::Release { major: 0, minor: 0, patch: 0, rc: None };
        let mut available = Available {
            name: name.to_string(),
            version: KernelVersion::upstream_only(nothing),
            release: String::new(),
            arch: GUEST,
            flavour: None,
            options: Vec::new(),
            package_version: None,
            suites: Vec::new(),
            stored: None,
            download: None,
            missing: None,
            source: None,
        };
        match request {
            Err(error) => available.missing = Some(error.to_string()),
            Ok(request) => {
                available.arch = request.arch;
                available.source = Some(format!("{}, {}", request.source.name(), request.config));
                let wanted = self.to_build(request);
                available.release = wanted.release().to_string();
                available.version = wanted.version().unwrap_or(available.version);
                if let Source::Built(_, Some(stored)) = wanted.source() {
                    let (folder, record) = stored.as_ref();
                    (available.stored, available.options) = (Some(record.bytes(folder)), detectors(folder));
                }
            }
        }
        available
    }

    fn available_packages(&self) -> Vec<Available> {
        let known = self.known();
        known
            .iter()
            .map(|candidate| Available {
                name: name_of(&known, candidate),
                version: candidate.version.clone(),
                release: candidate.release.clone(),
                arch: candidate.arch,
                flavour: candidate.flavour,
                package_version: candidate.package_version.clone(),
                options: candidate.stored.as_ref().map_or_else(Vec::new, |(folder, _)| detectors(folder)),
                suites: candidate.build.as_ref().map_or_else(Vec::new, |build| build.suites().to_vec()),
                stored: candidate.stored.as_ref().map(|(folder, record)| record.bytes(folder)),
                download: candidate.build.as_ref().map(PackagedKernel::download_size),
                missing: candidate.missing().map(String::from),
                source: None,
            })
            .collect()
    }

    /// The kernels in the store, oldest first. One that is damaged is passed over.
    pub fn fetched(&self) -> Result<Vec<Kernel>, KernelError> {
        let known = self.known();
        let stored = known.iter().filter_map(|candidate| Some((candidate, candidate.stored.as_ref()?)));
        Ok(stored
            .filter_map(|(candidate, (folder, record))| {
                Store::load(folder, record, &name_of(&known, candidate)).ok()
            })
            .collect())
    }

    /// When the package lists were fetched; `None` if never.
    pub fn lists_fetched(&self) -> Option<SystemTime> {
        self.lists_of(GUEST)
    }

    /// When the lists of this architecture were fetched; `None` if never.
    pub fn lists_of(&self, arch: &'static Arch) -> Option<SystemTime> {
        let settings = self.settings.of(arch);
        let of_row = |row| fs::metadata(settings.index(row)).and_then(|meta| meta.modified()).ok();
        SOURCES.iter().filter_map(of_row).min()
    }

    /// Whether the package lists are missing or older than a day.
    pub fn lists_outdated(&self) -> bool {
        self.lists_outdated_of(GUEST)
    }

    fn lists_outdated_of(&self, arch: &'static Arch) -> bool {
        let age = self.lists_of(arch).map(|fetched| fetched.elapsed().unwrap_or_default());
        age.is_none_or(|age| age > LISTS_MAX_AGE)
    }

    /// Fetches the package lists anew.
    pub fn update(&self, progress: &dyn FetchProgress) -> Result<(), KernelError> {
        self.update_of(GUEST, progress)
    }

    /// Fetches the package lists of an architecture anew. A suite whose lists contradict each other is told in apt's words,
    /// and the others are taken.
    pub fn update_of(&self, arch: &'static Arch, progress: &dyn FetchProgress) -> Result<(), KernelError> {
        let settings = self.settings.of(arch);
        let _lock = self.store.lock("apt", || progress.report("", Stage::Waiting(ASKS_APT)))?;
        progress.report("", Stage::Lists);
        for row in SOURCES {
            let Some(source) = (row.open)(&settings)? else { continue };
            let problems = source.update()?.problems;
            for problem in problems.iter().take(3) {
                progress.report("", Stage::Warning(problem.clone()));
            }
            if problems.len() > 3 {
                progress.report("", Stage::Warning(format!("and {} more of the kind", problems.len() - 3)));
            }
            let path = settings.index(row);
            let text = serde_json::to_vec(&source.kernels()?).map_err(std::io::Error::other);
            let write = |text: Vec<u8>| {
                fs::create_dir_all(path.with_file_name(""))?;
                write_whole(&path, &text)
            };
            text.and_then(write).map_err(|source| StoreError::Io { what: "write", path, source })?;
        }
        self.forget_known();
        Ok(())
    }

    /// Marks a build of which the mirror did not have a package a short while ago.
    pub(crate) fn mark_gone(&self, build: &mut PackagedKernel) {
        let gone = build.packages.iter().find(|package| self.store.is_noted_gone(&package.sha256));
        if let (Some(package), None) = (gone, &build.missing) {
            build.missing = Some(pin::gone(&package.name));
        }
    }

    /// The kernels that the package lists name; none if there are no lists.
    pub(crate) fn indexed(&self) -> Vec<PackagedKernel> {
        let of_row = |settings: &Settings, row| -> Vec<PackagedKernel> {
            let text = fs::read(settings.index(row)).ok();
            text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
        };
        let of_arch = |arch: &&'static Arch| {
            let settings = self.settings.of(arch);
            SOURCES.iter().flat_map(|row| of_row(&settings, row)).collect::<Vec<_>>()
        };
        ARCHES.iter().flat_map(of_arch).collect()
    }

    pub(crate) fn forget_known(&self) {
        *self.known.lock() = None;
    }

    /// Store, catalogues and package lists put together, oldest first.
    fn known(&self) -> Vec<Candidate> {
        let mut known = self.known.lock();
        known
            .get_or_insert_with(|| {
                let mut known = merge(self.store.records(), &self.catalogue.builds, self.indexed());
                for build in known.iter_mut().filter_map(|candidate| candidate.build.as_mut()) {
                    self.mark_gone(build);
                }
                known
            })
            .clone()
    }
}

/// Whether a stored kernel is this build.
pub(crate) fn is_build(record: &Record, build: &PackagedKernel) -> bool {
    record.release == build.release
        && record.origin.package() == Some((build.distribution.as_str(), build.package_version.as_str()))
}

fn merge(
    records: Vec<(PathBuf, Record)>,
    pinned: &[PackagedKernel],
    mut builds: Vec<PackagedKernel>,
) -> Vec<Candidate> {
    // what the lists say is newer, unless they lack a part that the catalogue has
    for pinned in pinned {
        match builds.iter_mut().find(|build| build.is_same(pinned)) {
            Some(build) if build.missing.is_some() || pinned.missing.is_some() && pinned.is_complete() => {
                *build = pinned.clone();
            }
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
            arch: build.arch,
            flavour: Some(build.flavour),
            package_version: Some(build.package_version.clone()),
            stored,
            build: Some(build),
        });
    }
    for (folder, record) in records.into_iter().flatten() {
        let package_version = match &record.origin {
            KernelOrigin::Debian { version, .. } | KernelOrigin::Packaged { version, .. } => {
                Some(version.clone())
            }
            KernelOrigin::Local { .. } => None,
            // these are selected by their names or files only: a version means a distribution's kernel
            KernelOrigin::Built { .. } | KernelOrigin::File { .. } => continue,
        };
        known.push(Candidate {
            version: record.version.clone(),
            release: record.release.clone(),
            arch: record.arch,
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

/// The options of a stored kernel that find bugs, as far as they are on.
fn detectors(folder: &Path) -> Vec<String> {
    const OPTIONS: &[&str] = &[
        "KASAN",
        "KCSAN",
        "KFENCE",
        "UBSAN",
        "DEBUG_KMEMLEAK",
        "PROVE_LOCKING",
        "FAULT_INJECTION",
        "DETECT_HUNG_TASK",
    ];
    let text = fs::read(folder.join("config")).unwrap_or_default();
    let config = KernelConfig::parse(&String::from_utf8_lossy(&text));
    let on = |option: &&&str| config.get(option).is_some_and(|value| value != "n");
    OPTIONS.iter().filter(on).map(|option| (*option).to_string()).collect()
}
