//! What a QEMU can do: whether it can build a machine, found out without starting one.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::device;
use super::{Qemu, QemuVersion};
use crate::arch::Arch;
use crate::machine::{AccelNeed, Machine, QemuNeed};
use crate::vm::spec::Accel;

/// From which version on QEMU has a device or a property of it: `igb`, `nvme,sriov_max_vfs` (QEMU's change logs).
const SINCE: &[(&str, &str, QemuNeed)] = &[
    ("igb", "", QemuNeed { major: 8, minor: 0 }),
    ("nvme", "sriov_max_vfs", QemuNeed { major: 7, minor: 1 }),
];

/// What one QEMU can do, each asked once.
#[derive(Debug)]
pub struct Capabilities {
    arch: &'static Arch,
    qemu: Qemu,
    asked: Mutex<HashMap<String, Known>>,
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
        Capabilities { arch, qemu: qemu.clone(), asked: Mutex::default() }
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
        if machine.accel == AccelNeed::Kvm && accel == Some(Accel::Tcg) {
            return Some(format!("the machine {} needs KVM, this run has none", machine.name));
        }
        let models = machine.devices.iter().flat_map(|device| device::models(self.arch, device));
        models
            .into_iter()
            .find_map(|(model, property)| self.missing_model(&model, property.unwrap_or_default()))
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
    let output =
        duct::cmd(&qemu.path, arguments).stdin_null().stdout_capture().stderr_capture().unchecked().run();
    match output {
        Ok(output) => {
            answer(&String::from_utf8_lossy(&output.stdout), &String::from_utf8_lossy(&output.stderr))
        }
        Err(_) => Known::Unknown,
    }
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
    use crate::machine::{Device, DeviceKind, Medium};

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
    fn answers_are_read() {
        let absent = "qemu-system-x86_64: -device igb,help: Device 'igb' not found\n";
        assert_eq!(answer("", absent), Known::Absent);
        assert_eq!(answer("", "x: -device igb: 'igb' is not a valid device model name\n"), Known::Absent);
        assert_eq!(answer("", "x: failed to open module: undefined symbol\n"), Known::Unknown);
        assert!(matches!(answer("igb options:\n  addr=<int32>\n", ""), Known::Properties(_)));
    }
}
