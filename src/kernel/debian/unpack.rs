//! Unpacks a kernel's packages into a folder of the store: image, configuration and modules, and nothing else.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::deb::{DebError, for_each_file};
use crate::kernel::index::{Job, add_builtin, add_builtin_modinfo, index_modules, is_module};
use crate::kernel::modules::{ModuleError, ModuleIndex};

/// Debian's packages have a stub of a line in the place of System.map; a real one has megabytes.
const SYSTEM_MAP_STUB: u64 = 4096;

/// Why packages could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A package is damaged.
    #[error("package {package}: {source}; fetch the kernel again")]
    Package {
        /// The package's file name.
        package: String,
        /// What is wrong with it.
        source: DebError,
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
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Carries a [`DebError`] out of the walk until the package's name is known.
enum Inner {
    Deb(DebError),
    Other(UnpackError),
}

impl From<DebError> for Inner {
    fn from(error: DebError) -> Self {
        Inner::Deb(error)
    }
}

/// Unpacks `packages` into the folder `into` (`vmlinuz`, `config`, `System.map`, `modules.pack`) and indexes the modules.
pub(crate) fn unpack(packages: &[PathBuf], release: &str, into: &Path) -> Result<ModuleIndex, UnpackError> {
    let pack_path = into.join("modules.pack");
    let failed = |path: &Path, source| UnpackError::Write { path: path.to_path_buf(), source };
    let mut pack = BufWriter::new(File::create(&pack_path).map_err(|e| failed(&pack_path, e))?);
    let mut index = ModuleIndex { release: release.to_string(), ..ModuleIndex::default() };
    let mut image = false;
    let mut offset = 0;
    let modules_folder = format!("lib/modules/{release}/");

    let modules = index_modules(release, |submit| {
        for package in packages {
            for_each_file(package, |path, size, contents| {
                let path = path.strip_prefix("usr/").unwrap_or(path);
                let in_tree = path.strip_prefix(&modules_folder);
                let copy = |name: &str, contents: &mut dyn Read| copy_to(&into.join(name), contents);
                match in_tree {
                    _ if path == format!("boot/vmlinuz-{release}") || in_tree == Some("vmlinuz") => {
                        image = true;
                        copy("vmlinuz", contents)?;
                    }
                    _ if path == format!("boot/config-{release}") || in_tree == Some("config") => {
                        copy("config", contents)?;
                    }
                    // the stub falls through to what is passed over
                    _ if size > SYSTEM_MAP_STUB
                        && (path == format!("boot/System.map-{release}")
                            || in_tree == Some("System.map")) =>
                    {
                        copy("System.map", contents)?;
                    }
                    Some("modules.builtin") => {
                        add_builtin(&mut index, &String::from_utf8_lossy(&read_whole(contents, size)?));
                    }
                    Some("modules.builtin.modinfo") => {
                        add_builtin_modinfo(&mut index, &read_whole(contents, size)?)
                    }
                    Some(in_tree) if is_module(in_tree) => {
                        let bytes = read_whole(contents, size)?;
                        pack.write_all(&bytes).map_err(|e| Inner::Other(failed(&pack_path, e)))?;
                        let job = Job { path: in_tree.to_string(), offset, bytes };
                        offset += job.bytes.len() as u64;
                        submit(job);
                    }
                    _ => {}
                }
                Ok(())
            })
            .map_err(|error| match error {
                Inner::Deb(source) => UnpackError::Package { package: file_name(package), source },
                Inner::Other(error) => error,
            })?;
        }
        Ok::<(), UnpackError>(())
    })?;
    index.modules = modules;
    let pack = pack.into_inner().map_err(|e| failed(&pack_path, e.into_error()))?;
    pack.sync_all().map_err(|e| failed(&pack_path, e))?;
    let names = || packages.iter().map(|package| file_name(package)).collect::<Vec<_>>().join(", ");
    if !image {
        return Err(UnpackError::NoImage { packages: names() });
    }
    if index.builtin.is_empty() {
        return Err(UnpackError::NoBuiltinList { packages: names(), release: release.to_string() });
    }
    Ok(index)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_whole(contents: &mut dyn Read, size: u64) -> Result<Vec<u8>, Inner> {
    let mut bytes = Vec::with_capacity(size.min(1 << 28) as usize);
    contents.read_to_end(&mut bytes).map_err(|error| Inner::Deb(error.into()))?;
    Ok(bytes)
}

/// Copies in two steps, to tell a damaged package from a full disk.
fn copy_to(path: &Path, contents: &mut dyn Read) -> Result<(), Inner> {
    let bytes = read_whole(contents, 0)?;
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    write().map_err(|source| {
        let _ = fs::remove_file(path);
        Inner::Other(UnpackError::Write { path: path.to_path_buf(), source })
    })
}
