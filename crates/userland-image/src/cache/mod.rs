//! Where images are kept: `KEY/image.ext4` with `KEY/manifest.json`, seen whole or not at all.
//!
//! Whoever makes an image holds the lock (`flock`) of its key, which the system releases with the process. What it makes
//! lies in `KEY.new` until it is renamed, so that one left behind is known: nobody holds its lock.

mod build;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::error::UserlandError;
use crate::resolve::{Package, Resolved};
use crate::watch::{Progress, Watch};

/// How often a lock that another process holds is asked for.
const LOCK_PERIOD: Duration = Duration::from_millis(100);

const IMAGE: &str = "image.ext4";
const MANIFEST: &str = "manifest.json";

/// How userlands are made on this host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that images, packages and package lists are kept in.
    pub cache: PathBuf,
    /// An apt.conf(5) to take in place of the host's configuration.
    pub apt_config: Option<PathBuf>,
    /// Debian's name of the architecture that the packages are for: `amd64`.
    pub architecture: String,
}

impl Settings {
    /// What is usual: the host's apt as it is, and amd64.
    pub fn new(cache: impl Into<PathBuf>) -> Settings {
        Settings { cache: cache.into(), apt_config: None, architecture: "amd64".into() }
    }
}

/// The userlands of a cache.
#[derive(Debug, Clone)]
pub struct Userlands {
    settings: Settings,
}

/// A root file system in an image of ext4, without a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image. It is only read: whoever lets a guest write gives it a throw-away layer.
    pub path: PathBuf,
    /// Its key.
    pub key: String,
    /// Bytes that a guest sees; most of them are holes.
    pub size: u64,
    /// Bytes of the files in it.
    pub contents: u64,
    /// The packages in it; none where it was made of an image.
    pub packages: Vec<Package>,
    /// As long as this or a copy of it lives nobody removes the image.
    pub hold: Hold,
}

/// Keeps an image where it is.
#[derive(Debug, Clone)]
pub struct Hold {
    _file: Arc<File>,
}

impl PartialEq for Hold {
    fn eq(&self, _: &Hold) -> bool {
        true
    }
}

impl Eq for Hold {}

/// An image that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Bytes that it takes on the disk.
    pub bytes: u64,
    /// When it was last asked for, if the file system knows.
    pub used: Option<SystemTime>,
    /// What was asked for, in a few words.
    pub summary: String,
}

/// What is kept beside an image.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    sum: String,
    size: u64,
    contents: u64,
    packages: Vec<Package>,
    #[serde(default)]
    summary: String,
}

