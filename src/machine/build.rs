//! From the shape of a machine to the machine: text becomes values, contradictions come out.

use std::path::Path;

use super::model::{Device, DeviceKind, Machine, Medium, QemuNeed};
use super::shape::{DeviceShape, MachineShape};
use crate::suite::ACCELS;
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind::{Contradiction, Duplicate, MissingFile, MissingKey};
use crate::yaml::rejection::Rejection;
use crate::yaml::{quantity, word};

/// Most virtual functions of an NVMe controller: each takes two of its queues, of which it has 64.
const MOST_VFS: u32 = 31;

/// The kinds of devices as they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    RootPort,
    Igb,
    VirtioDisk,
    Nvme,
    Serial,
    Qemu,
}

/// The words of `plugged`: whether the device is there from the start.
pub(super) const PLUGGED: [(&str, bool); 2] = [("start", true), ("later", false)];

/// The words of `kind`.
pub(super) const KINDS: [(&str, Kind); 6] = [
    ("pcie-root-port", Kind::RootPort),
    ("igb", Kind::Igb),
    ("virtio-disk", Kind::VirtioDisk),
    ("nvme", Kind::Nvme),
    ("serial", Kind::Serial),
    ("qemu", Kind::Qemu),
];

/// Builds the machine. `None` only where problems were reported; problems may have been reported in any case.
pub(super) fn machine(fields: &mut Fields<'_>, shape: &MachineShape) -> Option<Machine> {
    let top = KeyPath::default();
    let built_in = Machine::built_in();
    let path = fields.source.path.clone();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = match word::name(&stem) {
        Ok(name) => Some(name),
        Err(Rejection { found, expected, help }) => {
            let headline = format!("the file's name is the machine's: found {found}, expected {expected}");
            fields.report(Contradiction, 0..0, headline, "this file".into(), help);
            None
        }
    };
    let summary = fields.required(&top.key("summary"), shape.summary.as_ref(), word::sentence);
    let cpus = fields.optional(&top.key("cpus"), shape.cpus.as_ref(), |text| quantity::within(text, 1..=256));
    let memory = fields.optional(&top.key("memory"), shape.memory.as_ref(), quantity::memory_mib);
    let accel = fields.optional(&top.key("accel"), shape.accel.as_ref(), |text| word::one_of(text, &ACCELS));
    let qemu = fields.optional(&top.key("qemu"), shape.qemu.as_ref(), qemu_need);
    let cmdline = fields.list(&top.key("cmdline"), shape.cmdline.as_ref(), word::line);
    let devices = devices(fields, shape);
    Some(Machine {
        name: name?,
        summary: summary?,
        cpus: cpus.unwrap_or(built_in.cpus),
        memory_mib: memory.unwrap_or(built_in.memory_mib),
        accel: accel.unwrap_or_default(),
        qemu,
        cmdline,
        clock: built_in.clock,
        devices,
    })
}

/// Parses `8.0`.
fn qemu_need(text: &str) -> Result<QemuNeed, Rejection> {
    let need = || {
        let (major, minor) = text.split_once('.')?;
        Some(QemuNeed { major: major.parse().ok()?, minor: minor.parse().ok()? })
    };
    need().ok_or_else(|| Rejection::of(text, "a version of QEMU such as `8.0`"))
}

fn devices(fields: &mut Fields<'_>, shape: &MachineShape) -> Vec<Device> {
    let at = KeyPath::default().key("devices");
    let mut devices: Vec<Device> = Vec::new();
    for (nth, shape) in shape.devices.iter().flatten().enumerate() {
        let at = at.index(nth);
        let Some(shape) = shape else {
            fields.missing(&at);
            continue;
        };
        let Some(device) = device(fields, &at, shape, &devices) else { continue };
        if devices.iter().any(|earlier| earlier.name == device.name) {
            let headline = format!("two devices are named `{}`", device.name);
            let span = fields.span(&at.key("name"));
            fields.report(Duplicate, span, headline, "again here".into(), "rename one".to_owned());
            continue;
        }
        devices.push(device);
    }
    devices
}

