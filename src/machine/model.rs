//! A machine as the rest of the program sees it: checked, with defaults filled in and paths resolved.

use std::path::PathBuf;

use crate::suite::{AccelNeed, Clock, MachineNeeds, USERLAND_DISK};

/// The file system of userlands, which is the name of its module as well.
pub const USERLAND_FILE_SYSTEM: &str = "ext4";

/// The name of the machine that tests get which name none.
pub const DEFAULT: &str = "default";

/// Virtual hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Name, `[a-z0-9-]`: that of its file.
    pub name: String,
    /// What it is for, for people.
    pub summary: String,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// What may execute it.
    pub accel: AccelNeed,
    /// The oldest QEMU that will do, besides what its devices need.
    pub qemu: Option<QemuNeed>,
    /// Arguments added to the kernel's command line.
    pub cmdline: Vec<String>,
    /// How its time passes, where whatever runs it can do that.
    pub clock: Clock,
    /// Its devices in the order in which they are made; names unique.
    pub devices: Vec<Device>,
}

/// A version of QEMU, as far as needs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuNeed {
    /// Before the point.
    pub major: u32,
    /// Behind the point.
    pub minor: u32,
}

impl std::fmt::Display for QemuNeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A device of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Name, `[a-z0-9-]`; QEMU's id of it, and what programs call it that plug or unplug it.
    pub name: String,
    /// Whether it is there from the start; if not, the program plugs it.
    pub at_start: bool,
    /// The [`DeviceKind::RootPort`] that it is behind.
    pub behind: Option<String>,
    /// What it is.
    pub kind: DeviceKind,
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// A PCI Express port, into which devices can be plugged while the machine runs.
    RootPort,
    /// Intel 82576, a network card with up to 7 virtual functions; it is connected to nothing.
    Igb,
    /// A disk on virtio-blk.
    VirtioDisk(Medium),
    /// An NVMe controller.
    Nvme {
        /// What its one name space holds.
        medium: Medium,
        /// How many virtual functions it can have.
        vfs: u32,
    },
    /// A serial port on the PCI bus, connected to nothing.
    Serial,
    /// As `-device` of QEMU's command line takes it: driver, then `,property=value`.
    Raw(String),
}

impl DeviceKind {
    /// What is on the disk, if it is one.
    pub fn medium(&self) -> Option<&Medium> {
        match self {
            DeviceKind::VirtioDisk(medium) | DeviceKind::Nvme { medium, .. } => Some(medium),
            _ => None,
        }
    }

    /// The module that drives a disk of this kind, where the kernel has it as a module.
    pub fn disk_module(&self) -> Option<&'static str> {
        match self {
            DeviceKind::VirtioDisk(_) => Some("virtio_blk"),
            DeviceKind::Nvme { .. } => Some("nvme"),
            _ => None,
        }
    }
}

/// What a disk holds when the machine starts; what is written to it is thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// A raw image.
    Image(PathBuf),
    /// The output of a `prepare` step of the test.
    Prepared(String),
    /// Zeroes, so many MiB.
    Blank(u32),
    /// The root file system that the test's program runs in.
    Userland,
}

