//! The memory that guests take of the host: eight that were restored from one state beside eight that were booted.
//! Of each side the most that was seen while they start, answer, and then wait; the figures are the sums of the
//! processes' proportional set sizes (`smaps_rollup`, `proc(5)`): what several share counts once.
//!
//! `cargo bench --bench guest_memory [-- GUESTS [KERNEL]]`; needs what a run needs, and GUESTS × 512 MiB.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{NOTHING, Runs, Silent, kernel, lab, number, test, timeouts, words};
use kregress::cancel::Cancel;
use kregress::guest::message::FromGuest;
use kregress::kernel::cache_folder;
use kregress::lab::guests::{Guests, Wanted};
use kregress::lab::prepare::Prepared;
use kregress::vm::backend::StartFrom;
use kregress::vm::guest::{Guest, VmEvent};
use kregress::vm::snapshot;

fn main() {
    let mut words = words();
    let count = number(words.next(), 8);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.12.117".to_owned()));
    let runs = Runs::new(&kernel, &test(NOTHING));
    let lab = lab(&kernel);
    let machine = lab.machine(&kernel, runs.machine(), &Prepared::default()).expect("a machine");
    let cancel = Cancel::new();
    let wanted = Wanted {
        backend: lab.backend(),
        machine: &machine,
        name: &kernel.name,
        timeouts: timeouts(),
        watch: &Silent,
        cancel: &cancel,
    };
    let snapshot = Guests::new(&cache_folder()).snapshot(wanted).expect("a snapshot");
    let restore = || {
        snapshot::restore(&**lab.backend(), &machine, &snapshot, timeouts().restore, &cancel)
            .expect("a guest")
            .guest
    };
    let boot = || {
        let mut guest = lab.backend().start(&machine, StartFrom::Boot).expect("QEMU");
        let deadline = Instant::now() + timeouts().boot;
        loop {
            match guest.wait(deadline, &cancel, &[]).expect("a guest") {
                VmEvent::Message(FromGuest::Hello(_)) => return guest,
                VmEvent::Exited(_) | VmEvent::Deadline => panic!("the guest did not boot"),
                _ => {}
            }
        }
    };
    println!(
        "{}: {count} guests of {} MiB, QEMU {}",
        kernel.release,
        machine.memory_mib,
        lab.backend().version()
    );
    let restored = peak(count, restore);
    let booted = peak(count, boot);
    println!("booted    {booted:6} MiB");
    println!("restored  {restored:6} MiB");
    println!("booted / restored  {:.2}", booted as f64 / restored as f64);
}

/// The most memory of the guests together, MiB.
fn peak(count: usize, start: impl Fn() -> Box<dyn Guest> + Sync) -> u64 {
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(memory_of_children(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let starts: Vec<_> = (0..count).map(|_| scope.spawn(&start)).collect();
        let guests: Vec<Box<dyn Guest>> =
            starts.into_iter().map(|start| start.join().expect("a guest")).collect();
        // the heartbeats and the timers of a guest that waits
        std::thread::sleep(Duration::from_secs(3));
        done.store(true, Ordering::Relaxed);
        most.fetch_max(memory_of_children(), Ordering::Relaxed);
        drop(guests);
    });
    most.load(Ordering::Relaxed) / 1024
}

/// The proportional set size of this process's children, KiB.
fn memory_of_children() -> u64 {
    let own = std::process::id();
    let children =
        std::fs::read_dir(format!("/proc/{own}/task")).into_iter().flatten().flatten().flat_map(|t| {
            let list = std::fs::read_to_string(t.path().join("children")).unwrap_or_default();
            list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
    let pss = |pid: String| -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default()
    };
    children.map(pss).sum()
}
