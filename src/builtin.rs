//! Suites, machines and catalogues that the command carries, for whoever has no project around.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::atomic_file;
use crate::scratch::Scratch;

/// Paths and contents of `suites/`, `kernels/` and `vm/`, without their documentation; `build.rs` lists them.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/built-in.rs"));

/// The folder below `cache` with the files, in which they are placed if they are not there. It is named by what they
/// hold, so that commands of several versions share a cache.
///
/// # Errors
/// The cache cannot be written.
pub fn folder(cache: &Path) -> io::Result<PathBuf> {
    let place = cache.join("built-in").join(digest());
    if place.is_dir() {
        return Ok(place);
    }
    let unpacked = Scratch::new(cache).folder()?;
    for (name, contents) in FILES {
        let path = unpacked.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        atomic_file::write(&path, contents)?;
    }
    fs::create_dir_all(cache.join("built-in"))?;
    match fs::rename(unpacked.path(), &place) {
        // another process was faster
        Err(_) if place.is_dir() => Ok(place),
        renamed => renamed.map(|()| place),
    }
}

fn digest() -> String {
    let mut hash = Sha256::new();
    for (name, contents) in FILES {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update((contents.len() as u64).to_le_bytes());
        hash.update(contents);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_of_the_project_and_placed_once() {
        let cache = tempfile::tempdir().unwrap();
        let place = folder(cache.path()).unwrap();
        for name in
            ["suites/cifs.yaml", "suites/programs/kregress.h", "vm/default.yaml", "kernels/debian.yaml"]
        {
            let own = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
            assert!(fs::read(place.join(name)).unwrap() == own, "{name}");
        }
        let before = fs::metadata(&place).unwrap().modified().unwrap();
        assert_eq!(folder(cache.path()).unwrap(), place);
        assert_eq!(fs::metadata(&place).unwrap().modified().unwrap(), before);
        let left = fs::read_dir(cache.path().join("scratch")).unwrap().count();
        assert_eq!(left, 0, "nothing is left behind");
    }
}
