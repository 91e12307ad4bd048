//! Places in which there was work when the host lost its power.
//!
//! Nobody syncs what git, tar, patch and compilers write. After a loss of power a source or an object may be there with its
//! name and its time, and be empty or cut short; make takes it for whole, and a tree that compiles would be answered for
//! as one that does not. So a place is marked while it is worked in, with the boot of the host in which that is; the mark goes
//! when all of it is on disk. A mark of another boot says that nothing in there can be believed, and it is made again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a host calls the time since it was started last.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The mark's name in the place.
const NAME: &str = "kregress.unsynced";

/// Says that a place is being worked in.
pub(super) struct UnsyncedMark {
    place: PathBuf,
}

impl UnsyncedMark {
    /// Sets the mark. What a place holds that has the mark of another boot is removed.
    pub(super) fn set(place: &Path) -> io::Result<UnsyncedMark> {
        // without it no loss of power is noticed
        let boot = fs::read_to_string(BOOT).unwrap_or_default();
        UnsyncedMark::set_in(place, boot.trim())
    }

    fn set_in(place: &Path, boot: &str) -> io::Result<UnsyncedMark> {
        fs::create_dir_all(place)?;
        let path = place.join(NAME);
        match fs::read_to_string(&path) {
            // a mark without contents was not on disk when the power went
            Ok(before) if before != boot => empty(place)?,
            _ => {}
        }
        let mut file = File::create(&path)?;
        file.write_all(boot.as_bytes())?;
        file.sync_all()?;
        File::open(place)?.sync_all()?;
        Ok(UnsyncedMark { place: place.to_path_buf() })
    }
}

impl Drop for UnsyncedMark {
    /// Waits for the disk. Where that fails the mark stays, which costs a build after the next boot, and nothing before.
    fn drop(&mut self) {
        let synced = File::open(&self.place).and_then(|place| Ok(rustix::fs::syncfs(&place)?));
        if synced.is_ok() {
            let _ = fs::remove_file(self.place.join(NAME));
        }
    }
}

/// Removes what a place holds. The mark goes last: a kill meanwhile leaves it.
fn empty(place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if entry.file_name() == NAME {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_on_disk_when_the_power_went_is_made_again_and_only_that() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("git-0123");
        let holds = || place.join("tree/Makefile").exists() && place.join("holds").exists();
        let work = || {
            fs::create_dir_all(place.join("tree")).expect("it is writable");
            fs::write(place.join("tree/Makefile"), "").expect("it is writable");
            fs::write(place.join("holds"), "git tree").expect("it is writable");
        };
        let ended = UnsyncedMark::set_in(&place, "one").expect("it is writable");
        work();
        drop(ended);
        // in order, then another boot
        let killed = UnsyncedMark::set_in(&place, "two").expect("it is writable");
        assert!(holds());
        std::mem::forget(killed);
        // a kill alone: what was written is there
        let cut_off = UnsyncedMark::set_in(&place, "two").expect("it is writable");
        assert!(holds());
        std::mem::forget(cut_off);
        drop(UnsyncedMark::set_in(&place, "three").expect("it is writable"));
        assert!(!holds());
        assert_eq!(fs::read_dir(&place).expect("it is there").count(), 0);
        // a mark that did not reach the disk itself
        work();
        fs::write(place.join(NAME), "").expect("it is writable");
        drop(UnsyncedMark::set_in(&place, "four").expect("it is writable"));
        assert!(!holds());
    }
}
