//! What a test wants around it: commands, file systems made on a device, a device to make them on.
//!
//! A guest has busybox and nothing else, unless the test has a userland of Debian's packages.

use std::collections::BTreeSet;

use super::{Fields, Options, Refusal};
use crate::draft::DiskDraft;

/// Size of LTP's own test device, MiB (`DEV_SIZE_MB` of `lib/tst_device.c`); the smallest that XFS takes.
const DEVICE_MIB: u32 = 300;

/// The variable in which LTP looks for a device.
const DEVICE: &str = "LTP_DEV";

/// Without it LTP skips every test that has a device: `The ext2 filesystem is not supported`.
const DEVICE_PACKAGE: &str = "e2fsprogs";

/// Packages that make the file systems which `all_filesystems` is about. LTP passes over those that it has no `mkfs` for.
const ALL_FILE_SYSTEMS: &[&str] = &["btrfs-progs", "e2fsprogs", "xfsprogs"];

/// File systems that a test with `all_filesystems` is run on in turn: ext2, ext3, ext4, XFS, Btrfs, tmpfs.
const FILE_SYSTEMS: u32 = 6;

/// Commands of LTP's tests, and the packages of Debian that they come from.
const COMMANDS: &[(&str, &str)] = &[
    ("bc", "bc"),
    ("debugfs", "e2fsprogs"),
    ("exportfs", "nfs-kernel-server"),
    ("gdb", "gdb"),
    ("getcap", "libcap2-bin"),
    ("groupadd", "passwd"),
    ("groupdel", "passwd"),
    ("ip", "iproute2"),
    ("keyctl", "keyutils"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.exfat", "exfatprogs"),
    ("mkfs.ext2", "e2fsprogs"),
    ("mkfs.ext3", "e2fsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.vfat", "dosfstools"),
    ("mkfs.xfs", "xfsprogs"),
    ("mksquashfs", "squashfs-tools"),
    ("modprobe", "kmod"),
    ("numactl", "numactl"),
    ("openssl", "openssl"),
    ("parted", "parted"),
    ("quotacheck", "quota"),
    ("rmmod", "kmod"),
    ("setcap", "libcap2-bin"),
    ("ss", "iproute2"),
    ("tc", "iproute2"),
    ("useradd", "passwd"),
    ("userdel", "passwd"),
];

/// What a test wants around it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Packages of its userland, sorted; none: busybox will do.
    pub packages: Vec<String>,
    /// Blank disks.
    pub disks: Vec<DiskDraft>,
    /// How often LTP runs it, once on each file system.
    pub times: u32,
    /// What it would use and does not get.
    pub notes: Vec<String>,
}

/// Reads what the fields say.
pub(super) fn of(fields: &Fields<'_>, options: &Options) -> Result<Surroundings, Refusal> {
    let mut packages: BTreeSet<&str> = BTreeSet::new();
    let mut notes = Vec::new();
    let mut disks = Vec::new();
    let mut times = 1;
    let file_systems = fields.objects("filesystems").filter_map(|entry| entry.get("type")?.as_str());
    let file_systems: Vec<&str> = file_systems.collect();
    let on_device = ["needs_device", "format_device", "mount_device", "all_filesystems"];
    if on_device.iter().any(|field| fields.has(field)) {
        // LTP looks for `mkfs` of ext2 even where the test itself makes no file system
        packages.insert(DEVICE_PACKAGE);
        let least = fields.number("dev_min_size").unwrap_or(0);
        disks.push(DiskDraft {
            name: "scratch".to_owned(),
            blank_mib: least.max(DEVICE_MIB),
            variable: DEVICE.to_owned(),
        });
    }
    if fields.has("all_filesystems") {
        packages.extend(ALL_FILE_SYSTEMS);
        times = FILE_SYSTEMS;
    } else if fields.has("format_device") || fields.has("mount_device") {
        times = times.max(file_systems.len() as u32);
        for kind in if file_systems.is_empty() { &["ext2"] } else { &file_systems[..] } {
            match package(&format!("mkfs.{kind}")) {
                Some(package) => _ = packages.insert(package),
                None => {
                    return Err(Refusal(format!("no package is known that makes the file system {kind}")));
                }
            }
        }
    }
    let commands: Vec<Command> = commands(fields).collect();
    for command in commands.iter().filter(|command| !options.commands.contains(&command.name)) {
        match package(&command.name) {
            Some(package) => _ = packages.insert(package),
            None if command.optional => {
                notes.push(format!("it would use the command {}, which a guest has not", command.name));
            }
            None => {
                return Err(Refusal(format!("no package is known that has the command {}", command.name)));
            }
        }
    }
    // what busybox has is elsewhere in packages: those that every Debian has, or one of the table
    if !packages.is_empty() {
        packages.extend(commands.iter().filter_map(|command| package(&command.name)));
    }
    Ok(Surroundings { packages: packages.into_iter().map(str::to_owned).collect(), disks, times, notes })
}

