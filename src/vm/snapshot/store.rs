//! Snapshots on disk, one folder each, named after what they depend on.
//!
//! A folder is written under a temporary name and renamed when it is whole. Guests hold the files open, so that a
//! folder may be removed while they run.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::memory::{self, Summary};
use super::{CONSOLE, Key, MANIFEST, MEMORY, STATE, SaveError};
use crate::scratch::Scratch;
use crate::vm::backend::StateFiles;

/// A file that tells why QEMU cannot save a machine, instead of a snapshot.
const REFUSED: &str = "refused";

/// A small file's contents in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What a snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `uname -r` of its kernel.
    pub(super) release: String,
    /// What it depends on, one thing a line.
    pub(super) made_from: String,
    pub(super) memory: Summary,
    pub(super) state: Contents,
    pub(super) console: Contents,
}

/// A whole snapshot, its files open.
#[derive(Debug)]
pub struct Snapshot {
    folder: PathBuf,
    memory: File,
    state: File,
    console: Vec<u8>,
    manifest: Manifest,
}

impl Snapshot {
    /// What its console had printed.
    pub fn console(&self) -> &[u8] {
        &self.console
    }

    /// `uname -r` of its kernel.
    pub fn release(&self) -> &str {
        &self.manifest.release
    }

    /// Its files for one guest: the state's reading place is that guest's own.
    pub(super) fn open(&self) -> io::Result<StateFiles> {
        let state = File::open(format!("/proc/self/fd/{}", self.state.as_raw_fd()))?;
        Ok(StateFiles { memory: self.memory.try_clone()?.into(), state: state.into() })
    }

    /// Reads a snapshot and compares it with what was written. `None`: there is none.
    ///
    /// # Errors
    /// What is damaged, in words.
    fn read(folder: &Path) -> Result<Option<Snapshot>, String> {
        let text = match fs::read(folder.join(MANIFEST)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{MANIFEST}: {error}")),
        };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| format!("{MANIFEST}: {e}"))?;
        let small = |name: &str, expected: &Contents| {
            let bytes = fs::read(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
            if Contents::of(&bytes) == *expected {
                Ok(bytes)
            } else {
                Err(format!("{name} is not as it was written"))
            }
        };
        small(STATE, &manifest.state)?;
        let console = small(CONSOLE, &manifest.console)?;
        // QEMU before 8.2 opens the file for writing though it maps it privately
        let memory = File::options().read(true).write(true).open(folder.join(MEMORY));
        let memory = memory.map_err(|e| format!("{MEMORY}: {e}"))?;
        let found = memory::summarize(&memory).map_err(|e| format!("{MEMORY}: {e}"))?;
        if found != manifest.memory {
            return Err(format!("{MEMORY} is not as it was written"));
        }
        let state = File::open(folder.join(STATE)).map_err(|e| format!("{STATE}: {e}"))?;
        Ok(Some(Snapshot { folder: folder.to_owned(), memory, state, console, manifest }))
    }
}

/// A folder of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The snapshot's name.
    pub name: String,
    /// `uname -r` of its kernel; absent: its description cannot be read.
    pub release: Option<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last used.
    pub used: Option<SystemTime>,
}

/// The part of a cache that holds snapshots.
#[derive(Clone, Debug)]
pub struct Store {
    cache: PathBuf,
}

/// Given back when dropped. Closing the file would not do: a child that another thread has just forked has it as well, until
/// it becomes its program, and the next one who asks would be told that somebody saves the guest.
struct SnapshotLock(File);

impl Drop for SnapshotLock {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Store {
    /// The snapshots of a cache folder, which need not exist.
    pub fn new(cache: &Path) -> Store {
        Store { cache: cache.to_owned() }
    }

    fn place(&self) -> PathBuf {
        self.cache.join("snapshots")
    }

    /// The snapshot of this key, compared with what was written; one that is damaged is removed. `None`: there is none.
    ///
    /// # Errors
    /// [`SaveError::Refused`]: this machine cannot be saved, as was found out before. [`SaveError::Failed`]: it is another
    /// user's, and neither used nor removed.
    pub fn find(&self, key: &Key) -> Result<Option<Snapshot>, SaveError> {
        let folder = self.place().join(&key.name);
        if fs::read_dir(&folder).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return Err(SaveError::Failed(format!("{} is another user's", folder.display())));
        }
        if let Ok(reason) = fs::read_to_string(folder.join(REFUSED)) {
            return Err(SaveError::Refused(reason));
        }
        match Snapshot::read(&folder) {
            Ok(found) => {
                if found.is_some() {
                    touch(&folder);
                }
                Ok(found)
            }
            Err(_) => {
                self.remove(&folder);
                Ok(None)
            }
        }
    }

