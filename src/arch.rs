//! The architectures of guests, one row each: everything that differs between them outside the kernel's own words.
//!
//! `build.rs` reads this file as well, so it uses nothing but the standard library.

/// An architecture as QEMU, the kernel, Debian and Rust call it, and what a guest of it consists of.
#[derive(Debug, PartialEq, Eq)]
pub struct Arch {
    /// As `uname -m` says it.
    pub name: &'static str,
    /// The emulator.
    pub qemu: Qemu,
    /// Where the kernel's console is.
    pub console: Console,
    /// How virtio devices are attached.
    pub virtio: Transport,
    /// Where the machine's memory lies.
    pub memory: MemoryMap,
    /// How the kernel's log is found in the memory; absent: it is not read.
    pub page_tables: Option<PageTables>,
    /// Parameters that a kernel of this architecture gets besides those of all.
    pub cmdline: &'static [&'static str],
    /// The kernel's image.
    pub image: Image,
    /// `ARCH` of the kernel's makefiles.
    pub make: &'static str,
    /// Its folder below `arch/` of the kernel's source.
    pub source: &'static str,
    /// What Debian calls it: in package files, and before the names of its kernels here (`arm64:6.12.117`).
    pub debian: &'static str,
    /// What the releases of Debian's kernels for it end in.
    pub flavour: &'static str,
    /// What the names of cross tools begin with, without the last `-`; Debian's folders of libraries have this name.
    pub triplet: &'static str,
    /// Rust's targets for the init of the guests, the best first.
    pub agent_targets: &'static [&'static str],
}

/// The emulator of an architecture.
#[derive(Debug, PartialEq, Eq)]
pub struct Qemu {
    /// The program.
    pub program: &'static str,
    /// Debian's package with it.
    pub package: &'static str,
    /// Debian's package with it up to bookworm, where that was another one.
    pub old_package: Option<&'static str>,
    /// What it needs besides, as Debian's packages.
    pub with: &'static [&'static str],
    /// Folders of `/usr/share` that hold its firmware.
    pub firmware: &'static [&'static str],
    /// The machine type with its properties.
    pub machine: &'static str,
    /// The processor that TCG emulates.
    pub cpu: &'static str,
    /// Whether clocks that leap over idle time were tried with its guests.
    pub leaps: bool,
}

/// The line that the kernel prints on.
#[derive(Debug, PartialEq, Eq)]
pub struct Console {
    /// `console=` of the kernel's command line.
    pub kernel: &'static str,
    /// QEMU's option for a serial line, with `{chardev}` and `{nth}` for what is behind it and which one it is.
    pub line: (&'static str, &'static str),
    /// How many such lines there can be; the second carries the agent's messages where the kernel lacks virtio's.
    pub lines: u32,
    /// What stands before a magic SysRq key on the line.
    pub sysrq: SysRq,
}

/// How a line tells a magic SysRq key from text (kernel documentation `admin-guide/sysrq`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SysRq {
    /// A break: serial lines. The kernel answers in the line's interrupt.
    Break,
    /// Ctrl-O: lines that know no break. On s390x the kernel answers in a work queue, so not where its workers are stuck.
    ControlO,
}

impl Console {
    /// QEMU's option and value for the line with this number, from 0.
    pub fn option(&self, chardev: &str, nth: u32) -> (&'static str, String) {
        let (option, value) = self.line;
        (option, value.replace("{chardev}", chardev).replace("{nth}", &nth.to_string()))
    }
}

/// The bus of virtio devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// PCI.
    Pci,
    /// Channel I/O (s390x).
    Ccw,
}

impl Transport {
    /// QEMU's name of a virtio device on this bus: `virtio-blk` is `virtio-blk-pci`.
    pub fn device(self, name: &str) -> String {
        match self {
            Transport::Pci => format!("{name}-pci"),
            Transport::Ccw => format!("{name}-ccw"),
        }
    }
}

/// Physical addresses of a machine's memory, bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct MemoryMap {
    /// Where it begins.
    pub start: u64,
    /// Memory of this size or more is in two parts.
    pub split_from: u64,
    /// How large the first part then is.
    pub first: u64,
    /// Where the second part begins.
    pub second_start: u64,
}

impl MemoryMap {
    /// Start and length of each part of a memory of this size.
    pub fn parts(&self, size: u64) -> Vec<(u64, u64)> {
        match size < self.split_from {
            true => vec![(self.start, size)],
            false => vec![(self.start, self.first), (self.second_start, size - self.first)],
        }
    }
}

/// How a kernel's virtual addresses become physical ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageTables {
    /// Four or five levels, as `arch/x86` has them.
    X86,
    /// As many levels as the kernel's addresses and pages take, as `arch/arm64` has them.
    Arm64,
    /// Three to five levels, as `arch/riscv` has them.
    RiscV,
    /// None are needed: image and log lie in the map of all memory, which begins there.
    Linear {
        /// A virtual address.
        start: u64,
    },
}

/// The file that a kernel is booted from.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// The name of the file and of its make target.
    pub name: &'static str,
    /// Where `make` leaves it.
    pub made: &'static str,
    /// The option with which QEMU boots the linked ELF file (`vmlinux`) by itself; absent: it never does.
    pub elf_boots_with: Option<&'static str>,
}

