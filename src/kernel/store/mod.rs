//! The store: kernels on disk, one folder each, named after release and content.
//!
//! A folder is written under a temporary name and renamed when it is complete, so what has a final name is whole and
//! is read without a lock. Whoever fetches a release holds that release's lock until the rename.

pub(crate) mod debug;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use kernel_modules::{KernelConfig, ModuleIndex, ModuleTree};

use super::{Flavour, Kernel, KernelOrigin, architecture};
use crate::arch::Arch;
pub(crate) use crate::atomic_file::write as write_whole;
use crate::cancel::Cancel;
use crate::version::KernelVersion;

/// Version of the layout of a folder and of `kernel.json`; folders of another one are passed over.
const FORMAT: u32 = 1;

/// How long a mirror is believed not to have a package.
const GONE_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Start of the names of folders that are not complete.
const PARTIAL: &str = ".partial-";

/// What `stat(2)` counts in, bytes.
const BLOCK: u64 = 512;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder cannot be read, written, locked or renamed.
    #[error(
        "cannot {what} {path}: {source}; the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one"
    )]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A stored kernel is not as it was written.
    #[error(
        "the stored kernel {folder} is damaged: {reason}; `kregress cache verify --remove` removes it, then it is fetched again when needed"
    )]
    Damaged {
        /// The kernel's folder.
        folder: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// One file of a stored kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredFile {
    pub bytes: u64,
    pub sha256: String,
}

/// `kernel.json`: what is known about a stored kernel without opening its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub format: u32,
    pub release: String,
    pub version: KernelVersion,
    #[serde(
        with = "architecture",
        default = "architecture::default",
        skip_serializing_if = "architecture::is_default"
    )]
    pub arch: &'static Arch,
    pub flavour: Option<Flavour>,
    pub origin: KernelOrigin,
    pub digest: String,
    pub files: BTreeMap<String, StoredFile>,
}

impl Record {
    /// Bytes that its files in `folder` take on disk; holes in them take none.
    pub(crate) fn bytes(&self, folder: &Path) -> u64 {
        let on_disk = |(name, file): (&String, &StoredFile)| {
            fs::metadata(folder.join(name)).map_or(file.bytes, |meta| meta.blocks() * BLOCK)
        };
        self.files.iter().map(on_disk).sum()
    }
}

/// What is known about a kernel before its files are recorded.
pub(crate) struct Identity {
    pub release: String,
    pub version: KernelVersion,
    pub arch: &'static Arch,
    pub flavour: Option<Flavour>,
    pub origin: KernelOrigin,
}

/// The cache folder's part that holds kernels.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    cache: PathBuf,
}

