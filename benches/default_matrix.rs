//! The default matrix of the README (`kregress run` without arguments), with guests that are booted for every attempt
//! and with guests that are restored. Prints both times, their ratio, and the cells whose verdicts differ.
//!
//! `cargo bench --bench default_matrix [-- WORDS OF kregress run]`; run in the crate's folder, needs what a run needs,
//! and about half an hour. Kernels are fetched before.

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{program, words};
use kregress::journal::RunDir;
use kregress::report::{Outline, RunSummary};

fn main() {
    let words: Vec<String> = words().collect();
    let folder = tempfile::tempdir().expect("a folder");
    let run = |side: &str, options: &[&str]| {
        let reports = folder.path().join(side);
        let mut command = Command::new(program());
        command.arg("run").args(&words).args(options).arg("-o").arg(&reports);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().expect("kregress starts");
        let seconds = start.elapsed().as_secs_f64();
        assert!(status.code() != Some(96), "kregress run {words:?} {options:?} could not be set up");
        let run = RunDir::find(&reports, "latest").expect("a run");
        (seconds, RunSummary::of(&run).expect("its journal"))
    };
    // fetches what is missing, makes what is made once, and saves the guests
    let (first, _) = run("first", &["--attempts", "1"]);
    let (restored, after) = run("restored", &[]);
    let (booted, before) = run("booted", &["--no-snapshot"]);
    let verdicts = |run: &RunSummary| -> BTreeMap<String, String> {
        let told = |cell: Outline<'_>| cell.verdict().map_or("none", |v| v.word()).to_owned();
        run.cells().map(|cell| (cell.id().to_string(), told(cell))).collect()
    };
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
