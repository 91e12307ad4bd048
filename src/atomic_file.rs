//! Files that other processes see either whole or not at all: written under another name, synced, and renamed.
//!
//! They get the mode of any other new file, so that whoever shares a cache with this user can read them.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// Bytes that are looked at together when holes are sought: a page, which file systems store alone.
const PAGE: usize = 4096;

/// A file without a final name yet, in `folder`. As for any other new file, the umask has the last word on its mode.
///
/// # Errors
/// The folder cannot be written.
pub fn begin(folder: &Path) -> io::Result<NamedTempFile> {
    let permissions = PermissionsExt::from_mode(0o666);
    tempfile::Builder::new().prefix(".new-").permissions(permissions).tempfile_in(folder)
}

/// Writes a file, and waits until the disk has it under its name. Pages of zeroes become holes, which take no room.
///
/// # Errors
/// The file cannot be written or renamed; nothing is left of it then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = begin(folder_of(path))?;
    fill(&mut file, bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path));
    Ok(())
}

/// Waits until the disk has the names in a folder. File systems that cannot sync folders are none to wait for, and what is named
/// there is whole in any case, so that this is no error.
pub fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// Gives a folder its name once the disk has all that is in it: who finds it under that name after a loss of power finds it
/// whole. For folders with few files; the files below folders in it are not waited for.
///
/// # Errors
/// The disk fails, or it cannot be renamed.
pub fn rename_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    sync_folder(folder_of(to));
    Ok(())
}

/// The same for folders with many files and folders: waits for the whole file system.
///
/// # Errors
/// As [`rename_folder`].
pub fn rename_tree(from: &Path, to: &Path) -> io::Result<()> {
    rustix::fs::syncfs(&File::open(from)?)?;
    fs::rename(from, to)?;
    sync_folder(folder_of(to));
    Ok(())
}

/// Tries whether a file can be written, and leaves it as it is.
///
/// # Errors
/// Its folder is not there or cannot be written, or it is a folder itself.
pub fn check(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    begin(folder_of(path)).map(drop)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file its contents, and waits until the disk has them.
///
/// # Errors
/// The disk is full, or fails.
pub fn fill(file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
    let mut begin = 0;
    while begin < bytes.len() {
        let is_hole = |at: usize| bytes[at..(at + PAGE).min(bytes.len())].iter().all(|byte| *byte == 0);
        let hole = is_hole(begin);
        let end = (begin..bytes.len()).step_by(PAGE).find(|at| is_hole(*at) != hole).unwrap_or(bytes.len());
        match hole {
            true => file.seek_relative((end - begin) as i64)?,
            false => file.write_all(&bytes[begin..end])?,
        }
        begin = end;
    }
    file.as_file().set_len(bytes.len() as u64)?;
    file.as_file().sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn files_are_whole_readable_by_others_and_without_what_is_zero() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let mut bytes = vec![0; 1 << 20];
        bytes[70_000] = 7;
        for _ in 0..2 {
            write(&path, &bytes).expect("it is writable");
        }
        assert_eq!(fs::read(&path).expect("it is there"), bytes);
        let meta = fs::metadata(&path).expect("it is there");
        assert!(meta.blocks() * 512 < 1 << 19, "{}", meta.blocks());
        // what `touch` would have made
        fs::write(folder.path().join("plain"), "x").expect("it is writable");
        let plain = fs::metadata(folder.path().join("plain")).expect("it is there");
        assert_eq!(meta.mode(), plain.mode());
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 2);
    }
}
