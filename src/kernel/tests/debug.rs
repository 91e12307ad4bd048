//! Debug packages, from a mirror that is a folder.

use super::*;
use crate::kernel::DebugState;

#[test]
fn debug_information_is_fetched_when_it_is_asked_for_and_kept_packed() {
    let Some(world) = World::new() else { return };
    let kernel = world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    let library = world.library();
    let name = format!("linux-image-{RELEASE}-dbg");
    let package = DebugState::Package { name, version: "6.17.13-1".to_owned() };
    assert_eq!(library.debug_of(&kernel), package);

    world.write_lists();
    let error = library.fetch_debug(&kernel, &NoProgress).expect_err("no list has it");
    insta::assert_snapshot!(error, @"no package list has linux-image-6.17.13+deb13-cloud-amd64-dbg 6.17.13-1: Debian drops debug packages with the kernel; unpack one that you have and name its folder with --debug");

    let folder = format!("usr/lib/debug/lib/modules/{RELEASE}");
    let map = "0".repeat(5000);
    world.write_debug_package(&[
        (&format!("usr/lib/debug/boot/vmlinux-{RELEASE}"), b"lines of the kernel"),
        (&format!("usr/lib/debug/boot/System.map-{RELEASE}"), map.as_bytes()),
        (&format!("{folder}/kernel/fs/x.ko"), b"lines of x"),
        (&format!("{folder}/kernel/fs/y.ko.debug"), b"lines of y"),
        (&format!("{folder}/modules.order"), b"x"),
        ("usr/share/doc/copyright", b"text"),
    ]);
    // the lists that are here are of the time before
    fs::remove_dir_all(world.path("cache/apt/lists")).expect("there are lists");
    let folder = library.fetch_debug(&kernel, &NoProgress).unwrap_or_else(|error| panic!("{error}"));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["System.map.gz", "debug.json", "vmlinux.gz", "x.ko.gz", "y.ko.debug.gz"]);
    let packed = fs::read(folder.join("vmlinux.gz")).expect("it is there");
    assert_eq!(kernel_modules::inflate(packed).expect("gzip"), b"lines of the kernel");
    assert_eq!(fs::read_dir(world.path("cache/downloads")).expect("the folder").count(), 0);

    fs::remove_dir_all(world.path("debian")).expect("the mirror can go away");
    let other = world.library();
    assert_eq!(other.debug_of(&kernel), DebugState::Here(folder.clone()));
    assert_eq!(other.fetch_debug(&kernel, &NoProgress).expect("it is here"), folder);
    assert!(other.verify_debug().iter().all(|(_, result)| result.is_ok()));
    assert_eq!(world.library().collect_garbage(0).expect("a writable store").debug.len(), 0, "it is in use");
    drop((library, other));
    let collected = world.library().collect_garbage(0).expect("a writable store");
    assert_eq!((collected.debug.len(), collected.left), (1, 0));
    assert_eq!(world.library().debug_of(&kernel), package);
}

#[test]
fn a_damaged_debug_package_leaves_nothing() {
    let Some(world) = World::new() else { return };
    let kernel = world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    world.write_debug_package(&[(&format!("usr/lib/debug/boot/vmlinux-{RELEASE}"), b"lines")]);
    let path = world.path(&format!("debian/pool/main/l/linux/linux-image-{RELEASE}-dbg_6.17.13-1_amd64.deb"));
    let bytes = fs::read(&path).expect("the package");
    fs::write(&path, [&bytes[..bytes.len() - 1], b"?"].concat()).expect("the folder is writable");
    let error = world.library().fetch_debug(&kernel, &NoProgress).expect_err("another hash").to_string();
    assert!(error.contains("does not match its SHA-256"), "{error}");
    assert!(world.library().stored_debug().is_empty());
}
