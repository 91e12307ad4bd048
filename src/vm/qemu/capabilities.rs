//! What a QEMU can do: whether it can build a machine, found out without starting one.

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::args::TIME_TRAVEL;
use super::device;
use super::{Qemu, QemuVersion};
use crate::arch::Arch;
use crate::machine::{Machine, QemuNeed};
use crate::vm::accel;
use crate::vm::spec::Accel;

/// From which version on QEMU has a device or a property of it: `igb`, `nvme,sriov_max_vfs` (QEMU's change logs).
const SINCE: &[(&str, &str, QemuNeed)] = &[
    ("igb", "", QemuNeed { major: 8, minor: 0 }),
    ("nvme", "sriov_max_vfs", QemuNeed { major: 7, minor: 1 }),
];

/// The oldest QEMU whose clocks leap right. 7.2 ends blocks of code at any instruction then, also behind `cmpxchg16b`, which
/// leaves flags that are none: an interrupt there made a kernel crash in one of some 50 attempts. With 10.0 it was tried.
const TIME_TRAVEL_SINCE: QemuNeed = QemuNeed { major: 10, minor: 0 };

/// What one QEMU can do, each asked once.
#[derive(Debug)]
pub struct Capabilities {
    arch: &'static Arch,
    qemu: Qemu,
    asked: Mutex<HashMap<String, Known>>,
    /// What it said to a clock that leaps over idle time, once it was asked.
    time_travel: OnceLock<Result<(), String>>,
}

/// What `-device MODEL,help` said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// The model's properties, one a line.
    Properties(String),
    /// There is no such model.
    Absent,
    /// The question was not understood.
    Unknown,
}

impl Capabilities {
    /// The capabilities of this QEMU, which emulates this architecture.
    pub fn of(arch: &'static Arch, qemu: &Qemu) -> Capabilities {
        let (asked, time_travel) = (Mutex::default(), OnceLock::new());
        Capabilities { arch, qemu: qemu.clone(), asked, time_travel }
    }

    /// Why this QEMU cannot build the machine; `None` if it can, as far as can be seen without starting it. `accel` is
    /// what the run uses, where that is settled.
    pub fn missing(&self, machine: &Machine, accel: Option<Accel>) -> Option<String> {
        if let Some(need) = machine.qemu.filter(|need| !reaches(self.qemu.version, *need)) {
            return Some(format!(
                "the machine {} needs QEMU {need}, found {}",
                machine.name, self.qemu.version
            ));
        }
        if accel::is_lacking(machine.accel, accel) {
            return Some(format!("the machine {} needs KVM, this run has none", machine.name));
        }
        let models = machine.devices.iter().flat_map(|device| device::models(self.arch, device));
        models
            .into_iter()
            .find_map(|(model, property)| self.missing_model(&model, property.unwrap_or_default()))
    }

    /// Why its guests' clocks cannot leap over idle time; `None` if they can.
    pub fn lacks_time_travel(&self) -> Option<String> {
        if !self.arch.qemu.leaps {
            return Some(format!("that is untried on {}", self.arch.name));
        }
        if !reaches(self.qemu.version, TIME_TRAVEL_SINCE) {
            return Some(format!("that needs QEMU {TIME_TRAVEL_SINCE}, found {}", self.qemu.version));
        }
        let refusal = self.time_travel.get_or_init(|| try_time_travel(&self.qemu)).as_ref().err()?;
        Some(format!("QEMU {} refuses it: {refusal}", self.qemu.version))
    }

    fn missing_model(&self, model: &str, property: &str) -> Option<String> {
        let what = if property.is_empty() { model.to_owned() } else { format!("{model} with {property}") };
        let since = SINCE.iter().find(|(m, p, _)| *m == model && *p == property);
        if let Some((_, _, need)) = since.filter(|(_, _, need)| !reaches(self.qemu.version, *need)) {
            return Some(format!("{what} needs QEMU {need}, found {}", self.qemu.version));
        }
        let absent = match self.ask(model) {
            Known::Absent => true,
            Known::Properties(text) => !property.is_empty() && !text.contains(&format!("{property}=")),
            Known::Unknown => false,
        };
        absent.then(|| format!("this QEMU ({}) was built without {what}", self.qemu.version))
    }

    fn ask(&self, model: &str) -> Known {
        let mut asked = self.asked.lock();
        asked.entry(model.to_owned()).or_insert_with(|| question(&self.qemu, model)).clone()
    }
}

fn reaches(found: QemuVersion, need: QemuNeed) -> bool {
    (found.major, found.minor) >= (need.major, need.minor)
}

fn question(qemu: &Qemu, model: &str) -> Known {
    let arguments =
        qemu.extra.iter().cloned().chain(["-device".to_owned(), format!("{model},help")]).collect::<Vec<_>>();
    // a word without a slash is looked for in `PATH`, which a path is not
    let program = qemu.path.as_os_str();
    let output =
        duct::cmd(program, arguments).stdin_null().stdout_capture().stderr_capture().unchecked().run();
    match output {
        Ok(output) => {
            answer(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr))
        }
        Err(_) => Known::Unknown,
    }
}

