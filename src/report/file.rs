//! Report files appear whole or not at all.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".report-")
            // Readable for others as far as the umask allows, unlike other temporary files.
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_data()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|source| WriteError { path: path.to_owned(), source })
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
    fn a_missing_folder_is_said() {
        let error = write(Path::new("no/such/folder/junit.xml"), b"x").unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write the report no/such/folder/junit.xml: No such file"),
            "{error}"
        );
    }
}
