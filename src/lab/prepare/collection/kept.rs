//! The trees of collections that are kept in the cache, each with what was built in it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

/// The folder below the cache.
pub(super) use crate::kernel::COLLECTIONS as FOLDER;

/// Locked by whoever builds in a tree.
pub(super) const BUILDS: &str = "lock";

/// Locked, with others, by whoever runs what was built; its time is that of the last use.
const USED: &str = "used";

/// How a tree is called while it is removed.
const REMOVED: &str = ".removed-";

/// A tree with what was built in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCollection {
    /// Its folder's name: the collection, and the beginning of a digest of its sources.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// When something of it was last used, where that is known.
    pub used: Option<SystemTime>,
}

/// Held open and locked while this process lives, so that no other one removes what it runs.
static IN_USE: LazyLock<Mutex<HashMap<PathBuf, File>>> = LazyLock::new(Mutex::default);

/// Keeps others from removing a tree as long as this process lives, and notes the time. In a cache of somebody else's neither
/// can be done, and nobody but its owner removes anything there.
pub(super) fn mark_used(folder: &Path) {
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if in_use.contains_key(folder) {
        return;
    }
    let open = File::options().create(true).truncate(false).write(true).open(folder.join(USED));
    if let Ok(file) = open
        && flock(&file, FlockOperation::NonBlockingLockShared).is_ok()
    {
        let _ = file.set_modified(SystemTime::now());
        in_use.insert(folder.to_owned(), file);
    }
}

/// The trees in this cache, the one that was not used for the longest time first.
pub fn kept_collections(cache: &Path) -> Vec<KeptCollection> {
    let Ok(folders) = fs::read_dir(cache.join(FOLDER)) else { return Vec::new() };
    let of = |entry: fs::DirEntry| {
        let folder = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !folder.is_dir() {
            return None;
        }
        let used = fs::metadata(folder.join(USED)).and_then(|meta| meta.modified()).ok();
        Some(KeptCollection { bytes: bytes_below(&folder), name, folder, used })
    };
    let mut kept: Vec<KeptCollection> = folders.flatten().filter_map(of).collect();
    kept.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.name.cmp(&b.name)));
    kept
}

/// Removes a tree, unless a process builds in it or runs something of it; whether it was removed.
///
/// # Errors
/// The system refuses.
pub fn remove_collection(kept: &KeptCollection) -> io::Result<bool> {
    let mut locks = Vec::new();
    for name in [BUILDS, USED] {
        let file = File::options().create(true).truncate(false).write(true).open(kept.folder.join(name))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        locks.push(file);
    }
    // out of sight in one step: half a tree is never taken for a whole one
    let aside = kept.folder.with_file_name(format!("{REMOVED}{}", kept.name));
    let _ = fs::remove_dir_all(&aside);
    fs::rename(&kept.folder, &aside)?;
    fs::remove_dir_all(&aside)?;
    Ok(true)
}

/// Removes what a process that was killed has left half removed.
pub fn sweep_collections(cache: &Path) {
    let Ok(folders) = fs::read_dir(cache.join(FOLDER)) else { return };
    for entry in folders.flatten() {
        if entry.file_name().to_string_lossy().starts_with(REMOVED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_goes() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        for name in ["ltp-1", "kselftest-2"] {
            let folder = cache.path().join(FOLDER).join(name);
            fs::create_dir_all(folder.join("built")).expect("a folder");
            fs::write(folder.join("built/one"), [0; 1000]).expect("a file");
        }
        mark_used(&cache.path().join(FOLDER).join("ltp-1"));
        let kept = kept_collections(cache.path());
        let names: Vec<(&str, u64)> = kept.iter().map(|kept| (kept.name.as_str(), kept.bytes)).collect();
        // never used comes first
        assert_eq!(names, [("kselftest-2", 1000), ("ltp-1", 1000)]);
        let removed: Vec<bool> = kept.iter().map(|kept| remove_collection(kept).expect("it may")).collect();
        assert_eq!(removed, [true, false]);
        let building = kept_collections(cache.path());
        assert_eq!(building.len(), 1);
        fs::create_dir_all(cache.path().join(FOLDER).join(format!("{REMOVED}x"))).expect("a folder");
        sweep_collections(cache.path());
        assert_eq!(fs::read_dir(cache.path().join(FOLDER)).expect("it is there").count(), 1);
        assert_eq!(kept_collections(&cache.path().join("none")), []);
    }
}
