//! The QEMU command line, as a pure function of a machine.

use std::ffi::OsString;
use std::path::Path;

use super::device::fit;
use crate::arch::Arch;
use crate::guest::PORT_NAME;
use crate::suite::Clock;
use crate::vm::spec::{Accel, VmSpec};

/// Kernel parameters of every guest, with what its architecture needs ([`Arch::cmdline`]) and where its console is. None of
/// them changes the kernel's own behaviour under test: warnings and worse on the console while booting (the agent lets
/// everything through once it runs); a panic ends the virtual machine at once; ciphers that are built in do not test
/// themselves while booting, which takes up to a sixth of a boot (the agent switches these tests on again, for ciphers
/// that a test loads).
pub fn base_cmdline(arch: &Arch) -> Vec<String> {
    let console = format!("console={}", arch.console.kernel);
    let own = arch.cmdline.iter().copied();
    let words =
        [console.as_str(), "loglevel=5", "panic=-1"].into_iter().chain(own).chain(["cryptomgr.notests=1"]);
    words.map(str::to_owned).collect()
}

/// How a virtual machine is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// It boots.
    #[default]
    Boot,
    /// It boots, with its memory in [`fds::MEMORY`], so that it can be saved.
    Template,
    /// It is restored: its memory is a private copy, page by page, of [`fds::MEMORY`], and it waits for the state of
    /// its devices ([`fds::STATE`]).
    Restored,
}

/// How QEMU's translator is asked to leap over idle time: an instruction takes 8 ns whoever runs it and however busy the
/// host is, and while all processors are idle the clock jumps to the next timer (QEMU manual, "TCG Instruction Counting").
pub const TIME_TRAVEL: [&str; 2] = ["tcg,thread=single", "shift=3,sleep=off"];

/// File descriptors that QEMU inherits. Besides them the kernel console is its standard input and output.
pub mod fds {
    /// The agent's virtio port.
    pub const AGENT: i32 = 3;
    /// QMP.
    pub const MONITOR: i32 = 4;
    /// The agent's serial port, where there is one.
    pub const AGENT_SERIAL: i32 = 5;
    /// The file that is the guest's memory, where it is one.
    pub const MEMORY: i32 = 6;
    /// The file that the devices' state is written to or read from.
    pub const STATE: i32 = 7;
    /// The set of descriptors that holds [`STATE`], under which `file:` finds it.
    pub const STATE_SET: u32 = 1;
    /// The first of the files that QEMU could not open by their paths, where it is another user.
    pub const LENT: i32 = 8;
}

/// The kernel command line of a machine.
pub fn cmdline(machine: &VmSpec) -> String {
    let mut words = base_cmdline(machine.arch);
    words.extend(machine.cmdline.iter().cloned());
    words.join(" ")
}

/// Every argument but the program itself, for a machine that boots.
pub fn qemu_args(machine: &VmSpec) -> Vec<OsString> {
    qemu_args_from(machine, Origin::Boot)
}

