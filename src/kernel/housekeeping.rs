//! Looking after the store: what is in it, whether it is whole, and making room.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::store::Store;
use super::{Flavour, KernelError, Library};

/// One kernel in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What `uname -r` says.
    pub release: String,
    /// Which image.
    pub flavour: Option<Flavour>,
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last used or fetched, if the file system knows.
    pub used: Option<SystemTime>,
}

/// What [`Library::collect_garbage`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Kernels that were removed.
    pub removed: Vec<Stored>,
    /// Kernels that would have been, but a process uses them.
    pub in_use: Vec<Stored>,
    /// Bytes of the kernels that are left.
    pub left: u64,
}

impl Library {
    /// The kernels in the store, the one that was not used for the longest time first.
    pub fn stored(&self) -> Vec<Stored> {
        let mut stored: Vec<Stored> = self
            .store
            .records()
            .into_iter()
            .map(|(folder, record)| Stored {
                used: fs::metadata(folder.join("kernel.json")).and_then(|meta| meta.modified()).ok(),
                bytes: record.bytes(&folder),
                release: record.release,
                flavour: record.flavour,
                folder,
            })
            .collect();
        stored.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.release.cmp(&b.release)));
        stored
    }

    /// Removes the kernels that were not used for the longest time until those left have at most `max_bytes`, and
    /// packages of downloads that were given up.
    pub fn collect_garbage(&self, max_bytes: u64) -> Result<Collected, KernelError> {
        let stored = self.stored();
        let mut collected =
            Collected { left: stored.iter().map(|kernel| kernel.bytes).sum(), ..Collected::default() };
        for kernel in stored {
            if collected.left <= max_bytes {
                break;
            }
            if self.store.remove(&kernel.folder)? {
                collected.left -= kernel.bytes;
                collected.removed.push(kernel);
            } else {
                collected.in_use.push(kernel);
            }
        }
        self.store.remove_downloads();
        self.forget_known();
        Ok(collected)
    }

    /// Compares every stored file with the hash it was written with. Gives each kernel with what is wrong with it.
    pub fn verify(&self) -> Vec<(Stored, Result<(), KernelError>)> {
        let records = self.store.records();
        let result = |stored: Stored| {
            let record = records.iter().find(|(folder, _)| *folder == stored.folder);
            let result = record.map_or(Ok(()), |(folder, record)| Store::verify(folder, record));
            (stored, result.map_err(KernelError::from))
        };
        self.stored().into_iter().map(result).collect()
    }

    /// Removes one kernel from the store unless a process uses it; whether it was removed.
    pub fn remove(&self, stored: &Stored) -> Result<bool, KernelError> {
        let removed = self.store.remove(&stored.folder)?;
        self.forget_known();
        Ok(removed)
    }
}
