//! The default matrix of the README (`kregress run` without arguments), with guests that are booted for every attempt
//! and with guests that are restored. Prints both times, their ratio, and the cells whose verdicts differ.
//!
//! `cargo bench --bench default_matrix [-- WORDS OF kregress run]`; run in the crate's folder, needs what a run needs,
//! and about half an hour. Kernels are fetched before.

mod common;

use common::{matrix, verdicts, words};

fn main() {
    let words: Vec<String> = words().collect();
    let folder = tempfile::tempdir().expect("a folder");
    let run = |side: &str, options: &[&str]| matrix(&words, options, &folder.path().join(side));
    // fetches what is missing, makes what is made once, and saves the guests
    let (first, _) = run("first", &["--attempts", "1"]);
    let (restored, after) = run("restored", &[]);
    let (booted, before) = run("booted", &["--no-snapshot"]);
    let (before, after) = (verdicts(&before), verdicts(&after));
    println!("{} cells; once before: {first:.0} s", before.len());
    println!("booted    {booted:8.1} s  {:5.0} cells an hour", 3600.0 * before.len() as f64 / booted);
    println!("restored  {restored:8.1} s  {:5.0} cells an hour", 3600.0 * after.len() as f64 / restored);
    println!("booted / restored  {:.2}", booted / restored);
    for (cell, verdict) in &before {
        let now = after.get(cell).map_or("none", String::as_str);
        if now != verdict {
            println!("{cell}: booted {verdict}, restored {now}");
        }
    }
}
