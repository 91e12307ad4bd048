//! Looking after the store: what is in it, whether it is whole, and making room.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Library;
use crate::kernel::store::Store;
use crate::kernel::{Flavour, KernelError, StoreError};

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

/// The source of a compiled kernel with its build folders. Whatever is removed of it is made again when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlace {
    /// Its folder, whose name says which source.
    pub folder: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When something was last built there, if the file system knows.
    pub used: Option<SystemTime>,
}

/// What [`Library::collect_garbage`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Sources and build folders that were removed.
    pub places: Vec<BuildPlace>,
    /// Debug information that was removed.
    pub debug: Vec<Stored>,
    /// Kernels that were removed.
    pub removed: Vec<Stored>,
    /// Kernels that would have been, but a process uses them.
    pub in_use: Vec<Stored>,
    /// Bytes of the kernels, debug information and build places that are left, without those in which a kernel is being built.
    pub left: u64,
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of_entry = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of_entry).sum()
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

    /// The places of sources that kernels were built from, the one that was not used for the longest time first.
    pub fn build_places(&self) -> Vec<BuildPlace> {
        let Ok(folder) = fs::read_dir(self.cache.join("build")) else { return Vec::new() };
        let mut places: Vec<BuildPlace> = folder
            .flatten()
            .map(|entry| BuildPlace {
                bytes: bytes_below(&entry.path()),
                used: entry.metadata().and_then(|meta| meta.modified()).ok(),
                folder: entry.path(),
            })
            .collect();
        places.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.folder.cmp(&b.folder)));
        places
    }

    /// Removes build places, then debug information, and then kernels, that were not used for the longest time until what is left has at most
    /// `max_bytes`, and packages of downloads that were given up. A build place only saves time, so all of them go before
    /// any kernel.
    pub fn collect_garbage(&self, max_bytes: u64) -> Result<Collected, KernelError> {
        let stored = self.stored();
        let places = self.build_places();
        self.store.remove_debug_leftovers();
        let debug = self.stored_debug();
        let kept = stored.iter().chain(&debug).map(|stored| stored.bytes);
        let left = kept.chain(places.iter().map(|place| place.bytes)).sum();
        let mut collected = Collected { left, ..Collected::default() };
        for place in places {
            let name = place.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(_lock) = self.store.try_lock(&format!("build-{name}"))? else {
                // no kernel has to go for what a build needs now
                collected.left -= place.bytes;
                continue;
            };
            if collected.left > max_bytes {
                fs::remove_dir_all(&place.folder).map_err(|source| StoreError::Io {
                    what: "remove",
                    path: place.folder.clone(),
                    source,
                })?;
                collected.left -= place.bytes;
                collected.places.push(place);
            }
        }
        for debug in debug {
            if collected.left > max_bytes && self.store.remove_debug(&debug.folder)? {
                collected.left -= debug.bytes;
                collected.debug.push(debug);
            }
        }
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
