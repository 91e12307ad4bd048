//! What a cold attempt costs beside a bare boot, in one run and alternating, so that both meet the same machine.
//!
//! - `attempt`: request, initramfs, QEMU, boot, agent, trivial check, a program that does nothing, detectors,
//!   power-off, diagnosis, verdict
//! - `bare`: QEMU with the same kernel, processors and memory, and an init that powers off at once
//! - `bare bzImage`: the same with the image as packaged instead of the extracted vmlinux
//!
//! `cargo bench --bench cold_boot [-- ROUNDS [KERNEL]]`; needs what a run needs. The figures are medians.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use kregress::cancel::Cancel;
use kregress::kernel::{Kernel, Library, NoProgress, cache_folder};
use kregress::lab::qemu::QemuLab;
use kregress::lab::{Lab, Request, Watch};
use kregress::machine::Machine;
use kregress::observation::Phase;
use kregress::verdict::{Verdict, judge};
use kregress::vm::accel::Wish;
use kregress::vm::qemu::Qemu;
use kregress::{oops, suite};

const SUITE: &str = "
suite: bench
summary: a program that does nothing
tests:
  - name: nothing
    summary: nothing is done
    program: {shell: 'true'}
    symptom: {crash: {title: 'never'}}
";

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
    if kregress::guest::is_guest_init() {
        kregress::guest::agent::main();
    }
    // cargo passes --bench; the figures of interest are not options
    let mut words = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let rounds: usize = words.next().map_or(11, |w| w.parse().expect("ROUNDS is a number"));
    let spec = words.next().unwrap_or_else(|| "6.17.13".to_owned());

    let scratch = tempfile::tempdir().expect("a temporary folder");
    let cache = cache_folder();
    let library = Library::open(&cache, &[]).expect("the kernel library");
    let resolution = library.resolve(&[spec.parse().expect("a kernel")], &NoProgress).expect("a kernel");
    let kernel = library.fetch(&resolution.wanted[0], &NoProgress).expect("a kernel");
    let suite_file = scratch.path().join("bench.yaml");
    std::fs::write(&suite_file, SUITE).expect("a suite");
    let test = suite::load_file(&suite_file).expect("a suite").tests.remove(0);
    let machine = Machine::built_in().for_test(&test.machine).expect("a machine");
    let lab = QemuLab::new(Qemu::find().expect("QEMU"), &cache).expect("a lab").without_snapshots();
    let choice = lab.choose_accel(Wish::Auto, &kernel);
    let initramfs = bare_initramfs(scratch.path());
    println!("{} on {} ({})", kernel.release, choice.accel, choice.reason);

    let (mut attempts, mut bare, mut packaged, mut boots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        bare.push(bare_boot(
            &lab,
            &kernel,
            kernel.boot_image(),
            &initramfs,
            choice.accel.to_string().as_str(),
        ));
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
        };
        let seen = lab.attempt(&request, &Silent);
        let verdict = judge(&test, &seen, &oops::diagnose(&seen.console.text));
        attempts.push(start.elapsed().as_secs_f64());
        assert_eq!(verdict.verdict, Verdict::Good, "{verdict:?}");
        boots.extend(seen.boot_seconds);
        packaged.push(bare_boot(&lab, &kernel, &kernel.image, &initramfs, choice.accel.to_string().as_str()));
    }
    let (attempt, bare, packaged) = (median(attempts), median(bare), median(packaged));
    println!("attempt       {attempt:.3} s   (of it to the agent's first word {:.3} s)", median(boots));
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
fn bare_boot(lab: &QemuLab, kernel: &Kernel, image: &Path, initramfs: &Path, accel: &str) -> f64 {
    let (accel, cpu) = if accel == "kvm" { ("kvm", "host") } else { ("tcg,thread=multi", "max") };
    let mut command = Command::new(&lab.qemu().path);
    command.args(&lab.qemu().extra);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35"]);
    command
        .args(["-accel", accel, "-cpu", cpu, "-smp", "2", "-m", "512M", "-kernel"])
        .arg(image)
        .arg("-initrd");
    command.arg(initramfs).args(["-append", "console=ttyS0 loglevel=5 panic=-1", "-serial", "null"]);
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status().expect("QEMU");
    assert!(status.success(), "QEMU failed on {}", kernel.name);
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