/// Held while a release is fetched; given back when dropped, by the system too if the process dies.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// The locked file: a process that inherits it holds the lock, too.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Store {
    /// Opens the store in `cache`, which need not exist or be writable as long as nothing is added. What processes that
    /// died have left behind is removed.
    pub(crate) fn open(cache: &Path) -> Store {
        let store = Store { cache: cache.to_path_buf() };
        store.remove_leftovers();
        store
    }

    fn kernels(&self) -> PathBuf {
        self.cache.join("kernels")
    }

    /// Where packages are kept while they come in.
    pub(crate) fn downloads(&self) -> Result<PathBuf, StoreError> {
        let path = self.cache.join("downloads");
        fs::create_dir_all(&path).map_err(|source| StoreError::Io {
            what: "create",
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Removes packages that nobody has touched for a day: whoever began to download them has given up.
    pub(crate) fn remove_downloads(&self) {
        let Ok(folder) = fs::read_dir(self.cache.join("downloads")) else { return };
        for entry in folder.flatten() {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            let abandoned =
                modified.is_ok_and(|m| m.elapsed().unwrap_or_default() > Duration::from_secs(24 * 60 * 60));
            if abandoned {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn gone_path(&self, sha256: &str) -> PathBuf {
        self.cache.join("gone").join(sha256)
    }

    /// Remembers that the mirror does not have the package with this hash. Only a help for later expressions, so a
    /// failure is no error.
    pub(crate) fn note_gone(&self, sha256: &str) {
        let path = self.gone_path(sha256);
        let _ = fs::create_dir_all(path.with_file_name("")).and_then(|()| fs::write(path, ""));
    }

    /// Whether the mirror did not have the package with this hash within the last days.
    pub(crate) fn is_noted_gone(&self, sha256: &str) -> bool {
        let noted = fs::metadata(self.gone_path(sha256)).and_then(|meta| meta.modified()).ok();
        noted.is_some_and(|noted| noted.elapsed().unwrap_or_default() < GONE_FOR)
    }

    /// Takes the lock called `name`, calling `waiting` first if another process has it.
    pub(crate) fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<Lock, StoreError> {
        let (file, path) = self.lock_file(name)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            waiting();
            flock(&file, FlockOperation::LockExclusive).map_err(|error| StoreError::Io {
                what: "lock",
                path,
                source: error.into(),
            })?;
        }
        Ok(Lock { file })
    }

    /// Takes the lock called `name` unless another process has it.
    pub(crate) fn try_lock(&self, name: &str) -> Result<Option<Lock>, StoreError> {
        let (file, _) = self.lock_file(name)?;
        Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(Lock { file }))
    }

    /// Takes the lock called `name`, calling `waiting` first if another process has it; `None` if `cancel` is set
    /// meanwhile. No signal ends a wait in the system for a lock, so this one tries again five times a second.
    pub(crate) fn lock_unless(
        &self,
        cancel: &Cancel,
        name: &str,
        waiting: impl FnOnce(),
    ) -> Result<Option<Lock>, StoreError> {
        if let Some(lock) = self.try_lock(name)? {
            return Ok(Some(lock));
        }
        waiting();
        while !cancel.is_set() {
            if let Some(lock) = self.try_lock(name)? {
                return Ok(Some(lock));
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            let _ = poll(&mut [PollFd::new(cancel, PollFlags::IN)], Some(&pause));
        }
        Ok(None)
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), StoreError> {
        let folder = self.cache.join("locks");
        let path = folder.join(format!("{name}.lock"));
        let open = || {
            fs::create_dir_all(&folder)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(|source| StoreError::Io { what: "create", path: path.clone(), source })?;
        Ok((file, path))
    }

    /// Removes partial folders whose fetcher is gone: nobody holds the lock of their release.
    fn remove_leftovers(&self) {
        let Ok(folder) = fs::read_dir(self.kernels()) else { return };
        for entry in folder.flatten() {
            let name = entry.file_name();
            let Some(release) = name.to_str().and_then(|name| name.strip_prefix(PARTIAL)) else { continue };
            let Ok((lock, _)) = self.lock_file(release) else { return };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                // what cannot be removed now is removed by a later run
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// An empty folder to write a kernel into. The caller holds the release's lock.
    pub(crate) fn begin(&self, release: &str, _lock: &Lock) -> Result<PathBuf, StoreError> {
        let path = self.kernels().join(format!("{PARTIAL}{release}"));
        let create = || {
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            fs::create_dir_all(&path)
        };
        create().map_err(|source| StoreError::Io { what: "create", path: path.clone(), source })?;
        Ok(path)
    }

    /// Completes the folder from [`Store::begin`]: writes the module index and the record, and gives the folder its
    /// final name, which it returns with the record.
    pub(crate) fn commit(
        &self,
        partial: &Path,
        identity: Identity,
        modules: &ModuleIndex,
    ) -> Result<(PathBuf, Record), StoreError> {
        let io = |what, path: &Path| {
            let path = path.to_path_buf();
            move |source| StoreError::Io { what, path, source }
        };
        let json = |value: Result<Vec<u8>, serde_json::Error>| value.map_err(io::Error::other);
        let path = partial.join("modules.json");
        let text = json(serde_json::to_vec(modules)).map_err(io("write", &path))?;
        write_whole(&path, &text).map_err(io("write", &path))?;

        let mut files = BTreeMap::new();
        for entry in fs::read_dir(partial).map_err(io("read", partial))? {
            let path = entry.map_err(io("read", partial))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, measure(&path).map_err(io("read", &path))?);
        }
        let digest = files.get("vmlinuz").map(|file| file.sha256.clone()).unwrap_or_default();
        let Identity { release, version, arch, flavour, origin } = identity;
        let record = Record { format: FORMAT, release, version, arch, flavour, origin, digest, files };
        let path = partial.join("kernel.json");
        let text = json(serde_json::to_vec_pretty(&record)).map_err(io("write", &path))?;
        write_whole(&path, &text).map_err(io("write", &path))?;

        // two builds from different sources can be the same to the byte
        let tag = match &record.origin {
            KernelOrigin::Built { key, .. } | KernelOrigin::File { key, .. } => key,
            KernelOrigin::Debian { .. } | KernelOrigin::Packaged { .. } | KernelOrigin::Local { .. } => {
                &record.digest
            }
        };
        let folder = self.kernels().join(format!("{}-{}", record.release, tag.get(..12).unwrap_or("")));
        if folder.exists() {
            // a damaged one that this replaces
            fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
        }
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        sync(partial).map_err(io("write", partial))?;
        fs::rename(partial, &folder).map_err(io("rename", partial))?;
        // the first kernel's folder is new itself
        [self.kernels(), self.cache.clone()]
            .iter()
            .try_for_each(|path| sync(path))
            .map_err(io("write", &folder))?;
        Ok((folder, record))
    }

    /// All complete kernels, oldest first.
    pub(crate) fn records(&self) -> Vec<(PathBuf, Record)> {
        let Ok(folder) = fs::read_dir(self.kernels()) else { return Vec::new() };
        let mut found: Vec<(PathBuf, Record)> = folder
            .flatten()
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .filter_map(|entry| {
                let record: Record =
                    serde_json::from_slice(&fs::read(entry.path().join("kernel.json")).ok()?).ok()?;
                (record.format == FORMAT).then(|| (entry.path(), record))
            })
            .collect();
        found.sort_by(|(_, a), (_, b)| a.version.cmp(&b.version).then_with(|| a.release.cmp(&b.release)));
        found
    }

    /// Whether a kernel's files are there with the sizes they were written with.
    pub(crate) fn check(folder: &Path, record: &Record) -> Result<(), StoreError> {
        for (name, file) in &record.files {
            let damaged = |reason| StoreError::Damaged { folder: folder.to_path_buf(), reason };
            match fs::metadata(folder.join(name)) {
                Ok(meta) if meta.len() == file.bytes => {}
                Ok(meta) => {
                    return Err(damaged(format!(
                        "{name} has {} bytes instead of {}",
                        meta.len(),
                        file.bytes
                    )));
                }
                Err(error) => return Err(damaged(format!("{name}: {error}"))),
            }
        }
        Ok(())
    }

    /// Whether a kernel's files are as they were written, by their hashes.
    pub(crate) fn verify(folder: &Path, record: &Record) -> Result<(), StoreError> {
        Self::check(folder, record)?;
        for (name, file) in &record.files {
            let path = folder.join(name);
            let found = measure(&path).map_err(|source| StoreError::Io {
                what: "read",
                path: path.clone(),
                source,
            })?;
            if found != *file {
                let reason = format!("the contents of {name} have changed");
                return Err(StoreError::Damaged { folder: folder.to_path_buf(), reason });
            }
        }
        Ok(())
    }

    /// Keeps [`Store::remove`] of other processes off a kernel as long as the file is open, and notes the time of use.
    pub(crate) fn mark_used(folder: &Path) -> Result<File, StoreError> {
        let path = folder.join("kernel.json");
        let open = || {
            let file = File::open(&path)?;
            flock(&file, FlockOperation::NonBlockingLockShared)?;
            // in a cache of somebody else's the time cannot be noted
            let _ = file.set_modified(SystemTime::now());
            Ok(file)
        };
        open().map_err(|source| StoreError::Io { what: "lock", path: path.clone(), source })
    }

    /// Removes a kernel unless a process uses it; whether it was removed.
    pub(crate) fn remove(&self, folder: &Path) -> Result<bool, StoreError> {
        let io = |source| StoreError::Io { what: "remove", path: folder.to_path_buf(), source };
        let lock = File::open(folder.join("kernel.json")).map_err(io)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        // out of sight in one step: half a kernel is never seen under its name
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let aside = folder.with_file_name(format!("{PARTIAL}{name}"));
        fs::rename(folder, &aside).and_then(|()| fs::remove_dir_all(&aside)).map_err(io)?;
        Ok(true)
    }

    /// Reads a stored kernel, which is to be called `name`.
    pub(crate) fn load(folder: &Path, record: &Record, name: &str) -> Result<Kernel, StoreError> {
        Self::check(folder, record)?;
        let file = |file: &str| record.files.contains_key(file).then(|| folder.join(file));
        let read = |path: &Path| {
            fs::read(path).map_err(|source| StoreError::Io { what: "read", path: path.to_path_buf(), source })
        };
        let index: ModuleIndex =
            serde_json::from_slice(&read(&folder.join("modules.json"))?).map_err(|error| {
                StoreError::Damaged { folder: folder.to_path_buf(), reason: format!("modules.json: {error}") }
            })?;
        let config = match file("config") {
            Some(path) => Some(KernelConfig::parse(&String::from_utf8_lossy(&read(&path)?))),
            None => None,
        };
        Ok(Kernel {
            name: name.to_string(),
            release: record.release.clone(),
            version: record.version.clone(),
            arch: record.arch,
            flavour: record.flavour,
            image: folder.join("vmlinuz"),
            vmlinux: file("vmlinux"),
            config,
            system_map: file("System.map"),
            modules: match index.modules.is_empty() && index.builtin.is_empty() {
                // an image alone: every kernel with modules has built-in ones, too
                true => ModuleTree::unknown(&record.release),
                false => ModuleTree::packed(index, &folder.join("modules.pack")),
            },
            origin: record.origin.clone(),
            digest: record.digest.clone(),
        })
    }
}

/// Size and hash of a file.
pub(crate) fn measure(path: &Path) -> io::Result<StoredFile> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        bytes += n as u64;
    }
    Ok(StoredFile { bytes, sha256: hex(&hasher.finalize()) })
}

/// SHA-256 of data in memory, as hexadecimal digits.
pub(crate) fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
