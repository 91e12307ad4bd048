//! A folder of the host for a guest, read-only.
//!
//! It travels as a disk that holds a copy: 9p would show the folder itself, but Debian's cloud kernels have no driver for
//! it, and every kernel has virtio-blk and ext4. A copy also cannot be changed, whatever the guest does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::prepare::ADMIN_PATHS;
use crate::machine::{Device, DeviceKind, Medium};
use crate::vm::process::spawn_bound;

/// Name and serial number of the disk.
pub const DISK: &str = "share";

/// The drivers of the disk, where they are modules.
pub const MODULES: [&str; 2] = ["virtio_blk", "ext4"];

/// The driver that mounts the image. It is made without a journal, which a read-only mount has no use for.
pub const FILE_SYSTEM: &str = "ext4";

const BLOCK: u64 = 4096;

/// Why a folder cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Something in it cannot be read.
    #[error("{path} cannot be shared: {source}", path = .path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is no folder.
    #[error("{path} cannot be shared: it is not a folder", path = .path.display())]
    NoFolder {
        /// What was given.
        path: PathBuf,
    },
    /// There is nothing to make file systems with.
    #[error("mke2fs was not found; a folder is shared as an ext4 image (Debian: apt-get install e2fsprogs)")]
    NoTool,
    /// The image could not be made.
    #[error("{path} could not be copied into an image: {text}", path = .path.display())]
    Image {
        /// The folder.
        path: PathBuf,
        /// What the tool or the system said.
        text: String,
    },
}

/// What a folder takes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extent {
    files: u64,
    blocks: u64,
}

/// Makes an image of the folder as `image`.
///
/// # Errors
/// As [`ShareError`] says.
pub fn make_image(folder: &Path, image: &Path) -> Result<(), ShareError> {
    if !folder.is_dir() {
        let path = folder.to_owned();
        return Err(match fs::metadata(folder) {
            Ok(_) => ShareError::NoFolder { path },
            Err(source) => ShareError::Read { path, source },
        });
    }
    let extent = measure(folder)?;
    let inodes = extent.files + 64;
    // an inode is 256 bytes; blocks that point to blocks, and the tables of the groups, take some more
    let blocks = extent.blocks + extent.blocks / 20 + inodes * 256 / BLOCK + 4096;
    let failed = |text: String| ShareError::Image { path: folder.to_owned(), text };
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("mke2fs");
    command
        .env("PATH", format!("{path}:{ADMIN_PATHS}"))
        .args(["-q", "-F", "-t", "ext2", "-m", "0", "-I", "256", "-E", "root_owner=0:0"])
        .args(["-b", &BLOCK.to_string(), "-N", &inodes.to_string(), "-d"])
        .arg(folder)
        .arg(image)
        .arg(blocks.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = spawn_bound(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ShareError::NoTool,
        _ => failed(error.to_string()),
    })?;
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
    Err(failed(format!("mke2fs failed ({}): {last}", output.status)))
}

/// The disk with such an image.
pub fn device(image: PathBuf) -> Device {
    Device {
        name: DISK.to_owned(),
        at_start: true,
        behind: None,
        kind: DeviceKind::VirtioDisk(Medium::Image(image)),
    }
}

fn measure(folder: &Path) -> Result<Extent, ShareError> {
    let mut extent = Extent::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| ShareError::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let meta = entry.metadata().map_err(|source| ShareError::Read { path: entry.path(), source })?;
            extent.files += 1;
            extent.blocks += meta.len().div_ceil(BLOCK);
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/a"), vec![b'x'; 5000]).unwrap();
        std::os::unix::fs::symlink("/no/such/place", folder.path().join("link")).unwrap();
        folder
    }

    #[test]
    fn a_folder_is_measured_without_following_links() {
        let folder = folder();
        let extent = measure(folder.path()).unwrap();
        let own = fs::metadata(folder.path().join("sub")).unwrap().len().div_ceil(BLOCK);
        assert_eq!(extent, Extent { files: 3, blocks: 2 + 1 + own });
    }

    #[test]
    fn an_image_holds_what_it_is_given() {
        let (folder, place) = (folder(), tempfile::tempdir().unwrap());
        // more than the reserve, so that a wrong measure shows
        fs::write(folder.path().join("large"), vec![7; 40 << 20]).unwrap();
        for n in 0..2000 {
            fs::write(folder.path().join(format!("sub/{n}")), "x").unwrap();
        }
        let image = place.path().join("image");
        match make_image(folder.path(), &image) {
            Err(ShareError::NoTool) => loud_skip::skip("there is no mke2fs here"),
            made => made.unwrap(),
        }
    }

    #[test]
    fn what_cannot_be_shared_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let said = |path: &Path| {
            let error = make_image(path, &place.path().join("image")).unwrap_err().to_string();
            error.replace(&place.path().display().to_string(), "DIR")
        };
        assert_eq!(said(&file), "DIR/file cannot be shared: it is not a folder");
        assert_eq!(
            said(&place.path().join("none")),
            "DIR/none cannot be shared: No such file or directory (os error 2)"
        );
    }
}
