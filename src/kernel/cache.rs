//! Where kregress keeps what it has fetched or computed.

use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Below the cache, the folder with trees of test collections and what was built of them.
pub const COLLECTIONS: &str = "collections";

/// The cache folder: `$KREGRESS_CACHE`, or `kregress` in the user's cache folder (`$XDG_CACHE_HOME`, `~/.cache`), or in the
/// system's folder for temporary files for a user without a home.
pub fn cache_folder() -> PathBuf {
    choose(
        std::env::var_os("KREGRESS_CACHE"),
        etcetera::choose_base_strategy().ok().map(|base| base.cache_dir()),
    )
}

fn choose(asked_for: Option<OsString>, of_user: Option<PathBuf>) -> PathBuf {
    match asked_for.filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => of_user.unwrap_or_else(std::env::temp_dir).join("kregress"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_first() {
        let user = || Some(PathBuf::from("/home/me/.cache"));
        let table = [
            (Some("/big/disk"), user(), "/big/disk"),
            (Some(""), user(), "/home/me/.cache/kregress"),
            (None, user(), "/home/me/.cache/kregress"),
        ];
        for (asked_for, of_user, expected) in table {
            assert_eq!(choose(asked_for.map(OsString::from), of_user), PathBuf::from(expected));
        }
        assert!(choose(None, None).ends_with("kregress"));
    }
}
