//! What a cold attempt costs beside a bare boot, in one run and alternating, so that both meet the same machine.
//!
//! - `attempt`: request, initramfs, QEMU, boot, agent, trivial check, a program that does nothing, detectors,
//!   power-off, diagnosis, verdict
//! - `bare`: QEMU with the same kernel, processors and memory, and an init that powers off at once
//! - `bare bzImage`: the same with the image as packaged instead of the extracted vmlinux
//!
//! `cargo bench --bench cold_boot [-- ROUNDS [KERNEL]]`; needs what a run needs. The figures are medians.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::median;
use kregress::arch::GUEST;
use kregress::cancel::Cancel;
use kregress::kernel::{Kernel, cache_folder};
use kregress::lab::vm::VmLab;
use kregress::lab::{Lab, Request, Watch};
use kregress::machine::Machine;
use kregress::observation::Phase;
use kregress::oops;
use kregress::verdict::{Verdict, judge};
use kregress::vm::accel::AccelRequest;
use kregress::vm::backend;
use kregress::vm::qemu::Qemu;
use kregress::vm::qemu::args::base_cmdline;

const INIT: &str = "
#include <sys/reboot.h>
int main(void) { return reboot(RB_POWER_OFF); }
";

struct Silent;

impl Watch for Silent {
    fn phase(&self, _: Phase) {}
    fn slow(&self, _: f64) {}
    fn trouble(&self, _: &str) {}
}

fn main() {
    let mut words = common::words();
    let rounds = common::number(words.next(), 11);
    let kernel = common::kernel(&words.next().unwrap_or_else(|| "6.17.13".to_owned()));
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let test = common::test(common::NOTHING);
    let machine = Machine::built_in().for_test(&test.machine).expect("a machine");
    let lab = VmLab::new(backend::find().expect("QEMU"), &cache_folder()).expect("a lab").without_snapshots();
    let choice = lab.choose_accel(AccelRequest::Auto, &kernel);
    let initramfs = bare_initramfs(scratch.path());
    println!("{} on {} ({})", kernel.release, choice.accel, choice.reason);

    let (mut attempts, mut bare, mut packaged, mut boots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let accel = choice.accel.to_string();
    for round in 0..rounds {
        let image = kernel.boot_image();
        let bare_seconds = bare_boot(&kernel, image, &initramfs, &accel);
        let start = Instant::now();
        let cancel = Cancel::new();
        let request = Request {
            kernel: &kernel,
            test: &test,
            machine: &machine,
            attempt: 1,
            seed: round as u64,
            dir: None,
            cancel: &cancel,
            in_vain: &|_| false,
        };
        let seen = lab.attempt(&request, &Silent);
        let verdict = judge(&test, &seen, &oops::diagnose(&seen.console.text));
        let seconds = start.elapsed().as_secs_f64();
        if verdict.verdict == Verdict::Lost {
            println!("round {round} is left out: {}", verdict.reason.unwrap_or_default());
            continue;
        }
        assert_eq!(verdict.verdict, Verdict::Good, "{verdict:?}");
        bare.push(bare_seconds);
        attempts.push(seconds);
        boots.extend(seen.boot_seconds);
        packaged.push(bare_boot(&kernel, &kernel.image, &initramfs, &accel));
    }
    let (attempt, bare, packaged) = (median(&attempts), median(&bare), median(&packaged));
    println!("attempt       {attempt:.3} s   (of it to the agent's first word {:.3} s)", median(&boots));
    println!("bare          {bare:.3} s");
    println!("bare bzImage  {packaged:.3} s");
    println!("attempt / bare            {:.2}", attempt / bare);
    println!("attempt / bare bzImage    {:.2}", attempt / packaged);
    println!("bare bzImage / bare       {:.2}", packaged / bare);
}

fn bare_initramfs(folder: &Path) -> PathBuf {
    let (source, init, archive) = (folder.join("init.c"), folder.join("init"), folder.join("bare.cpio"));
    std::fs::write(&source, INIT).expect("a source");
    let status =
        Command::new("cc").args(["-static", "-O2", "-o"]).arg(&init).arg(&source).status().expect("cc");
    assert!(status.success(), "cc failed");
    let program = std::fs::read(&init).expect("a program");
    let mut out = Vec::new();
    let mut writer =
        cpio::newc::Builder::new("init").mode(0o100755).nlink(1).write(&mut out, program.len() as u32);
    std::io::Write::write_all(&mut writer, &program).expect("memory");
    writer.finish().expect("memory");
    cpio::newc::trailer(&mut out).expect("memory");
    std::fs::write(&archive, out).expect("an archive");
    archive
}

/// Boots with nothing but what a boot needs, and waits for QEMU's end.
fn bare_boot(kernel: &Kernel, image: &Path, initramfs: &Path, accel: &str) -> f64 {
    let (accel, cpu) = if accel == "kvm" { ("kvm", "host") } else { ("tcg,thread=multi", "max") };
    let qemu = Qemu::find().expect("QEMU");
    let mut command = Command::new(&qemu.path);
    command.args(&qemu.extra);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35"]);
    command
        .args(["-accel", accel, "-cpu", cpu, "-smp", "2", "-m", "512M", "-kernel"])
        .arg(image)
        .arg("-initrd");
    command.arg(initramfs).args(["-append", &base_cmdline(GUEST).join(" "), "-serial", "null"]);
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status().expect("QEMU");
    assert!(status.success(), "QEMU failed on {}", kernel.name);
    start.elapsed().as_secs_f64()
}
