//! Debug information in the cache: `debug/RELEASE-DIGEST/`, a folder for each package or build, by its content.
//!
//! Each file is compressed by itself, so that a trace reads the kernel's and those of its modules and no others. They are
//! packed with gzip: 346 MB of a vmlinux take 208 MB (with xz 106 MB), but are read several times as fast.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{Lock, PARTIAL, Store, StoreError, StoredFile, measure, write_whole};

/// Version of the layout of a folder and of `debug.json`; folders of another one are passed over.
const FORMAT: u32 = 1;

const RECORD: &str = "debug.json";

/// Where debug information came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DebugOrigin {
    /// A package.
    Package { name: String, version: String, sha256: String },
    /// A build with this key.
    Built { key: String },
}

/// `debug.json`: what is known about a folder without opening its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DebugRecord {
    pub format: u32,
    pub release: String,
    pub origin: DebugOrigin,
    pub files: BTreeMap<String, StoredFile>,
}

impl DebugOrigin {
    fn digest(&self) -> &str {
        match self {
            DebugOrigin::Package { sha256, .. } => sha256,
            DebugOrigin::Built { key } => key,
        }
    }
}

impl DebugRecord {
    /// Bytes that its files take.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

/// Why a file did not get into a folder.
pub(crate) enum AddError {
    /// Its contents cannot be read.
    Read(io::Error),
    /// The cache cannot be written to.
    Store(StoreError),
}

/// A folder that is being filled. It is removed unless it is committed.
pub(crate) struct DebugFolder {
    partial: PathBuf,
    committed: bool,
}

impl Store {
    fn debug(&self) -> PathBuf {
        self.cache.join("debug")
    }

    /// The lock of the debug information with this name.
    pub(crate) fn debug_lock_name(name: &str) -> String {
        format!("debug-{name}")
    }

    /// An empty folder for debug information. The caller holds the lock of this name.
    pub(crate) fn begin_debug(&self, name: &str, _lock: &Lock) -> Result<DebugFolder, StoreError> {
        let partial = self.debug().join(format!("{PARTIAL}{name}"));
        let create = || {
            if partial.exists() {
                fs::remove_dir_all(&partial)?;
            }
            fs::create_dir_all(&partial)
        };
        create().map_err(|source| StoreError::Io { what: "create", path: partial.clone(), source })?;
        Ok(DebugFolder { partial, committed: false })
    }

