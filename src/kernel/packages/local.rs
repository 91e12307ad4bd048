//! Kernels that the user names by a file or folder.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use kernel_modules::{Image, ImageError, KernelConfig, ModuleIndex, ModuleTree, index_folder};

use super::files::{self, FileError, Part};
use super::unpack::unpack_parts;
use crate::arch::{ARCHES, Arch, GUEST};
use crate::kernel::store::{measure, sha256, write_whole};
use crate::kernel::{Kernel, KernelError, KernelOrigin, StoreError};
use crate::version::{KernelVersion, Upstream};

/// A kernel in files of the user's that has been looked at.
#[derive(Debug, Clone)]
pub(crate) struct LocalKernel {
    /// What the user gave: a file or a folder.
    pub given: PathBuf,
    pub release: String,
    /// SHA-256 of the image, or of everything that is unpacked.
    pub digest: String,
    pub arch: &'static Arch,
    pub files: LocalFiles,
}

/// How the files of a kernel are used.
#[derive(Debug, Clone)]
pub(crate) enum LocalFiles {
    /// Where they are: the image, and the folder with modules, as given.
    InPlace { image: PathBuf, modules: Option<PathBuf> },
    /// Packages and archives: they have to be unpacked into the store.
    Packed(Vec<Part>),
}

/// Finds the parts of a kernel and its release. Of packages no more is read than that takes, and what their digest takes.
pub(crate) fn inspect(given: &Path, modules: Option<&Path>) -> Result<LocalKernel, KernelError> {
    let mut parts = files::parts(given, modules)?;
    let mut release = None;
    if let Some(Part::Image(image)) = parts.first() {
        let data = read(image)?;
        let found = release_of_image(image, &data)?;
        let arch = arch_of_image(image, &data)?;
        if !parts.iter().any(|part| matches!(part, Part::Container(..))) {
            let modules = parts.iter().find_map(|part| match part {
                Part::Modules(folder) => Some(folder.clone()),
                _ => None,
            });
            if let Some(folder) = &modules {
                modules_folder(folder, &found)?;
            }
            let files = LocalFiles::InPlace { image: image.clone(), modules };
            return Ok(LocalKernel {
                given: given.to_path_buf(),
                release: found,
                digest: sha256(&data),
                arch,
                files,
            });
        }
        release = Some((found, Some(arch)));
    }
    for part in &parts {
        if release.is_none() {
            release = files::release_of(part)?.map(|release| (release, None));
        }
    }
    let Some((release, arch)) = release else {
        return Err(FileError::NoKernel { path: given.to_path_buf() }.into());
    };
    for part in &mut parts {
        if let Part::Modules(folder) = part {
            *folder = modules_folder(folder, &release)?;
        }
    }
    let digest = digest_of(&parts)?;
    // the image alone is sure; until it is unpacked the release's end is what there is
    let by_name = || ARCHES.iter().copied().find(|arch| release.ends_with(&format!("-{}", arch.flavour)));
    let arch = arch.or_else(by_name).unwrap_or(GUEST);
    Ok(LocalKernel { given: given.to_path_buf(), release, digest, arch, files: LocalFiles::Packed(parts) })
}

/// The release of an image.
pub(crate) fn release_of_image(path: &Path, data: &[u8]) -> Result<String, KernelError> {
    let failed = |source| KernelError::Image { path: path.to_path_buf(), source };
    let parsed = Image::parse(data).map_err(failed)?;
    let release = parsed.release().map(String::from).or_else(|| banner_release(data));
    release.ok_or_else(|| failed(ImageError::NotAKernel("no release string is in it")))
}

/// What an image runs on.
pub(crate) fn arch_of_image(path: &Path, data: &[u8]) -> Result<&'static Arch, KernelError> {
    let failed = |source| KernelError::Image { path: path.to_path_buf(), source };
    let name = Image::parse(data).map_err(failed)?.architecture();
    let of_none = || failed(ImageError::NotAKernel("an ELF file of an architecture that is not known here"));
    name.and_then(Arch::named).ok_or_else(of_none)
}

/// A digest over all files of these parts.
fn digest_of(parts: &[Part]) -> Result<String, KernelError> {
    let mut text = String::new();
    let mut add = |name: &str, path: &Path| {
        let found = measure(path).map_err(|source| KernelError::Read { path: path.to_path_buf(), source })?;
        // writing to a string cannot fail
        let _ = writeln!(text, "{name} {}", found.sha256);
        Ok::<(), KernelError>(())
    };
    for part in parts {
        match part {
            Part::Image(path) => add("image", path)?,
            Part::Config(path) => add("config", path)?,
            Part::SystemMap(path) => add("System.map", path)?,
            Part::Container(path, _) => add("package", path)?,
            Part::Modules(folder) => {
                let files = files_below(folder)
                    .map_err(|source| KernelError::Read { path: folder.clone(), source })?;
                for path in files {
                    add(&path.strip_prefix(folder).unwrap_or(&path).to_string_lossy(), &path)?;
                }
            }
        }
    }
    Ok(sha256(text.as_bytes()))
}

