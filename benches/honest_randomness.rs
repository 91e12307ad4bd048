//! Whether restored guests, and those that were restored before and have rehearsed, show a flaky bug as often as booted
//! ones: the race of `block::elevator-switch-race` with a dose so short that about half of the attempts show it, on a
//! kernel that has the bug. Attempts alternate; each is one on its own.
//!
//! Prints the shares with their differences in standard errors, and the chance of a difference as large (Fisher's
//! exact test). A chance below 2.5 % for one of the two comparisons is a failure: restored guests would be another
//! experiment than booted ones.
//!
//! `cargo bench --bench honest_randomness [-- ATTEMPTS [ROUNDS [KERNEL]]]`; run in the crate's folder, needs what a run
//! needs. ROUNDS is the dose, in switches that each writer makes.

mod common;

use std::sync::Arc;

use common::{RACE, Runs, kernel, lab, number, test, words};
use kregress::compare::statistics::exact_two_sided;
use kregress::lab::Lab;
use kregress::lab::vm::VmLab;
use kregress::suite::Test;
use kregress::verdict::Verdict;

/// What the race shows, and how long it may take.
const REST: &str = "    timeout: {slow: 60s, terminate: 120s}
    symptom: {crash: {trace: ['^elevator_change_done$']}}
";

/// How often an attempt that says nothing is made again.
const TRIES: usize = 5;

fn main() {
    let mut words = words();
    let attempts = number(words.next(), 60);
    let rounds = number(words.next(), 10);
    let kernel = kernel(&words.next().unwrap_or_else(|| "6.17.13".to_owned()));
    let mut race = Test::clone(&test(&format!("{RACE}{REST}")));
    race.dose.rounds = Some(rounds as u64);
    let runs = Runs::new(&kernel, &Arc::new(race));
    let labs = [lab(&kernel).without_pool(), lab(&kernel), lab(&kernel).without_snapshots()];
    let mut seen = [0u32; 3];
    for _ in 0..attempts {
        for (lab, seen) in labs.iter().zip(&mut seen) {
            lab.prefetch(&kernel, runs.test(), runs.machine());
            lab.wait_prefetched();
            *seen += u32::from(shown(&runs, lab));
        }
    }
    println!("{}: {attempts} attempts on each side, {rounds} rounds", kernel.release);
    let booted = seen[2];
    println!("{:9} {booted:3} of {attempts}  {:.2}", "booted", f64::from(booted) / attempts as f64);
    let mut honest = true;
    for (name, restored) in ["restored", "waiting"].into_iter().zip(seen) {
        let [share, other] = [restored, booted].map(|n| f64::from(n) / attempts as f64);
        let both = (share + other) / 2.0;
        let error = (2.0 * both * (1.0 - both) / attempts as f64).sqrt();
        let ([a, c], of) = ([restored, booted].map(u64::from), attempts as u64);
        let chance = exact_two_sided(&[[a, of - a, c, of - c]]);
        let difference = share - other;
        println!(
            "{name:9} {restored:3} of {attempts}  {share:.2}, differs by {difference:+.2} or {:.1} standard errors; \
             were both alike, the chance of such a difference would be {chance:.2}",
            difference.abs() / error
        );
        assert!(
            (0.2..=0.8).contains(&both),
            "the dose is no good for this: the share must be between 0.2 and 0.8"
        );
        honest &= chance >= 0.05 / 2.0;
    }
    assert!(honest, "restored guests differ from booted ones");
}

/// Whether an attempt shows the race. A report whose trace is cut short is the race's, too: nothing else runs.
fn shown(runs: &Runs, lab: &VmLab) -> bool {
    for _ in 0..TRIES {
        let ran = runs.run(lab, 1);
        match ran.cell.verdict {
            Verdict::Bad | Verdict::Other => return true,
            Verdict::Good => return false,
            other => eprintln!("once more, {other}: {:?}", ran.cell),
        }
    }
    panic!("{TRIES} times in vain");
}