    /// All complete folders.
    pub(crate) fn debug_records(&self) -> Vec<(PathBuf, DebugRecord)> {
        let Ok(folder) = fs::read_dir(self.debug()) else { return Vec::new() };
        let mut found: Vec<(PathBuf, DebugRecord)> = folder
            .flatten()
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .filter_map(|entry| {
                let record: DebugRecord =
                    serde_json::from_slice(&fs::read(entry.path().join(RECORD)).ok()?).ok()?;
                (record.format == FORMAT).then(|| (entry.path(), record))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    /// Whether all files of a folder have the sizes that they were written with.
    pub(crate) fn is_whole_debug(folder: &Path, record: &DebugRecord) -> bool {
        let is_whole = |(name, file): (&String, &StoredFile)| {
            fs::metadata(folder.join(name)).is_ok_and(|meta| meta.len() == file.bytes)
        };
        record.files.iter().all(is_whole)
    }

    /// Whether all files of a folder are as they were written, by their hashes.
    pub(crate) fn verify_debug(folder: &Path, record: &DebugRecord) -> Result<(), StoreError> {
        for (name, file) in &record.files {
            let reason = match measure(&folder.join(name)) {
                Ok(found) if found == *file => continue,
                Ok(_) => format!("the contents of {name} have changed"),
                Err(error) => format!("{name}: {error}"),
            };
            return Err(StoreError::Damaged { folder: folder.to_path_buf(), reason });
        }
        Ok(())
    }

    /// Keeps [`Store::remove_debug`] of other processes off a folder as long as the file is open, and notes the time of
    /// use.
    pub(crate) fn use_debug(folder: &Path) -> io::Result<File> {
        let file = File::open(folder.join(RECORD))?;
        flock(&file, FlockOperation::NonBlockingLockShared)?;
        // in a cache of somebody else's the time cannot be noted
        let _ = file.set_modified(SystemTime::now());
        Ok(file)
    }

    /// When a folder was last used or made, if the file system knows.
    pub(crate) fn debug_used(folder: &Path) -> Option<SystemTime> {
        fs::metadata(folder.join(RECORD)).and_then(|meta| meta.modified()).ok()
    }

    /// Removes a folder unless a process uses it; whether it was removed.
    pub(crate) fn remove_debug(&self, folder: &Path) -> Result<bool, StoreError> {
        let io = |source| StoreError::Io { what: "remove", path: folder.to_path_buf(), source };
        let lock = File::open(folder.join(RECORD)).map_err(io)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        fs::remove_file(folder.join(RECORD)).and_then(|()| fs::remove_dir_all(folder)).map_err(io)?;
        Ok(true)
    }

    /// Removes folders whose maker is gone: nobody holds their lock.
    pub(crate) fn remove_debug_leftovers(&self) {
        let Ok(entries) = fs::read_dir(self.debug()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = match name.strip_prefix(PARTIAL) {
                Some(name) => name,
                // half removed
                None if !entry.path().join(RECORD).exists() => &name,
                None => continue,
            };
            if let Ok(Some(_lock)) = self.try_lock(&Self::debug_lock_name(owner)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl DebugFolder {
    /// Packs one file, as `NAME.gz`.
    pub(crate) fn add(&self, name: &str, contents: &mut dyn Read) -> Result<(), AddError> {
        let path = self.partial.join(format!("{name}.gz"));
        let failed = |source| AddError::Store(StoreError::Io { what: "write", path: path.clone(), source });
        let file = File::create(&path).map_err(failed)?;
        let mut packed = GzEncoder::new(io::BufWriter::with_capacity(1 << 18, file), Compression::fast());
        let mut buffer = vec![0; 1 << 18];
        loop {
            match contents.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => packed.write_all(&buffer[..read]).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(AddError::Read(error)),
            }
        }
        packed.finish().and_then(|mut file| file.flush()).map_err(failed)
    }

    /// Records the files and gives the folder its name. The files are not synced one by one, there are a thousand: what a
    /// power failure cuts off has another size than is recorded, and is made again.
    pub(crate) fn commit(
        mut self,
        release: &str,
        origin: DebugOrigin,
    ) -> Result<(PathBuf, DebugRecord), StoreError> {
        let io = |what, path: &Path| {
            let path = path.to_path_buf();
            move |source| StoreError::Io { what, path, source }
        };
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.partial).map_err(io("read", &self.partial))? {
            let path = entry.map_err(io("read", &self.partial))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, measure(&path).map_err(io("read", &path))?);
        }
        let digest = origin.digest().get(..12).unwrap_or_default();
        let folder = self.partial.with_file_name(format!("{release}-{digest}"));
        let record = DebugRecord { format: FORMAT, release: release.to_owned(), origin, files };
        let path = self.partial.join(RECORD);
        let text =
            serde_json::to_vec_pretty(&record).map_err(io::Error::other).map_err(io("write", &path))?;
        write_whole(&path, &text).map_err(io("write", &path))?;
        if folder.exists() {
            // a damaged one that this replaces
            fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
        }
        fs::rename(&self.partial, &folder).map_err(io("rename", &self.partial))?;
        self.committed = true;
        Ok((folder, record))
    }
}

impl Drop for DebugFolder {
    fn drop(&mut self) {
        if !self.committed {
            // what matters is the room on a full disk
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_there_when_it_is_whole_and_goes_when_nobody_uses_it() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(cache.path());
        let lock = store.lock("debug-x", || {}).expect("nobody has it");
        let begin = || store.begin_debug("x", &lock).expect("the folder is writable");
        let add = |folder: &DebugFolder| assert!(folder.add("vmlinux", &mut &b"lines"[..]).is_ok());

        add(&begin());
        assert_eq!(fs::read_dir(store.debug()).expect("the folder").count(), 0, "given up");

        let folder = begin();
        add(&folder);
        assert!(store.debug_records().is_empty());
        let origin = DebugOrigin::Built { key: "0123456789abcdef".to_owned() };
        let (path, record) = folder.commit("6.1-x", origin.clone()).expect("it is writable");
        assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("6.1-x-0123456789ab"));
        assert_eq!(store.debug_records()[0].1.origin, origin);
        assert!(Store::is_whole_debug(&path, &record) && Store::verify_debug(&path, &record).is_ok());

        let used = Store::use_debug(&path).expect("it is readable");
        assert!(!store.remove_debug(&path).expect("it is writable"), "it is in use");
        drop(used);
        fs::write(path.join("vmlinux.gz"), "cut").expect("it is writable");
        assert!(!Store::is_whole_debug(&path, &record) && Store::verify_debug(&path, &record).is_err());
        assert!(store.remove_debug(&path).expect("it is writable"));
        assert!(store.debug_records().is_empty() && !path.exists());
    }

    #[test]
    fn leftovers_go_with_their_maker() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(cache.path());
        let lock = store.lock("debug-x", || {}).expect("nobody has it");
        let path = store.debug().join(".partial-x");
        fs::create_dir_all(&path).expect("it is writable");
        store.remove_debug_leftovers();
        assert!(path.exists());
        drop(lock);
        store.remove_debug_leftovers();
        assert!(!path.exists());
    }
}
