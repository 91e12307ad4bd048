//! Kernels as people have them in files: an image, a package, an archive, or a folder that a build has filled.
//!
//! | given | what it is |
//! | --- | --- |
//! | `bzImage`, `vmlinuz`, `vmlinux` | an image; its modules are in `--modules`, or unknown |
//! | `linux-image-….deb`, `kernel-core-….rpm` | a package of a distribution's or of `make bindeb-pkg`, `binrpm-pkg` |
//! | `linux-….tar`, `.tar.gz`, `.tar.xz`, `.tar.zst` | what `make tar-pkg` writes, or any archive with the same paths |
//! | a folder with an image | with `modules.tar.xz` and `config` beside it (TuxMake, KernelCI), or `lib/modules/RELEASE` |
//! | a folder with packages | those of one kernel together |

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::container::{ContainerFormat, PackageError};
use crate::arch::GUEST;

/// One of the files that a kernel consists of.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Its image.
    Image(PathBuf),
    /// Its configuration.
    Config(PathBuf),
    /// Its symbols.
    SystemMap(PathBuf),
    /// A package or archive with some of the others.
    Container(PathBuf, &'static ContainerFormat),
    /// A folder `lib/modules/RELEASE`.
    Modules(PathBuf),
}

/// Why files are no kernel.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A package is damaged.
    #[error("{path}: {source}; get the file again")]
    Package {
        /// The package or archive.
        path: PathBuf,
        /// What is wrong with it.
        source: PackageError,
    },
    /// There is no kernel's file at all.
    #[error(
        "{path}: there is no kernel in it: expected boot/vmlinuz-RELEASE, lib/modules/RELEASE/vmlinuz, or modules of a kernel that is given with it"
    )]
    NoKernel {
        /// The package or archive.
        path: PathBuf,
    },
    /// There are modules or a configuration, and no image.
    #[error(
        "{path} has files of {release}, but not its image (boot/vmlinuz-{release}, lib/modules/{release}/vmlinuz); give the package or file that has the image, and this one with --modules"
    )]
    NoImage {
        /// What was given.
        path: PathBuf,
        /// The release that its files name.
        release: String,
    },
    /// The image is another kernel's than the files around it.
    #[error("{path}: the image is of {image}, the files with it are of {release}; give those of one kernel")]
    OtherImage {
        /// What was given.
        path: PathBuf,
        /// The image's release.
        image: String,
        /// The release that the paths name.
        release: String,
    },
    /// Nobody could tell a built-in module from a missing one.
    #[error(
        "{path} has modules of {release} without their list of built-in ones (modules.builtin), so that a missing module looks like a built-in one; `make modules_install` writes it"
    )]
    NoBuiltinList {
        /// What was given.
        path: PathBuf,
        /// The kernel's release.
        release: String,
    },
    /// A folder has no kernel.
    #[error(
        "the folder {path} has no kernel: expected an image ({}, vmlinuz, boot/vmlinuz-RELEASE), with modules.tar.xz or lib/modules/RELEASE beside it, or the .deb or .rpm packages of one kernel",
        GUEST.image.name
    )]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There are several kernels.
    #[error("{path} has several kernels: {releases}; give one of them")]
    Several {
        /// The folder.
        path: PathBuf,
        /// Their releases, or files.
        releases: String,
    },
}

/// Configurations by their names there: of TuxMake, of KernelCI, of a build tree.
const CONFIGS: &[&str] = &["config", "kernel.config", ".config"];

/// Archives of modules by their names there.
const MODULES: &[&str] = &["modules.tar.xz", "modules.tar.zst", "modules.tar.gz", "modules.tar"];

/// The parts that `given` consists of, with those of `modules`, which may be a folder or a package, too. An image comes
/// first.
pub(crate) fn parts(given: &Path, modules: Option<&Path>) -> Result<Vec<Part>, FileError> {
    let mut parts = match is_folder(given)? {
        true => parts_of_folder(given)?,
        false => vec![part_of_file(given)?],
    };
    if let Some(modules) = modules {
        parts.retain(|part| !matches!(part, Part::Modules(_)));
        // one that does not exist is missed when the release is known that should be in it
        match modules.is_file() {
            true => parts.push(part_of_file(modules)?),
            false if !modules.is_dir() => parts.push(Part::Modules(modules.to_path_buf())),
            false => {
                let packages = packages_in(modules)?;
                match packages.is_empty() {
                    true => parts.push(Part::Modules(modules.to_path_buf())),
                    false => parts.extend(packages),
                }
            }
        }
    }
    Ok(parts)
}

