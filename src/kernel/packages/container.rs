//! Files that hold a kernel's files: what each kind starts with, and a walk through its contents.
//!
//! [`FORMATS`] is the table. Another kind of package is one more row, and a function that walks through it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use kernel_modules::Compression;

use super::{deb, rpm};

/// What is wrong with a package or an archive, without its name.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No Debian package at all.
    #[error("it is no Debian package: {0}")]
    NotAPackage(&'static str),
    /// No rpm package, or one whose headers are damaged.
    #[error("it is no rpm package: {0}")]
    NotAnRpm(&'static str),
    /// The file ends before its last member does.
    #[error("it is truncated: member {member} needs {expected} bytes and {found} are left")]
    Truncated {
        /// Name of the member.
        member: String,
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that the file has left.
        found: u64,
    },
    /// A file in it is larger than any that kernels have.
    #[error("a file in it has more than {most} MiB, which no kernel's has")]
    TooLarge {
        /// The bound.
        most: u64,
    },
    /// The system cannot read it, or decompression failed.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Gets a regular file of a container: its path, without `./` or `/` in front, its size in bytes, its contents.
pub(crate) type EntryVisitor<'a> = dyn FnMut(&str, u64, &mut dyn Read) -> ControlFlow<()> + 'a;

/// A kind of container.
pub(crate) struct ContainerFormat {
    /// What it is called in messages.
    pub name: &'static str,
    /// Whether a file is one, by its first bytes, decompressed if they are compressed.
    is: fn(raw: &[u8], inflated: &[u8]) -> bool,
    /// Shows every regular file, until the visitor breaks off.
    walk: fn(&Path, &mut EntryVisitor) -> Result<(), PackageError>,
}

/// The containers that kernels come in.
static FORMATS: &[&ContainerFormat] = &[
    &DEB,
    &ContainerFormat { name: "rpm package", is: |raw, _| raw.starts_with(rpm::MAGIC), walk: rpm::walk },
    // `ustar` is at this place in the formats of POSIX and of GNU tar
    &ContainerFormat {
        name: "tar archive",
        is: |_, inflated| inflated.get(257..262) == Some(b"ustar"),
        walk: walk_tar,
    },
];

/// Debian's packages.
pub(crate) static DEB: ContainerFormat = ContainerFormat {
    name: "Debian package",
    is: |raw, _| raw.starts_with(b"!<arch>\ndebian"),
    walk: deb::walk,
};

/// How much of a file is looked at, bytes: a header of tar.
const START: u64 = 512;

impl std::fmt::Debug for ContainerFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl ContainerFormat {
    /// The format of a file; `None` if it is no container.
    pub(crate) fn of(path: &Path) -> io::Result<Option<&'static ContainerFormat>> {
        let mut raw = Vec::new();
        File::open(path)?.take(START).read_to_end(&mut raw)?;
        let mut inflated = Vec::new();
        if let Some(compression) = Compression::of(&raw) {
            // what cannot be decompressed is no container; what it is says whoever reads it
            let read = compression.reader(File::open(path)?);
            let _ = read.and_then(|reader| reader.take(START).read_to_end(&mut inflated));
        } else {
            inflated.clone_from(&raw);
        }
        Ok(FORMATS.iter().copied().find(|format| (format.is)(&raw, &inflated)))
    }

    /// Calls `each` with every regular file of the container, until one breaks off.
    pub(crate) fn for_each_file<E: From<PackageError>>(
        &self,
        container: &Path,
        mut each: impl FnMut(&str, u64, &mut dyn Read) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut failure = None;
        let walked = (self.walk)(container, &mut |path, size, contents| {
            each(path, size, contents).unwrap_or_else(|error| {
                failure = Some(error);
                ControlFlow::Break(())
            })
        });
        match failure {
            Some(error) => Err(error),
            None => walked.map_err(E::from),
        }
    }
}

fn walk_tar(path: &Path, each: &mut EntryVisitor) -> Result<(), PackageError> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start)?;
    let file = io::BufReader::with_capacity(1 << 20, File::open(path)?);
    match Compression::of(&start) {
        Some(compression) => entries_of_tar(compression.reader(file)?, each),
        None => entries_of_tar(file, each),
    }
}

/// Shows every regular file of an uncompressed tar archive.
pub(super) fn entries_of_tar(archive: impl Read, each: &mut EntryVisitor) -> Result<(), PackageError> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        // no file that kernels need has such a name
        let Some(path) = path.to_str().map(in_package) else { continue };
        if each(path, entry.size(), &mut entry).is_break() {
            break;
        }
    }
    Ok(())
}

/// A path without what some tools put in front of it.
pub(super) fn in_package(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures::{kernel_deb, rpm, tar, xz, zstd};

    #[test]
    fn tells_containers_by_their_contents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files: &[(&str, &[u8])] = &[("boot/vmlinuz-6.1", b"x")];
        let cases: [(&str, Vec<u8>, Option<&str>); 8] = [
            ("deb", kernel_deb("6.1"), Some("Debian package")),
            ("rpm", rpm(files), Some("rpm package")),
            ("tar", tar(files), Some("tar archive")),
            ("tar.xz", xz(&tar(files)), Some("tar archive")),
            ("tar.zst", zstd(&tar(files)), Some("tar archive")),
            ("a compressed text", xz(b"hello"), None),
            ("half a header of xz", xz(b"hello")[..7].to_vec(), None),
            ("nothing", Vec::new(), None),
        ];
        for (name, bytes, expected) in cases {
            let path = folder.path().join("file");
            std::fs::write(&path, bytes).expect("the folder is writable");
            let format = ContainerFormat::of(&path).expect("it is readable");
            assert_eq!(format.map(|format| format.name), expected, "{name}");
        }
    }

    #[test]
    fn every_container_shows_its_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files: &[(&str, &[u8])] = &[("boot/vmlinuz-6.1", b"one"), ("lib/modules/6.1/x.ko", b"two")];
        for (name, bytes) in [("rpm", rpm(files)), ("tar.zst", zstd(&tar(files)))] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("the folder is writable");
            let format = ContainerFormat::of(&path).expect("it is readable").expect("it is a container");
            let mut found = Vec::new();
            format
                .for_each_file::<PackageError>(&path, |path, size, contents| {
                    let mut text = String::new();
                    contents.read_to_string(&mut text)?;
                    found.push(format!("{path} {size} {text}"));
                    Ok(ControlFlow::Continue(()))
                })
                .expect("a good container");
            assert_eq!(found, ["boot/vmlinuz-6.1 3 one", "lib/modules/6.1/x.ko 3 two"], "{name}");
        }
    }
}
