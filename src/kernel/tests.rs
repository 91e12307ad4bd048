//! The whole way from a spec to a stored kernel, through the real apt, with a mirror that is a folder.

mod debug;
mod files;
mod hosts;
mod shared;
mod suites;

use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixtures::{bzimage, deb, kernel_deb, module, vmlinux, zstd};
use super::packages::debian::{self, Archive};
use super::packages::source::{Package, PackagedKernel};
use super::store::{Store, measure, sha256};
use super::{
    FetchProgress, Flavour, Kernel, KernelError, KernelSpec, Library, ModuleState, NoProgress, Resolution,
    Stage, catalogue,
};
use crate::cancel::Cancel;

const RELEASE: &str = "6.17.13+deb13-cloud-amd64";

/// A mirror, a catalogue that pins what it has, and a cache, all in one temporary folder.
struct World {
    root: tempfile::TempDir,
}

/// Keeps everything that is reported.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl FetchProgress for Heard {
    fn report(&self, kernel: &str, stage: Stage) {
        self.0.lock().push(format!("{kernel} {stage:?}"));
    }
}

impl World {
    /// `None`, with a loud remark, where there is no apt.
    fn new() -> Option<World> {
        if Command::new("apt-config").arg("dump").output().is_err() {
            loud_skip::skip("there is no apt on this host");
            return None;
        }
        let world = World { root: tempfile::tempdir().expect("a temporary folder") };
        for folder in ["sources", "debian/pool/main/l/linux", "kernels"] {
            fs::create_dir_all(world.path(folder)).expect("the folder is writable");
        }
        let mirror = world.path("debian").display().to_string();
        let source =
            format!("Types: deb\nURIs: copy:{mirror}\nSuites: trixie\nComponents: main\nTrusted: yes\n");
        fs::write(world.path("sources/debian.sources"), source).expect("the folder is writable");
        let config = format!(
            "Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"{}\";\n",
            world.path("sources").display()
        );
        fs::write(world.path("apt.conf"), config).expect("the folder is writable");
        fs::write(world.package(), kernel_deb(RELEASE)).expect("the folder is writable");
        let file = measure(&world.package()).expect("it was just written");
        let package = Package {
            name: format!("linux-image-{RELEASE}"),
            version: "6.17.13-1".to_string(),
            archive: Archive::Main,
            path: format!("pool/main/l/linux/linux-image-{RELEASE}_6.17.13-1_amd64.deb"),
            size: file.bytes,
            sha256: file.sha256,
            suites: Vec::new(),
        };
        let build = PackagedKernel {
            arch: crate::arch::GUEST,
            distribution: debian::NAME.to_string(),
            version: "6.17.13+deb13".parse().expect("a version"),
            release: RELEASE.to_string(),
            flavour: Flavour::Cloud,
            package_version: "6.17.13-1".to_string(),
            packages: vec![package],
            missing: None,
        };
        fs::write(world.path("kernels/debian.yaml"), catalogue::debian_text(&[build]))
            .expect("the folder is writable");
        Some(world)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn package(&self) -> PathBuf {
        self.path(&format!("debian/pool/main/l/linux/linux-image-{RELEASE}_6.17.13-1_amd64.deb"))
    }

    /// Writes the mirror's package lists.
    fn write_lists(&self) {
        self.write_lists_with("");
    }

    /// Puts a debug package with these files on the mirror.
    fn write_debug_package(&self, files: &[(&str, &[u8])]) {
        let path = format!("pool/main/l/linux/linux-image-{RELEASE}-dbg_6.17.13-1_amd64.deb");
        fs::write(self.path("debian").join(&path), deb(files)).expect("the folder is writable");
        let file = measure(&self.path("debian").join(&path)).expect("it was just written");
        self.write_lists_with(&format!(
            "Package: linux-image-{RELEASE}-dbg\nVersion: 6.17.13-1\nArchitecture: amd64\nMaintainer: x\n\
             Description: x\nFilename: {path}\nSize: {}\nSHA256: {}\n\n",
            file.bytes, file.sha256
        ));
    }

    fn write_lists_with(&self, others: &str) {
        let file = measure(&self.package()).expect("the package");
        // an image of this size would pass for one of the packages that only depend on others
        let size = (2 << 20).max(file.bytes);
        let list = format!(
            "Package: linux-image-{RELEASE}\nVersion: 6.17.13-1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n\
             Filename: pool/main/l/linux/linux-image-{RELEASE}_6.17.13-1_amd64.deb\nSize: {size}\nSHA256: {}\n\n",
            file.sha256
        );
        let list = list + others;
        let folder = self.path("debian/dists/trixie/main/binary-amd64");
        fs::create_dir_all(&folder).expect("the folder is writable");
        fs::write(folder.join("Packages"), &list).expect("the folder is writable");
        let release_file = format!(
            "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Fri, 20 Nov 2020 09:00:00 UTC\nArchitectures: amd64\n\
             Components: main\nSHA256:\n {} {} main/binary-amd64/Packages\n",
            sha256(list.as_bytes()),
            list.len()
        );
        fs::write(self.path("debian/dists/trixie/Release"), release_file).expect("the folder is writable");
    }

    fn library(&self) -> Library {
        let library = Library::open(&self.path("cache"), &[self.path("kernels")]).expect("a good catalogue");
        library.with_apt_config(&self.path("apt.conf"))
    }

    fn fetch(&self, spec: &str) -> Result<Kernel, KernelError> {
        let library = self.library();
        let resolution = resolve(&library, spec)?;
        library.fetch(&resolution.wanted[0], &NoProgress)
    }

    fn folder(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("cache/kernels")).expect("something is stored");
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.remove(0)
    }
}