fn is_folder(path: &Path) -> Result<bool, FileError> {
    let meta = fs::metadata(path).map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
    Ok(meta.is_dir())
}

fn part_of_file(path: &Path) -> Result<Part, FileError> {
    let format =
        ContainerFormat::of(path).map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
    Ok(match format {
        Some(format) => Part::Container(path.to_path_buf(), format),
        None => Part::Image(path.to_path_buf()),
    })
}

fn parts_of_folder(folder: &Path) -> Result<Vec<Part>, FileError> {
    let first = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let places = GUEST.image.places();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let Some(image) = first(&places).map(Ok).or_else(|| versioned_image(folder).transpose()).transpose()?
    else {
        return packages_of_one_kernel(folder);
    };
    let beside = |start: &str| {
        let name = image.file_name()?.to_str()?.strip_prefix("vmlinuz")?.to_string();
        Some(image.with_file_name(format!("{start}{name}"))).filter(|path| path.is_file())
    };
    let mut parts = vec![Part::Image(image.clone())];
    parts.extend(beside("config").or_else(|| first(CONFIGS)).map(Part::Config));
    parts.extend(beside("System.map").or_else(|| first(&["System.map"])).map(Part::SystemMap));
    if let Some(archive) = first(MODULES) {
        parts.push(part_of_file(&archive)?);
    } else if ["lib/modules", "usr/lib/modules"].iter().any(|below| folder.join(below).is_dir()) {
        parts.push(Part::Modules(folder.to_path_buf()));
    }
    Ok(parts)
}

/// The one image that is named after its release, as `make install` names it.
fn versioned_image(folder: &Path) -> Result<Option<PathBuf>, FileError> {
    let mut found = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("boot")] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let is_image = |path: &PathBuf| {
            path.is_file()
                && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
        };
        found.extend(entries.flatten().map(|entry| entry.path()).filter(is_image));
    }
    found.sort();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(several(folder, found.iter().map(|path| path.display().to_string()))),
    }
}

fn several(path: &Path, releases: impl Iterator<Item = String>) -> FileError {
    FileError::Several { path: path.to_path_buf(), releases: releases.collect::<Vec<_>>().join(", ") }
}

