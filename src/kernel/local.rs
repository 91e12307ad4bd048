//! Kernels that the user names by a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::bzimage::{Image, ImageError};
use super::index::index_folder;
use super::store::{sha256, write_whole};
use super::{Kernel, KernelConfig, KernelError, ModuleTree, Origin, StoreError};
use crate::version::{KernelVersion, Upstream};

/// A local image that has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalImage {
    pub image: PathBuf,
    /// The folder that the user gave, as given.
    pub modules: Option<PathBuf>,
    pub release: String,
    pub digest: String,
}

/// Reads the image's header and finds its release.
pub(crate) fn inspect(image: &Path, modules: Option<&Path>) -> Result<LocalImage, KernelError> {
    let data = read(image)?;
    let parsed =
        Image::parse(&data).map_err(|source| KernelError::Image { path: image.to_path_buf(), source })?;
    let release = parsed.release().map(String::from).or_else(|| banner_release(&data));
    let release = release.ok_or_else(|| KernelError::Image {
        path: image.to_path_buf(),
        source: ImageError::NotAKernel("no release string is in it"),
    })?;
    if let Some(folder) = modules {
        modules_folder(folder, &release)?;
    }
    let (image, modules) = (image.to_path_buf(), modules.map(Path::to_path_buf));
    Ok(LocalImage { image, modules, release, digest: sha256(&data) })
}

/// Makes a local image usable; what has to be computed for it is kept under `cache`.
pub(crate) fn load(local: &LocalImage, name: &str, cache: &Path) -> Result<Kernel, KernelError> {
    let data = read(&local.image)?;
    let failed = |source| KernelError::Image { path: local.image.clone(), source };
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
    let folder = local.modules.as_deref().map(|folder| modules_folder(folder, &local.release)).transpose()?;
    let modules = match &folder {
        Some(folder) => ModuleTree::in_folder(index_folder(&local.release, folder)?, folder),
        None => ModuleTree::unknown(&local.release),
    };
    let nothing = Upstream::Release { major: 0, minor: 0, patch: 0, rc: None };
    Ok(Kernel {
        name: name.to_string(),
        release: local.release.clone(),
        version: local.release.parse().unwrap_or_else(|_| KernelVersion::upstream_only(nothing)),
        flavour: None,
        image: local.image.clone(),
        vmlinux,
        config: find_config(local, folder.as_deref()),
        system_map: None,
        modules,
        origin: Origin::Local { image: local.image.clone(), modules: folder },
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
fn find_config(local: &LocalImage, modules: Option<&Path>) -> Option<KernelConfig> {
    let beside = local.image.parent().unwrap_or(Path::new("."));
    let mut places = vec![beside.join(format!("config-{}", local.release))];
    places.extend(modules.map(|folder| folder.join("config")));
    places.extend(["config", ".config", "../../../.config"].map(|below| beside.join(below)));
    places
        .iter()
        .filter_map(|place| fs::read(place).ok())
        .map(|text| KernelConfig::parse(&String::from_utf8_lossy(&text)))
        .find(|config| !config.is_empty())
}
