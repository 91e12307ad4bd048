//! Temporary folders inside the cache that do not outlive their process, however it ends.
//!
//! A folder is removed when its owner drops it. What a killed process left is recognised by its lock: the owner holds
//! an advisory lock (`flock`) on a file beside the folder, which the system releases with the process.

use std::fs::{self, File};
use std::io;
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
    folder: Option<tempfile::TempDir>,
    lock: Option<(File, PathBuf)>,
}

impl Scratch {
    /// Temporary folders below `cache`.
    pub fn new(cache: &Path) -> Scratch {
        Scratch { place: cache.join("scratch") }
    }

    /// Makes a new, empty folder.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn folder(&self) -> io::Result<ScratchDir> {
        fs::create_dir_all(&self.place)?;
        let folder = tempfile::Builder::new().prefix("dir-").tempdir_in(&self.place)?;
        let lock_path = folder.path().with_extension("lock");
        let lock = File::create(&lock_path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(ScratchDir { folder: Some(folder), lock: Some((lock, lock_path)) })
    }

    /// Removes what dead processes left and answers how many folders that were.
    pub fn sweep(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.place) else { return 0 };
        let mut removed = 0;
        for lock_path in
            entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "lock"))
        {
            let Ok(lock) = File::open(&lock_path) else { continue };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = fs::remove_dir_all(lock_path.with_extension(""));
                let _ = fs::remove_file(&lock_path);
                removed += 1;
            }
        }
        removed
    }
}

impl ScratchDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.as_ref().map(tempfile::TempDir::path).unwrap_or(Path::new(""))
    }

    /// Gives the folder up to the caller, who renames it to its final place.
    pub fn keep(mut self) -> PathBuf {
        self.folder.take().map(tempfile::TempDir::keep).unwrap_or_default()
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        drop(self.folder.take());
        if let Some((_, path)) = self.lock.take() {
            let _ = fs::remove_file(path);
        }
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
        assert_eq!(scratch.sweep(), 1);
        assert!(held.path().is_dir() && !place.join("dir-dead").exists());
        drop(held);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }

    #[test]
    fn a_kept_folder_stays() {
        let cache = tempfile::tempdir().unwrap();
        let kept = Scratch::new(cache.path()).folder().unwrap().keep();
        assert!(kept.is_dir());
        assert_eq!(Scratch::new(cache.path()).sweep(), 0);
    }
}
