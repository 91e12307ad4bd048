//! Which user QEMU runs as. Where kregress is root's, QEMU is not: it starts as a user that nobody else is, without groups and
//! capabilities, so that a guest that breaks out of it finds no files of root's. It could not reach the files of the guest by
//! their paths then, as a cache often lies in a folder for root alone: they are opened here, and QEMU is given descriptors.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use command_fds::FdMapping;
use rustix::thread::CapabilitySet;

use super::args::fds;
use crate::vm::VmError;
use crate::vm::spec::{Accel, VmSpec};

/// Users that QEMU may become, the first that there is in this user namespace: a number that no distribution, container or
/// service manager gives away (systemd's "Users, Groups, UIDs and GIDs" leaves those from 1879048192 to 2147483647 unused),
/// and `nobody`.
const CANDIDATES: [u32; 2] = [1_900_041_735, 65534];

/// What it takes to become another user, to hand files over, and to read and end a process of another user.
const NEEDED: [(CapabilitySet, &str); 5] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
];

const KVM: &str = "/dev/kvm";

/// The user and the group that a QEMU runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LesserUser {
    /// The user's number.
    pub uid: u32,
    /// The group's number: that of `/dev/kvm` where it is needed.
    pub gid: u32,
}

/// The user that a QEMU with these files runs as; `None` where this process is not root, and QEMU what it is.
///
/// # Errors
/// Why QEMU has to be root.
pub fn lesser_user(program: &Path, extra: &[String], accel: Accel) -> Result<Option<LesserUser>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let own =
        rustix::thread::capabilities(None).map_err(|e| format!("its capabilities cannot be read: {e}"))?;
    if let Some((_, name)) = NEEDED.iter().find(|(needed, _)| !own.effective.contains(*needed)) {
        return Err(format!("kregress has no {name}"));
    }
    if std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny") {
        return Err("this user namespace does not let groups be given up".into());
    }
    let maps = ["uid_map", "gid_map"].map(|name| {
        std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_else(|_| "0 0 4294967295".into())
    });
    let there = |id: &u32| maps.iter().all(|map| is_mapped(map, *id));
    let uid = CANDIDATES.into_iter().find(there).ok_or("this user namespace has no other user")?;
    let program = which::which(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let files = extra.iter().map(PathBuf::from).filter(|path| path.is_absolute() && path.exists());
    for path in std::iter::once(program).chain(files) {
        if let Some(closed) = closed_to_others(&path).map_err(|e| format!("{}: {e}", path.display()))? {
            return Err(format!("{} is for root alone", closed.display()));
        }
    }
    let gid = match (accel, std::fs::metadata(KVM)) {
        (Accel::Kvm, Ok(kvm)) => match access(kvm.mode()) {
            Some(Access::Group) => kvm.gid(),
            Some(Access::Everybody) => uid,
            None => return Err(format!("{KVM} is for root alone")),
        },
        _ => uid,
    };
    Ok(Some(LesserUser { uid, gid }))
}

/// Who besides its owner may read and write a file.
#[derive(Debug, PartialEq, Eq)]
enum Access {
    Everybody,
    Group,
}

/// By which right another user opens a file of this mode for reading and writing; `None`: by none.
fn access(mode: u32) -> Option<Access> {
    match mode {
        mode if mode & 0o006 == 0o006 => Some(Access::Everybody),
        mode if mode & 0o060 == 0o060 => Some(Access::Group),
        _ => None,
    }
}

/// Whether a map of users or groups (`user_namespaces(7)`) has this one.
fn is_mapped(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        let (first, count) = (first.unwrap_or(0), count.unwrap_or(0));
        (first..first.saturating_add(count)).contains(&u64::from(id))
    })
}

/// The first part of a path that users without any rights to it cannot read or pass.
fn closed_to_others(path: &Path) -> io::Result<Option<PathBuf>> {
    let path = path.canonicalize()?;
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    for part in parts {
        let meta = part.metadata()?;
        let needed = if part == path { 0o005 } else { 0o001 };
        let needed = if meta.is_dir() || part == path { needed } else { 0 };
        if meta.permissions().mode() & needed != needed {
            return Ok(Some(part.to_path_buf()));
        }
    }
    Ok(None)
}

impl LesserUser {
    /// The machine with descriptors in the place of its files, which are added to those that QEMU inherits.
    ///
    /// # Errors
    /// [`VmError::Io`]: a file cannot be opened.
    pub fn lend(self, machine: &VmSpec, inherited: &mut Vec<FdMapping>) -> Result<VmSpec, VmError> {
        let mut lent = machine.clone();
        let images = lent.devices.iter_mut().filter_map(|device| device.image.as_mut());
        let files = [&mut lent.kernel, &mut lent.initramfs].into_iter().chain(images);
        for (fd, path) in (fds::LENT..).zip(files) {
            let file = self.readable(path).map_err(VmError::io(path.display().to_string()))?;
            inherited.push(FdMapping { parent_fd: file, child_fd: fd });
            *path = format!("/proc/self/fd/{fd}").into();
        }
        Ok(lent)
    }

    /// A descriptor of the file that this user may open again; of a copy in memory, where the file is for root alone.
    fn readable(self, path: &Path) -> io::Result<OwnedFd> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if meta.mode() & 0o004 != 0 || meta.uid() == self.uid {
            return Ok(file.into());
        }
        let copy = rustix::fs::memfd_create("kregress", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut copy = File::from(copy);
        io::copy(&mut file, &mut copy)?;
        self.own(&copy)?;
        Ok(copy.into())
    }

    /// Whether this user can make files in a folder, as QEMU does for the copies of disks that are thrown away.
    pub fn may_write_in(self, folder: &Path) -> bool {
        let is_open = || Some(folder.metadata().ok()?.mode() & 0o002 != 0);
        closed_to_others(folder).is_ok_and(|closed| closed.is_none()) && is_open().unwrap_or(false)
    }

    /// Makes an open file this user's, who opens it again.
    ///
    /// # Errors
    /// The file system has no owners.
    pub fn own(self, file: impl AsFd) -> io::Result<()> {
        fchown(file, Some(self.uid), Some(self.gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_users_are_read() {
        let table = [
            ("         0          0 4294967295\n", 1_900_041_735, true),
            ("         0       1000          1\n", 65534, false),
            ("0 1000 1\n1 100000 65536\n", 65534, true),
            ("0 1000 1\n1 100000 65536\n", 1_900_041_735, false),
            ("0 100000 65536\n", 65535, true),
            ("", 0, false),
            ("x\n0 0\n", 0, false),
        ];
        for (map, id, expected) in table {
            assert_eq!(is_mapped(map, id), expected, "{map} {id}");
        }
    }

    #[test]
    fn a_device_for_root_alone_is_told_from_one_of_a_group() {
        let found = [0o600, 0o660, 0o666, 0o640, 0o606].map(access);
        let (everybody, group) = (|| Some(Access::Everybody), || Some(Access::Group));
        assert_eq!(found, [None, group(), everybody(), None, everybody()]);
    }

    #[test]
    fn what_is_for_its_owner_alone_is_found_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("file");
        std::fs::write(&file, "x").unwrap();
        mode(&inner, 0o755);
        mode(&file, 0o755);
        assert_eq!(closed_to_others(&file).unwrap(), None);
        mode(&file, 0o744);
        assert_eq!(closed_to_others(&file).unwrap(), Some(file.canonicalize().unwrap()));
        mode(&inner, 0o750);
        assert_eq!(closed_to_others(&file).unwrap(), Some(inner.canonicalize().unwrap()));
    }
}
