//! A tree as an ext4 image, by the host's `mke2fs` and `debugfs`.
//!
//! An empty file system is made and filled by a script for debugfs, in the order of the names: who runs it, and in which order
//! the host lists folders, has no influence on the image, and every owner and mode can be set. (`mke2fs -d FOLDER` takes
//! owners from the host's files and the order from the host's file system; archives it reads from 1.47.1 on.)
//!
//! ext4 because every kernel can mount it: Debian's have it built in (cloud) or as a module, and so has the kernel's default
//! configuration, which has neither squashfs nor erofs nor overlayfs. No journal, no checksums: the image is thrown away with
//! its guest, and kernels of any age read it.

mod script;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::error::UserlandError;
use crate::process::{self, one_line};
use crate::tree::Tree;
use crate::watch::Watch;

/// Bytes of a block.
const BLOCK: u64 = 4096;

/// What guests may write, bytes. It is a hole in the image and costs nothing.
const FREE: u64 = 1 << 30;

/// Files that guests may make.
const FREE_FILES: u64 = 32_768;

/// The clock of the tools: an image does not depend on when it was made. In 2020, seconds since 1970.
const CLOCK: &str = "1577836800";

/// What the file system has: nothing that a kernel of 2010 did not know.
const FEATURES: &str =
    "none,filetype,extents,sparse_super,large_file,huge_file,ext_attr,dir_nlink,extra_isize";

/// Makes the image, and answers its size in bytes.
pub(crate) fn write(tree: &Tree, image: &Path, key: &str, watch: &Watch) -> Result<u64, UserlandError> {
    let script = script::of(tree, image)?;
    let file = image.with_extension("script");
    std::fs::write(&file, &script.text).map_err(UserlandError::io("write", &file))?;
    let (files, _) = tree.size();
    let inodes = files as u64 + FREE_FILES;
    // of its inodes (256 bytes), of all blocks' bitmaps and of folders there is a little more
    let size = script.bytes + script.bytes / 32 + inodes * 256 + FREE;
    let blocks = size.div_ceil(BLOCK);
    make(image, blocks, inodes, key, watch)?;
    fill(image, &file, watch)?;
    std::fs::remove_file(&file).map_err(UserlandError::io("remove", &file))?;
    let meta = File::open(image).and_then(|file| file.metadata());
    Ok(meta.map_err(UserlandError::io("read", image))?.len())
}

fn make(image: &Path, blocks: u64, inodes: u64, key: &str, watch: &Watch) -> Result<(), UserlandError> {
    // the same for the same key, as the digits of a UUID
    let digits: String = key.chars().chain("0".repeat(32).chars()).take(32).collect();
    let uuid = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-");
    let mut command = tool("mke2fs");
    command
        .args(["-F", "-q", "-b", "4096", "-I", "256", "-m", "0", "-L", "userland", "-O", FEATURES])
        .args(["-N", &inodes.to_string(), "-U", &uuid])
        .args(["-E", &format!("hash_seed={uuid},root_owner=0:0,nodiscard")])
        .arg(image)
        .arg(blocks.to_string())
        .env("MKE2FS_CONFIG", "/dev/null");
    let finished = process::run(&mut command, "mke2fs", "e2fsprogs", watch, &|| {})?;
    match finished.status.success() {
        true => Ok(()),
        false => Err(UserlandError::Tool { tool: "mke2fs", said: one_line(&finished.err) }),
    }
}

fn fill(image: &Path, script: &Path, watch: &Watch) -> Result<(), UserlandError> {
    let mut command = tool("debugfs");
    command.arg("-w").arg("-f").arg(script).arg(image);
    let finished = process::run(&mut command, "debugfs", "e2fsprogs", watch, &|| {})?;
    // it ends well whatever its commands did, but says so
    let problems: Vec<&str> = finished.err.lines().filter(|line| !line.starts_with("debugfs 1.")).collect();
    match finished.status.success() && problems.is_empty() {
        true => Ok(()),
        false => Err(UserlandError::Tool { tool: "debugfs", said: one_line(&problems.join("\n")) }),
    }
}

/// A tool that may be in a folder that only root has in its path.
fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("E2FSPROGS_FAKE_TIME", CLOCK)
        .env("SOURCE_DATE_EPOCH", CLOCK);
    command
}
