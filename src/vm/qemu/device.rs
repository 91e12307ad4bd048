//! Devices as QEMU takes them, on its command line and over QMP.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::machine::{Device, DeviceKind};
use crate::vm::spec::{VmDevice, serial};

/// A device with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuDevice {
    /// Its name in the machine, and the id of the part that is plugged and unplugged.
    pub name: String,
    /// Whether it is there from the start.
    pub at_start: bool,
    /// The image of a disk.
    pub drive: Option<Drive>,
    /// What is there from the start in any case, as an option and its value.
    pub resident: Vec<(&'static str, String)>,
    /// In the order in which they are added.
    pub parts: Vec<Part>,
}

/// A raw image, of which the guest sees a copy that is thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// QEMU's name for it.
    pub id: String,
    /// The file.
    pub image: PathBuf,
}

/// One device of QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its model: `igb`.
    pub driver: String,
    /// Properties in order, `id` and `bus` among them.
    pub properties: Vec<(String, Value)>,
}

/// A property's value. QMP distinguishes the types, the command line does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// `on` or `off`.
    Switch(bool),
}

/// A device as the QEMU of this architecture takes it.
pub fn fit(arch: &Arch, device: &VmDevice) -> QemuDevice {
    let VmDevice { device, nth, image } = device;
    let name = &device.name;
    let drive = image.clone().map(|image| Drive { id: format!("disk-{name}"), image });
    let drive_id = || drive.as_ref().map(|d| d.id.clone()).unwrap_or_default();
    let own = |driver: &str| Part::new(driver).text("id", name).behind(device.behind.as_deref());
    let (resident, parts) = match &device.kind {
        DeviceKind::RootPort => (vec![], vec![own("pcie-root-port").number("chassis", *nth as u64)]),
        DeviceKind::Igb => (vec![], vec![own("igb")]),
        DeviceKind::VirtioDisk(_) => (
            vec![],
            vec![
                own(&arch.virtio.device("virtio-blk"))
                    .text("drive", &drive_id())
                    .text("serial", &serial(name)),
            ],
        ),
        DeviceKind::Nvme { vfs: 0, .. } => {
            (vec![], vec![own("nvme").text("drive", &drive_id()).text("serial", &serial(name))])
        }
        DeviceKind::Nvme { vfs, .. } => {
            // functions belong to a subsystem, which takes its name spaces as devices of their own, and the queues
            // and interrupts that functions may have are set aside (QEMU manual, "NVMe Emulation")
            let (subsystem, vfs) = (format!("{name}-subsystem"), u64::from(*vfs));
            let controller = own("nvme")
                .text("serial", &serial(name))
                .text("subsys", &subsystem)
                .number("sriov_max_vfs", vfs)
                .number("sriov_vq_flexible", 2 * vfs)
                .number("sriov_vi_flexible", vfs);
            let space = Part::new("nvme-ns").text("bus", name).text("drive", &drive_id());
            (vec![("-device", format!("nvme-subsys,id={subsystem}"))], vec![controller, space])
        }
        DeviceKind::Serial => {
            let chardev = format!("serial-{name}");
            (
                vec![("-chardev", format!("null,id={chardev}"))],
                vec![own("pci-serial").text("chardev", &chardev)],
            )
        }
        DeviceKind::Raw(text) => (vec![], vec![Part::raw(text, name)]),
    };
    QemuDevice { name: name.clone(), at_start: device.at_start, drive, resident, parts }
}

/// The models of QEMU that a device takes, without their options, and the properties that not every version has.
pub fn models(arch: &Arch, device: &Device) -> Vec<(String, Option<&'static str>)> {
    let parts = fit(arch, &VmDevice { device: device.clone(), nth: 1, image: None }).parts;
    let vfs = matches!(device.kind, DeviceKind::Nvme { vfs: 1.., .. });
    parts
        .into_iter()
        .map(|part| {
            let property = (vfs && part.driver == "nvme").then_some("sriov_max_vfs");
            (part.driver, property)
        })
        .collect()
}

impl QemuDevice {
    /// The same device with another name for its drive. QEMU frees a drive's name some time after it has reported that the
    /// device is gone, so each plugging needs a new one.
    pub fn renewed(&self, nth: u32) -> QemuDevice {
        let mut device = self.clone();
        if let Some(drive) = &mut device.drive {
            let old = Value::Text(drive.id.clone());
            drive.id = format!("{}-{nth}", drive.id);
            let values = device.parts.iter_mut().flat_map(|part| &mut part.properties);
            for (_, value) in values.filter(|(key, value)| key == "drive" && *value == old) {
                *value = Value::Text(drive.id.clone());
            }
        }
        device
    }
}

impl Part {
    fn new(driver: &str) -> Part {
        Part { driver: driver.to_owned(), properties: Vec::new() }
    }

    fn with(mut self, key: &str, value: Value) -> Part {
        self.properties.push((key.to_owned(), value));
        self
    }

    fn text(self, key: &str, value: &str) -> Part {
        self.with(key, Value::Text(value.to_owned()))
    }

    fn number(self, key: &str, value: u64) -> Part {
        self.with(key, Value::Number(value))
    }

    fn behind(self, port: Option<&str>) -> Part {
        match port {
            Some(port) => self.text("bus", port),
            None => self,
        }
    }

