//! Unpacks a kernel's packages into a folder of the store: image, configuration and modules, and nothing else.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::container::{ContainerFormat, DEB, PackageError};
use super::files::Part;
use kernel_modules::{
    Job, ModuleError, ModuleIndex, add_builtin, add_builtin_modinfo, index_modules, is_module, packed,
};

/// Debian's packages have a stub of a line in the place of System.map; a real one has megabytes.
const SYSTEM_MAP_STUB: u64 = 4096;

/// The largest file that is taken, bytes, as each is read into memory: images and modules with debug information have some
/// hundred megabytes.
const MOST: u64 = 1 << 30;

/// The changelog of a Debian package, packed as it is there.
pub(crate) const CHANGELOG: &str = "changelog.gz";

/// Whether a file of a package, its path without `usr/`, is the package's changelog.
pub(crate) fn is_changelog(path: &str) -> bool {
    let file = path.strip_prefix("share/doc/").and_then(|rest| rest.split_once('/')).map(|(_, file)| file);
    matches!(file, Some("changelog.gz" | "changelog.Debian.gz"))
}

/// Why packages could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A package is damaged.
    #[error("package {package}: {source}; fetch the kernel again")]
    Package {
        /// The package's file name.
        package: String,
        /// What is wrong with it.
        source: PackageError,
    },
    /// No package has a kernel image.
    #[error("there is no kernel image (vmlinuz) in {packages}; it is no kernel, choose another version")]
    NoImage {
        /// The packages' file names.
        packages: String,
    },
    /// No package has the list of built-in modules, so nobody could tell a built-in module from a missing one.
    #[error(
        "there is no list of built-in modules (modules.builtin) in {packages}: the package linux-base-{release} has left Debian's package index; choose another version"
    )]
    NoBuiltinList {
        /// The packages' file names.
        packages: String,
        /// The kernel's release.
        release: String,
    },
    /// A module cannot be indexed.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A file cannot be written, for example because the disk is full.
    #[error(
        "cannot write {path}: {source}; make room (kregress cache gc) or choose another folder with KREGRESS_CACHE"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Carries a [`PackageError`] out of the walk until the package's name is known.
enum WalkError {
    Package(PackageError),
    Other(UnpackError),
}

impl From<PackageError> for WalkError {
    fn from(error: PackageError) -> Self {
        WalkError::Package(error)
    }
}

/// Unpacks a distribution's `packages` into the folder `into` (`vmlinuz`, `config`, `System.map`, `modules.pack`) and indexes the
/// modules.
pub(crate) fn unpack(packages: &[PathBuf], release: &str, into: &Path) -> Result<ModuleIndex, UnpackError> {
    // what is none, such as an error page in the place of a package, is refused as the package that it should be
    let format = |package: &PathBuf| ContainerFormat::of(package).ok().flatten().unwrap_or(&DEB);
    let parts: Vec<Part> =
        packages.iter().map(|package| Part::Container(package.clone(), format(package))).collect();
    let index = unpack_parts(&parts, release, into)?;
    let names = || packages.iter().map(|package| file_name(package)).collect::<Vec<_>>().join(", ");
    if !into.join("vmlinuz").exists() {
        return Err(UnpackError::NoImage { packages: names() });
    }
    if index.builtin.is_empty() {
        return Err(UnpackError::NoBuiltinList { packages: names(), release: release.to_string() });
    }
    Ok(index)
}

