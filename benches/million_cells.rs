//! The orchestrator at scale: tests × kernels on a simulated lab that answers at once, from the plan to the reports.
//! One size runs in a process of its own, so that its peak of memory is its own. Prints seconds, memory and
//! microseconds a cell, and how they grow.
//!
//! `cargo bench --bench million_cells [-- CELLS]`; needs nothing but some GB of disk.

mod common;

use parking_lot::Mutex;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use common::{number, words};
use jiff::Timestamp;
use kregress::cancel::Cancel;
use kregress::event::{CellId, Event};
use kregress::journal::{Journal, RunDir};
use kregress::lab::Request;
use kregress::lab::sim::{self, Outcome, SimLab};
use kregress::machine::Machine;
use kregress::plan::{Cell, PlacedTest};
use kregress::render::{Run, Subject, write_files};
use kregress::report::RunSummary;
use kregress::report::junit::JunitKnown;
use kregress::runner::durations::Durations;
use kregress::runner::{self, Capacity, Config, Queue};
use kregress::suite;

/// Tests of the simulated suite; the kernels are as many as give the cells.
const TESTS: usize = 100;

fn main() {
    let mut words = words();
    let most = number(words.next(), 1_000_000);
    if let Some(cells) = std::env::var_os("KREGRESS_BENCH_CELLS") {
        return one(cells.to_str().and_then(|n| n.parse().ok()).expect("a number of cells"));
    }
    let sizes: Vec<usize> =
        [10_000, 100_000, 1_000_000].into_iter().filter(|n| *n < most).chain([most]).collect();
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "cells", "plan s", "run s", "fold s", "reports s", "total s", "peak MiB", "µs a cell"
    );
    let mut per_cell = Vec::new();
    for size in sizes {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .env("KREGRESS_BENCH_CELLS", size.to_string())
            .output()
            .expect("this program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        println!("{line}");
        let word =
            |n: usize| line.split_whitespace().nth(n).and_then(|w| w.parse::<f64>().ok()).expect("a figure");
        per_cell.push((size, word(7), word(6)));
    }
    let ((few, time, memory), (many, more_time, more_memory)) =
        (per_cell[0], *per_cell.last().expect("a size"));
    println!("time a cell, {many} against {few} cells   {:.2}", more_time / time);
    println!("memory, {many} against {few} cells        {:.2}", more_memory / memory);
}

/// Simulates this many cells and prints a line.
fn one(cells: usize) {
    let scratch = tempfile::tempdir().expect("a folder");
    let text: String = (0..TESTS).map(|n| format!("  - {{name: t{n}, summary: simulated, program: {{shell: 'true'}}, dose: {{attempts: 2}}, symptom: {{reported: {{matching: simulated}}}}}}\n")).collect();
    let path = scratch.path().join("suite.yaml");
    std::fs::write(&path, format!("suite: sim\nsummary: simulated\ntests:\n{text}")).expect("a file");
    let suite = suite::load_file(&path).expect("a suite");
    let machine = Arc::new(Machine::built_in());
    let placed: Vec<PlacedTest> = suite
        .tests
        .iter()
        .map(|test| PlacedTest { test: Arc::clone(test), machine: Arc::clone(&machine), lacking: None })
        .collect();

    let run_dir = RunDir::create(&scratch.path().join("reports")).expect("a run's folder");
    let journal = Journal::create(run_dir.path()).expect("a journal");
    let outcome = Mutex::new(RunSummary::over(journal.lookup().expect("the journal")));
    let sink = |event: Event| {
        let at = journal.append(&event).expect("the journal is written");
        outcome.lock().apply_at(event, at);
    };
    let start = Instant::now();
    let kernels: Vec<_> =
        (0..cells.div_ceil(TESTS)).map(|n| sim::kernel(&format!("6.{}.{}", n / 1000, n % 1000))).collect();
    sink(Event::RunStarted {
        schema: kregress::event::SCHEMA,
        run: run_dir.id().to_owned(),
        kregress: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
        command: Vec::new(),
        cells: cells as u64,
        split: Default::default(),
    });
    for kernel in &kernels {
        for test in &suite.tests {
            sink(Event::Planned {
                cell: CellId { test: test.id(), kernel: kernel.name.clone() },
                release: Some(kernel.release.clone()),
                summary: test.summary.clone(),
                expectation: None,
                about: None,
                select: None,
                options: Vec::new(),
            });
        }
    }
    let capacity = Capacity { guests: u32::MAX, jobs: Some(4), cpus: 4, memory_mib: 1 << 20 };
    let queue = Queue::new(capacity).with_durations(Durations::default(), None);
    // as from whoever brings kernels: nobody else holds them
    for kernel in kernels {
        queue.push(placed.iter().map(|placed| Cell::new(placed, Arc::clone(&kernel))));
    }
    queue.close();
    let plan = start.elapsed().as_secs_f64();

    let config = Config {
        capacity,
        attempts: None,
        retries: 2,
        max_fail: None,
        ignore_known: false,
        seed: 7,
        run_dir: None,
        reproduce: None,
    };
    // one attempt in ten shows the symptom, one in a hundred is lost, one in two hundred crashes in another way
    let lab = SimLab::new(|request: &Request<'_>| match request.seed % 200 {
        0..20 => Outcome::symptom(),
        20..22 => Outcome::Lost,
        22 => Outcome::Crash,
        _ => Outcome::Clean,
    });
    let start_of_run = Instant::now();
    runner::run(&queue, &lab, &config, &sink, &Cancel::new());
    let run = start_of_run.elapsed().as_secs_f64();
    drop((queue, journal));

    let outcome = outcome.into_inner();
    let start_of_reports = Instant::now();
    let subject = Subject::Run(Run { summary: &outcome, dir: &run_dir, junit_known: JunitKnown::default() });
    write_files(&subject, &run_dir).expect("the reports");
    let reports = start_of_reports.elapsed().as_secs_f64();
    drop(outcome);
    let start_of_fold = Instant::now();
    let again = RunSummary::of(&run_dir).expect("the journal");
    assert_eq!(again.counts().finished(), cells as u64);
    let fold = start_of_fold.elapsed().as_secs_f64();
    let total = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a peak");
    let peak: u64 = peak.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a figure");
    println!(
        "{cells:9} {plan:9.2} {run:9.2} {fold:9.2} {reports:9.2} {total:9.2} {:9} {:12.1}",
        peak / 1024,
        total * 1e6 / cells as f64
    );
}