    /// A device in QEMU's own words.
    fn raw(text: &str, id: &str) -> Part {
        let mut words = text.split(',');
        let mut part = Part::new(words.next().unwrap_or_default()).text("id", id);
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let value = match value {
                "on" | "true" | "yes" => Value::Switch(true),
                "off" | "false" | "no" => Value::Switch(false),
                text => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Number),
            };
            part = part.with(key, value);
        }
        part
    }

    /// As `-device` takes it.
    pub fn option(&self) -> String {
        let mut text = self.driver.clone();
        for (key, value) in &self.properties {
            let value = match value {
                Value::Text(text) => text.replace(',', ",,"),
                Value::Number(number) => number.to_string(),
                Value::Switch(true) => "on".to_owned(),
                Value::Switch(false) => "off".to_owned(),
            };
            text.push_str(&format!(",{key}={value}"));
        }
        text
    }

    /// As QMP's `device_add` takes it, besides the driver.
    pub fn arguments(&self) -> serde_json::Map<String, serde_json::Value> {
        let json = |value: &Value| match value {
            Value::Text(text) => text.as_str().into(),
            Value::Number(number) => (*number).into(),
            Value::Switch(switch) => (*switch).into(),
        };
        self.properties.iter().map(|(key, value)| (key.clone(), json(value))).collect()
    }
}

impl Drive {
    /// As `-drive` takes it.
    pub fn option(&self) -> OsString {
        let mut option = OsString::from(format!("if=none,id={},format=raw,snapshot=on,file=", self.id));
        option.push(escape_commas(&self.image));
        option
    }
}

/// A comma in an option's value is written twice (QEMU manual, "QemuOpts").
fn escape_commas(path: &Path) -> OsString {
    let mut bytes = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte == b',' {
            bytes.push(b',');
        }
        bytes.push(byte);
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::X86_64;
    use crate::machine::Medium;

    fn device(name: &str, kind: DeviceKind) -> Device {
        Device { name: name.into(), at_start: true, behind: Some("port0".into()), kind }
    }

    fn options(device: &Device) -> String {
        let fitted = fit(
            &X86_64,
            &VmDevice {
                device: device.clone(),
                nth: 3,
                image: device.kind.medium().map(|_| "/c/a,b.img".into()),
            },
        );
        let mut lines: Vec<String> =
            fitted.resident.iter().map(|(option, value)| format!("{option} {value}")).collect();
        lines.extend(fitted.drive.map(|d| format!("-drive {}", d.option().to_string_lossy())));
        lines.extend(fitted.parts.iter().map(|p| format!("-device {}", p.option())));
        lines.join("\n")
    }

    #[test]
    fn every_kind_has_its_options() {
        let port = Device { behind: None, ..device("port0", DeviceKind::RootPort) };
        insta::assert_snapshot!(options(&port), @"-device pcie-root-port,id=port0,chassis=3");
        insta::assert_snapshot!(options(&device("card", DeviceKind::Igb)), @"-device igb,id=card,bus=port0");
        insta::assert_snapshot!(options(&device("data", DeviceKind::VirtioDisk(Medium::Blank(1)))), @r"
        -drive if=none,id=disk-data,format=raw,snapshot=on,file=/c/a,,b.img
        -device virtio-blk-pci,id=data,bus=port0,drive=disk-data,serial=data
        ");
        insta::assert_snapshot!(options(&device("nv", DeviceKind::Nvme { medium: Medium::Blank(1), vfs: 0 })), @r"
        -drive if=none,id=disk-nv,format=raw,snapshot=on,file=/c/a,,b.img
        -device nvme,id=nv,bus=port0,drive=disk-nv,serial=nv
        ");
        insta::assert_snapshot!(options(&device("nv", DeviceKind::Nvme { medium: Medium::Blank(1), vfs: 4 })), @r"
        -device nvme-subsys,id=nv-subsystem
        -drive if=none,id=disk-nv,format=raw,snapshot=on,file=/c/a,,b.img
        -device nvme,id=nv,bus=port0,serial=nv,subsys=nv-subsystem,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4
        -device nvme-ns,bus=nv,drive=disk-nv
        ");
        insta::assert_snapshot!(options(&device("tty", DeviceKind::Serial)), @r"
        -chardev null,id=serial-tty
        -device pci-serial,id=tty,bus=port0,chardev=serial-tty
        ");
    }

    #[test]
    fn a_drive_gets_a_new_name_each_time() {
        let disk = fit(
            &X86_64,
            &VmDevice {
                device: device("d", DeviceKind::VirtioDisk(Medium::Blank(1))),
                nth: 1,
                image: Some("/x".into()),
            },
        );
        let renewed = disk.renewed(2);
        assert_eq!(renewed.drive.as_ref().unwrap().id, "disk-d-2");
        insta::assert_snapshot!(renewed.parts[0].option(), @"virtio-blk-pci,id=d,bus=port0,drive=disk-d-2,serial=d");
    }

    #[test]
    fn raw_devices_keep_their_words_and_get_types() {
        let raw = device("e", DeviceKind::Raw("edu,addr=0x5,dma_mask=4095,x=on".into()));
        insta::assert_snapshot!(options(&raw), @"-device edu,id=e,addr=0x5,dma_mask=4095,x=on");
        let arguments = serde_json::Value::Object(
            fit(&X86_64, &VmDevice { device: raw, nth: 1, image: None }).parts[0].arguments(),
        );
        insta::assert_snapshot!(arguments, @r#"{"addr":"0x5","dma_mask":4095,"id":"e","x":true}"#);
    }
}
