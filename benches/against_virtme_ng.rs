//! The time from asking for a command in a kernel to its end: virtme-ng beside this program, with the same packaged
//! image, both without KVM. Sides alternate in one run; figures are medians.
//!
//! - `vng`: `vng --disable-kvm -r IMAGE --exec true`
//! - `booted`: an attempt of a test that does nothing, with its verdict in the journal, on a guest that is booted for it
//! - `restored`: the same on a guest that is restored for it
//! - `waiting`: the same on a guest that was restored before, as in a run of several attempts
//!
//! `cargo bench --bench against_virtme_ng [-- ROUNDS [KERNEL]]`. `VNG` names the program where it is not in `PATH`; it
//! needs `virtiofsd`. It finds the modules of an image in `ROOT/boot` in `ROOT/lib/modules`: `VNG_IMAGE` names the
//! kernel's image in such a place, for example where its package was unpacked. Without vng nothing is measured.

mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{NOTHING, Runs, Times, kernel, lab, number, test, words};
use kregress::lab::Lab;

fn main() {
    let mut words = words();
    let rounds = number(words.next(), 5);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.12.117".to_owned()));
    let vng = std::env::var_os("VNG").unwrap_or_else(|| "vng".into());
    let version = Command::new(&vng).arg("--version").stdin(Stdio::null()).output();
    let Some(version) = version.ok().filter(|output| output.status.success()) else {
        let hint = "get virtme-ng from PyPI, or name its vng in VNG";
        return loud_skip::optional(format_args!("{} is not here; {hint}", vng.display()));
    };
    let image = std::env::var_os("VNG_IMAGE").map_or_else(|| kernel.image.clone(), PathBuf::from);
    let contents = |path| std::fs::read(path).expect("the image");
    assert!(contents(&image) == contents(&kernel.image), "{} is another kernel", image.display());
    let boot = || {
        let mut command = Command::new(&vng);
        command.args(["--disable-kvm", "-r"]).arg(&image).args(["--exec", "true"]);
        let output = command.stdin(Stdio::null()).output().expect("vng starts");
        let failed = || String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(failed()) }
    };
    let runs = Runs::new(&kernel, &test(NOTHING));
    let labs = [lab(&kernel).without_snapshots(), lab(&kernel).without_pool(), lab(&kernel)];
    let mut sides: [Times; 4] = Default::default();
    for _ in 0..=rounds {
        let [theirs, ours @ ..] = &mut sides;
        theirs.measure(boot);
        for (lab, times) in labs.iter().zip(ours) {
            lab.prefetch(&kernel, runs.test(), runs.machine());
            lab.wait_prefetched();
            times.measure(|| runs.run(lab, 1).clean());
        }
    }
    let [theirs, booted, restored, waiting] = sides.each_ref().map(Times::wall);
    println!("{} on {rounds} rounds, {}", kernel.release, String::from_utf8_lossy(&version.stdout).trim());
    println!("vng        {theirs:.3} s");
    println!("booted     {booted:.3} s");
    println!("restored   {restored:.3} s");
    println!("waiting    {waiting:.3} s");
    println!("vng / waiting   {:.1}", theirs / waiting);
    println!("vng / restored  {:.1}", theirs / restored);
    println!("vng / booted    {:.1}", theirs / booted);
}
