//! Report files appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::atomic_file;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report {path}: {source}", path = path.display())]
pub struct WriteError {
    /// The report.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

/// Writes `path` under a temporary name next to it, then renames it: a reader sees the old file or the new one, and a
/// full disk leaves no half of one.
///
/// # Errors
/// The file cannot be written or renamed.
pub fn write(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    write_with(path, |out| out.write_all(content).map_err(failed))
}

/// The same with a content that is made while it is written.
///
/// # Errors
/// Those of `content`; the file cannot be written or renamed.
pub fn write_with<E: From<WriteError>>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| E::from(WriteError { path: path.to_owned(), source });
    if path.file_name().is_none() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // its error would name the temporary file
    std::fs::metadata(folder).map_err(failed)?;
    let mut file = BufWriter::new(atomic_file::begin(folder).map_err(failed)?);
    content(&mut file)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_data().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_an_older_one_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("junit.xml");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("junit.xml")).unwrap();
        write(&dir.path().join("junit.xml"), b"x").unwrap_err();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_content_that_breaks_off_leaves_the_older_report() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("junit.xml");
        write(&path, b"old").unwrap();
        let no_more = WriteError { path: path.clone(), source: io::Error::other("no more") };
        let breaks_off = |out: &mut dyn Write| {
            out.write_all(b"new").unwrap();
            Err(no_more)
        };
        write_with(&path, breaks_off).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_said() {
        let error = write(Path::new("no/such/folder/junit.xml"), b"x").unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write the report no/such/folder/junit.xml: No such file"),
            "{error}"
        );
    }
}