/// A command that a test calls.
struct Command {
    name: String,
    optional: bool,
}

fn commands(fields: &Fields<'_>) -> impl Iterator<Item = Command> {
    let wanted = fields.fields.get("needs_cmds").and_then(|value| value.as_array());
    wanted.into_iter().flatten().map(|command| {
        let text = command.get("cmd").or(Some(command)).and_then(|value| value.as_str()).unwrap_or_default();
        let optional = command.get("optional").and_then(|value| value.as_bool()) == Some(true);
        // a version may stand behind it: `mkfs.ext4 >= 1.43.0`
        Command { name: text.split_whitespace().next().unwrap_or_default().to_owned(), optional }
    })
}

fn package(command: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(name, _)| *name == command).map(|(_, package)| *package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn said(json: &str) -> String {
        let value: Value = serde_json::from_str(json).unwrap();
        let fields = Fields { fields: value.as_object().unwrap() };
        let commands = BTreeSet::from(["sh".to_owned(), "modprobe".to_owned()]);
        let options = Options { tree: String::new(), all: false, seconds: 1, commands };
        match of(&fields, &options) {
            Err(Refusal(reason)) => reason,
            Ok(found) => {
                let disks: Vec<u32> = found.disks.iter().map(|disk| disk.blank_mib).collect();
                format!("{} {disks:?} {} {}", found.packages.join(","), found.times, found.notes.join(","))
            }
        }
    }

    #[test]
    fn devices_and_commands_come_from_packages() {
        let table = [
            ("{}", " [] 1 "),
            (r#"{"needs_device": true}"#, "e2fsprogs [300] 1 "),
            (r#"{"needs_device": true, "dev_min_size": "1024"}"#, "e2fsprogs [1024] 1 "),
            (r#"{"format_device": true}"#, "e2fsprogs [300] 1 "),
            (r#"{"mount_device": true, "filesystems": [{"type": "xfs"}]}"#, "e2fsprogs,xfsprogs [300] 1 "),
            (
                r#"{"mount_device": true, "filesystems": [{"type": "ext4"}, {"type": "xfs"}]}"#,
                "e2fsprogs,xfsprogs [300] 2 ",
            ),
            (r#"{"all_filesystems": true}"#, "btrfs-progs,e2fsprogs,xfsprogs [300] 6 "),
            (
                r#"{"mount_device": true, "filesystems": [{"type": "befs"}]}"#,
                "no package is known that makes the file system befs",
            ),
            (r#"{"needs_cmds": [{"cmd": "modprobe"}, {"cmd": "sh"}]}"#, " [] 1 "),
            (r#"{"needs_cmds": [{"cmd": "modprobe"}, {"cmd": "keyctl"}]}"#, "keyutils,kmod [] 1 "),
            (r#"{"needs_cmds": ["mkfs.ext4 >= 1.43.0"]}"#, "e2fsprogs [] 1 "),
            (r#"{"needs_cmds": [{"cmd": "brew"}]}"#, "no package is known that has the command brew"),
            (
                r#"{"needs_cmds": [{"cmd": "brew", "optional": true}]}"#,
                " [] 1 it would use the command brew, which a guest has not",
            ),
        ];
        for (fields, expected) in table {
            assert_eq!(said(fields), expected, "{fields}");
        }
    }

    #[test]
    fn the_table_of_commands_is_sorted_and_unique() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
