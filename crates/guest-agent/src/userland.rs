//! Makes a disk the root file system, as `switch_root(8)` does: the first file system of a guest can be no other's place,
//! so the disk is moved over it (Documentation/filesystems/ramfs-rootfs-initramfs.rst, "Populating initramfs").
//!
//! Threads share what their root and folder are (`CLONE_FS`), and the kernel's own share it with PID 1, so that the programs
//! that the kernel starts, such as modprobe, are found in the userland too.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use guest_protocol::layout::INBOX;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_move, unmount};

/// Where the disk is mounted before it is moved; it exists in every initramfs.
const NEW_ROOT: &str = "/mnt";

/// Mounts that come along, with all that is mounted below them.
const MOVED: &[&str] = &["/proc", "/sys", "/dev", "/run"];

/// The folder of everything that is the agent's. It is no mount of its own, so it is shown in both places.
const OWN: &str = "/kregress";

/// Enters the file system of `device`.
///
/// # Errors
/// The step that the kernel refused, with its answer. The agent may then be in neither root properly, and only a power-off is
/// left.
pub fn enter(device: &str, file_system: &str) -> io::Result<()> {
    step(
        "mount",
        device,
        mount(device, NEW_ROOT, file_system, MountFlags::NOATIME, None).map_err(Into::into),
    )?;
    let below = |path: &str| format!("{NEW_ROOT}{path}");
    step("make", INBOX, fs::create_dir_all(INBOX))?;
    let inbox = step("make", INBOX, folder_on_disk(&below(OWN), &below(INBOX)))?;
    step("show", OWN, show(OWN, &below(OWN)))?;
    step("show", INBOX, cover(&inbox, &below(INBOX)))?;
    // a userland has a /tmp of its own, as large as its disk
    let _ = unmount("/tmp", UnmountFlags::DETACH);
    for path in MOVED {
        if !is_mount(path) {
            continue;
        }
        let to = below(path);
        step("move", path, place(&to).and_then(|()| Ok(mount_move(*path, &to)?)))?;
    }
    step("enter", NEW_ROOT, std::env::set_current_dir(NEW_ROOT))?;
    step("move", NEW_ROOT, mount_move(".", "/").map_err(Into::into))?;
    step("enter", "/", rustix::process::chroot(".").map_err(Into::into))?;
    step("enter", "/", std::env::set_current_dir("/"))
}

/// Names the step that failed.
fn step<T>(what: &str, path: &str, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("cannot {what} {path}: {error}")))
}

/// The disk's own folder for what the host sends, which [`OWN`] is about to cover. What a test is and makes beside itself
/// lies there as files usually do: they are read ahead, reclaimed and written back, which those of the first file system
/// are not.
fn folder_on_disk(own: &str, inbox: &str) -> io::Result<OwnedFd> {
    place(own)?;
    place(inbox)?;
    Ok(rustix::fs::open(inbox, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Mounts an open folder, which need not be seen anywhere, over another one.
fn cover(folder: &OwnedFd, path: &str) -> io::Result<()> {
    Ok(mount_bind(format!("/proc/self/fd/{}", folder.as_raw_fd()), path)?)
}

/// A folder in a second place.
fn show(path: &str, second: &str) -> io::Result<()> {
    place(second)?;
    Ok(mount_bind_recursive(path, second)?)
}

/// A folder that something can be mounted on. What an image has there may be a link, which would lead back out of it.
fn place(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir(path)
}

/// Whether something is mounted there: it is then on another device than the folder that it is in.
fn is_mount(path: &str) -> bool {
    let device = |path: &Path| {
        let file = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        rustix::fs::fstat(file).ok().map(|found| found.st_dev)
    };
    let path = Path::new(path);
    device(path).is_some() && device(path) != path.parent().and_then(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_told_from_folders() {
        assert!(is_mount("/proc"));
        assert!(!is_mount("/proc/self"));
        assert!(!is_mount("/no-such-folder"));
    }

    #[test]
    fn a_place_is_a_folder_whatever_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        let text = path.to_str().expect("text");
        std::os::unix::fs::symlink("/run", &path).expect("a link");
        for _ in 0..2 {
            place(text).expect("a place");
            assert!(fs::symlink_metadata(&path).expect("it is there").is_dir());
        }
        let refused = step::<()>("move", "/x", Err(io::Error::other("no"))).expect_err("it failed");
        assert_eq!(refused.to_string(), "cannot move /x: no");
    }
}