/// Every argument but the program itself.
pub fn qemu_args_from(machine: &VmSpec, origin: Origin) -> Vec<OsString> {
    let arch = machine.arch;
    let mut args = Args::default();
    args.flag("-nodefaults").flag("-no-user-config").flag("-no-reboot");
    args.pair("-display", "none").pair("-vga", "none");
    args.pair("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    match (machine.accel, machine.clock) {
        (Accel::Kvm, _) => args.pair("-accel", "kvm").pair("-cpu", "host"),
        (Accel::Tcg, Clock::Real) => args.pair("-accel", "tcg,thread=multi").pair("-cpu", arch.qemu.cpu),
        (Accel::Tcg, Clock::TimeTravel) => {
            args.pair("-accel", TIME_TRAVEL[0]).pair("-icount", TIME_TRAVEL[1]).pair("-cpu", arch.qemu.cpu)
        }
    };
    let memory = match origin {
        Origin::Boot => "",
        Origin::Template | Origin::Restored => ",memory-backend=ram",
    };
    args.pair("-machine", &format!("{}{memory}", arch.qemu.machine));
    args.pair("-smp", &machine.cpus.to_string());
    args.pair("-m", &format!("{}M", machine.memory_mib));
    if origin != Origin::Boot {
        let share = if origin == Origin::Template { "on" } else { "off" };
        args.pair("-object", &memory_object(machine, share));
        args.pair("-add-fd", &format!("fd={},set={}", fds::STATE, fds::STATE_SET));
    }
    if origin == Origin::Restored {
        args.pair("-incoming", "defer");
    } else {
        args.path("-kernel", &machine.kernel).path("-initrd", &machine.initramfs);
        args.pair("-append", &cmdline(machine));
    }
    if let Some(socket) = &machine.gdb {
        // a comma in a value is written twice
        let path = socket.to_string_lossy().replace(',', ",,");
        args.flag("-S").pair("-gdb", &format!("unix:{path},server=on,wait=off"));
    }
    args.pair("-chardev", &format!("socket,id=monitor,fd={}", fds::MONITOR));
    args.pair("-mon", "chardev=monitor,mode=control");
    // QEMU writes byte by byte, of which a socket holds some hundred: the guest's driver waits for 10 ms, then goes on, and
    // what it says meanwhile is lost. Pipes hold 65,536 and more, and only standard streams are two of them
    args.pair("-chardev", "stdio,id=console,signal=off");
    args.serial(arch, "console", 0);
    if machine.virtio_channel {
        args.pair("-device", &format!("{},max_ports=2", arch.virtio.device("virtio-serial")));
        args.pair("-chardev", &format!("socket,id=agent,fd={}", fds::AGENT));
        args.pair("-device", &format!("virtserialport,nr=1,chardev=agent,name={PORT_NAME}"));
    }
    if machine.serial_channel {
        args.pair("-chardev", &format!("socket,id=agent-serial,fd={}", fds::AGENT_SERIAL));
        args.serial(arch, "agent-serial", 1);
    }
    for device in machine.devices.iter().map(|device| fit(arch, device)) {
        for (option, value) in &device.resident {
            args.pair(option, value);
        }
        if !device.at_start {
            continue;
        }
        if let Some(drive) = &device.drive {
            args.0.extend(["-drive".into(), drive.option()]);
        }
        for part in &device.parts {
            args.pair("-device", &part.option());
        }
    }
    args.0
}

