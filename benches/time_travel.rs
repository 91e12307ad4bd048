//! A matrix with guests whose time leaps while they are idle, where their tests say so (`machine.clock: time-travel`), and with
//! guests whose time passes as the host's does (`--real-clock`), in turn. Prints both times, their ratio, the processors' time,
//! and the cells whose verdicts differ, of all runs.
//!
//! `cargo bench --bench time_travel [-- ROUNDS WORDS OF kregress run]`; without words the README's first command. Run in the
//! crate's folder, needs what a run needs. What is fetched, compiled and saved once is made before.

mod common;

use common::{matrix, median, number, processor_time, verdicts, words};

/// The README's first command.
const README: [&str; 5] = ["elevator", "fsconfig", "mmap", "sriov-remove", "rsi-unplug"];

/// Both sides, with their options.
const SIDES: [(&str, &[&str]); 2] =
    [("real", &["--fetch-qemu", "--real-clock"]), ("time-travel", &["--fetch-qemu"])];

fn main() {
    let mut words = words();
    let rounds = number(words.next(), 3);
    let mut words: Vec<String> = words.collect();
    if words.is_empty() {
        words = README.map(str::to_owned).to_vec();
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (side, options) in SIDES {
        matrix(
            &words,
            &[options, &["--attempts", "1"]].concat(),
            &folder.path().join(format!("first-{side}")),
        );
    }
    let mut clock: [Vec<f64>; 2] = Default::default();
    let mut processors: [Vec<f64>; 2] = Default::default();
    for round in 1..=rounds {
        let mut said = Vec::new();
        for (n, (side, options)) in SIDES.into_iter().enumerate() {
            let before = processor_time();
            let (seconds, run) = matrix(&words, options, &folder.path().join(format!("{side}-{round}")));
            clock[n].push(seconds);
            processors[n].push(processor_time() - before);
            said.push(verdicts(&run));
        }
        println!(
            "round {round}: {} cells, {:.1} s and {:.1} s",
            said[0].len(),
            clock[0][round - 1],
            clock[1][round - 1]
        );
        for (cell, verdict) in &said[0] {
            let other = said[1].get(cell).map_or("none", String::as_str);
            if other != verdict {
                println!("  {cell}: real {verdict}, time-travel {other}");
            }
        }
    }
    for (what, [real, leaping]) in [("clock", &clock), ("processors", &processors)] {
        let (real, leaping) = (median(real), median(leaping));
        println!("{what:10}  real {real:7.1} s   time-travel {leaping:7.1} s   ratio {:.2}", leaping / real);
    }
}
