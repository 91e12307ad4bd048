//! Kernels that are compiled here: from a folder, a git commit, a tarball or a source package of Debian's, with patches
//! and a configuration put together from fragments.
//!
//! A build is keyed by everything that it depends on: the contents of the tree, the patches, the configuration, the
//! compiler. What has been built is never built again. Trees and build folders are kept per source and configuration
//! below `build/` in the cache, so that a cancelled build goes on where it ended and the next commit of a repository only
//! compiles what differs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use std::time::Instant;

mod child;
mod compiler;
mod debug;
mod dependencies;
mod dirty;
mod error;
mod failure;
mod fragment;
mod git;
mod inspect;
mod install;
mod key;
mod lost;
mod make;
mod manifest;
mod package;
mod patch;
mod patched;
mod source;
mod steps;
#[cfg(test)]
mod tests;
mod unsynced;

pub use error::BuildError;
pub use fragment::ConfigError;
pub use lost::LostOption;
pub use patch::{Patch, PatchError};
pub use source::BuildSource;

use super::packages::debian;
use super::packages::source::Settings;
use super::progress::waiting::{ASKS_APT, STORES_IT, USES_SOURCE};
use super::progress::{FetchProgress, Stage};
use super::store::{Identity, Lock, Record, Store, sha256};
use super::tools::Tools;
use super::{Kernel, KernelOrigin};
use crate::arch::Arch;
use crate::cancel::Cancel;
use compiler::Compiler;
use fragment::MergedFragments;
use git::CheckOut;
use key::{key, words};
use make::Make;
use package::find_package;
use patched::Patched;
use source::IdentifiedSource;

/// What is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// What the kernel is to be called in reports.
    pub name: String,
    /// Where the source comes from.
    pub source: BuildSource,
    /// Put on the source in this order, with `-p1` and without fuzz.
    pub patches: Vec<Patch>,
    /// Names of fragments joined by `+`: `small+kasan`.
    pub config: String,
    /// The compiler; gcc if none is named.
    pub compiler: Option<String>,
    /// What it is compiled for.
    pub arch: &'static Arch,
    /// Compilers at a time; as many as there are processors if nothing is said.
    pub jobs: Option<usize>,
}

/// Builds kernels into the store of one cache folder. One build runs at a time in a process, as each uses all processors.
#[derive(Debug)]
pub struct Builder {
    cache: PathBuf,
    store: Store,
    /// Folders of catalogues, whose `configs` are looked into for fragments.
    catalogues: Vec<PathBuf>,
    settings: Settings,
    jobs: Option<usize>,
    /// Whether trees are kept to be patched: folders in copies although nothing is to be patched, each line by itself.
    for_patches: bool,
    busy: Mutex<()>,
    /// Configurations by name and architecture, as their fragments were when they were read first.
    composed: Mutex<HashMap<(String, &'static str), MergedFragments>>,
    /// Locks of kernels that this process uses.
    in_use: Mutex<Vec<File>>,
}

/// The build folder of a request: one for all states of a tree, so that what two of them have in common is not compiled twice.
fn output_of(request: &BuildRequest, place: &Path, tree: &Path, text: &str) -> PathBuf {
    let kind = format!("{}{}\n{text}", request.arch.prefix(), tree.display());
    place.join(format!("out-{}", &sha256(kind.as_bytes())[..12]))
}

/// The log of a request's last build.
fn log_of(request: &BuildRequest, place: &Path) -> PathBuf {
    place.join(format!("{}.log", request.name.replace('/', "_")))
}

/// A stored kernel: its folder and what is recorded about it.
type Stored = (PathBuf, Record);

/// Everything about one build that is known before it begins.
struct Job<'a> {
    request: &'a BuildRequest,
    composed: MergedFragments,
    compiler: Compiler,
    found: IdentifiedSource,
    key: String,
    progress: &'a dyn FetchProgress,
    cancel: &'a Cancel,
}