fn device(fields: &mut Fields<'_>, at: &KeyPath, shape: &DeviceShape, earlier: &[Device]) -> Option<Device> {
    let name = fields.required(&at.key("name"), shape.name.as_ref(), word::name);
    let kind = fields.required(&at.key("kind"), shape.kind.as_ref(), |text| word::one_of(text, &KINDS))?;
    let at_start = fields
        .optional(&at.key("plugged"), shape.plugged.as_ref(), |text| word::one_of(text, &PLUGGED))
        .unwrap_or(true);
    let behind = fields.optional(&at.key("behind"), shape.behind.as_ref(), |text| port(text, earlier));
    let disk = matches!(kind, Kind::VirtioDisk | Kind::Nvme);
    let given = [
        ("image", shape.image.is_some(), disk, "virtio-disk and nvme"),
        ("blank", shape.blank.is_some(), disk, "virtio-disk and nvme"),
        ("vfs", shape.vfs.is_some(), kind == Kind::Nvme, "nvme"),
        ("options", shape.options.is_some(), kind == Kind::Qemu, "qemu"),
        (
            "behind",
            shape.behind.is_some(),
            kind != Kind::Qemu,
            "every kind but qemu, which says `bus=` itself",
        ),
    ];
    for (key, given, fitting, kinds) in given {
        if given && !fitting {
            let kind = shape.kind.as_deref().unwrap_or_default();
            let headline = format!("`{key}` does not go with `{kind}`");
            let help = format!("`{key}` goes with {kinds}");
            fields.report(Contradiction, fields.key_span(&at.key(key)), headline, "not here".into(), help);
        }
    }
    let kind = match kind {
        Kind::RootPort => DeviceKind::RootPort,
        Kind::Igb => DeviceKind::Igb,
        Kind::Serial => DeviceKind::Serial,
        Kind::VirtioDisk => DeviceKind::VirtioDisk(medium(fields, at, shape)?),
        Kind::Nvme => {
            let vfs = fields
                .optional(&at.key("vfs"), shape.vfs.as_ref(), |text| quantity::within(text, 1..=MOST_VFS))
                .unwrap_or(0);
            DeviceKind::Nvme { medium: medium(fields, at, shape)?, vfs }
        }
        Kind::Qemu => {
            DeviceKind::Raw(fields.required(&at.key("options"), shape.options.as_ref(), raw_device)?)
        }
    };
    if !at_start && matches!(kind, DeviceKind::Nvme { vfs: 1.., .. } | DeviceKind::RootPort) {
        let what = if kind == DeviceKind::RootPort { "a port" } else { "a controller with `vfs`" };
        let headline = format!("{what} cannot be plugged later");
        let span = fields.span(&at.key("plugged"));
        fields.report(Contradiction, span, headline, "later".into(), "leave `plugged` out".to_owned());
    }
    Some(Device { name: name?, at_start, behind, kind })
}

/// A port that was made before.
fn port(text: &str, earlier: &[Device]) -> Result<String, Rejection> {
    let ports: Vec<&str> =
        earlier.iter().filter(|d| d.kind == DeviceKind::RootPort).map(|d| d.name.as_str()).collect();
    if ports.contains(&text) {
        return Ok(text.to_owned());
    }
    let rejection = Rejection::of(text, "the name of a `pcie-root-port` further up");
    Err(match word::meant(text, ports.iter().copied()) {
        Some(port) => rejection.help(format!("did you mean `{port}`?")),
        None => rejection,
    })
}

/// What a disk holds: exactly one of `image` and `blank`.
fn medium(fields: &mut Fields<'_>, at: &KeyPath, shape: &DeviceShape) -> Option<Medium> {
    let given: Vec<&str> = [("image", shape.image.is_some()), ("blank", shape.blank.is_some())]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
    if given.is_empty() {
        let headline = "a disk holds something".to_owned();
        let help = "add `image: FILE`, or `blank: 64M` for zeroes".to_owned();
        fields.report(MissingKey, fields.key_span(at), headline, "holds nothing".into(), help);
        return None;
    }
    if fields.exactly_one(at, &given, &["image", "blank"])? == "blank" {
        let size = fields.optional(&at.key("blank"), shape.blank.as_ref(), quantity::disk_mib)?;
        return Some(Medium::Blank(size));
    }
    let name = fields.required(&at.key("image"), shape.image.as_ref(), word::line)?;
    let dir = fields.source.path.parent().unwrap_or(Path::new("."));
    let path = dir.join(&name);
    if !path.is_file() {
        let help = format!("looked for {}; paths are relative to the machine's folder", path.display());
        let span = fields.span(&at.key("image"));
        fields.report(MissingFile, span, "`image` names no file".into(), "no such file".into(), help);
        return None;
    }
    Some(Medium::Image(path))
}

/// Checks a device in QEMU's own words: a driver, then properties. The id is the device's name here.
fn raw_device(text: &str) -> Result<String, Rejection> {
    let expected = "`DRIVER,PROPERTY=VALUE,…` as `-device` of QEMU takes it";
    let text = word::line(text)?;
    let mut words = text.split(',');
    let driver = words.next().unwrap_or_default();
    let right = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if driver.is_empty() || !driver.chars().all(right) || words.clone().any(|w| !w.contains('=')) {
        return Err(Rejection::of(&text, expected));
    }
    if words.any(|w| w.starts_with("id=")) {
        return Err(Rejection::of(&text, expected).help("leave `id=` out: the id is the `name`"));
    }
    Ok(text)
}