/// What a test says about its machine and the machine say against each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// There is no such machine.
    #[error("there is no machine `{name}`: {folder} has {}; write it, or name another in `machine.base`", listed(.there))]
    Missing {
        /// What was named.
        name: String,
        /// Where machines are.
        folder: String,
        /// The machines that there are.
        there: Vec<String>,
    },
    /// The machine beside the suite is no machine.
    #[error("its machine cannot be read\n{shown}")]
    Mistakes {
        /// What is wrong with it, each with its place.
        shown: String,
    },
    /// A clock that leaps over idle time would outrun a disk.
    #[error(
        "the machine `{machine}` has the disk `{disk}`, which answers by the host's time: remove `machine.clock`"
    )]
    Outrun {
        /// The disk.
        disk: String,
        /// The machine.
        machine: String,
    },
    /// A disk of the test has the name of a device of the machine.
    #[error("the disk `{disk}` has the name of a device of the machine `{machine}`: rename the disk")]
    SameName {
        /// The name.
        disk: String,
        /// The machine.
        machine: String,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

impl Machine {
    /// The machine that is there without any file.
    pub fn built_in() -> Machine {
        Machine {
            name: DEFAULT.to_owned(),
            summary: "two processors, half a GiB of memory, no devices".to_owned(),
            cpus: 2,
            memory_mib: 512,
            accel: AccelNeed::Any,
            qemu: None,
            cmdline: Vec::new(),
            clock: Clock::Real,
            devices: Vec::new(),
        }
    }

    /// Processors of the host that it takes. Under a clock that leaps all of its processors take turns on one.
    pub fn host_cpus(&self) -> u32 {
        if self.clock.is_real() { self.cpus } else { 1 }
    }

    /// This machine as a test wants it.
    ///
    /// # Errors
    /// [`MachineError::SameName`].
    pub fn for_test(&self, needs: &MachineNeeds) -> Result<Machine, MachineError> {
        let mut machine = self.clone();
        machine.cpus = needs.cpus.unwrap_or(machine.cpus);
        machine.memory_mib = needs.memory_mib.unwrap_or(machine.memory_mib);
        machine.accel = needs.accel.unwrap_or(machine.accel);
        machine.cmdline.extend(needs.cmdline.iter().cloned());
        machine.clock = needs.clock;
        for disk in &needs.disks {
            if self.device(&disk.name).is_some() {
                return Err(MachineError::SameName { disk: disk.name.clone(), machine: self.name.clone() });
            }
            machine.devices.push(Device {
                name: disk.name.clone(),
                at_start: true,
                behind: None,
                kind: DeviceKind::VirtioDisk(match &disk.image {
                    Some(image) => Medium::Prepared(image.clone()),
                    None => Medium::Blank(disk.blank_mib.unwrap_or(1)),
                }),
            });
        }
        if let Some(disk) = machine.disks().next().filter(|_| !machine.clock.is_real()) {
            return Err(MachineError::Outrun { disk: disk.name.clone(), machine: self.name.clone() });
        }
        Ok(machine)
    }

    /// This machine with the disk of the test's userland.
    ///
    /// # Errors
    /// [`MachineError::SameName`].
    pub fn with_userland(mut self) -> Result<Machine, MachineError> {
        let name = USERLAND_DISK.to_owned();
        if self.device(&name).is_some() {
            return Err(MachineError::SameName { disk: name, machine: self.name });
        }
        let kind = DeviceKind::VirtioDisk(Medium::Userland);
        self.devices.push(Device { name, at_start: true, behind: None, kind });
        Ok(self)
    }

    /// Adds to the kernel's command line.
    pub fn with_cmdline(mut self, words: impl IntoIterator<Item = String>) -> Machine {
        self.cmdline.extend(words);
        self
    }

    /// Modules that drive its disks, and what is on them that the agent mounts itself. A kernel has them built in, or as
    /// modules, or cannot be used.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        let drivers = self.disks().filter_map(|disk| disk.kind.disk_module());
        drivers.chain(self.has_userland().then_some(USERLAND_FILE_SYSTEM))
    }

    /// Whether programs run in a userland.
    pub fn has_userland(&self) -> bool {
        self.devices.iter().any(|device| device.kind.medium() == Some(&Medium::Userland))
    }

    /// The device of this name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// Its disks.
    pub fn disks(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.kind.medium().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::DiskNeed;

    fn needs() -> MachineNeeds {
        let clock = Clock::Real;
        MachineNeeds {
            base: DEFAULT.into(),
            cpus: None,
            memory_mib: None,
            cmdline: vec![],
            disks: vec![],
            clock,
            accel: None,
        }
    }

    #[test]
    fn a_test_overrides_and_adds() {
        let base = Machine { cmdline: vec!["a".into()], ..Machine::built_in() };
        assert_eq!(base.for_test(&needs()), Ok(base.clone()));
        let image = Some("disk.img".into());
        let disk = DiskNeed { name: "bad".into(), image, blank_mib: None, also: None };
        let (cpus, accel, cmdline) = (Some(4), Some(AccelNeed::Kvm), vec!["b".into()]);
        let wanted = MachineNeeds { cpus, accel, cmdline, disks: vec![disk], ..needs() };
        let machine = base.for_test(&wanted).unwrap();
        assert_eq!((machine.cpus, machine.memory_mib, machine.accel), (4, 512, AccelNeed::Kvm));
        assert_eq!(machine.cmdline, ["a", "b"]);
        assert_eq!(machine.disks().count(), 1);
        insta::assert_snapshot!(machine.for_test(&wanted).unwrap_err(), @"the disk `bad` has the name of a device of the machine `default`: rename the disk");
    }

    #[test]
    fn time_travel_takes_one_processor_and_no_disk() {
        let leaping = |base: &Machine| base.for_test(&MachineNeeds { clock: Clock::TimeTravel, ..needs() });
        let machine = Machine::built_in();
        assert_eq!((machine.host_cpus(), leaping(&machine).unwrap().host_cpus()), (2, 1));
        let kind = DeviceKind::VirtioDisk(Medium::Blank(1));
        let disk = Device { name: "data".into(), at_start: true, behind: None, kind };
        let with_disk = Machine { devices: vec![disk], ..machine };
        insta::assert_snapshot!(leaping(&with_disk).unwrap_err(), @"the machine `default` has the disk `data`, which answers by the host's time: remove `machine.clock`");
    }
}
