//! What an attempt costs beside its test: from the request for a cell to its verdict in the journal, with a program
//! that does nothing. Sides alternate in one run; figures are medians.
//!
//! - `restored`: the guest is restored when the attempt asks for it
//! - `waiting`: the guest was restored while the attempt before was watched, as in a run with more than one attempt
//! - `booted`: the same attempt with `--no-snapshot`
//! - `bare restore`: QEMU reads the same state, the agent answers one message, QEMU is killed
//!
//! Each attempt watches the kernel after the program has ended (`lab::payload::SETTLE`), which belongs to the test's
//! dose: `restored - watch` is without it.
//!
//! `cargo bench --bench attempt_overhead [-- ROUNDS [KERNEL]]`; needs what a run needs.

mod common;

use std::time::Instant;

use common::{NOTHING, Runs, Silent, kernel, lab, median, number, patience, test, words};
use kregress::cancel::Cancel;
use kregress::kernel::cache_folder;
use kregress::lab::guests::{Guests, Wanted};
use kregress::lab::payload::SETTLE;
use kregress::lab::prepare::Prepared;
use kregress::verdict::Verdict;
use kregress::vm::snapshot;

fn main() {
    let mut words = words();
    let rounds = number(words.next(), 21);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.12.117".to_owned()));
    let test = test(NOTHING);
    let runs = Runs::new(&kernel, &test);
    let (fresh, pooled) = (lab(&kernel).without_pool(), lab(&kernel));
    let booting = lab(&kernel).without_snapshots();

    let guests = Guests::new(&cache_folder());
    let machine = fresh.machine(&kernel, runs.machine(), &Prepared::default()).expect("a machine");
    let cancel = Cancel::new();
    let wanted = Wanted {
        qemu: fresh.qemu(),
        machine: &machine,
        name: &kernel.name,
        patience: patience(),
        watch: &Silent,
        cancel: &cancel,
    };
    let snapshot = guests.snapshot(wanted).expect("a snapshot");

    let (mut restored, mut waiting, mut booted, mut bare) = (vec![], vec![], vec![], vec![]);
    // the first of each reads files that later ones find in memory
    for round in 0..=rounds {
        let mut sides = [&mut restored, &mut waiting, &mut booted];
        for (lab, seconds) in [&fresh, &pooled, &booting].into_iter().zip(&mut sides) {
            let ran = runs.run(lab, 1);
            assert_eq!(ran.cell.verdict, Verdict::Good, "{:?}", ran.cell);
            if round > 0 {
                seconds.push(ran.seconds);
            }
        }
        let start = Instant::now();
        let guest = snapshot::restore(fresh.qemu(), &machine, &snapshot, patience().restore, &cancel);
        drop(guest.expect("a restored guest"));
        if round > 0 {
            bare.push(start.elapsed().as_secs_f64());
        }
    }
    let watch = SETTLE.as_secs_f64();
    let [restored, waiting, booted, bare] = [restored, waiting, booted, bare].map(|s| median(&s));
    println!("{} on QEMU {}, {rounds} rounds", kernel.release, fresh.qemu().version);
    println!("restored          {restored:.3} s");
    println!("restored - watch  {:.3} s", restored - watch);
    println!("waiting           {waiting:.3} s");
    println!("booted            {booted:.3} s");
    println!("bare restore      {bare:.3} s");
    println!("booted / restored                   {:.1}", booted / restored);
    println!("booted / waiting                    {:.1}", booted / waiting);
    println!("(booted - watch) / (restored - watch) {:.1}", (booted - watch) / (restored - watch));
    println!("restored / bare restore             {:.2}", restored / bare);
    println!("(restored - watch) / bare restore   {:.2}", (restored - watch) / bare);
    println!("(waiting - watch) / bare restore    {:.2}", (waiting - watch) / bare);
}
