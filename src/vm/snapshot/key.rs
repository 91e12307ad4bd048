//! What a snapshot depends on.

use std::fmt::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::vm::accel;
use crate::vm::args::{Accel, Machine, qemu_args};
use crate::vm::qemu::Qemu;

/// Changes when a snapshot is made or used in another way.
const FORMAT: u32 = 1;

/// Names the one snapshot that fits a QEMU and a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The name: 32 hexadecimal digits.
    pub name: String,
    /// Everything that it depends on, one thing a line.
    pub made_from: String,
}

impl Key {
    /// The key of a machine on a QEMU. Files count by path, size and time of change: the agent's build and the kernel
    /// are files of the machine, and QEMU is one itself.
    pub fn of(qemu: &Qemu, machine: &Machine) -> Key {
        let mut text = format!("snapshot {FORMAT}\nqemu {}\n", qemu.version);
        let mut file = |what: &str, path: &Path| {
            let _ = writeln!(text, "{what} {}", identity(path));
        };
        file("program", &program(qemu));
        file("kernel", &machine.kernel);
        file("initramfs", &machine.initramfs);
        for drive in machine.devices.iter().filter(|d| d.at_start).filter_map(|d| d.drive.as_ref()) {
            file("image", &drive.image);
        }
        for argument in &qemu.extra {
            let _ = writeln!(text, "extra {argument}");
        }
        for argument in qemu_args(machine) {
            let _ = writeln!(text, "argument {}", argument.to_string_lossy());
        }
        if machine.accel == Accel::Kvm {
            // the guest knows the host's own processor
            let _ = writeln!(text, "host {} {}", accel::host(), processor());
        }
        let digest = Sha256::digest(text.as_bytes());
        let name = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Key { name, made_from: text }
    }
}

/// Where QEMU's program lies, as far as that can be said: a word without a slash is looked for in `PATH`.
fn program(qemu: &Qemu) -> std::path::PathBuf {
    if qemu.path.components().count() > 1 {
        return qemu.path.clone();
    }
    which::which(&qemu.path).unwrap_or_else(|_| qemu.path.clone())
}

fn identity(path: &Path) -> String {
    let shown = path.display();
    match path.metadata() {
        Ok(meta) => {
            let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            format!("{shown} {} {}", meta.len(), changed.map_or(0, |t| t.as_nanos()))
        }
        Err(error) => format!("{shown} {error}"),
    }
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().find(|line| line.starts_with("model name")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Device, DeviceKind, Medium};
    use crate::vm::device::fit;
    use crate::vm::qemu::QemuVersion;

    #[test]
    fn whatever_a_snapshot_depends_on_changes_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["qemu", "kernel", "initramfs", "image"] {
            std::fs::write(path(name), name).unwrap();
        }
        let version = QemuVersion { major: 7, minor: 2, micro: 22 };
        let qemu = Qemu { path: path("qemu"), version, extra: Vec::new() };
        let disk = |at_start| {
            let kind = DeviceKind::VirtioDisk(Medium::Blank(1));
            fit(&Device { name: "d".into(), at_start, behind: None, kind }, 1, Some(path("image")))
        };
        let machine = Machine {
            accel: Accel::Tcg,
            cpus: 2,
            memory_mib: 512,
            kernel: path("kernel"),
            initramfs: path("initramfs"),
            cmdline: Vec::new(),
            devices: vec![disk(true)],
            serial_channel: false,
            virtio_channel: true,
        };
        let key = Key::of(&qemu, &machine).name;
        assert_eq!(Key::of(&qemu, &machine).name, key);
        // what is plugged later is not there when the guest is saved
        let (none, later) = (Vec::new(), vec![disk(false)]);
        let of = |devices| Key::of(&qemu, &Machine { devices, ..machine.clone() });
        assert_eq!(of(none), of(later));
        let mut others = vec![
            Key::of(&Qemu { extra: vec!["-L".into()], ..qemu.clone() }, &machine),
            Key::of(&Qemu { version: QemuVersion { micro: 23, ..version }, ..qemu.clone() }, &machine),
            Key::of(&qemu, &Machine { cpus: 1, ..machine.clone() }),
            Key::of(&qemu, &Machine { memory_mib: 256, ..machine.clone() }),
            Key::of(&qemu, &Machine { accel: Accel::Kvm, ..machine.clone() }),
            Key::of(&qemu, &Machine { cmdline: vec!["a".into()], ..machine.clone() }),
            Key::of(&qemu, &Machine { serial_channel: true, ..machine.clone() }),
            Key::of(&qemu, &Machine { devices: Vec::new(), ..machine.clone() }),
        ];
        for name in ["qemu", "kernel", "initramfs", "image"] {
            std::fs::write(path(name), format!("another {name}")).unwrap();
            others.push(Key::of(&qemu, &machine));
        }
        let names: std::collections::HashSet<String> = others.into_iter().map(|k| k.name).collect();
        assert_eq!(names.len(), 12);
        assert!(!names.contains(&key));
    }
}