/// The packages of a folder that can have something of a kernel. Debug information, headers and tools are left out by
/// their names: they are large, and say nothing.
fn packages_in(folder: &Path) -> Result<Vec<Part>, FileError> {
    let entries =
        fs::read_dir(folder).map_err(|source| FileError::Read { path: folder.to_path_buf(), source })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let useless = [
            "-dbg_",
            "-dbgsym_",
            "debuginfo",
            "linux-headers-",
            "linux-libc-dev",
            "kernel-devel",
            "-headers-",
        ];
        (name.ends_with(".deb") || name.ends_with(".rpm")) && !useless.iter().any(|word| name.contains(word))
    };
    let mut parts = Vec::new();
    for path in paths.into_iter().filter(is_wanted) {
        if let part @ Part::Container(..) = part_of_file(&path)? {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn packages_of_one_kernel(folder: &Path) -> Result<Vec<Part>, FileError> {
    let mut parts = Vec::new();
    let mut releases = BTreeSet::new();
    for part in packages_in(folder)? {
        if let Some(release) = release_of(&part)? {
            releases.insert(release);
            parts.push(part);
        }
    }
    match releases.len() {
        0 => Err(FileError::EmptyFolder { path: folder.to_path_buf() }),
        1 => Ok(parts),
        _ => Err(several(folder, releases.into_iter())),
    }
}

/// The release in the first path of a container that has one; `None` for other parts.
pub(crate) fn release_of(part: &Part) -> Result<Option<String>, FileError> {
    let Part::Container(path, format) = part else { return Ok(None) };
    let mut found = None;
    format
        .for_each_file(path, |inner, _, _| {
            found = release_in(inner).map(String::from);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .map_err(|source| FileError::Package { path: path.clone(), source })?;
    Ok(found)
}

/// The release in a path of a package: `boot/vmlinuz-RELEASE`, `lib/modules/RELEASE/…`.
fn release_in(path: &str) -> Option<&str> {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    if let Some((release, rest)) = path.strip_prefix("lib/modules/").and_then(|rest| rest.split_once('/')) {
        return (!rest.is_empty()).then_some(release);
    }
    let file = path.strip_prefix("boot/")?;
    ["vmlinuz-", "vmlinux-", "config-", "System.map-"].iter().find_map(|start| file.strip_prefix(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures::{borrowed, bzimage, deb, kernel_deb, kernel_files, tar, xz};

    #[test]
    fn the_release_is_in_the_paths_of_a_package() {
        let table = [
            ("boot/vmlinuz-6.12.57", Some("6.12.57")),
            ("usr/lib/modules/6.12.57+deb13-amd64/kernel/fs/x.ko", Some("6.12.57+deb13-amd64")),
            ("lib/modules/6.1/vmlinuz", Some("6.1")),
            ("boot/initrd.img-6.1", None),
            ("usr/share/doc/x", None),
            ("lib/modules/6.1", None),
        ];
        for (path, expected) in table {
            assert_eq!(release_in(path), expected, "{path}");
        }
    }

    /// A name, and the files of a folder.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);

    /// What parts a folder with these files has, without the folder's name.
    fn shown(files: &[(&str, &[u8])]) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, contents) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("it is writable");
            fs::write(path, contents).expect("it is writable");
        }
        let shown = match parts(folder.path(), None) {
            Ok(parts) => format!("{parts:?}"),
            Err(error) => error.to_string(),
        };
        shown.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn folders_are_read_as_builds_fill_them() {
        let image = bzimage("6.1", b"", 0);
        let modules = xz(&tar(&[("lib/modules/6.1/modules.builtin", b"x")]));
        let (one, other) = (kernel_deb("6.1"), kernel_deb("6.2"));
        let headers = deb(&[("usr/src/x", b"x")]);
        let table: &[Case] = &[
            (
                "TuxMake",
                &[
                    ("bzImage", &image),
                    ("config", b"x"),
                    ("modules.tar.xz", &modules),
                    ("System.map", b"x"),
                    ("dtbs.tar.xz", b"x"),
                ],
            ),
            ("KernelCI", &[("bzImage", &image), ("kernel.config", b"x"), ("modules.tar.xz", &modules)]),
            (
                "tar-pkg, unpacked",
                &[
                    ("boot/vmlinuz-6.1", &image),
                    ("boot/config-6.1", b"x"),
                    ("lib/modules/6.1/modules.builtin", b"x"),
                ],
            ),
            (
                "bindeb-pkg",
                &[
                    ("linux-image-6.1_1_amd64.deb", &one),
                    ("linux-image-6.1-dbg_1_amd64.deb", &one),
                    ("linux-headers-6.1_1_amd64.deb", &headers),
                    ("tools_1_amd64.deb", &headers),
                ],
            ),
            ("two kernels", &[("a.deb", &one), ("b.deb", &other)]),
            ("two images", &[("vmlinuz-6.1", &image), ("vmlinuz-6.2", &image)]),
            ("none", &[("README", b"x")]),
        ];
        let said: Vec<String> =
            table.iter().map(|(name, files)| format!("{name}: {}", shown(files))).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        TuxMake: [Image("DIR/bzImage"), Config("DIR/config"), SystemMap("DIR/System.map"), Container("DIR/modules.tar.xz", tar archive)]
        KernelCI: [Image("DIR/bzImage"), Config("DIR/kernel.config"), Container("DIR/modules.tar.xz", tar archive)]
        tar-pkg, unpacked: [Image("DIR/boot/vmlinuz-6.1"), Config("DIR/boot/config-6.1"), Modules("DIR")]
        bindeb-pkg: [Container("DIR/linux-image-6.1_1_amd64.deb", Debian package)]
        two kernels: DIR has several kernels: 6.1, 6.2; give one of them
        two images: DIR has several kernels: DIR/vmlinuz-6.1, DIR/vmlinuz-6.2; give one of them
        none: the folder DIR has no kernel: expected an image (bzImage, vmlinuz, boot/vmlinuz-RELEASE), with modules.tar.xz or lib/modules/RELEASE beside it, or the .deb or .rpm packages of one kernel
        "#);
    }

    #[test]
    fn a_kernels_files_in_a_package_name_its_release() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.tar");
        fs::write(&path, tar(&borrowed(&kernel_files("6.1.7")))).expect("it is writable");
        let parts = parts(&path, None).expect("an archive");
        assert_eq!(release_of(&parts[0]).expect("it is readable").as_deref(), Some("6.1.7"));
    }
}
