//! Files in two folders at once: hard links, or copies where the file system has none.

use std::fs;
use std::io;
use std::path::Path;

/// Puts the files of a folder, and of those in it, into another folder, which is made. What is neither a file nor a folder is
/// passed over, as a folder from elsewhere may have links out of it. A folder that is not there has no files.
///
/// # Errors
/// Those of the file system.
pub fn folder(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            folder(&entry.path(), &to)?;
        } else if kind.is_file() {
            file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Puts one file where there may be none yet.
///
/// # Errors
/// Those of the file system; that it is there already is none.
pub fn file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // another file system, one without links, or too many of them
        Err(_) => fs::copy(from, to).map(|_| ()),
        Ok(()) => Ok(()),
    }
}
