//! What each choice of how a guest starts saves: QEMU until the guest's init powers it off, as this program starts
//! guests, and with one choice undone. The variants alternate in one run; figures are medians.
//!
//! `cargo bench --bench guest_start [-- ROUNDS [KERNEL]]`; needs what a run needs, and a C compiler.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{kernel, lab, median, number, words};
use flate2::write::GzEncoder;
use kregress::vm::qemu::Qemu;
use kregress::vm::spec::Accel;

/// Powers the guest off as soon as it runs.
const INIT: &str = "#include <sys/reboot.h>\nint main(void) { return reboot(RB_POWER_OFF); }\n";

/// Bytes that a folder of modules takes, unpacked: those of Debian's small image.
const MODULES: usize = 60 << 20;

/// How a guest starts.
struct Variant<'a> {
    name: &'static str,
    image: &'a Path,
    initramfs: &'a Path,
    cmdline: &'static str,
    arguments: &'static [&'static str],
}

fn main() {
    let mut words = words();
    let rounds = number(words.next(), 9);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.12.117".to_owned()));
    let lab = lab(&kernel);
    let folder = tempfile::tempdir().expect("a folder");
    let init = init(folder.path());
    let own = std::fs::read(lab.initramfs(&kernel).expect("the initramfs")).expect("the initramfs");
    let place = |name: &str, contents: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, contents).expect("a file");
        path
    };
    // archives may follow one another; of files of the same name the last one counts
    let plain = [own.as_slice(), &archive("init", 0o100_755, &init)].concat();
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&plain).expect("memory");
    let with_modules = [plain.as_slice(), &archive("modules", 0o100_644, &noise(MODULES))].concat();
    let packed = place("packed", &packed.finish().expect("memory"));
    let (plain, with_modules) = (place("plain", &plain), place("modules", &with_modules));

    const QUIET: &str = "console=ttyS0,115200 loglevel=5 panic=-1 no_timer_check cryptomgr.notests=1";
    const LOUD: &str = "console=ttyS0,115200 panic=-1 no_timer_check cryptomgr.notests=1";
    const TESTED: &str = "console=ttyS0,115200 loglevel=5 panic=-1 no_timer_check";
    const BARE: &[&str] = &["-nodefaults", "-no-user-config", "-vga", "none"];
    let as_is = Variant {
        name: "as it is",
        image: kernel.boot_image(),
        initramfs: &plain,
        cmdline: QUIET,
        arguments: BARE,
    };
    let variants = [
        Variant { name: "bzImage instead of vmlinux", image: &kernel.image, ..as_is },
        Variant { name: "initramfs packed with gzip", initramfs: &packed, ..as_is },
        Variant { name: "initramfs with 60 MB of modules", initramfs: &with_modules, ..as_is },
        Variant { name: "all messages of the boot on the console", cmdline: LOUD, ..as_is },
        Variant { name: "self-tests of ciphers", cmdline: TESTED, ..as_is },
        Variant { name: "QEMU's default devices", arguments: &[], ..as_is },
    ];
    let accel = lab.accel().unwrap_or(Accel::Tcg);
    let qemu = &Qemu::find().expect("QEMU");
    let boot = |variant: &Variant<'_>| {
        let mut command = Command::new(&qemu.path);
        command.args(&qemu.extra).args(variant.arguments).args(["-no-reboot", "-display", "none"]);
        command.args(["-machine", "q35", "-smp", "2", "-m", "512M", "-serial", "stdio"]);
        match accel {
            Accel::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
            Accel::Tcg => command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]),
        };
        command.arg("-kernel").arg(variant.image).arg("-initrd").arg(variant.initramfs);
        command.args(["-append", variant.cmdline]);
        let start = Instant::now();
        let output = command.stdin(Stdio::null()).output().expect("QEMU");
        assert!(output.status.success(), "{}: {}", variant.name, String::from_utf8_lossy(&output.stderr));
        start.elapsed().as_secs_f64()
    };
    let mut base = Vec::new();
    let mut others: Vec<Vec<f64>> = variants.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        let seconds = boot(&as_is);
        let undone: Vec<f64> = variants.iter().map(boot).collect();
        // the first of each reads files that later ones find in memory
        if round > 0 {
            base.push(seconds);
            others.iter_mut().zip(undone).for_each(|(all, seconds)| all.push(seconds));
        }
    }
    let base = median(&base);
    println!("{} on {accel}, QEMU {}, {rounds} rounds", kernel.release, qemu.version);
    println!("{:42} {base:.3} s", as_is.name);
    for (variant, seconds) in variants.iter().zip(&others) {
        let seconds = median(seconds);
        println!("{:42} {seconds:.3} s  {:.2}", variant.name, seconds / base);
    }
}

fn init(folder: &Path) -> Vec<u8> {
    let (source, program) = (folder.join("init.c"), folder.join("init"));
    std::fs::write(&source, INIT).expect("a source");
    let status = Command::new("cc").args(["-static", "-O2", "-o"]).arg(&program).arg(&source).status();
    assert!(status.is_ok_and(|status| status.success()), "cc failed");
    std::fs::read(&program).expect("a program")
}

fn archive(name: &str, mode: u32, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = cpio::newc::Builder::new(name).mode(mode).nlink(1);
    let mut writer = builder.write(&mut out, contents.len() as u32);
    writer.write_all(contents).expect("memory");
    writer.finish().expect("memory");
    cpio::newc::trailer(&mut out).expect("memory");
    // the next archive begins at a multiple of four
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Bytes that look like no pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(step).collect()
}
