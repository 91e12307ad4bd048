//! Where a tree's programs are built, and who may build there now.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::kept;
use super::recipe;
use super::sources::Sources;
use super::whole;
use crate::cancel::Cancel;
use crate::lab::prepare::{PrepareError, hex};
use crate::suite::Collection;

/// How long is waited for a lock before it is tried again, nanoseconds.
const PAUSE: i64 = 200_000_000;

/// A folder of the cache.
#[derive(Debug)]
pub(super) struct Place {
    pub folder: PathBuf,
}

/// Held while something is built; given back by the system, too, if the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Place {
    /// The place of these sources with this compiler; made if it is not there.
    pub fn of(
        cache: &Path,
        collection: Collection,
        sources: &Sources,
        compiler: &str,
    ) -> Result<Place, PrepareError> {
        // what it says of itself; makefiles say it if there is none
        let version = duct::cmd!(compiler, "--version").stderr_null().read().unwrap_or_default();
        let script = match collection {
            Collection::Ltp => recipe::CONFIGURE_LTP,
            // with what they are compiled: the tree's own headers
            Collection::Kselftest => recipe::HEADERS,
            Collection::Xfstests | Collection::Blktests => whole::recipe(collection).build,
        };
        let mut hash = Sha256::new();
        for part in [&sources.digest, script, compiler, &version] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hex(&hash.finalize());
        let folder = cache.join(kept::FOLDER).join(format!("{}-{}", collection.word(), &digest[..20]));
        fs::create_dir_all(&folder).map_err(PrepareError::io(&folder))?;
        Ok(Place { folder })
    }

    /// Where a program is when it was built, from its path in the tree.
    pub fn built(&self, program: &Path) -> PathBuf {
        self.folder.join("built").join(program)
    }

    /// Waits until nobody else builds here.
    pub fn lock(&self, cancel: &Cancel) -> Result<Lock, PrepareError> {
        let path = self.folder.join(kept::BUILDS);
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(PrepareError::io(&path))?;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if cancel.is_set() {
                return Err(PrepareError::Cancelled { output: "a collection's programs".to_owned() });
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE };
            let _ = poll(&mut [PollFd::new(cancel, PollFlags::IN)], Some(&pause));
        }
        Ok(Lock { _file: file })
    }
}
