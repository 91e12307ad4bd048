//! Kernels out of files as people have them, up to the store.

use std::fs;
use std::path::PathBuf;

use super::RELEASE;
use crate::kernel::fixtures::{borrowed, bzimage, deb, kernel_deb, kernel_files, rpm, tar, xz, zstd};
use crate::kernel::{Kernel, KernelError, KernelOrigin, KernelSpec, Library, ModuleState, NoProgress};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, contents: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("it is writable");
        fs::write(path, contents).expect("it is writable");
    }

    /// Writes these files of the small kernel: those whose paths contain a word, in a format.
    fn pack(&self, below: &str, words: &[&str], format: impl Fn(&[(&str, &[u8])]) -> Vec<u8>) {
        let mut files = kernel_files(RELEASE);
        files.retain(|(path, _)| words.iter().any(|word| path.contains(word)));
        self.write(below, &format(&borrowed(&files)));
    }

    fn get(&self, file: &str, modules: Option<&str>) -> Result<Kernel, KernelError> {
        let library = Library::open(&self.path("cache"), &[self.path("kernels")])?;
        let spec: KernelSpec = match file.contains('.') || self.path(file).exists() {
            true => self.path(file).display().to_string().parse()?,
            false => file.parse()?,
        };
        let spec = spec.with_modules(modules.map(|below| self.path(below)));
        let resolution = library.resolve(&[spec], &NoProgress)?;
        library.fetch(&resolution.wanted[0], &NoProgress)
    }

    fn error(&self, file: &str, modules: Option<&str>) -> String {
        let error = self.get(file, modules).expect_err(file);
        error.to_string().replace(&self.0.path().display().to_string(), "DIR")
    }
}

/// What a test can find out about a kernel.
fn shown(kernel: &Kernel) -> String {
    let option = kernel.config.as_ref().and_then(|config| config.get("BASE_MOD")).unwrap_or("unknown");
    let modules: Vec<String> = ["user-mod", "built-in", "zfs"]
        .iter()
        .map(|name| format!("{name} {:?}", kernel.modules.find(name)))
        .collect();
    let read = kernel.modules.load_order(&["user_mod"]).map_or(0, |order| {
        order
            .iter()
            .filter(|file| kernel.modules.read(file).is_ok_and(|elf| elf.starts_with(b"\x7fELF")))
            .count()
    });
    format!(
        "{} {} vmlinux {}, BASE_MOD {option}, {}, {read} read",
        kernel.name,
        kernel.release,
        kernel.vmlinux.is_some(),
        modules.join(", ")
    )
}