/// Held as long as nobody else may do the same.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Userlands {
    /// The userlands below the cache's folder, which is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(mut settings: Settings) -> Result<Userlands, UserlandError> {
        fs::create_dir_all(&settings.cache).map_err(UserlandError::io("create", &settings.cache))?;
        // apt is run in a folder of its own
        settings.cache = settings.cache.canonicalize().map_err(UserlandError::io("read", &settings.cache))?;
        Ok(Userlands { settings })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn apt_folder(&self) -> PathBuf {
        self.settings.cache.join("apt")
    }

    fn folder(&self, key: &str) -> PathBuf {
        self.settings.cache.join(key)
    }

    fn new_folder(&self, key: &str) -> PathBuf {
        self.settings.cache.join(format!("{key}.new"))
    }

    /// Waits until nobody else holds the lock of this name.
    pub(crate) fn lock(&self, name: &str, watch: &Watch) -> Result<Lock, UserlandError> {
        let path = self.settings.cache.join(format!("{name}.lock"));
        let mut told = false;
        loop {
            if let Some(lock) = take(&path)? {
                return Ok(lock);
            }
            if !told {
                watch.tell(Progress::Waiting);
                told = true;
            }
            watch.check()?;
            std::thread::sleep(LOCK_PERIOD);
        }
    }

    /// The image of this key, if it was made before and is what it was then. One that is not is removed.
    fn existing(&self, resolved: &Resolved, watch: &Watch) -> Result<Option<Image>, UserlandError> {
        let folder = self.folder(resolved.key());
        let path = folder.join(IMAGE);
        let manifest = fs::read(folder.join(MANIFEST))
            .ok()
            .and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
        let Some(manifest) = manifest else {
            remove(&folder)?;
            return Ok(None);
        };
        watch.tell(Progress::Verifying);
        if digest::of_sparse(&path).is_ok_and(|sum| sum == manifest.sum) {
            let Manifest { size, contents, packages, .. } = manifest;
            let hold = self.hold(resolved.key())?;
            // what was not used for the longest time goes first; without the time it only goes earlier
            let used = File::options().write(true).open(folder.join(MANIFEST));
            let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(Some(Image { path, key: resolved.key().into(), size, contents, packages, hold }));
        }
        watch.tell(Progress::Notice(&format!(
            "the userland {} is not what was stored; it is made again",
            path.display()
        )));
        remove(&folder)?;
        Ok(None)
    }

    /// Taken by whoever has the lock of the key, so that nobody removes the image meanwhile.
    fn hold(&self, key: &str) -> Result<Hold, UserlandError> {
        let path = self.settings.cache.join(format!("{key}.use"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(UserlandError::io("write", &path))?;
        file.lock_shared().map_err(UserlandError::io("lock", &path))?;
        Ok(Hold { _file: Arc::new(file) })
    }

    /// Holds an image that is here against its sum.
    ///
    /// # Errors
    /// It is not what was stored, in words.
    pub fn verify(&self, key: &str) -> Result<(), String> {
        let folder = self.folder(key);
        let manifest = fs::read(folder.join(MANIFEST)).map_err(|error| error.to_string())?;
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        match digest::of_sparse(&folder.join(IMAGE)) {
            Ok(sum) if sum == manifest.sum => Ok(()),
            Ok(_) => Err("the image is not what was stored".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The images that are here, the one that was not used for the longest time first.
    pub fn stored(&self) -> Vec<Stored> {
        let Ok(entries) = fs::read_dir(&self.settings.cache) else { return Vec::new() };
        let mut stored: Vec<Stored> = entries
            .flatten()
            .filter_map(|entry| {
                let key = entry.file_name().into_string().ok()?;
                let image = fs::metadata(entry.path().join(IMAGE)).ok().filter(|_| !key.ends_with(".new"))?;
                let manifest = entry.path().join(MANIFEST);
                let used = fs::metadata(&manifest).and_then(|meta| meta.modified()).ok();
                let manifest: Option<Manifest> =
                    fs::read(manifest).ok().and_then(|text| serde_json::from_slice(&text).ok());
                let summary = manifest.map(|manifest| manifest.summary).unwrap_or_default();
                Some(Stored { key, bytes: image.blocks() * 512, used, summary })
            })
            .collect();
        stored.sort_by(|one, other| one.used.cmp(&other.used).then_with(|| one.key.cmp(&other.key)));
        stored
    }

    /// Removes an image, unless somebody makes or uses it at the moment; answers whether it is gone.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, key: &str) -> Result<bool, UserlandError> {
        if !self.stored().iter().any(|stored| stored.key == key) {
            return Ok(true);
        }
        let place = |kind: &str| self.settings.cache.join(format!("{key}.{kind}"));
        // in this order: whoever has the first may take the second
        let Some(_lock) = take(&place("lock"))? else { return Ok(false) };
        match take(&place("use"))? {
            Some(_nobody) => remove(&self.folder(key)).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes the packages that were fetched; those that are wanted again are fetched again.
    ///
    /// # Errors
    /// They cannot be removed, or the caller cancelled while somebody else fetched some.
    pub fn remove_packages(&self, watch: &Watch) -> Result<(), UserlandError> {
        let _lock = self.lock("apt", watch)?;
        remove(&self.apt_folder().join("debs"))
    }

    /// Removes what killed processes left, and answers how many folders that were.
    pub fn sweep(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.settings.cache) else { return 0 };
        let left = entries.flatten().filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(key) = name.strip_suffix(".new") else { return false };
            let lock = take(&self.settings.cache.join(format!("{key}.lock")));
            matches!(lock, Ok(Some(_))) && fs::remove_dir_all(entry.path()).is_ok()
        });
        left.count()
    }
}

/// The lock at this path, if nobody else holds it.
fn take(path: &Path) -> Result<Option<Lock>, UserlandError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(UserlandError::io("write", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(UserlandError::io("lock", path)(error)),
    }
}

fn remove(folder: &Path) -> Result<(), UserlandError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(UserlandError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
