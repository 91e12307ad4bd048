//! A flaky bug's absence: 100 attempts of the elevator test with its dose cut to one second, on a good kernel, before
//! and after guests were restored instead of booted. The sides alternate in blocks of ten attempts; the figures are
//! attempts an hour.
//!
//! `cargo bench --bench elevator_attempts [-- ATTEMPTS [KERNEL]]`; run in the crate's folder, needs what a run needs.

mod common;

use std::sync::Arc;

use common::{Runs, kernel, lab, number, words};
use kregress::suite::{self, Test};
use kregress::verdict::Verdict;

/// Attempts of one side before the other one's turn.
const BLOCK: usize = 10;

fn main() {
    let mut words = words();
    let attempts = number(words.next(), 100);
    let kernel = kernel(&words.next().unwrap_or_else(|| "7.2.13".to_owned()));
    let suite = suite::load_file("suites/block.yaml").expect("the suite of the block layer");
    let race = suite.tests.iter().find(|test| test.name == "elevator-switch-race").expect("the test");
    let mut race = Test::clone(race);
    // for one second, however often it writes in it
    (race.dose.seconds, race.dose.rounds) = (Some(1), Some(1));
    let runs = Runs::new(&kernel, &Arc::new(race));
    let (restoring, booting) = (lab(&kernel), lab(&kernel).without_snapshots());
    // what is made once for a kernel belongs to neither side
    for lab in [&restoring, &booting] {
        runs.run(lab, 1);
    }
    let mut seconds = [0.0; 2];
    let mut left = attempts;
    while left > 0 {
        let block = left.min(BLOCK);
        for (lab, seconds) in [&restoring, &booting].into_iter().zip(&mut seconds) {
            let ran = runs.run(lab, block as u32);
            assert_eq!(ran.cell.verdict, Verdict::Good, "{:?}", ran.cell);
            *seconds += ran.seconds;
        }
        left -= block;
    }
    let [restored, booted] = seconds;
    let hourly = |seconds: f64| 3600.0 * attempts as f64 / seconds;
    println!("{}: {attempts} attempts of one second on each side", kernel.release);
    println!("booted    {booted:8.1} s  {:5.0} attempts an hour", hourly(booted));
    println!("restored  {restored:8.1} s  {:5.0} attempts an hour", hourly(restored));
    println!("booted / restored  {:.2}", booted / restored);
}
