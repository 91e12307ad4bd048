//! Finding QEMU and what it is.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::VmError;
use super::accel;
use super::args::{Accel, Machine, qemu_args};
use super::backend::{Backend, StartFrom};
use super::capabilities::Capabilities;
use super::guest::Guest;
use super::session::Session;
use super::snapshot::identity;
use crate::arch::GUEST;

/// The program that is looked for in `PATH`.
pub const PROGRAM: &str = GUEST.qemu.program;

/// A QEMU that is there and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qemu {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: QemuVersion,
    /// Arguments that every call needs, for example where its firmware lies (`-L`).
    pub extra: Vec<String>,
}

/// A QEMU version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuVersion {
    /// Before the first point.
    pub major: u32,
    /// Between the points.
    pub minor: u32,
    /// After the second point.
    pub micro: u32,
}

impl std::fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl QemuVersion {
    /// Whether its TCG, with several processors, could translate instructions for one while another replaces them: that
    /// was mended in 8.1 (QEMU commit deba78709a). Kernels replace their own code while they boot and when they load
    /// modules.
    pub fn may_run_stale_code(self) -> bool {
        self < QemuVersion { major: 8, minor: 1, micro: 0 }
    }
}

impl Qemu {
    /// The QEMU that `KREGRESS_QEMU` names (a program, then arguments, divided by blanks), else the one in `PATH`.
    ///
    /// # Errors
    /// [`VmError::NoQemu`], [`VmError::Start`], [`VmError::Version`].
    pub fn find() -> Result<Qemu, VmError> {
        let setting = std::env::var("KREGRESS_QEMU").ok().filter(|s| !s.trim().is_empty());
        let mut words = setting.as_deref().unwrap_or(PROGRAM).split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_else(|| PROGRAM.to_owned());
        Qemu::open(Path::new(&program), words.collect())
    }

    /// Asks one program for its version.
    ///
    /// # Errors
    /// As [`Qemu::find`].
    pub fn open(program: &Path, extra: Vec<String>) -> Result<Qemu, VmError> {
        let shown = program.display().to_string();
        let output = duct::cmd!(program.as_os_str(), "--version").stderr_to_stdout().unchecked().read();
        let text = match output {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(VmError::NoQemu { program: shown });
            }
            Err(source) => return Err(VmError::Start { program: shown, source }),
        };
        let first = text.lines().next().unwrap_or_default().to_owned();
        let version = parse_version(&first).ok_or(VmError::Version { program: shown, found: first })?;
        Ok(Qemu { path: program.to_owned(), version, extra })
    }
}

/// QEMU as what runs virtual machines.
#[derive(Debug)]
pub struct QemuBackend {
    qemu: Qemu,
    capabilities: Capabilities,
}

impl QemuBackend {
    /// Machines of this QEMU.
    pub fn new(qemu: Qemu) -> QemuBackend {
        QemuBackend { capabilities: Capabilities::of(&qemu), qemu }
    }

    /// Machines of the host's QEMU.
    ///
    /// # Errors
    /// As [`Qemu::find`].
    pub fn find() -> Result<Arc<dyn Backend>, VmError> {
        Qemu::find().map(|qemu| Arc::new(QemuBackend::new(qemu)) as Arc<dyn Backend>)
    }
}

impl Backend for QemuBackend {
    fn name(&self) -> &'static str {
        "QEMU"
    }

    fn version(&self) -> String {
        self.qemu.version.to_string()
    }

    fn start(&self, machine: &Machine, from: StartFrom) -> Result<Box<dyn Guest>, VmError> {
        Ok(Box::new(Session::start(&self.qemu, machine, from)?))
    }

    /// The agent's build and the kernel are files of the machine, and QEMU is one itself.
    fn snapshot_inputs(&self, machine: &Machine) -> String {
        let qemu = &self.qemu;
        let mut text = format!("qemu {}\n", qemu.version);
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
        text
    }

    fn missing(&self, machine: &crate::machine::Machine, accel: Option<Accel>) -> Option<String> {
        self.capabilities.missing(machine, accel)
    }

    fn may_run_stale_code(&self, machine: &Machine) -> bool {
        machine.accel == Accel::Tcg && machine.cpus > 1 && self.qemu.version.may_run_stale_code()
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

/// Reads the first line of what QEMU says with `--version`.
fn parse_version(line: &str) -> Option<QemuVersion> {
    let word = line.split_whitespace().skip_while(|w| *w != "version").nth(1)?;
    let mut numbers = word.split('.').map(|n| n.parse::<u32>());
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    let micro = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(QemuVersion { major, minor, micro })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Device, DeviceKind, Medium};
    use crate::vm::device::fit;
    use crate::vm::snapshot::Key;

    fn key(qemu: &Qemu, machine: &Machine) -> String {
        Key::of(&QemuBackend::new(qemu.clone()), machine).name
    }

    #[test]
    fn version_lines() {
        let table = [
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", Some((7, 2, 22))),
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", Some((10, 0, 2))),
            ("QEMU emulator version 9.1.50 (v9.1.0-1234-gabcdef)", Some((9, 1, 50))),
            ("bash: line 1", None),
            ("", None),
        ];
        for (line, expected) in table {
            let found = parse_version(line).map(|v| (v.major, v.minor, v.micro));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn old_translators_are_known() {
        for (line, expected) in [("7.2.22", true), ("8.0.5", true), ("8.1.0", false), ("10.0.2", false)] {
            let version = parse_version(&format!("QEMU emulator version {line}")).unwrap();
            assert_eq!(version.may_run_stale_code(), expected, "{line}");
        }
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let error = Qemu::open(Path::new("no-such-qemu"), Vec::new()).unwrap_err();
        insta::assert_snapshot!(error, @"no-such-qemu was not found; install it (Debian: apt-get install qemu-system-x86) or name one in KREGRESS_QEMU");
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
            fit(GUEST, &Device { name: "d".into(), at_start, behind: None, kind }, 1, Some(path("image")))
        };
        let machine = Machine {
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
        };
        let first = key(&qemu, &machine);
        assert_eq!(key(&qemu, &machine), first);
        // what is plugged later is not there when the guest is saved
        let (none, later) = (Vec::new(), vec![disk(false)]);
        let of = |devices| key(&qemu, &Machine { devices, ..machine.clone() });
        assert_eq!(of(none), of(later));
        let mut others = vec![
            key(&Qemu { extra: vec!["-L".into()], ..qemu.clone() }, &machine),
            key(&Qemu { version: QemuVersion { micro: 23, ..version }, ..qemu.clone() }, &machine),
            key(&qemu, &Machine { cpus: 1, ..machine.clone() }),
            key(&qemu, &Machine { memory_mib: 256, ..machine.clone() }),
            key(&qemu, &Machine { accel: Accel::Kvm, ..machine.clone() }),
            key(&qemu, &Machine { cmdline: vec!["a".into()], ..machine.clone() }),
            key(&qemu, &Machine { serial_channel: true, ..machine.clone() }),
            key(&qemu, &Machine { devices: Vec::new(), ..machine.clone() }),
        ];
        for name in ["qemu", "kernel", "initramfs", "image"] {
            std::fs::write(path(name), format!("another {name}")).unwrap();
            others.push(key(&qemu, &machine));
        }
        let names: std::collections::HashSet<String> = others.into_iter().collect();
        assert_eq!(names.len(), 12);
        assert!(!names.contains(&first));
    }
}