fn resolve(library: &Library, specs: &str) -> Result<Resolution, KernelError> {
    let specs: Vec<KernelSpec> = specs.split(' ').map(|spec| spec.parse().expect("a spec")).collect();
    library.resolve(&specs, &NoProgress)
}

#[test]
fn a_pinned_kernel_is_fetched_without_package_lists_and_is_complete() {
    let Some(world) = World::new() else { return };
    let kernel = world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("6.17.13", RELEASE));
    assert_eq!(kernel.digest, sha256(&fs::read(&kernel.image).expect("the image")));
    assert_eq!(fs::read(kernel.boot_image()).expect("the uncompressed kernel"), vmlinux(true));
    assert_eq!(kernel.config.as_ref().and_then(|config| config.get("PVH")), Some("y"));
    assert_eq!(kernel.modules.find("user_mod"), ModuleState::Loadable);
    assert!(!world.path("cache/apt/kernels.json").exists(), "no lists were fetched");
    assert_eq!(
        fs::read_dir(world.path("cache/downloads")).expect("the folder").count(),
        0,
        "no package is kept"
    );
}

#[test]
fn a_stored_kernel_needs_neither_apt_nor_catalogue() {
    let Some(world) = World::new() else { return };
    world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    fs::remove_dir_all(world.path("debian")).expect("the mirror can go away");
    fs::remove_dir_all(world.path("sources")).expect("apt's sources can go away");
    fs::remove_file(world.path("apt.conf")).expect("so can its configuration");
    fs::write(world.path("kernels/debian.yaml"), "debian: []\n").expect("the folder is writable");
    for spec in ["6.17.13", "latest:6.17", "all", RELEASE] {
        let kernel = world.fetch(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert_eq!(kernel.release, RELEASE, "{spec}");
    }
    assert_eq!(world.library().fetched().expect("a good store").len(), 1);
}

#[test]
fn a_package_that_was_tampered_with_is_refused() {
    let Some(world) = World::new() else { return };
    let mut bytes = fs::read(world.package()).expect("the package");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(world.package(), bytes).expect("the folder is writable");
    let error = world.fetch("6.17.13").expect_err("another hash");
    let said = error.to_string();
    assert!(said.contains("does not match its SHA-256") && said.contains("Hash Sum mismatch"), "{said}");
    assert!(!world.path("cache/kernels").exists(), "nothing is stored");
    assert_eq!(fs::read_dir(world.path("cache/downloads")).expect("the folder").count(), 0);
}

#[test]
fn a_download_is_continued_and_begun_anew_when_its_start_was_wrong() {
    let Some(world) = World::new() else { return };
    let bytes = fs::read(world.package()).expect("the package");
    let target = format!("cache/downloads/linux-image-{RELEASE}_{}.deb", &sha256(&bytes)[..16]);
    for part in [&bytes[..500], &[b'x'; 300][..], b""] {
        fs::create_dir_all(world.path("cache/downloads")).expect("the folder is writable");
        fs::write(world.path(&target), part).expect("the folder is writable");
        world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
        fs::remove_dir_all(world.path("cache")).expect("the cache can go");
    }
}

#[test]
fn without_an_entry_for_debian_the_way_out_is_named() {
    let Some(world) = World::new() else { return };
    fs::write(
        world.path("sources/debian.sources"),
        "Types: deb\nURIs: copy:/x\nSuites: noble\nComponents: main\n",
    )
    .expect("the folder is writable");
    insta::assert_snapshot!(world.fetch("6.17.13").expect_err("no mirror"), @r"no entry in this host's apt sources serves Debian's main archive; add one for any Debian release (see sources.list(5)), name a mirror with KREGRESS_DEBIAN_MIRROR, or use a kernel of your own (-k FILE)");
}

#[test]
fn a_cache_that_cannot_be_written_says_so() {
    let Some(world) = World::new() else { return };
    // also for root, who may write everywhere else
    fs::write(world.path("cache"), "a file, not a folder").expect("the folder is writable");
    let said = world.fetch("6.17.13").expect_err("no cache").to_string();
    insta::assert_snapshot!(said.replace(&world.root.path().display().to_string(), "ROOT"), @"cannot create ROOT/cache/locks/6.17.13+deb13-cloud-amd64.lock: Not a directory (os error 20); the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one");
}

#[test]
fn a_package_that_is_gone_says_so_and_is_left_out_afterwards() {
    let Some(world) = World::new() else { return };
    fs::remove_file(world.package()).expect("the package goes");
    let error = world.fetch("6.17.13").expect_err("gone");
    insta::assert_snapshot!(error, @"linux-image-6.17.13+deb13-cloud-amd64 6.17.13-1 is gone from the mirror (404): Debian keeps old versions for a while only; choose another version (kregress kernels list --available)");
    let resolution = resolve(&world.library(), "all").unwrap_or_else(|error| panic!("{error}"));
    assert!(resolution.wanted.is_empty());
    insta::assert_snapshot!(resolution.left_out[0].reason, @"linux-image-6.17.13+deb13-cloud-amd64 is gone from the mirror (404)");
    fs::write(world.package(), kernel_deb(RELEASE)).expect("the package comes back");
    assert!(world.fetch("6.17.13").is_ok(), "what is named explicitly is asked for again");
}

#[test]
fn a_damaged_package_on_the_mirror_says_so() {
    let Some(world) = World::new() else { return };
    fs::write(world.package(), b"!<arch>\n").expect("the folder is writable");
    let text = fs::read_to_string(world.path("kernels/debian.yaml")).expect("the catalogue");
    let file = measure(&world.package()).expect("the package");
    let replaced: String = text
        .lines()
        .map(|line| match line.trim().split_once(": ") {
            Some(("size", _)) => format!("        size: {}\n", file.bytes),
            Some(("sha256", _)) => format!("        sha256: {}\n", file.sha256),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(world.path("kernels/debian.yaml"), replaced).expect("the folder is writable");
    let said = world.fetch("6.17.13").expect_err("no package").to_string();
    assert!(said.contains("it is truncated"), "{said}");
    assert_eq!(
        fs::read_dir(world.path("cache/kernels")).expect("the folder").count(),
        0,
        "nothing is half there"
    );
}

#[test]
fn package_lists_name_kernels_and_a_suite_that_the_mirror_lacks_is_no_error() {
    let Some(world) = World::new() else { return };
    fs::write(world.path("kernels/debian.yaml"), "debian: []\n").expect("the folder is writable");
    world.write_lists();

    let library = world.library();
    let heard = Heard::default();
    let specs = ["latest:6.17".parse().expect("a spec")];
    let resolution = library.resolve(&specs, &heard).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(resolution.wanted[0].release(), RELEASE);
    let heard = heard.0.into_inner();
    assert_eq!(heard[0], " Lists", "the lists were fetched because nothing was known: {heard:?}");
    let available = library.available();
    assert_eq!((available.len(), available[0].suites.as_slice()), (1, ["trixie".to_string()].as_slice()));
}

#[test]
fn two_at_once_fetch_one_kernel_once() {
    let Some(world) = World::new() else { return };
    let libraries = [world.library(), world.library()];
    let heard = Heard::default();
    std::thread::scope(|scope| {
        for library in &libraries {
            scope.spawn(|| {
                let wanted = resolve(library, "6.17.13").expect("it is known").wanted.remove(0);
                let kernel = library.fetch(&wanted, &heard).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(kernel.release, RELEASE);
            });
        }
    });
    let heard = heard.0.into_inner();
    assert_eq!(heard.iter().filter(|line| line.contains("Ready")).count(), 1, "{heard:?}");
    world.folder();
}

#[test]
fn leftovers_of_the_dead_are_removed_and_work_of_the_living_is_not() {
    let Some(world) = World::new() else { return };
    let dead = world.path("cache/kernels/.partial-6.1.0-dead");
    let living = world.path("cache/kernels/.partial-6.1.0-living");
    for folder in [&dead, &living] {
        fs::create_dir_all(folder).expect("the folder is writable");
        fs::write(folder.join("vmlinuz"), "half").expect("the folder is writable");
    }
    let owner = {
        fs::create_dir_all(world.path("cache/locks")).expect("the folder is writable");
        let lock = fs::File::create(world.path("cache/locks/6.1.0-living.lock")).expect("a lock file");
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("a free lock");
        lock
    };
    world.library();
    assert!(!dead.exists());
    assert!(living.exists());
    drop(owner);
    world.library();
    assert!(!living.exists());
}

#[test]
fn damage_is_found_before_use_and_repaired_by_fetching_again() {
    let Some(world) = World::new() else { return };
    world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    let image = world.folder().join("vmlinux");
    for damage in [&b"short"[..], &vec![7; vmlinux(true).len()]] {
        fs::write(&image, damage).expect("the store is writable");
        let verified = world.library().verify();
        assert!(verified[0].1.is_err());
        let kernel = world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fs::read(kernel.boot_image()).expect("the kernel"), vmlinux(true));
    }
}

#[test]
fn garbage_collection_spares_what_is_in_use() {
    let Some(world) = World::new() else { return };
    let user = world.library();
    let wanted = resolve(&user, "6.17.13").expect("it is known").wanted.remove(0);
    user.fetch(&wanted, &NoProgress).unwrap_or_else(|error| panic!("{error}"));
    let other = world.library();
    let collected = other.collect_garbage(0).expect("a writable store");
    assert_eq!((collected.removed.len(), collected.in_use.len()), (0, 1));
    drop(user);
    let collected = other.collect_garbage(0).expect("a writable store");
    assert_eq!((collected.removed.len(), collected.left), (1, 0));
    assert!(other.stored().is_empty());
    assert!(!resolve(&other, "6.17.13").expect("it is known").wanted[0].is_fetched());
}

/// A local image and its modules folder, which has a module for `built_for`.
fn local(root: &Path, built_for: &str) -> (PathBuf, PathBuf) {
    let elf = vmlinux(true);
    let image = root.join("bzImage");
    fs::write(&image, bzimage("6.99.1-mine", &zstd(&elf), elf.len() as u32)).expect("the folder is writable");
    let modules = root.join("out/lib/modules/6.99.1-mine");
    fs::create_dir_all(modules.join("kernel")).expect("the folder is writable");
    let null_blk = module(&[("name", "null_blk"), ("vermagic", &format!("{built_for} SMP"))]);
    fs::write(modules.join("kernel/null_blk.ko"), null_blk).expect("the folder is writable");
    fs::write(modules.join("modules.builtin"), "kernel/fs/ext4/ext4.ko\n").expect("the folder is writable");
    fs::write(root.join(".config"), "CONFIG_PVH=y\n").expect("the folder is writable");
    (image, root.join("out"))
}

#[test]
fn a_local_image_is_a_kernel_with_or_without_modules() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (image, modules) = local(root.path(), "6.99.1-mine");
    let library = Library::open(&root.path().join("cache"), &[]).expect("no catalogue");
    for folder in [None, Some(modules.clone()), Some(modules.join("lib/modules/6.99.1-mine"))] {
        let spec: KernelSpec = image.display().to_string().parse().expect("a path");
        let with_modules = folder.is_some();
        let wanted = library
            .resolve(&[spec.with_modules(folder)], &NoProgress)
            .unwrap_or_else(|error| panic!("{error}"));
        let kernel = library.fetch(&wanted.wanted[0], &NoProgress).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("6.99.1-mine", "6.99.1-mine"));
        assert_eq!(kernel.version.upstream().to_string(), "6.99.1");
        assert!(kernel.vmlinux.is_some() && kernel.config.is_some());
        let state = if with_modules { ModuleState::Loadable } else { ModuleState::Unknown };
        assert_eq!(kernel.modules.find("null-blk"), state);
        if with_modules {
            let order =
                kernel.modules.load_order(&["null_blk", "ext4"]).unwrap_or_else(|error| panic!("{error}"));
            assert!(kernel.modules.read(&order[0]).expect("the module").starts_with(b"\x7fELF"));
        }
    }
}

