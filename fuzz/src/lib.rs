//! What the targets share: bytes as a file, and folders that nothing may leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// A folder of this process, in memory where there is one for that.
fn folder() -> &'static Path {
    let memory = Path::new("/dev/shm");
    let made = || if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    FOLDER.get_or_init(|| made().expect("a folder for temporary files")).path()
}

/// The bytes as a file of this name, alone in its folder.
pub fn as_file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = folder().join("input");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the file can be written");
    path
}

/// Hands an empty folder to `work`, and fails where that wrote anything beside it or left a link that leads out of it.
pub fn within_a_folder(work: impl FnOnce(&Path)) {
    let around = folder().join("output");
    let inside = around.join("inside");
    let _ = fs::remove_dir_all(&around);
    fs::create_dir_all(&inside).expect("the folder can be made");
    work(&inside);
    let beside: Vec<_> = fs::read_dir(&around)
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(beside, ["inside"], "something was written outside the folder");
}