/// The descriptor is opened again by QEMU, so that no name of the file matters: it may be gone already.
fn memory_object(machine: &VmSpec, share: &str) -> String {
    let (size, fd) = (machine.memory_mib, fds::MEMORY);
    format!("memory-backend-file,id=ram,size={size}M,mem-path=/proc/self/fd/{fd},share={share}")
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn flag(&mut self, flag: &str) -> &mut Args {
        self.0.push(flag.into());
        self
    }

    fn pair(&mut self, option: &str, value: &str) -> &mut Args {
        self.0.extend([option.into(), value.into()]);
        self
    }

    /// A serial line of the machine, with this number, from 0.
    fn serial(&mut self, arch: &Arch, chardev: &str, nth: u32) -> &mut Args {
        let (option, value) = arch.console.option(chardev, nth);
        self.pair(option, &value)
    }

    fn path(&mut self, option: &str, path: &Path) -> &mut Args {
        self.0.extend([option.into(), path.into()]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{AARCH64, X86_64};
    use crate::machine::{Device, DeviceKind, Medium};
    use crate::vm::spec::VmDevice;

    fn disk(name: &str, at_start: bool) -> VmDevice {
        let kind = DeviceKind::VirtioDisk(Medium::Prepared("disk.img".into()));
        let device = Device { name: name.into(), at_start, behind: None, kind };
        VmDevice { device, nth: 1, image: Some("/c/a,b.img".into()) }
    }

    fn machine() -> VmSpec {
        VmSpec {
            arch: &X86_64,
            accel: Accel::Tcg,
            cpus: 2,
            memory_mib: 512,
            kernel: "/k/vmlinux".into(),
            initramfs: "/c/init.cpio".into(),
            cmdline: vec!["slab_debug=FZPU".into()],
            devices: vec![disk("image", true), disk("later", false)],
            serial_channel: false,
            virtio_channel: true,
            clock: Clock::Real,
            gdb: None,
        }
    }

    fn joined(machine: &VmSpec) -> String {
        qemu_args(machine).iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_guest_may_wait_for_gdb() {
        let line = joined(&VmSpec { gdb: Some("/c/a,b/gdb".into()), ..machine() });
        assert!(line.contains(" -S -gdb unix:/c/a,,b/gdb,server=on,wait=off "), "{line}");
    }

    #[test]
    fn the_whole_line() {
        insta::assert_snapshot!(joined(&machine()).replace(" -", "\n-"), @r"
-nodefaults
-no-user-config
-no-reboot
-display none
-vga none
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-accel tcg,thread=multi
-cpu max
-machine q35,usb=off,graphics=off,vmport=off
-smp 2
-m 512M
-kernel /k/vmlinux
-initrd /c/init.cpio
-append console=ttyS0,115200 loglevel=5 panic=-1 no_timer_check cryptomgr.notests=1 slab_debug=FZPU
-chardev socket,id=monitor,fd=4
-mon chardev=monitor,mode=control
-chardev stdio,id=console,signal=off
-device isa-serial,chardev=console,index=0
-device virtio-serial-pci,max_ports=2
-chardev socket,id=agent,fd=3
-device virtserialport,nr=1,chardev=agent,name=kregress.agent
-drive if=none,id=disk-image,format=raw,snapshot=on,file=/c/a,,b.img
-device virtio-blk-pci,id=image,drive=disk-image,serial=image
");
    }

    /// The line of an architecture that does not run yet, as its guests were booted by hand.
    #[test]
    fn another_architecture_differs_by_its_row() {
        let machine = machine();
        let line = |machine: &VmSpec| -> Vec<String> {
            joined(machine).replace(" -", "\n-").lines().map(str::to_owned).collect()
        };
        let (here, there) = (line(&machine), line(&VmSpec { arch: &AARCH64, ..machine.clone() }));
        let others: Vec<&String> = there.iter().filter(|option| !here.contains(option)).collect();
        insta::assert_snapshot!(others.into_iter().cloned().collect::<Vec<_>>().join("\n"), @"
        -cpu max,pauth-impdef=on
        -machine virt,gic-version=max
        -append console=ttyAMA0 loglevel=5 panic=-1 cryptomgr.notests=1 slab_debug=FZPU
        -serial chardev:console
        ");
    }

    #[test]
    fn a_restored_machine_is_the_saved_one_without_its_kernel() {
        let lines = |origin| -> Vec<String> {
            let args = qemu_args_from(&machine(), origin);
            args.iter().map(|a| a.to_string_lossy().into_owned()).collect()
        };
        let (saved, restored) = (lines(Origin::Template), lines(Origin::Restored));
        let only = |these: &[String], those: &[String]| -> String {
            these.iter().filter(|a| !those.contains(a)).cloned().collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(only(&saved, &restored), @"memory-backend-file,id=ram,size=512M,mem-path=/proc/self/fd/6,share=on -kernel /k/vmlinux -initrd /c/init.cpio -append console=ttyS0,115200 loglevel=5 panic=-1 no_timer_check cryptomgr.notests=1 slab_debug=FZPU");
        insta::assert_snapshot!(only(&restored, &saved), @"memory-backend-file,id=ram,size=512M,mem-path=/proc/self/fd/6,share=off -incoming defer");
        insta::assert_snapshot!(only(&saved, &lines(Origin::Boot)), @"q35,usb=off,graphics=off,vmport=off,memory-backend=ram -object memory-backend-file,id=ram,size=512M,mem-path=/proc/self/fd/6,share=on -add-fd fd=7,set=1");
    }

    #[test]
    fn no_network_and_nothing_writable() {
        let line = joined(&machine());
        assert!(!line.contains("netdev") && !line.contains("-nic"));
        assert!(line.contains("snapshot=on,file=/c/a,,b.img"));
    }

    #[test]
    fn only_the_translator_leaps_over_idle_time() {
        let leaping = VmSpec { clock: Clock::TimeTravel, ..machine() };
        let line = joined(&leaping);
        assert!(line.contains(" -accel tcg,thread=single -icount shift=3,sleep=off -cpu max "), "{line}");
        assert!(!joined(&VmSpec { accel: Accel::Kvm, ..leaping }).contains("icount"));
    }

    #[test]
    fn kvm_uses_the_hosts_processor() {
        let line = joined(&VmSpec { accel: Accel::Kvm, ..machine() });
        assert!(line.contains("-accel kvm -cpu host"));
    }
}