/// Starts a machine without anything, and ends it when it has come up.
fn try_time_travel(qemu: &Qemu) -> Result<(), String> {
    let [accel, icount] = TIME_TRAVEL;
    let machine = ["-nodefaults", "-display", "none", "-machine", "none", "-S", "-qmp", "stdio"];
    let options = machine.into_iter().chain(["-accel", accel, "-icount", icount]).map(str::to_owned);
    let output = duct::cmd(qemu.path.as_os_str(), qemu.extra.iter().cloned().chain(options))
        .stdin_bytes(r#"{"execute":"qmp_capabilities"}{"execute":"quit"}"#)
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(words.lines().next().unwrap_or("it said nothing").to_owned())
}

/// Reads what QEMU said. Its exit code is 0 in either case.
fn answer(stdout: &str, stderr: &str) -> Known {
    if stdout.contains('=') {
        return Known::Properties(stdout.to_owned());
    }
    let absent = ["not found", "is not a valid device model name"];
    if absent.iter().any(|words| stderr.contains(words)) { Known::Absent } else { Known::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{AccelNeed, Device, DeviceKind, Medium};

    fn missing_of(version: (u32, u32, u32), answers: &[(&str, Known)], machine: &Machine) -> Option<String> {
        let (major, minor, micro) = version;
        let version = QemuVersion { major, minor, micro };
        let qemu = Qemu { path: "no-such-qemu".into(), version, extra: Vec::new() };
        let capabilities = Capabilities::of(crate::arch::GUEST, &qemu);
        let answers = answers.iter().map(|(model, known)| ((*model).to_owned(), known.clone()));
        capabilities.asked.lock().extend(answers);
        capabilities.missing(machine, Some(Accel::Tcg))
    }

    fn with(kind: DeviceKind) -> Machine {
        let device = Device { name: "d".into(), at_start: true, behind: None, kind };
        Machine { name: "m".into(), devices: vec![device], ..Machine::built_in() }
    }

    #[test]
    fn what_is_lacking_is_named() {
        let igb = with(DeviceKind::Igb);
        let nvme = with(DeviceKind::Nvme { medium: Medium::Blank(1), vfs: 2 });
        let raw = with(DeviceKind::Raw("edu,addr=5".into()));
        let there = || Known::Properties("edu options:\n  addr=<str>\n".into());
        insta::assert_snapshot!(missing_of((7, 2, 22), &[], &igb).unwrap(), @"igb needs QEMU 8.0, found 7.2.22");
        insta::assert_snapshot!(missing_of((10, 0, 2), &[("igb", Known::Absent)], &igb).unwrap(), @"this QEMU (10.0.2) was built without igb");
        insta::assert_snapshot!(missing_of((7, 0, 0), &[], &nvme).unwrap(), @"nvme with sriov_max_vfs needs QEMU 7.1, found 7.0.0");
        insta::assert_snapshot!(missing_of((8, 0, 0), &[("nvme", there())], &nvme).unwrap(), @"this QEMU (8.0.0) was built without nvme with sriov_max_vfs");
        assert_eq!(missing_of((8, 0, 0), &[("igb", there())], &igb), None);
        assert_eq!(missing_of((8, 0, 0), &[("edu", there())], &raw), None);
        // a QEMU that does not understand the question is not called lacking
        assert_eq!(missing_of((8, 0, 0), &[], &raw), None);
        let need = Machine { qemu: Some(QemuNeed { major: 9, minor: 1 }), ..Machine::built_in() };
        insta::assert_snapshot!(missing_of((9, 0, 4), &[], &need).unwrap(), @"the machine default needs QEMU 9.1, found 9.0.4");
        let kvm = Machine { accel: AccelNeed::Kvm, ..Machine::built_in() };
        insta::assert_snapshot!(missing_of((9, 0, 4), &[], &kvm).unwrap(), @"the machine default needs KVM, this run has none");
    }

    #[test]
    fn time_travel_is_asked_for_once_and_its_refusal_named() {
        let lacks = |arch, path: &str, major| {
            let version = QemuVersion { major, minor: 0, micro: 2 };
            let capabilities =
                Capabilities::of(arch, &Qemu { path: path.into(), version, extra: Vec::new() });
            capabilities.lacks_time_travel()
        };
        assert_eq!(lacks(crate::arch::GUEST, "true", 10), None);
        insta::assert_snapshot!(lacks(crate::arch::GUEST, "false", 10).unwrap(), @"QEMU 10.0.2 refuses it: it said nothing");
        insta::assert_snapshot!(lacks(crate::arch::GUEST, "true", 9).unwrap(), @"that needs QEMU 10.0, found 9.0.2");
        insta::assert_snapshot!(lacks(&crate::arch::AARCH64, "true", 10).unwrap(), @"that is untried on aarch64");
    }

    #[test]
    fn answers_are_read() {
        let absent = "qemu-system-x86_64: -device igb,help: Device 'igb' not found\n";
        assert_eq!(answer("", absent), Known::Absent);
        assert_eq!(answer("", "x: -device igb: 'igb' is not a valid device model name\n"), Known::Absent);
        assert_eq!(answer("", "x: failed to open module: undefined symbol\n"), Known::Unknown);
        assert!(matches!(answer("igb options:\n  addr=<int32>\n", ""), Known::Properties(_)));
    }
}