/// Puts what these parts have of the kernel `release` into the folder `into` and indexes the modules. Whether anything was
/// there is not looked at.
pub(crate) fn unpack_parts(parts: &[Part], release: &str, into: &Path) -> Result<ModuleIndex, UnpackError> {
    let pack_path = into.join("modules.pack");
    let failed = |path: &Path, source| UnpackError::Write { path: path.to_path_buf(), source };
    let pack = BufWriter::new(File::create(&pack_path).map_err(|e| failed(&pack_path, e))?);
    let pack = Mutex::new((pack, 0));
    let mut index = ModuleIndex { release: release.to_string(), ..ModuleIndex::default() };
    // each by itself, so that one can be read without the others
    let keep = |bytes: Vec<u8>| {
        let bytes = packed(bytes).map_err(|e| failed(&pack_path, e))?;
        let mut pack = pack.lock();
        let (offset, length) = (pack.1, bytes.len() as u64);
        pack.0.write_all(&bytes).map_err(|e| failed(&pack_path, e))?;
        pack.1 += length;
        Ok((offset, length))
    };
    let modules = index_modules(release, &keep, |submit| {
        let mut files = Files { release, into, index: &mut index, submit };
        for part in parts {
            let (path, done) = match part {
                Part::Image(path) => (path, files.copy_file("vmlinuz", path)),
                Part::Config(path) => (path, files.copy_file("config", path)),
                Part::SystemMap(path) => (path, files.copy_file("System.map", path)),
                Part::Modules(folder) => {
                    (folder, files.add_folder(folder, &format!("lib/modules/{release}")))
                }
                Part::Container(path, format) => {
                    let each = |name: &str, size, contents: &mut dyn Read| {
                        files.add(name, size, contents).map(|()| ControlFlow::Continue(()))
                    };
                    (path, format.for_each_file(path, each))
                }
            };
            done.map_err(|error| match error {
                WalkError::Package(source) => UnpackError::Package { package: file_name(path), source },
                WalkError::Other(error) => error,
            })?;
        }
        Ok::<(), UnpackError>(())
    })?;
    index.modules = modules;
    let (pack, _) = pack.into_inner();
    let pack = pack.into_inner().map_err(|e| failed(&pack_path, e.into_error()))?;
    pack.sync_all().map_err(|e| failed(&pack_path, e))?;
    Ok(index)
}

/// Where a kernel's files go, one by one.
struct Files<'a> {
    release: &'a str,
    into: &'a Path,
    index: &'a mut ModuleIndex,
    submit: &'a mut dyn FnMut(Job),
}