impl Image {
    /// Its places in folders that builds and packages fill, the best first.
    pub fn places(&self) -> Vec<String> {
        let Image { name, made, .. } = self;
        let places =
            [*name, "vmlinuz", &format!("boot/{name}"), "boot/vmlinuz", made, "vmlinux"].map(str::to_owned);
        places.to_vec()
    }
}

/// PCs with the Q35 chipset.
pub static X86_64: Arch = Arch {
    name: "x86_64",
    qemu: Qemu {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        old_package: None,
        with: &["qemu-system-common", "qemu-system-data", "seabios"],
        firmware: &["qemu", "seabios"],
        machine: "q35,usb=off,graphics=off,vmport=off",
        cpu: "max",
        leaps: true,
    },
    console: Console {
        kernel: "ttyS0,115200",
        line: ("-device", "isa-serial,chardev={chardev},index={nth}"),
        lines: 4,
        sysrq: SysRq::Break,
    },
    virtio: Transport::Pci,
    // QEMU's `pc_q35_init()`
    memory: MemoryMap { start: 0, split_from: 0xb000_0000, first: 0x8000_0000, second_start: 1 << 32 },
    page_tables: Some(PageTables::X86),
    // the timer is not tried out, because on a busy host its interrupts come late and the kernel panics ("IO-APIC +
    // timer doesn't work!", arch/x86/kernel/apic/io_apic.c), as it knows not to under KVM
    cmdline: &["no_timer_check"],
    image: Image { name: "bzImage", made: "arch/x86/boot/bzImage", elf_boots_with: Some("CONFIG_PVH") },
    make: "x86_64",
    source: "x86",
    debian: "amd64",
    flavour: "amd64",
    triplet: "x86_64-linux-gnu",
    agent_targets: &["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"],
};

/// QEMU's `virt` machine. Kernels of 6.1 to 7.3 booted with this line and QEMU 7.2 and 10.0.
pub static AARCH64: Arch = Arch {
    name: "aarch64",
    qemu: Qemu {
        program: "qemu-system-aarch64",
        package: "qemu-system-arm",
        old_package: None,
        with: &["qemu-system-common", "qemu-system-data"],
        firmware: &["qemu"],
        machine: "virt,gic-version=max",
        // pointer authentication with the architecture's own cipher takes half of a boot under TCG
        cpu: "max,pauth-impdef=on",
        leaps: false,
    },
    console: Console {
        kernel: "ttyAMA0",
        line: ("-serial", "chardev:{chardev}"),
        lines: 1,
        sysrq: SysRq::Break,
    },
    virtio: Transport::Pci,
    memory: MemoryMap { start: 1 << 30, split_from: u64::MAX, first: 0, second_start: 0 },
    page_tables: Some(PageTables::Arm64),
    cmdline: &[],
    image: Image { name: "Image", made: "arch/arm64/boot/Image", elf_boots_with: None },
    make: "arm64",
    source: "arm64",
    debian: "arm64",
    flavour: "arm64",
    triplet: "aarch64-linux-gnu",
    agent_targets: &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"],
};

/// QEMU's `s390-ccw-virtio` machine, with console and virtio on channels. Kernels of 6.1 to 7.2 booted with this line and
/// QEMU 7.2 and 10.0. Its kernels have no soft-lockup detector.
pub static S390X: Arch = Arch {
    name: "s390x",
    qemu: Qemu {
        program: "qemu-system-s390x",
        package: "qemu-system-s390x",
        old_package: Some("qemu-system-misc"),
        with: &["qemu-system-common", "qemu-system-data"],
        firmware: &["qemu"],
        machine: "s390-ccw-virtio",
        cpu: "max",
        leaps: false,
    },
    // the other console, `sclplmconsole`, loses the last lines before a power-off
    console: Console {
        kernel: "ttyS0",
        line: ("-device", "sclpconsole,chardev={chardev}"),
        lines: 1,
        sysrq: SysRq::ControlO,
    },
    virtio: Transport::Ccw,
    memory: MemoryMap { start: 0, split_from: u64::MAX, first: 0, second_start: 0 },
    page_tables: None,
    cmdline: &[],
    image: Image { name: "bzImage", made: "arch/s390/boot/bzImage", elf_boots_with: None },
    make: "s390",
    source: "s390",
    debian: "s390x",
    flavour: "s390x",
    triplet: "s390x-linux-gnu",
    agent_targets: &["s390x-unknown-linux-gnu"],
};