#[test]
fn a_local_image_that_does_not_fit_says_why() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (image, modules) = local(root.path(), "6.12.1");
    let library = Library::open(&root.path().join("cache"), &[]).expect("no catalogue");
    let attempt = |image: &Path, modules: Option<PathBuf>| {
        let spec: KernelSpec = image.display().to_string().parse().expect("a path");
        let wanted = library.resolve(&[spec.with_modules(modules)], &NoProgress)?;
        library.fetch(&wanted.wanted[0], &NoProgress)
    };
    let truncated = root.path().join("truncated");
    let bytes = fs::read(&image).expect("the image");
    fs::write(&truncated, &bytes[..bytes.len() - 50]).expect("the folder is writable");
    let text = root.path().join(".config");
    let cases = [
        (root.path().join("nothing"), None),
        (truncated, None),
        (text, None),
        (image.clone(), Some(root.path().join("cache"))),
        (image, Some(modules)),
    ];
    let mut said = String::new();
    for (image, modules) in cases {
        said += &format!("{}\n", attempt(&image, modules).expect_err("it does not fit"));
    }
    insta::assert_snapshot!(said.replace(&root.path().display().to_string(), "ROOT"), @"
    cannot read ROOT/nothing: No such file or directory (os error 2)
    kernel image ROOT/truncated: it is truncated: its header promises at least 1177 bytes and it has 1134; get the file again
    kernel image ROOT/.config: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
    cannot read ROOT/cache: no modules of 6.99.1-mine there; expected a lib/modules/6.99.1-mine folder (make modules_install INSTALL_MOD_PATH=DIR makes one)
    module `kernel/null_blk.ko` was built for 6.12.1, the kernel is 6.99.1-mine; give the modules folder of this kernel
    ");
}

#[test]
fn a_wait_for_a_lock_ends_with_the_wish_to_stop() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path());
    let cancel = Cancel::new();
    let held = store.lock("one", || panic!("nobody has it")).expect("the folder is writable");
    let waited = store.lock_unless(&cancel, "one", || cancel.set());
    assert!(waited.expect("the folder is writable").is_none());
    drop(held);
    let free = store.lock_unless(&cancel, "one", || panic!("nobody has it"));
    assert!(free.expect("the folder is writable").is_some(), "what is free is had at once");
}
