//! Build folders that a killed process left.
//!
//! A compiler that is killed leaves half a file under the final name, which make takes for a whole one. kbuild writes
//! `.NAME.cmd` when NAME is complete, so after such an end every NAME that is younger than its record is removed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Says that a build folder is being worked in.
pub(super) struct DirtyMark {
    path: PathBuf,
}

impl DirtyMark {
    /// Sets the mark. If it was set already, whoever set it was killed, and the folder is put right.
    pub(super) fn set(output: &Path) -> io::Result<DirtyMark> {
        let path = output.join("kregress.unfinished");
        if path.exists() {
            remove_halves(output)?;
        }
        File::create(&path)?.sync_all()?;
        Ok(DirtyMark { path })
    }

    /// Every process of the build has ended in order.
    pub(super) fn clear(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn remove_halves(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_halves(&entry.path())?;
            continue;
        }
        let name = entry.file_name();
        let record = folder.join(format!(".{}.cmd", name.to_string_lossy()));
        let Ok(recorded) = fs::metadata(&record).and_then(|meta| meta.modified()) else { continue };
        if kind.is_file() && entry.metadata()?.modified()? > recorded {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn half_a_file_is_removed_after_a_kill_and_only_then() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fs_folder = folder.path().join("fs");
        fs::create_dir(&fs_folder).expect("it is writable");
        let write = |name: &str, age: u64| {
            let file = File::create(fs_folder.join(name)).expect("it is writable");
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("a time can be set");
        };
        // compiled before, and then again until the kill
        write(".half.o.cmd", 100);
        write("half.o", 5);
        write("whole.o", 50);
        write(".whole.o.cmd", 49);
        write("other", 5);
        let there = |name: &str| fs_folder.join(name).exists();
        DirtyMark::set(folder.path()).and_then(DirtyMark::clear).expect("it is writable");
        assert!(there("half.o"));
        let _killed = DirtyMark::set(folder.path()).expect("it is writable");
        DirtyMark::set(folder.path()).expect("it is writable");
        assert!(!there("half.o") && there("whole.o") && there("other"));
    }
}