/// QEMU's `virt` machine. Kernels of 6.12 and 7.2 booted with this line and QEMU 7.2.
pub static RISCV64: Arch = Arch {
    name: "riscv64",
    qemu: Qemu {
        program: "qemu-system-riscv64",
        package: "qemu-system-riscv",
        old_package: Some("qemu-system-misc"),
        with: &["qemu-system-common", "qemu-system-data", "opensbi"],
        firmware: &["qemu"],
        machine: "virt",
        cpu: "rv64",
        leaps: false,
    },
    console: Console {
        kernel: "ttyS0",
        line: ("-serial", "chardev:{chardev}"),
        lines: 1,
        sysrq: SysRq::Break,
    },
    virtio: Transport::Pci,
    memory: MemoryMap { start: 1 << 31, split_from: u64::MAX, first: 0, second_start: 0 },
    page_tables: Some(PageTables::RiscV),
    cmdline: &[],
    image: Image { name: "Image", made: "arch/riscv/boot/Image", elf_boots_with: None },
    make: "riscv",
    source: "riscv",
    debian: "riscv64",
    flavour: "riscv64",
    triplet: "riscv64-linux-gnu",
    agent_targets: &["riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"],
};

/// QEMU's `pseries` machine. Kernels of 6.12 and 7.2 booted with this line and QEMU 7.2. TCG has none of the capabilities that
/// are off here, and would say so each time.
pub static PPC64LE: Arch = Arch {
    name: "ppc64le",
    qemu: Qemu {
        program: "qemu-system-ppc64",
        package: "qemu-system-ppc",
        old_package: None,
        with: &["qemu-system-common", "qemu-system-data"],
        firmware: &["qemu"],
        machine: "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
        cpu: "power9",
        leaps: false,
    },
    console: Console {
        kernel: "hvc0",
        line: ("-serial", "chardev:{chardev}"),
        lines: 1,
        sysrq: SysRq::ControlO,
    },
    virtio: Transport::Pci,
    memory: MemoryMap { start: 0, split_from: u64::MAX, first: 0, second_start: 0 },
    page_tables: Some(PageTables::Linear { start: 0xc000_0000_0000_0000 }),
    cmdline: &[],
    image: Image { name: "vmlinux", made: "vmlinux", elf_boots_with: None },
    make: "powerpc",
    source: "powerpc",
    debian: "ppc64el",
    flavour: "powerpc64le",
    triplet: "powerpc64le-linux-gnu",
    agent_targets: &["powerpc64le-unknown-linux-musl", "powerpc64le-unknown-linux-gnu"],
};

/// All of them.
pub static ARCHES: &[&Arch] = &[&X86_64, &AARCH64, &S390X, &RISCV64, &PPC64LE];

/// The architecture of kernels for which none is named.
pub const GUEST: &Arch = &X86_64;

impl Arch {
    /// The architecture of this name, as `uname -m` or Debian says it.
    pub fn named(name: &str) -> Option<&'static Arch> {
        ARCHES.iter().copied().find(|arch| arch.name == name || arch.debian == name)
    }

    /// What stands before the names of its kernels.
    pub fn prefix(&self) -> String {
        if self == GUEST { String::new() } else { format!("{}:", self.debian) }
    }

    /// Its name where that has to be said: it is not the default one.
    pub fn to_tell(&self) -> Option<String> {
        (self != GUEST).then(|| self.name.to_owned())
    }

    /// The end of an environment variable that is about it: `ARM64`.
    pub fn variable(&self, start: &str) -> String {
        format!("{start}_{}", self.debian.to_uppercase())
    }

    /// Whether it is this host's own.
    pub fn is_hosts(&self) -> bool {
        self.name == std::env::consts::ARCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart() {
        for arch in ARCHES {
            assert!(std::ptr::eq(Arch::named(arch.name).unwrap(), *arch), "{}", arch.name);
            assert!(std::ptr::eq(Arch::named(arch.debian).unwrap(), *arch), "{}", arch.name);
            assert!(arch.image.places().contains(&arch.image.made.to_owned()), "{}", arch.name);
        }
        assert_eq!((GUEST.prefix().as_str(), AARCH64.prefix().as_str()), ("", "arm64:"));
        assert_eq!(AARCH64.variable("KREGRESS_QEMU"), "KREGRESS_QEMU_ARM64");
    }

    #[test]
    fn memory_is_split_as_the_machine_splits_it() {
        const GIB: u64 = 1 << 30;
        /// Where a part begins and how long it is, GiB.
        type Part = (u64, u64);
        let table: [(&Arch, u64, &[Part]); 5] = [
            (&X86_64, 1, &[(0, 1)]),
            (&X86_64, 2, &[(0, 2)]),
            (&X86_64, 3, &[(0, 2), (4, 1)]),
            (&X86_64, 8, &[(0, 2), (4, 6)]),
            (&AARCH64, 8, &[(1, 8)]),
        ];
        for (arch, size, parts) in table {
            let expected: Vec<Part> =
                parts.iter().map(|(start, length)| (start * GIB, length * GIB)).collect();
            assert_eq!(arch.memory.parts(size * GIB), expected, "{} {size} GiB", arch.name);
        }
    }

    #[test]
    fn devices_are_named_as_their_bus_wants() {
        assert_eq!(Transport::Pci.device("virtio-blk"), "virtio-blk-pci");
        assert_eq!(Transport::Ccw.device("virtio-serial"), "virtio-serial-ccw");
        assert_eq!(X86_64.console.option("c", 1), ("-device", "isa-serial,chardev=c,index=1".to_owned()));
        assert_eq!(AARCH64.console.option("c", 0), ("-serial", "chardev:c".to_owned()));
    }
}
