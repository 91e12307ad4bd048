//! Finding the configuration from a folder upward, and reading it.

use std::path::{Path, PathBuf};

use super::model::Config;
use super::{FORMAT, build};
use crate::yaml::load;
use crate::yaml::problem::LoadError;

/// What the file is called.
pub const FILE_NAME: &str = "kregress.yaml";

/// The configuration of a folder: its own, else that of the nearest folder above. One of the folder itself is shown by
/// its name alone, as people write it.
pub fn find(folder: &Path) -> Option<PathBuf> {
    // what is no file is found as well, so that it is said and not passed over
    let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    let found = folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(is_there)?;
    match found.parent() == Some(folder) && std::env::current_dir().is_ok_and(|here| here == folder) {
        true => Some(PathBuf::from(FILE_NAME)),
        false => Some(found),
    }
}

/// Reads a configuration. A file with nothing but comments sets nothing.
///
/// # Errors
/// Everything that is wrong with the file, each problem with its place.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| "unreadable".to_owned());
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config { path: path.to_owned(), ..Config::default() });
    }
    load::read(&FORMAT, path, build::config).map_err(LoadError::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_upward_is_found() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(find(&below), None);
        std::fs::write(top.path().join(FILE_NAME), "").unwrap();
        assert_eq!(find(&below), Some(top.path().join(FILE_NAME)));
        std::fs::write(top.path().join("a").join(FILE_NAME), "").unwrap();
        assert_eq!(find(&below), Some(top.path().join("a").join(FILE_NAME)));
        assert_eq!(find(top.path()), Some(top.path().join(FILE_NAME)));
    }
}