/// The regular files below a folder, sorted; symbolic links are not followed.
fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Unpacks the parts of a kernel into the folder `into` of the store, and looks whether they belong together.
pub(crate) fn unpack(local: &LocalKernel, parts: &[Part], into: &Path) -> Result<ModuleIndex, KernelError> {
    let (path, release) = (|| local.given.clone(), || local.release.clone());
    let index = unpack_parts(parts, &local.release, into)?;
    let image = into.join("vmlinuz");
    if !image.exists() {
        return Err(FileError::NoImage { path: path(), release: release() }.into());
    }
    let found = release_of_image(&local.given, &read(&image)?)?;
    if found != local.release {
        return Err(FileError::OtherImage { path: path(), image: found, release: release() }.into());
    }
    let arch = arch_of_image(&local.given, &read(&image)?)?;
    if arch != local.arch {
        let (image, release) =
            (format!("{} for {}", local.release, arch.debian), local.arch.debian.to_owned());
        return Err(FileError::OtherImage { path: path(), image, release }.into());
    }
    if index.builtin.is_empty() && !index.modules.is_empty() {
        return Err(FileError::NoBuiltinList { path: path(), release: release() }.into());
    }
    Ok(index)
}

/// Makes an image usable where it is; what has to be computed for it is kept under `cache`.
pub(crate) fn load(
    local: &LocalKernel,
    (image, modules): (&Path, Option<&Path>),
    name: &str,
    cache: &Path,
) -> Result<Kernel, KernelError> {
    let data = read(image)?;
    let failed = |source| KernelError::Image { path: image.to_path_buf(), source };
    let parsed = Image::parse(&data).map_err(failed)?;
    let kept = cache.join("local").join(&local.digest);
    let vmlinux = if data.starts_with(b"\x7fELF") {
        None
    } else {
        let path = kept.join("vmlinux");
        if path.is_file() {
            Some(path)
        } else {
            match parsed.uncompressed().map_err(failed)? {
                Some(elf) => {
                    let write = || {
                        fs::create_dir_all(&kept)?;
                        write_whole(&path, &elf)
                    };
                    write().map_err(|source| StoreError::Io { what: "write", path: path.clone(), source })?;
                    Some(path)
                }
                None => None,
            }
        }
    };
    let folder = modules.map(|folder| modules_folder(folder, &local.release)).transpose()?;
    let modules = match &folder {
        Some(folder) => ModuleTree::in_folder(index_folder(&local.release, folder)?, folder),
        None => ModuleTree::unknown(&local.release),
    };
    let nothing = Upstream::Release { major: 0, minor: 0, patch: 0, rc: None };
    Ok(Kernel {
        name: name.to_string(),
        release: local.release.clone(),
        version: local.release.parse().unwrap_or_else(|_| KernelVersion::upstream_only(nothing)),
        arch: local.arch,
        flavour: None,
        image: image.to_path_buf(),
        vmlinux,
        config: find_config(image, &local.release, folder.as_deref()),
        system_map: None,
        modules,
        origin: KernelOrigin::Local { image: image.to_path_buf(), modules: folder },
        digest: local.digest.clone(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, KernelError> {
    fs::read(path).map_err(|source| KernelError::Read { path: path.to_path_buf(), source })
}

/// The release in the banner that every kernel prints first; an ELF kernel has no header to look in.
fn banner_release(data: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"Linux version ";
    memchr::memmem::find_iter(data, BANNER)
        .filter_map(|at| {
            let text = &data[at + BANNER.len()..];
            let text = &text[..text.iter().take(256).position(|byte| *byte == b' ')?];
            std::str::from_utf8(text).ok()
        })
        // the same words are elsewhere as a format string
        .find(|release| release.parse::<KernelVersion>().is_ok())
        .map(String::from)
}

/// Finds the `lib/modules/RELEASE` folder from what the user gave: itself, or the root it was installed into.
fn modules_folder(given: &Path, release: &str) -> Result<PathBuf, KernelError> {
    let places = ["", release, &format!("lib/modules/{release}"), &format!("usr/lib/modules/{release}")]
        .map(|below| given.join(below));
    let holds_modules = |folder: &&PathBuf| {
        ["kernel", "modules.builtin", "modules.order"].iter().any(|name| folder.join(name).exists())
    };
    places.iter().find(holds_modules).cloned().ok_or_else(|| KernelError::Read {
        path: given.to_path_buf(),
        source: std::io::Error::new(
            std::io::ErrorKind::NotFound,
            format!(
                "no modules of {release} there; expected a lib/modules/{release} folder \
                 (make modules_install INSTALL_MOD_PATH=DIR makes one)"
            ),
        ),
    })
}

/// The configuration, where it usually is: with the modules, beside the image, or at the top of a build tree.
fn find_config(image: &Path, release: &str, modules: Option<&Path>) -> Option<KernelConfig> {
    let beside = image.parent().unwrap_or(Path::new("."));
    let mut places = vec![beside.join(format!("config-{release}"))];
    places.extend(modules.map(|folder| folder.join("config")));
    places.extend(["config", ".config", "kernel.config", "../../../.config"].map(|below| beside.join(below)));
    places
        .iter()
        .filter_map(|place| fs::read(place).ok())
        .map(|text| KernelConfig::parse(&String::from_utf8_lossy(&text)))
        .find(|config| !config.is_empty())
}
