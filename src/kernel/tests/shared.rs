//! A cache that several users share: what one has fetched the others can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::World;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn all_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| match path.is_dir() {
        true => [vec![path.clone()], all_below(&path)].concat(),
        false => vec![path],
    };
    entries.flat_map(below).collect()
}

#[test]
fn a_kernel_has_the_modes_of_any_new_file() {
    let Some(world) = World::new() else { return };
    world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    let (file, folder) = (world.path("plain"), world.path("plain-folder"));
    fs::write(&file, "").expect("the folder is writable");
    fs::create_dir(&folder).expect("the folder is writable");
    let (file, folder) = (mode(&file), mode(&folder));
    let stored = all_below(&world.path("cache/kernels"));
    assert!(stored.len() > 3, "{stored:?}");
    for path in stored.iter().chain([&world.path("cache/kernels"), &world.path("cache")]) {
        let plain = if path.is_dir() { folder } else { file };
        assert_eq!(mode(path), plain, "{}: {:o} is not {plain:o}", path.display(), mode(path));
    }
}