    /// The snapshot of this key, made by `save` where there is none. Of several processes one makes it. What is then more than `limit` bytes is removed, the one unused for the longest time first.
    ///
    /// # Errors
    /// As `save`; [`SaveError::Busy`] if another process makes it; [`SaveError::Failed`] if the cache cannot be written.
    pub fn obtain(
        &self,
        key: &Key,
        limit: u64,
        save: impl FnOnce(&Path) -> Result<Manifest, SaveError>,
    ) -> Result<Snapshot, SaveError> {
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let cannot = |e: io::Error| SaveError::Failed(format!("{}: {e}", self.place().display()));
        let Some(_lock) = self.lock(key).map_err(cannot)? else { return Err(SaveError::Busy) };
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let scratch = Scratch::new(&self.cache).folder().map_err(cannot)?;
        // unlike a kernel, the memory of a guest is for nobody but the user who booted it
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).map_err(cannot)?;
        match save(scratch.path()) {
            Ok(manifest) => {
                let text = serde_json::to_vec_pretty(&manifest).map_err(|e| cannot(e.into()))?;
                fs::write(scratch.path().join(MANIFEST), text).map_err(cannot)?;
            }
            Err(SaveError::Refused(reason)) => {
                let _ = fs::write(scratch.path().join(REFUSED), &reason);
                let _ = self.put(key, scratch);
                return Err(SaveError::Refused(reason));
            }
            Err(error) => return Err(error),
        }
        self.put(key, scratch).map_err(cannot)?;
        self.shrink(limit, Some(&key.name));
        match self.find(key)? {
            Some(found) => Ok(found),
            None => Err(SaveError::Failed("the snapshot was not on disk as it was written".into())),
        }
    }

    fn put(&self, key: &Key, scratch: crate::scratch::ScratchDir) -> io::Result<()> {
        fs::create_dir_all(self.place())?;
        let folder = self.place().join(&key.name);
        self.remove(&folder);
        crate::atomic_file::rename_folder(scratch.path(), &folder)
    }

    /// Held while a snapshot is made; the system gives it back if the process dies. `None`: another process holds it.
    fn lock(&self, key: &Key) -> io::Result<Option<SnapshotLock>> {
        let folder = self.cache.join("locks");
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(format!("snapshot-{}.lock", key.name)))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(SnapshotLock(lock))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes one that proved unusable.
    pub fn discard(&self, snapshot: &Snapshot) {
        self.remove(&snapshot.folder);
    }

    /// Takes a folder out of sight at once, then removes it.
    fn remove(&self, folder: &Path) {
        match Scratch::new(&self.cache).folder() {
            Ok(scratch) => drop(fs::rename(folder, scratch.path().join("removed"))),
            Err(_) => drop(fs::remove_dir_all(folder)),
        }
    }

    /// Everything in the store, what was not used for the longest time first.
    pub fn kept(&self) -> Vec<Kept> {
        let entries = fs::read_dir(self.place()).into_iter().flatten().flatten();
        let mut kept: Vec<Kept> = entries
            .map(|entry| {
                let folder = entry.path();
                let manifest = fs::read(folder.join(MANIFEST)).ok();
                let manifest = manifest.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
                let files = fs::read_dir(&folder).into_iter().flatten().flatten();
                Kept {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    release: manifest.map(|m| m.release),
                    bytes: files.filter_map(|f| f.metadata().ok()).map(|m| m.blocks() * 512).sum(),
                    used: used(&folder),
                    folder,
                }
            })
            .collect();
        kept.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.name.cmp(&b.name)));
        kept
    }

    /// Removes what was not used for the longest time until at most `limit` bytes are left, except the one of the name
    /// `spared`. Answers with what was removed.
    pub fn shrink(&self, limit: u64, spared: Option<&str>) -> Vec<Kept> {
        let kept = self.kept();
        let mut left: u64 = kept.iter().map(|k| k.bytes).sum();
        let mut removed = Vec::new();
        for kept in kept.into_iter().filter(|k| spared != Some(k.name.as_str())) {
            if left <= limit {
                break;
            }
            self.remove(&kept.folder);
            left -= kept.bytes;
            removed.push(kept);
        }
        removed
    }

    /// Compares everything with what was written. Gives each with what is wrong with it.
    pub fn verify(&self) -> Vec<(Kept, Result<(), String>)> {
        let check = |kept: Kept| {
            let result = match Snapshot::read(&kept.folder) {
                Ok(None) if !kept.folder.join(REFUSED).exists() => Err(format!("{MANIFEST} is missing")),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            (kept, result)
        };
        self.kept().into_iter().map(check).collect()
    }

    /// Removes one.
    pub fn forget(&self, kept: &Kept) {
        self.remove(&kept.folder);
    }
}

/// The time of a snapshot's last use is that of its description.
fn used(folder: &Path) -> Option<SystemTime> {
    [MANIFEST, REFUSED].iter().find_map(|name| folder.join(name).metadata().ok()?.modified().ok())
}

