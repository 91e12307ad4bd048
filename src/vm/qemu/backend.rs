//! QEMU as what runs virtual machines.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Qemu;
use super::args::qemu_args;
use super::capabilities::Capabilities;
use super::privileges::lesser_user;
use super::session::Session;
use crate::arch::{Arch, GUEST};
use crate::kernel::tools::{Tell, Tools};
use crate::vm::VmError;
use crate::vm::accel;
use crate::vm::backend::{Backend, StartFrom};
use crate::vm::guest::Guest;
use crate::vm::snapshot::identity;
use crate::vm::spec::{Accel, VmSpec};

/// Runs virtual machines with one QEMU.
#[derive(Debug)]
pub struct QemuBackend {
    qemu: Qemu,
    capabilities: Capabilities,
}

impl QemuBackend {
    /// Machines of this QEMU.
    pub fn new(qemu: Qemu) -> QemuBackend {
        QemuBackend::of(GUEST, qemu)
    }

    /// Machines of this QEMU, which emulates this architecture.
    pub fn of(arch: &'static Arch, qemu: Qemu) -> QemuBackend {
        QemuBackend { capabilities: Capabilities::of(arch, &qemu), qemu }
    }

    /// Machines of this architecture with the host's QEMU, or with one that is unpacked for it.
    ///
    /// # Errors
    /// As [`Qemu::find`] and [`Qemu::find_for`].
    pub fn find(arch: &'static Arch, tools: &Tools, tell: Tell<'_>) -> Result<Arc<dyn Backend>, VmError> {
        let qemu = if arch == GUEST { Qemu::find() } else { Qemu::find_for(arch, tools, tell) }?;
        Ok(Arc::new(QemuBackend::of(arch, qemu)))
    }

    /// Machines with a newer QEMU than the host's release has.
    ///
    /// # Errors
    /// As [`Qemu::newer`].
    pub fn newer(tools: &Tools, tell: Tell<'_>) -> Result<Arc<dyn Backend>, VmError> {
        Ok(Arc::new(QemuBackend::of(GUEST, Qemu::newer(tools, tell)?)))
    }
}

impl Backend for QemuBackend {
    fn name(&self) -> &'static str {
        "QEMU"
    }

    fn version(&self) -> String {
        self.qemu.version.to_string()
    }

    fn start(&self, machine: &VmSpec, from: StartFrom) -> Result<Box<dyn Guest>, VmError> {
        Ok(Box::new(Session::start(&self.qemu, machine, from)?))
    }

    /// The agent's build and the kernel are files of the machine, and QEMU is one itself.
    fn snapshot_inputs(&self, machine: &VmSpec) -> String {
        let qemu = &self.qemu;
        let mut text = format!("qemu {}\n", qemu.version);
        let mut file = |what: &str, path: &Path| {
            let _ = writeln!(text, "{what} {}", identity(path));
        };
        file("program", &program(qemu));
        file("kernel", &machine.kernel);
        file("initramfs", &machine.initramfs);
        for image in machine.devices.iter().filter(|d| d.at_start()).filter_map(|d| d.image.as_ref()) {
            file("image", image);
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
        text
    }

    fn missing(&self, machine: &crate::machine::Machine, accel: Option<Accel>) -> Option<String> {
        self.capabilities.missing(machine, accel)
    }

    fn user(&self, accel: Accel) -> Option<String> {
        match lesser_user(&self.qemu.path, &self.qemu.extra, accel) {
            Ok(user) => user.map(|user| format!("as user {}", user.uid)),
            Err(why) => Some(format!("as root: {why}")),
        }
    }

    fn keeps_root(&self, accel: Accel) -> bool {
        lesser_user(&self.qemu.path, &self.qemu.extra, accel).is_err()
    }

    fn lacks_time_travel(&self) -> Option<String> {
        self.capabilities.lacks_time_travel()
    }

    fn translates_each_start(&self) -> bool {
        self.qemu.version.translates_each_start()
    }

    fn may_run_stale_code(&self, machine: &VmSpec) -> bool {
        // under a clock that leaps one thread executes all processors
        let in_parallel = machine.accel == Accel::Tcg && machine.cpus > 1 && machine.clock.is_real();
        in_parallel && self.qemu.version.may_run_stale_code()
    }
}

/// Where QEMU's program lies, as far as that can be said: a word without a slash is looked for in `PATH`.
fn program(qemu: &Qemu) -> PathBuf {
    if qemu.path.components().count() > 1 {
        return qemu.path.clone();
    }
    which::which(&qemu.path).unwrap_or_else(|_| qemu.path.clone())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().find(|line| line.starts_with("model name")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Device, DeviceKind, Medium};
    use crate::suite::Clock;
    use crate::vm::qemu::QemuVersion;
    use crate::vm::snapshot::Key;
    use crate::vm::spec::VmDevice;

    fn key(qemu: &Qemu, machine: &VmSpec) -> String {
        Key::of(&QemuBackend::new(qemu.clone()), machine).name
    }

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
            let device = Device { name: "d".into(), at_start, behind: None, kind };
            VmDevice { device, nth: 1, image: Some(path("image")) }
        };
        let machine = VmSpec {
            arch: GUEST,
            accel: Accel::Tcg,
            cpus: 2,
            memory_mib: 512,
            kernel: path("kernel"),
            initramfs: path("initramfs"),
            cmdline: Vec::new(),
            devices: vec![disk(true)],
            serial_channel: false,
            virtio_channel: true,
            clock: Clock::Real,
            gdb: None,
        };
        let first = key(&qemu, &machine);
        assert_eq!(key(&qemu, &machine), first);
        // what is plugged later is not there when the guest is saved
        let (none, later) = (Vec::new(), vec![disk(false)]);
        let of = |devices| key(&qemu, &VmSpec { devices, ..machine.clone() });
        assert_eq!(of(none), of(later));
        let mut others = vec![
            key(&Qemu { extra: vec!["-L".into()], ..qemu.clone() }, &machine),
            key(&Qemu { version: QemuVersion { micro: 23, ..version }, ..qemu.clone() }, &machine),
            key(&qemu, &VmSpec { cpus: 1, ..machine.clone() }),
            key(&qemu, &VmSpec { memory_mib: 256, ..machine.clone() }),
            key(&qemu, &VmSpec { accel: Accel::Kvm, ..machine.clone() }),
            key(&qemu, &VmSpec { cmdline: vec!["a".into()], ..machine.clone() }),
            key(&qemu, &VmSpec { serial_channel: true, ..machine.clone() }),
            key(&qemu, &VmSpec { clock: Clock::TimeTravel, ..machine.clone() }),
            key(&qemu, &VmSpec { devices: Vec::new(), ..machine.clone() }),
        ];
        for name in ["qemu", "kernel", "initramfs", "image"] {
            std::fs::write(path(name), format!("another {name}")).unwrap();
            others.push(key(&qemu, &machine));
        }
        let names: std::collections::HashSet<String> = others.into_iter().collect();
        assert_eq!(names.len(), 13);
        assert!(!names.contains(&first));
    }
}