#[test]
fn every_form_that_people_have_gives_the_same_kernel() {
    let folder = Folder::new();
    let all = ["boot/", "lib/modules/"];
    folder.write("image.deb", &kernel_deb(RELEASE));
    folder.pack("image.rpm", &all, rpm);
    folder.pack("kernel.tar", &all, tar);
    folder.pack("kernel.tar.zst", &all, |files| zstd(&tar(files)));
    folder.pack("split/binary.deb", &["boot/vmlinuz"], deb);
    folder.pack("split/modules.deb", &["lib/modules/", "boot/config"], deb);
    folder.pack("core.rpm", &["boot/"], rpm);
    folder.pack("modules.rpm", &["lib/modules/"], rpm);
    let files = kernel_files(RELEASE);
    folder.write("tuxmake/bzImage", &files[0].1);
    folder.write("tuxmake/config", &files[1].1);
    folder.pack("tuxmake/modules.tar.xz", &["lib/modules/"], |files| xz(&tar(files)));
    for (path, contents) in &files {
        folder.write(&format!("unpacked/{path}"), contents);
    }
    folder.write("vmlinuz", &files[0].1);
    folder.write("kernels/mine.yaml", b"kernels:\n  - {name: mine, source: {package: ../image.deb}}\n");

    let mut said = String::new();
    for (file, modules) in [
        ("image.deb", None),
        ("image.rpm", None),
        ("kernel.tar", None),
        ("kernel.tar.zst", None),
        ("split", None),
        ("core.rpm", Some("modules.rpm")),
        ("tuxmake", None),
        ("unpacked", None),
        ("vmlinuz", Some("tuxmake/modules.tar.xz")),
        ("vmlinuz", Some("unpacked")),
        ("core.rpm", Some("unpacked")),
        ("vmlinuz", None),
        ("core.rpm", None),
        ("mine", None),
    ] {
        let kernel = folder.get(file, modules).unwrap_or_else(|error| panic!("{file}: {error}"));
        said += &format!("{file} {}: {}\n", modules.unwrap_or("-"), shown(&kernel));
    }
    insta::assert_snapshot!(said, @r"
    image.deb -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    image.rpm -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    kernel.tar -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    kernel.tar.zst -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    split -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    core.rpm modules.rpm: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    tuxmake -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    unpacked -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    vmlinuz tuxmake/modules.tar.xz: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD unknown, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    vmlinuz unpacked: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD unknown, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    core.rpm unpacked: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    vmlinuz -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD unknown, user-mod Unknown, built-in Unknown, zfs Unknown, 0 read
    core.rpm -: 6.17.13+deb13-cloud-amd64 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Unknown, built-in Unknown, zfs Unknown, 0 read
    mine -: mine 6.17.13+deb13-cloud-amd64 vmlinux true, BASE_MOD m, user-mod Loadable, built-in Builtin, zfs Missing, 3 read
    ");
}

#[test]
fn a_package_is_unpacked_once_and_never_taken_for_a_distributions_kernel() {
    let folder = Folder::new();
    folder.write("image.deb", &kernel_deb("6.99.7"));
    let first = folder.get("image.deb", None).expect("a good package");
    assert!(matches!(&first.origin, KernelOrigin::File { path, .. } if path.ends_with("image.deb")));
    let written =
        |kernel: &Kernel| fs::metadata(&kernel.image).and_then(|meta| meta.modified()).expect("it is there");
    let before = written(&first);
    let again = folder.get("image.deb", None).expect("a good package");
    assert_eq!((before, &first.image), (written(&again), &again.image));
    assert_eq!(again.modules.find("user_mod"), ModuleState::Loadable);

    let library = Library::open(&folder.path("cache"), &[]).expect("the embedded catalogue");
    assert!(!library.available().iter().any(|kernel| kernel.release == "6.99.7"));
    assert_eq!(library.stored().len(), 1, "the store's housekeeping knows it");
    // another package of the same release is another kernel
    folder.write("image.deb", &deb(&borrowed(&kernel_files("6.99.7")[..7])));
    let other = folder.get("image.deb", None).expect("a good package");
    assert_ne!(other.image.parent(), first.image.parent());
}

#[test]
fn says_what_is_wrong_with_files() {
    let folder = Folder::new();
    let good = kernel_deb(RELEASE);
    folder.write("truncated.deb", &good[..good.len() - 90]);
    folder.pack("modules.tar", &["lib/modules/"], tar);
    folder.write("headers.deb", &deb(&[("usr/src/linux-headers-6.1/Makefile", b"x")]));
    folder.pack("nolist.tar", &["boot/", ".ko"], tar);
    folder.write("renamed.tar", &tar(&[("boot/vmlinuz-6.1", &kernel_files(RELEASE)[0].1)]));
    folder.write("text.bin", b"hello");
    folder.write("empty/README", b"x");
    folder.write("a.deb.part", &bzimage("6.1", b"", 0)[..100]);
    folder.write("source.tar.xz", &xz(&tar(&[("linux-6.12/Makefile", b"x")])));
    let mut said = String::new();
    for (file, modules) in [
        ("truncated.deb", None),
        ("modules.tar", None),
        ("headers.deb", None),
        ("nolist.tar", None),
        ("renamed.tar", None),
        ("text.bin", None),
        ("empty", None),
        ("a.deb.part", None),
        ("source.tar.xz", None),
        ("nowhere.deb", None),
        ("truncated.deb", Some("nowhere")),
    ] {
        said += &format!("{}\n", folder.error(file, modules));
    }
    insta::assert_snapshot!(said, @r"
    DIR/truncated.deb: it is truncated: member data.tar.xz needs 1080 bytes and 990 are left; get the file again
    DIR/modules.tar has files of 6.17.13+deb13-cloud-amd64, but not its image (boot/vmlinuz-6.17.13+deb13-cloud-amd64, lib/modules/6.17.13+deb13-cloud-amd64/vmlinuz); give the package or file that has the image, and this one with --modules
    DIR/headers.deb: there is no kernel in it: expected boot/vmlinuz-RELEASE, lib/modules/RELEASE/vmlinuz, or modules of a kernel that is given with it
    DIR/nolist.tar has modules of 6.17.13+deb13-cloud-amd64 without their list of built-in ones (modules.builtin), so that a missing module looks like a built-in one; `make modules_install` writes it
    DIR/renamed.tar: the image is of 6.17.13+deb13-cloud-amd64, the files with it are of 6.1; give those of one kernel
    kernel image DIR/text.bin: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
    the folder DIR/empty has no kernel: expected an image (bzImage, vmlinuz, boot/vmlinuz-RELEASE), with modules.tar.xz or lib/modules/RELEASE beside it, or the .deb or .rpm packages of one kernel
    kernel image DIR/a.deb.part: it is no kernel image that is known here: the boot protocol's magic numbers are missing; expected a bzImage (vmlinuz), an Image or an ELF file (vmlinux)
    DIR/source.tar.xz: there is no kernel in it: expected boot/vmlinuz-RELEASE, lib/modules/RELEASE/vmlinuz, or modules of a kernel that is given with it
    cannot read DIR/nowhere.deb: No such file or directory (os error 2)
    DIR/truncated.deb: it is truncated: member data.tar.xz needs 1080 bytes and 990 are left; get the file again
    ");
}