impl Builder {
    /// A builder with its trees and results under `cache` and the fragments of these catalogue folders.
    pub fn new(cache: &Path, catalogues: &[PathBuf]) -> Builder {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_path_buf());
        Builder {
            store: Store::open(&cache),
            settings: Settings::of_environment(&cache),
            cache,
            catalogues: catalogues.to_vec(),
            jobs: None,
            for_patches: false,
            busy: Mutex::default(),
            composed: Mutex::default(),
            in_use: Mutex::default(),
        }
    }

    /// Takes Debian's source packages from where these say.
    pub(super) fn with_sources(mut self, settings: Settings) -> Builder {
        self.settings = settings;
        self
    }

    /// Compiles with this many processes at a time where a request says nothing.
    pub(super) fn with_jobs(mut self, jobs: Option<usize>) -> Builder {
        self.jobs = jobs;
        self
    }

    /// Gets a kernel: from the store if the same input has been built before, or else by building it.
    ///
    /// # Errors
    /// See [`BuildError`], whose variants tell faults of the patches, the configuration and the tree from the host's.
    pub fn build(
        &self,
        request: &BuildRequest,
        progress: &dyn FetchProgress,
        cancel: &Cancel,
    ) -> Result<Kernel, BuildError> {
        let (folder, record) = self.build_stored(request, progress, cancel)?;
        let lock = Store::mark_used(&folder)?;
        let kernel = Store::load(&folder, &record, &request.name)?;
        self.in_use.lock().push(lock);
        Ok(kernel)
    }

    /// The same, up to the kernel's folder in the store.
    pub(super) fn build_stored(
        &self,
        request: &BuildRequest,
        progress: &dyn FetchProgress,
        cancel: &Cancel,
    ) -> Result<Stored, BuildError> {
        let composed = self.composed(&request.config, request.arch)?;
        let compiler = self.compiler(request, progress)?;
        let found = self.identify(&request.source)?;
        let key = key(&found, &request.patches, &composed, &compiler, request.arch);
        if let Some(stored) = self.stored(&key) {
            return Ok(stored);
        }
        // what the source holds may have to be looked at again: another build may change its place meanwhile
        let _one = self.busy.lock();
        let waiting = || progress.report(&request.name, Stage::Waiting(USES_SOURCE));
        let lock = self.store.lock_unless(cancel, &format!("build-{}", found.place), waiting)?;
        let lock = lock.ok_or_else(|| BuildError::Cancelled { name: request.name.clone() })?;
        if let Some(stored) = self.stored(&key) {
            return Ok(stored);
        }
        let job = Job { request, composed, compiler, found, key, progress, cancel };
        let result = self.build_locked(&job, &lock);
        if result.is_err() {
            progress.report(&request.name, Stage::Failed);
        }
        result
    }

    /// A digest of what the request says, without a look at the source: equal for what has been built from the same words.
    pub(super) fn words(&self, request: &BuildRequest) -> Option<String> {
        let composed = self.composed(&request.config, request.arch).ok()?;
        Some(words(request, &composed))
    }

    /// SHA-256 of what a configuration asks for on an architecture. No later build of this one asks for anything else.
    ///
    /// # Errors
    /// A fragment is not there or cannot be read.
    pub fn config_digest(&self, name: &str, arch: &'static Arch) -> Result<String, ConfigError> {
        Ok(sha256(self.composed(name, arch)?.text().as_bytes()))
    }

    /// The configuration of this name. Its fragments are read once, so that a fragment that is edited meanwhile does not
    /// make kernels differ in more than their sources.
    fn composed(&self, name: &str, arch: &'static Arch) -> Result<MergedFragments, ConfigError> {
        let mut known = self.composed.lock();
        let key = (name.to_owned(), arch.name);
        if let Some(composed) = known.get(&key) {
            return Ok(composed.clone());
        }
        let composed = MergedFragments::new(name, arch, &self.catalogues)?;
        known.insert(key, composed.clone());
        Ok(composed)
    }

    /// The compiler of a request, which is fetched where it is for another architecture and not here.
    fn compiler(&self, request: &BuildRequest, progress: &dyn FetchProgress) -> Result<Compiler, BuildError> {
        let tools = Tools::new(&self.cache).with_settings(self.settings.clone());
        let tell = |text: &str| progress.report(&request.name, Stage::Prepare(text.to_owned()));
        Compiler::find(request.compiler.as_deref(), request.arch, &tools, &tell)
    }

    fn places(&self) -> PathBuf {
        self.cache.join("build")
    }

    fn identify(&self, source: &BuildSource) -> Result<IdentifiedSource, BuildError> {
        let found = source.identify(&self.places())?;
        Ok(if self.for_patches { found.by_line() } else { found })
    }

    fn stored(&self, wanted: &str) -> Option<Stored> {
        let is_it =
            |record: &Record| matches!(&record.origin, KernelOrigin::Built { key, .. } if key == wanted);
        let stored = self.store.records().into_iter().find(|(_, record)| is_it(record))?;
        // a damaged one is built again, which the kept build folder makes quick
        Store::verify(&stored.0, &stored.1).is_ok().then_some(stored)
    }

    fn build_locked(&self, job: &Job, lock: &Lock) -> Result<Stored, BuildError> {
        let Job { request, found, progress, .. } = job;
        let begun = Instant::now();
        let place = self.places().join(&found.place);
        let _unsynced = unsynced::UnsyncedMark::set(&place).map_err(BuildError::io("write", &place))?;
        progress.report(&request.name, Stage::Prepare(format!("the source {}", found.name)));
        if matches!(request.source, BuildSource::Debian { .. }) {
            Compiler::check_for(None, !request.patches.is_empty())?;
        }
        let tree = self.tree(job, &place, lock)?;
        Compiler::check_for(Some(&tree), false)?;
        self.cancelled(job)?;

        let text = job.composed.text();
        let output = output_of(request, &place, &tree, &text);
        let total = if output.exists() { None } else { steps::elsewhere(&self.places(), &text) };
        fs::create_dir_all(&output).map_err(BuildError::io("create", &output))?;
        let log = log_of(request, &place);
        fs::write(&log, "").map_err(BuildError::io("write", &log))?;
        let processors = || std::thread::available_parallelism().map_or(1, |n| n.get());
        let jobs = request.jobs.or(self.jobs).unwrap_or_else(processors);
        let cc = &job.compiler.cc;
        let make = Make {
            tree: &tree,
            output: &output,
            arch: request.arch,
            cc,
            cross: job.compiler.cross.as_deref(),
            jobs,
            lock: lock.file(),
            log: &log,
            cancel: job.cancel,
        };

        let dirty = dirty::DirtyMark::set(&output).map_err(BuildError::io("write", &output))?;
        let made = self.configure(job, &make, &text).and_then(|()| self.compile(job, &make, total));
        // after these every process of the build has ended by itself; the others leave the mark
        if matches!(made, Ok(_) | Err(BuildError::Compile { .. } | BuildError::Config(_))) {
            dirty.clear().map_err(BuildError::io("write", &output))?;
        }
        let image = made?;

        if let BuildSource::Folder(folder) = &request.source {
            let now = self.identify(&request.source)?;
            if now.identity != found.identity {
                let reason = "files in it were changed while it was compiled, so nobody could say which of them the kernel has; \
                    build it again";
                return Err(BuildError::source(folder.display(), reason));
            }
        }
        self.keep(job, &output, image, begun)
    }

    /// The tree to compile, with the patches on it.
    fn tree(&self, job: &Job, place: &Path, lock: &Lock) -> Result<PathBuf, BuildError> {
        let Job { request, found, progress, cancel, .. } = job;
        let (tree, kept) = (place.join("tree"), place.join("patched"));
        let patched = Patched { tree: &tree, kept: &kept, name: &found.name };
        let own = self.for_patches || !request.patches.is_empty();
        let before = patched.present();
        let holds = fs::read_to_string(place.join("holds")).is_ok_and(|holds| holds == found.identity);
        if !holds || matches!(request.source, BuildSource::Folder(_)) {
            patched.take_off().map_err(BuildError::io("restore the files of", &tree))?;
        }
        Compiler::check_for(Some(&tree), own)?;
        let download = || self.download(job);
        let step = |percent| progress.report(&request.name, Stage::CheckOut { percent });
        let check_out = CheckOut { name: &request.name, lock: lock.file(), cancel, step: &step };
        let path = request.source.prepare(found, place, own, &check_out, &download)?;
        if own || path == tree {
            patched.put_on(&request.patches, &before)?;
        }
        Ok(path)
    }

    /// Fetches a source package of Debian's.
    fn download(&self, job: &Job) -> Result<PathBuf, BuildError> {
        let BuildSource::Debian { package, version, pinned } = &job.request.source else {
            return Err(BuildError::source(&job.found.name, "it is no package"));
        };
        let _lock =
            self.store.lock("apt", || job.progress.report(&job.request.name, Stage::Waiting(ASKS_APT)))?;
        let debian = self.settings.open(debian::NAME)?;
        let wanted = match pinned {
            Some(pinned) => pinned.clone(),
            None => find_package(debian.as_ref(), package, version)?,
        };
        let path = self.store.downloads()?.join(format!("{package}_{}.deb", &wanted.sha256[..16]));
        let total = wanted.size;
        let report = |done: u64| job.progress.report(&job.request.name, Stage::Download { done, total });
        debian.download(&wanted, &path, &report, Some(job.cancel))?;
        job.progress.report(&job.request.name, Stage::Unpack);
        Ok(path)
    }

    /// Makes `.config`, and compares it with what was asked for.
    fn configure(&self, job: &Job, make: &Make, text: &str) -> Result<(), BuildError> {
        let asked = make.output.join(steps::ASKED);
        fs::write(&asked, text).map_err(BuildError::io("write", &asked))?;
        job.progress
            .report(&job.request.name, Stage::Prepare(format!("the configuration {}", job.composed.name)));
        let asked = asked.to_string_lossy();
        let made = make.run(&[job.composed.base.target()], &[("KCONFIG_ALLCONFIG", &asked)], &mut |_| {});
        made.map_err(|error| failure::meaning(job, make, error))?;
        let path = make.output.join(".config");
        let config = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
        let lost = lost::lost(&job.composed, &config, make.tree, make.arch);
        match lost.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::Lost { config: job.composed.name.clone(), lost }.into()),
        }
    }

    /// Compiles, about `total` files where that is known; the image's path below the build folder.
    fn compile(&self, job: &Job, make: &Make, total: Option<u64>) -> Result<&'static str, BuildError> {
        let config = fs::read_to_string(make.output.join(".config")).unwrap_or_default();
        let has = |line: &str| config.lines().any(|found| found == line);
        // QEMU boots an ELF kernel with a PVH entry by itself: nobody needs the packed one
        let boots_elf =
            job.request.arch.image.elf_boots_with.is_some_and(|option| has(&format!("{option}=y")));
        let (image, target) = match boots_elf {
            true => ("vmlinux", "vmlinux"),
            false => (job.request.arch.image.made, job.request.arch.image.name),
        };
        let mut targets = vec![target];
        if has("CONFIG_MODULES=y") {
            targets.push("modules");
        }
        let local_version = job.composed.local_version();
        let name = &job.request.name;
        let mut done = 0;
        job.progress.report(name, Stage::Compile { done, total, file: String::new() });
        let below = format!("{}/", make.output.display());
        let mut step = |file: &str| {
            done += 1;
            // tools name their files in full
            let file = file.strip_prefix(&below).unwrap_or(file).to_string();
            job.progress.report(name, Stage::Compile { done, total, file });
        };
        let made = make.run(&targets, &[("LOCALVERSION", &local_version)], &mut step);
        made.map_err(|error| failure::meaning(job, make, error))?;
        steps::remember(make.output, done);
        Ok(image)
    }

    /// Puts what was built into the store.
    fn keep(&self, job: &Job, output: &Path, image: &str, begun: Instant) -> Result<Stored, BuildError> {
        let Job { request, composed, compiler, found, key, progress, .. } = job;
        let path = output.join("include/config/kernel.release");
        let release = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?.trim().to_string();
        let partial_name = format!("built-{}", &key[..12]);
        let lock =
            self.store.lock(&partial_name, || progress.report(&request.name, Stage::Waiting(STORES_IT)))?;
        let partial = self.store.begin(&partial_name, &lock)?;
        let objcopy = format!("{}objcopy", compiler.cross.as_deref().unwrap_or_default());
        let from = install::Built { output, image, release: &release, objcopy: &objcopy };
        let installed = install::install(&from, &partial).and_then(|modules| {
            let nothing = || found.version.clone().or_else(|| "0.0".parse().ok());
            let identity = Identity {
                version: release.parse().ok().or_else(nothing).ok_or_else(|| {
                    BuildError::source(&found.name, format!("`{release}` is no kernel's release"))
                })?,
                release,
                arch: request.arch,
                flavour: None,
                origin: KernelOrigin::Built {
                    source: found.name.clone(),
                    config: composed.name.clone(),
                    patches: request.patches.iter().map(|patch| patch.name.clone()).collect(),
                    compiler: compiler.id.clone(),
                    key: key.clone(),
                    words: words(request, composed),
                },
            };
            Ok(self.store.commit(&partial, identity, &modules)?)
        });
        if installed.is_err() {
            let _ = fs::remove_dir_all(&partial);
        }
        let (folder, record) = installed?;
        if debug::has_some(output) {
            progress.report(&request.name, Stage::Prepare("its debug information".to_owned()));
            // the kernel is whole without it
            if let Err(error) = debug::keep(&self.store, output, &record.release, key) {
                let text = format!("the debug information is not kept: {error}");
                progress.report(&request.name, Stage::Warning(text));
            }
        }
        progress.report(
            &request.name,
            Stage::Built { bytes: record.bytes(&folder), seconds: begun.elapsed().as_secs() },
        );
        Ok((folder, record))
    }

    fn cancelled(&self, job: &Job) -> Result<(), BuildError> {
        match job.cancel.is_set() {
            true => Err(BuildError::Cancelled { name: job.request.name.clone() }),
            false => Ok(()),
        }
    }
}
