//! What is asked of a backend: a virtual machine with everything that it is started with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::machine::Device;
use crate::suite::Clock;

/// virtio-blk and NVMe carry serial numbers of at most 20 bytes.
const SERIAL_BYTES: usize = 20;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The host's processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl std::fmt::Display for Accel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        })
    }
}

/// A virtual machine that is to be started, whatever runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmSpec {
    /// Its architecture.
    pub arch: &'static Arch,
    /// What executes it.
    pub accel: Accel,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// The kernel: the architecture's image, or an uncompressed `vmlinux` that boots by itself.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// Kernel parameters besides those that every guest has.
    pub cmdline: Vec<String>,
    /// Its devices, besides those of every machine.
    pub devices: Vec<VmDevice>,
    /// Whether there is a second serial port that can carry the agent's messages.
    pub serial_channel: bool,
    /// Whether there is a virtio port for them. Without it the guest is as one whose kernel lacks the driver.
    pub virtio_channel: bool,
    /// How its time passes while its processors are idle.
    pub clock: Clock,
    /// A socket on which gdb is waited for before the guest's first instruction.
    pub gdb: Option<PathBuf>,
}

/// A device of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDevice {
    /// What the machine says of it.
    pub device: Device,
    /// Its number in the machine, from 1.
    pub nth: usize,
    /// The image of a disk, of which the guest sees a copy that is thrown away.
    pub image: Option<PathBuf>,
}

impl VmDevice {
    /// Its name in the machine, by which it is plugged and unplugged.
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// Whether it is there from the start.
    pub fn at_start(&self) -> bool {
        self.device.at_start
    }
}

/// The serial number under which the guest finds a disk.
pub fn serial(name: &str) -> String {
    name.chars().take(SERIAL_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_fit_the_device() {
        assert_eq!(serial("a-name-that-is-longer-than-twenty"), "a-name-that-is-longe");
    }
}
