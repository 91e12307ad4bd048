//! What an attempt costs beside its test: from the request for a cell to its verdict in the journal, with a program
//! that does nothing. Sides alternate in one run; figures by the clock are medians, those of the processors means.
//!
//! - `restored`: the guest is restored when the attempt asks for it
//! - `waiting`: the guest was restored, and has rehearsed, since the attempt before, as in a run with more than one attempt
//! - `booted`: the same attempt with `--no-snapshot`
//! - `leaping`: restored when the attempt asks for it, of a test whose guest's clock leaps while it is idle
//! - `bare restore`: QEMU reads the same state, the agent answers one message, QEMU is killed
//!
//! Each attempt watches the kernel after the program has ended (`lab::payload::SETTLE`, at the least here), which
//! belongs to the test's dose: `restored - watch` is without it.
//!
//! `cargo bench --bench attempt_overhead [-- ROUNDS [KERNEL]]`; needs what a run needs.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;

use common::{LEAPING, NOTHING, Runs, Silent, Times, kernel, lab, number, test, timeouts, words};
use kregress::cancel::Cancel;
use kregress::kernel::cache_folder;
use kregress::lab::Lab;
use kregress::lab::guests::{Guests, Wanted};
use kregress::lab::payload::SETTLE;
use kregress::lab::prepare::Prepared;
use kregress::observation::Phase;
use kregress::vm::snapshot;

/// The sides; the last is no attempt.
const NAMES: [&str; 5] = ["restored", "waiting", "booted", "leaping", "bare restore"];

/// When an attempt reached each phase, round by round.
type Phases = RefCell<BTreeMap<Phase, Vec<f64>>>;

fn main() {
    let mut words = words();
    let rounds = number(words.next(), 21);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.12.117".to_owned()));
    let test = test(NOTHING);
    let runs = Runs::new(&kernel, &test);
    let leaping = Runs::new(&kernel, &common::test(LEAPING));
    let (fresh, pooled) = (lab(&kernel).without_pool(), lab(&kernel));
    let booting = lab(&kernel).without_snapshots();

    let guests = Guests::new(&cache_folder());
    let machine = fresh.machine(&kernel, runs.machine(), &Prepared::default()).expect("a machine");
    let cancel = Cancel::new();
    let wanted = Wanted {
        backend: fresh.backend(),
        machine: &machine,
        name: &kernel.name,
        timeouts: timeouts(),
        watch: &Silent,
        cancel: &cancel,
    };
    let snapshot = guests.snapshot(wanted).expect("a snapshot");

    let mut sides: [Times; 5] = Default::default();
    let mut reached: [Phases; 4] = Default::default();
    let attempts = [(&fresh, &runs), (&pooled, &runs), (&booting, &runs), (&fresh, &leaping)];
    for _ in 0..=rounds {
        let [measured @ .., bare] = &mut sides;
        for (((lab, runs), times), reached) in attempts.into_iter().zip(measured).zip(&mut reached) {
            // a run of several attempts has prefetched the next one
            lab.prefetch(&kernel, runs.test(), runs.machine());
            lab.wait_prefetched();
            times.measure(|| {
                let ran = runs.run(lab, 1);
                for &(phase, at) in &ran.phases {
                    reached.borrow_mut().entry(phase).or_default().push(at);
                }
                ran.clean()
            });
        }
        bare.measure(|| {
            let guest =
                snapshot::restore(&**fresh.backend(), &machine, &snapshot, timeouts().restore, &cancel);
            guest.map(drop).map_err(|e| e.to_string())
        });
    }
    let watch = SETTLE.least_ms as f64 / 1000.0;
    println!("{} on QEMU {}, {rounds} rounds", kernel.release, fresh.backend().version());
    println!("                    clock      processors");
    for (name, times) in NAMES.into_iter().zip(&sides) {
        println!("{name:17} {:7.3} s   {:7.3} s", times.wall(), times.processor());
    }
    println!("phases reached, seconds:");
    for (name, phases) in NAMES.into_iter().zip(reached) {
        let phases = phases.into_inner();
        let told =
            phases.iter().map(|(phase, at)| format!("{} {:.3}", phase.word(), common::median(&at[1..])));
        println!("  {name:9} {}", told.collect::<Vec<_>>().join(", "));
    }
    for (what, of) in [("clock", Times::wall as fn(&Times) -> f64), ("processors", Times::processor)] {
        let [restored, waiting, booted, leaping, bare] = sides.each_ref().map(of);
        // while it watches, a guest takes no processor
        let watch = if what == "clock" { watch } else { 0.0 };
        println!("by the {what}:");
        println!("  booted / restored                     {:.1}", booted / restored);
        println!("  booted / waiting                      {:.1}", booted / waiting);
        println!("  (booted - watch) / (restored - watch) {:.1}", (booted - watch) / (restored - watch));
        println!("  restored / bare restore               {:.2}", restored / bare);
        println!("  (restored - watch) / bare restore     {:.2}", (restored - watch) / bare);
        println!("  (waiting - watch) / bare restore      {:.2}", (waiting - watch) / bare);
        // it does not watch by the host's clock
        println!("  leaping / bare restore                {:.2}", leaping / bare);
    }
}