fn touch(folder: &Path) {
    if let Ok(file) = File::options().append(true).open(folder.join(MANIFEST)) {
        // a cache that cannot be written keeps its order of use
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;
    use std::time::Duration;

    fn key(name: &str) -> Key {
        Key { name: name.into(), made_from: format!("made from {name}") }
    }

    #[test]
    fn a_child_that_was_just_forked_does_not_keep_the_lock() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let lock = store.lock(&key("a")).unwrap().expect("nobody has it");
        assert!(store.lock(&key("a")).unwrap().is_none() && store.lock(&key("b")).unwrap().is_some());
        // what a forked child has is the same open file
        let _childs = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(store.lock(&key("a")).unwrap().is_some());
    }

    fn write(folder: &Path) -> Result<Manifest, SaveError> {
        let from = tempfile::tempfile().unwrap();
        from.set_len(1 << 20).unwrap();
        from.write_all_at(&[5; 100_000], 4096).unwrap();
        let summary = memory::copy(&from, &File::create(folder.join(MEMORY)).unwrap()).unwrap();
        fs::write(folder.join(STATE), b"state").unwrap();
        fs::write(folder.join(CONSOLE), b"booted\n").unwrap();
        Ok(Manifest {
            release: "6.1.0".into(),
            made_from: String::new(),
            memory: summary,
            state: Contents::of(b"state"),
            console: Contents::of(b"booted\n"),
        })
    }

    fn not_called(_: &Path) -> Result<Manifest, SaveError> {
        panic!("made a second time")
    }

    #[test]
    fn made_once_and_found_again() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        assert!(store.find(&key("a")).unwrap().is_none());
        let made = store.obtain(&key("a"), u64::MAX, write).unwrap();
        assert_eq!((made.console(), made.release()), (b"booted\n".as_slice(), "6.1.0"));
        store.obtain(&key("a"), u64::MAX, not_called).unwrap();
        let folder = fs::metadata(cache.path().join("snapshots/a")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700, "for nobody else");
        assert_eq!(fs::read_dir(cache.path().join("scratch")).unwrap().count(), 0);
        assert_eq!(store.kept().len(), 1);
    }

    #[test]
    fn any_damage_makes_a_new_one() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        store.obtain(&key("a"), u64::MAX, write).unwrap();
        let folder = cache.path().join("snapshots/a");
        type Damage = (&'static str, fn(&Path));
        let damages: [Damage; 7] = [
            ("memory is not as it was written", |f| {
                let file = File::options().write(true).open(f.join(MEMORY)).unwrap();
                file.write_all_at(b"x", 5000).unwrap();
            }),
            ("memory is not as it was written", |f| {
                File::options().write(true).open(f.join(MEMORY)).unwrap().set_len(500_000).unwrap();
            }),
            ("memory: ", |f| fs::remove_file(f.join(MEMORY)).unwrap()),
            ("state is not as it was written", |f| fs::write(f.join(STATE), b"stale").unwrap()),
            ("console: ", |f| fs::remove_file(f.join(CONSOLE)).unwrap()),
            ("snapshot.json: ", |f| fs::write(f.join(MANIFEST), b"{\"release\":").unwrap()),
            ("snapshot.json is missing", |f| fs::remove_file(f.join(MANIFEST)).unwrap()),
        ];
        for (words, damage) in damages {
            damage(&folder);
            let error = store.verify().remove(0).1.unwrap_err();
            assert!(error.starts_with(words), "{error} instead of {words}");
            assert!(store.find(&key("a")).unwrap().is_none());
            store.obtain(&key("a"), u64::MAX, write).unwrap();
            assert_eq!(store.verify().remove(0).1, Ok(()));
        }
    }

    #[test]
    fn what_was_unused_for_the_longest_time_makes_room() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            let held = store.obtain(&key(name), u64::MAX, write).unwrap();
            let file = File::options().append(true).open(held.folder.join(MANIFEST)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64)).unwrap();
        }
        let held = store.find(&key("a")).unwrap().unwrap();
        let each = store.kept()[0].bytes;
        store.obtain(&key("d"), 3 * each, write).unwrap();
        let names: Vec<String> = store.kept().into_iter().map(|k| k.name).collect();
        assert_eq!(names, ["c", "a", "d"]);
        store.obtain(&key("e"), 0, write).unwrap();
        assert_eq!(store.kept().len(), 1);
        // a guest that runs has its files still
        assert!(held.open().is_ok());
    }

    #[test]
    fn a_refusal_is_remembered_and_a_failure_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let refused = || SaveError::Refused("non-migratable device".into());
        let failed = || SaveError::Failed("no boot".into());
        assert_eq!(store.obtain(&key("a"), 0, |_| Err(failed())).unwrap_err(), failed());
        assert_eq!(store.obtain(&key("a"), 0, |_| Err(refused())).unwrap_err(), refused());
        assert_eq!(store.obtain(&key("a"), 0, not_called).unwrap_err(), refused());
        assert_eq!(store.verify().remove(0).1, Ok(()));
    }
}
