//! The file systems that a program expects to find.

use std::ffi::CStr;
use std::io;

use rustix::mount::{MountFlags, mount};

struct Mount {
    kind: &'static str,
    target: &'static str,
    options: Option<&'static CStr>,
    required: bool,
}

/// In order of mounting. Those that are not required depend on the kernel's configuration.
const MOUNTS: &[Mount] = &[
    Mount { kind: "proc", target: "/proc", options: None, required: true },
    Mount { kind: "sysfs", target: "/sys", options: None, required: true },
    Mount { kind: "devtmpfs", target: "/dev", options: None, required: true },
    Mount { kind: "tmpfs", target: "/tmp", options: None, required: false },
    Mount { kind: "tmpfs", target: "/run", options: None, required: false },
    Mount { kind: "debugfs", target: "/sys/kernel/debug", options: None, required: false },
    Mount { kind: "configfs", target: "/sys/kernel/config", options: None, required: false },
    Mount { kind: "securityfs", target: "/sys/kernel/security", options: None, required: false },
    Mount { kind: "tracefs", target: "/sys/kernel/tracing", options: None, required: false },
    Mount { kind: "bpf", target: "/sys/fs/bpf", options: None, required: false },
    // as systemd mounts it, and as tests of delegation want it
    Mount { kind: "cgroup2", target: "/sys/fs/cgroup", options: Some(c"nsdelegate"), required: false },
    Mount { kind: "devpts", target: "/dev/pts", options: Some(c"ptmxmode=0666"), required: false },
    Mount { kind: "tmpfs", target: "/dev/shm", options: None, required: false },
];

/// Mounts all of them.
///
/// # Errors
/// Names the first required file system that this kernel refuses.
pub fn mount_all() -> io::Result<()> {
    for entry in MOUNTS {
        // a missing target, as in sysfs without debugfs, is answered by mount itself
        let _ = std::fs::create_dir_all(entry.target);
        match mount(entry.kind, entry.target, entry.kind, MountFlags::empty(), entry.options) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) if entry.required => {
                return Err(io::Error::other(format!(
                    "cannot mount {} on {}: {error}",
                    entry.kind, entry.target
                )));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Mounts a disk read-only.
///
/// # Errors
/// What the kernel says, for example that it does not know the file system.
pub fn mount_disk(device: &str, path: &str, file_system: &str) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    mount(device, path, file_system, MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID, None)?;
    Ok(())
}
