//! Temporary folders inside the cache that do not outlive their process, however it ends.
//!
//! A folder is removed when its owner drops it. What a killed process left is recognised by its lock: the owner holds
//! an advisory lock (`flock`) on a file beside the folder, which the system releases with the process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Temporary folders below one cache folder.
#[derive(Clone, Debug)]
pub struct Scratch {
    place: PathBuf,
}

/// A temporary folder.
#[derive(Debug)]
pub struct ScratchDir {
    folder: PathBuf,
    /// Held as long as the folder may be there.
    _lock: File,
    lock_path: PathBuf,
}

impl Scratch {
    /// Temporary folders below `cache`.
    pub fn new(cache: &Path) -> Scratch {
        Scratch { place: cache.join("scratch") }
    }

    /// Makes a new, empty folder. Its lock is there and held before the folder is, so that a folder without one is nobody's.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn folder(&self) -> io::Result<ScratchDir> {
        fs::create_dir_all(&self.place)?;
        loop {
            let lock = tempfile::Builder::new().prefix("dir-").suffix(".lock").tempfile_in(&self.place)?;
            // one who sweeps may hold it for a moment, and takes it for left behind
            flock(lock.as_file(), FlockOperation::LockExclusive)?;
            if lock.as_file().metadata()?.nlink() == 0 {
                continue;
            }
            let folder = lock.path().with_extension("");
            fs::create_dir(&folder)?;
            let (lock, lock_path) = lock.keep()?;
            return Ok(ScratchDir { folder, _lock: lock, lock_path });
        }
    }

    /// Removes what dead processes left and answers how many folders that were.
    pub fn sweep(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.place) else { return 0 };
        entries.flatten().filter(|entry| self.sweep_one(&entry.path())).count()
    }

    fn sweep_one(&self, path: &Path) -> bool {
        if path.extension().is_some_and(|extension| extension == "lock") {
            let Ok(lock) = File::open(path) else { return false };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                return false;
            }
            let _ = fs::remove_dir_all(path.with_extension(""));
            return fs::remove_file(path).is_ok();
        }
        // its lock is made before it and removed behind it
        let is_folder = path.is_dir()
            && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"dir-"));
        is_folder && !path.with_extension("lock").exists() && fs::remove_dir_all(path).is_ok()
    }
}

impl ScratchDir {
    /// The folder. Whoever wants to keep it renames it.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let cache = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(cache.path());
        let held = scratch.folder().unwrap();
        // as a killed process leaves it
        let place = cache.path().join("scratch");
        fs::create_dir(place.join("dir-dead")).unwrap();
        fs::write(place.join("dir-dead/file"), "x").unwrap();
        fs::write(place.join("dir-dead.lock"), "").unwrap();
        // as earlier versions left it that were killed between making the folder and locking it
        fs::create_dir(place.join("dir-without-lock")).unwrap();
        fs::write(place.join("dir-without-lock/memory"), "x").unwrap();
        // and what was killed between locking and making it
        fs::write(place.join("dir-never-made.lock"), "").unwrap();
        assert_eq!(scratch.sweep(), 3);
        assert!(held.path().is_dir());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
        drop(held);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }

    #[test]
    fn a_renamed_folder_stays_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        let folder = Scratch::new(cache.path()).folder().unwrap();
        let kept = cache.path().join("kept");
        fs::rename(folder.path(), &kept).unwrap();
        drop(folder);
        assert_eq!(Scratch::new(cache.path()).sweep(), 0);
        assert!(kept.is_dir());
        assert_eq!(fs::read_dir(cache.path().join("scratch")).unwrap().count(), 0);
    }

    #[test]
    fn folders_made_while_others_sweep_are_not_swept() {
        let cache = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(cache.path());
        std::thread::scope(|scope| {
            let makers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            let folder = scratch.folder().unwrap();
                            fs::write(folder.path().join("file"), "x").unwrap();
                            assert!(folder.lock_path.exists());
                        }
                    })
                })
                .collect();
            while makers.iter().any(|maker| !maker.is_finished()) {
                scratch.sweep();
            }
        });
        assert_eq!(fs::read_dir(cache.path().join("scratch")).unwrap().count(), 0);
    }
}