impl Files<'_> {
    /// Takes a file of a package, if it is one of the kernel's.
    fn add(&mut self, path: &str, size: u64, contents: &mut dyn Read) -> Result<(), WalkError> {
        let release = self.release;
        let path = path.strip_prefix("usr/").unwrap_or(path);
        let in_tree = path
            .strip_prefix("lib/modules/")
            .and_then(|rest| rest.strip_prefix(release))
            .and_then(|rest| rest.strip_prefix('/'));
        let boot = path.strip_prefix("boot/").and_then(|file| file.strip_suffix(release));
        match (boot, in_tree) {
            // `vmlinux` is what some architectures boot
            (Some("vmlinuz-" | "vmlinux-"), _) | (_, Some("vmlinuz")) => self.copy("vmlinuz", contents)?,
            (Some("config-"), _) | (_, Some("config")) => self.copy("config", contents)?,
            // the stub falls through to what is passed over
            (Some("System.map-"), _) | (_, Some("System.map")) if size > SYSTEM_MAP_STUB => {
                self.copy("System.map", contents)?;
            }
            (_, Some("modules.builtin")) => {
                add_builtin(self.index, &String::from_utf8_lossy(&read_whole(contents, size)?));
            }
            (_, Some("modules.builtin.modinfo")) => {
                add_builtin_modinfo(self.index, &read_whole(contents, size)?);
            }
            (_, Some(in_tree)) if is_module(in_tree) => {
                let bytes = read_whole(contents, size)?;
                (self.submit)(Job { path: in_tree.to_string(), bytes });
            }
            // every package of a kernel has the same
            _ if is_changelog(path) && !self.into.join(CHANGELOG).exists() => {
                self.copy(CHANGELOG, contents)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn copy(&self, name: &str, contents: &mut dyn Read) -> Result<(), WalkError> {
        copy_to(&self.into.join(name), contents, MOST)
    }

    fn copy_file(&self, name: &str, path: &Path) -> Result<(), WalkError> {
        let mut file = File::open(path).map_err(PackageError::from)?;
        // the user's own file has the size that it has, unlike one that is unpacked
        copy_to(&self.into.join(name), &mut file, u64::MAX)
    }

    /// Takes the files of a folder, which is called `name` in packages. Symbolic links, such as `build`, are not followed.
    fn add_folder(&mut self, folder: &Path, name: &str) -> Result<(), WalkError> {
        for entry in fs::read_dir(folder).map_err(PackageError::from)? {
            let entry = entry.map_err(PackageError::from)?;
            let kind = entry.file_type().map_err(PackageError::from)?;
            let name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                self.add_folder(&entry.path(), &name)?;
            } else if kind.is_file() {
                let mut file = File::open(entry.path()).map_err(PackageError::from)?;
                let size = file.metadata().map_err(PackageError::from)?.len();
                self.add(&name, size, &mut file)?;
            }
        }
        Ok(())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_whole(contents: &mut dyn Read, size: u64) -> Result<Vec<u8>, WalkError> {
    read_at_most(contents, size, MOST)
}

fn read_at_most(contents: &mut dyn Read, size: u64, most: u64) -> Result<Vec<u8>, WalkError> {
    let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
    let read = contents.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| WalkError::Package(error.into()))?;
    if bytes.len() as u64 > most {
        return Err(WalkError::Package(PackageError::TooLarge { most: most >> 20 }));
    }
    Ok(bytes)
}

/// Copies in two steps, to tell a damaged package from a full disk.
fn copy_to(path: &Path, contents: &mut dyn Read, most: u64) -> Result<(), WalkError> {
    let bytes = read_at_most(contents, 0, most)?;
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    write().map_err(|source| {
        let _ = fs::remove_file(path);
        WalkError::Other(UnpackError::Write { path: path.to_path_buf(), source })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures::{bzimage, deb, kernel_deb, module, vmlinux, zstd};
    use crate::kernel::{ModuleState, ModuleTree};

    fn written(folder: &Path, packages: &[Vec<u8>]) -> Vec<PathBuf> {
        let write = |(number, bytes): (usize, &Vec<u8>)| {
            let path = folder.join(format!("package-{number}.deb"));
            fs::write(&path, bytes).expect("the temporary folder is writable");
            path
        };
        packages.iter().enumerate().map(write).collect()
    }

    #[test]
    fn unpacks_a_kernel_and_indexes_its_modules() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let into = folder.path();
        let packages = written(into, &[kernel_deb("6.17.13-x")]);
        let index = unpack(&packages, "6.17.13-x", into).expect("a good package");
        assert!(into.join("vmlinuz").is_file() && into.join("config").is_file());
        assert!(!into.join("System.map").exists(), "a stub is no map");

        let tree = ModuleTree::packed(index, &into.join("modules.pack"));
        let table = [
            ("user_mod", ModuleState::Loadable),
            ("user-mod", ModuleState::Loadable),
            ("base-alias", ModuleState::Loadable),
            ("built-in", ModuleState::Builtin),
            ("built_alias", ModuleState::Builtin),
            ("zfs", ModuleState::Missing),
        ];
        for (name, state) in table {
            assert_eq!(tree.find(name), state, "{name}");
        }
        let order = tree.load_order(&["user-mod", "base_alias", "built_in"]).expect("all are there");
        let names: Vec<&str> = order.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["soft", "base_mod", "user_mod"]);
        for file in &order {
            assert!(tree.read(file).expect("it is stored").starts_with(b"\x7fELF"), "{}", file.path_in_tree);
        }
    }

    #[test]
    fn puts_a_kernel_of_several_packages_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let elf = vmlinux(true);
        let binary = deb(&[("usr/lib/modules/7.2/vmlinuz", &bzimage("7.2", &zstd(&elf), elf.len() as u32))]);
        let null_blk = module(&[("name", "null_blk"), ("vermagic", "7.2 SMP")]);
        let modules = deb(&[("usr/lib/modules/7.2/kernel/null_blk.ko", &null_blk)]);
        let base = deb(&[("usr/lib/modules/7.2/modules.builtin", b"kernel/fs/ext4/ext4.ko\n")]);
        let packages = written(folder.path(), &[binary, modules, base]);
        let index = unpack(&packages, "7.2", folder.path()).expect("good packages");
        assert_eq!(index.modules.len(), 1);
        assert!(index.builtin.contains("ext4"));

        let error = unpack(&packages[..2], "7.2", folder.path()).expect_err("the base package is missing");
        insta::assert_snapshot!(error, @"there is no list of built-in modules (modules.builtin) in package-0.deb, package-1.deb: the package linux-base-7.2 has left Debian's package index; choose another version");
    }

    #[test]
    fn says_what_is_wrong_with_a_package() {
        let good = kernel_deb("6.17.13");
        let other = module(&[("name", "alien"), ("vermagic", "6.12.1 SMP")]);
        let mut corrupt = good.clone();
        let middle = corrupt.len() / 2;
        corrupt[middle..middle + 30].fill(0x55);
        let cases = [
            ("truncated", good[..good.len() - 100].to_vec()),
            ("cut in a header", good[..100].to_vec()),
            ("corrupt", corrupt),
            ("text", b"<html>404</html>".to_vec()),
            ("no vmlinuz", deb(&[("lib/modules/6.17.13/modules.builtin", b"a.ko\n")])),
            ("other release", deb(&[("lib/modules/6.17.13/kernel/alien.ko", &other)])),
            ("broken module", deb(&[("lib/modules/6.17.13/kernel/bad.ko", b"hello")])),
        ];
        let mut said = String::new();
        for (name, package) in cases {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let packages = written(folder.path(), &[package]);
            let error = unpack(&packages, "6.17.13", folder.path()).expect_err(name);
            said += &format!("{name}: {error}\n");
        }
        insta::assert_snapshot!(said, @"
        truncated: package package-0.deb: it is truncated: member data.tar.xz needs 1044 bytes and 944 are left; fetch the kernel again
        cut in a header: package package-0.deb: it is truncated: member data.tar needs 60 bytes and 28 are left; fetch the kernel again
        corrupt: package package-0.deb: it cannot be read: lzma data error; fetch the kernel again
        text: package package-0.deb: it is no Debian package: it does not start with `!<arch>`; fetch the kernel again
        no vmlinuz: there is no kernel image (vmlinuz) in package-0.deb; it is no kernel, choose another version
        other release: module `kernel/alien.ko` was built for 6.12.1, the kernel is 6.17.13; give the modules folder of this kernel
        broken module: module `kernel/bad.ko` is corrupt: no 64-bit ELF file: Invalid ELF header size or alignment; fetch the kernel again
        ");
    }

    #[test]
    fn a_file_that_unpacks_without_end_is_refused() {
        let error = read_at_most(&mut io::repeat(0), u64::MAX, 3 << 20).map(|bytes| bytes.len());
        let Err(WalkError::Package(error)) = error else { panic!("{:?}", error.ok()) };
        insta::assert_snapshot!(error, @"a file in it has more than 3 MiB, which no kernel's has");
        assert_eq!(read_at_most(&mut &b"abc"[..], 3, 3).ok(), Some(b"abc".to_vec()));
    }

    #[test]
    fn says_which_file_does_not_fit_on_the_disk() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let packages = written(folder.path(), &[kernel_deb("6.17.13")]);
        // every write to this device fails as on a full disk
        std::os::unix::fs::symlink("/dev/full", folder.path().join("vmlinuz")).expect("a link can be made");
        let error = unpack(&packages, "6.17.13", folder.path()).expect_err("no room");
        let said = error.to_string().replace(&folder.path().display().to_string(), "STORE");
        insta::assert_snapshot!(said, @"cannot write STORE/vmlinuz: No space left on device (os error 28); make room (kregress cache gc) or choose another folder with KREGRESS_CACHE");
    }
}
