//! Every document of a run with many cells: how long each takes to be written, how large it is and how much memory that
//! takes; and how long headless Chromium takes to open and to filter the page of a run with 5,000 cells.
//!
//! `cargo bench --bench every_report [-- CELLS [PICTURES]]`; into the folder PICTURES it puts screenshots. Without Chromium
//! (Debian: chromium-headless-shell) the browser's part is left out. One document is made in a process of its own, so that
//! its peak of memory is its own.

#[path = "../tests/browser/client.rs"]
mod client;
mod common;
#[path = "../tests/browser/matrix.rs"]
mod matrix;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use base64::Engine as _;
use client::Browser;
use common::{number, words};
use kregress::journal::RunDir;
use kregress::render::{FORMATS, Kind, Run, Subject, by_name, write_files};
use kregress::report::RunSummary;
use kregress::report::junit::JunitKnown;
use kregress::report::matrix::MatrixStyle;

/// Tests of the runs; the kernels are as many as give the cells.
const TESTS: usize = 100;
/// Which document a process of its own makes, and of which run.
const FORMAT: &str = "KREGRESS_BENCH_FORMAT";
const RUN: &str = "KREGRESS_BENCH_RUN";

fn main() {
    if let (Ok(format), Some(run)) = (std::env::var(FORMAT), std::env::var_os(RUN)) {
        return one(&format, &RunDir::at(Path::new(&run)));
    }
    let mut words = words();
    let cells = number(words.next(), 100_000);
    let pictures = words.next().map(PathBuf::from);
    let scratch = tempfile::tempdir().expect("a folder");
    let run = |name: &str, cells: usize| {
        let kernels = cells.div_ceil(TESTS);
        for (round, day) in (10..13).enumerate() {
            matrix::write(scratch.path(), &format!("2026-11-{day}{name}"), TESTS, kernels, round, 0);
        }
        matrix::write(scratch.path(), &format!("2026-11-21{name}"), TESTS, kernels, 5, 50)
    };
    let large = run("-large", cells);
    println!("{cells} cells, three earlier runs beside them");
    println!("{:<10} {:>9} {:>9} {:>9} {:>9}", "format", "seconds", "cpu s", "MB", "peak MiB");
    for format in FORMATS.iter().filter_map(|format| format.name(Kind::Run)) {
        let program = std::env::current_exe().expect("this program");
        let done =
            Command::new(program).env(FORMAT, format).env(RUN, large.path()).output().expect("this program");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        print!("{}", String::from_utf8_lossy(&done.stdout));
    }
    match client::program() {
        Some(program) => browse(&program, &run("-wide", 5000), pictures.as_deref()),
        None => println!("no Chromium, so that nothing is said of browsers"),
    }
}

/// Counts what is written.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a document of a run and prints a line; its time is that of the whole, with the reading of the journal.
fn one(format: &str, dir: &RunDir) {
    let begin = Instant::now();
    let run = RunSummary::of(dir).expect("the journal");
    let subject = Subject::Run(Run { summary: &run, dir, junit_known: JunitKnown::default() });
    let mut out = Counter(0);
    let renderer = by_name(format, Kind::Run).expect("a format");
    renderer.render(&subject, MatrixStyle::PLAIN, &mut out).expect("a document");
    let seconds = begin.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak: u64 = peak.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a figure");
    let times = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    // user and system time stand 12 and 13 words behind the name, in ticks of 10 ms
    let behind = times.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let ticks: f64 = behind.take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    println!(
        "{format:<10} {seconds:>9.2} {:>9.2} {:>9.1} {:>9}",
        ticks / 100.0,
        out.0 as f64 / 1e6,
        peak / 1024
    );
}

/// What a person waits for.
fn browse(program: &Path, dir: &RunDir, pictures: Option<&Path>) {
    let run = RunSummary::of(dir).expect("the journal");
    let subject = Subject::Run(Run { summary: &run, dir, junit_known: JunitKnown::default() });
    write_files(&subject, dir).expect("the reports");
    let page = dir.path().join("index.html");
    let mut browser = Browser::start(program, 1400, 1000, &[]);
    browser.call("Performance.enable", serde_json::json!({"timeDomain": "threadTicks"}));
    browser.open(&page, "");
    let figure = |value: serde_json::Value| value.as_f64().unwrap_or(f64::NAN);
    let loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd";
    println!("5000 cells, {:.1} MB", std::fs::metadata(&page).expect("the page").len() as f64 / 1e6);
    let metrics = browser.call("Performance.getMetrics", serde_json::json!({}));
    let cpu = |name: &str| {
        let metric =
            metrics["metrics"].as_array().and_then(|all| all.iter().find(|metric| metric["name"] == name));
        metric.map_or(f64::NAN, |metric| figure(metric["value"].clone()) * 1000.0)
    };
    println!(
        "opened after {:.0} ms by the clock, {:.0} ms of a processor: script {:.0}, style {:.0}, layout {:.0}",
        figure(browser.read(loaded)),
        cpu("TaskDuration"),
        cpu("ScriptDuration"),
        cpu("RecalcStyleDuration"),
        cpu("LayoutDuration")
    );
    for (what, action) in [
        (
            "a word in a title",
            "document.querySelector('#find').value = 'iomap'; document.querySelector('#find').dispatchEvent(new Event('input'))",
        ),
        ("every cell again", "document.querySelector('#reset').click()"),
        ("one verdict", "document.querySelector('#verdicts input[value=FAIL]').click()"),
        (
            "a suite",
            "document.querySelector('#suite').value = 'ext4'; document.querySelector('#suite').dispatchEvent(new Event('change'))",
        ),
        ("a cell opened", "document.querySelector('.matrix td.bad a').click()"),
    ] {
        // until the layout is done
        let timed = format!(
            "(() => {{ const begin = performance.now(); {action}; document.body.offsetHeight; return performance.now() - begin; }})()"
        );
        println!("{what:<20} {:>6.0} ms", figure(browser.read(&timed)));
    }
    let Some(folder) = pictures else { return };
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::copy(&page, folder.join("index.html")).expect("the page");
    let views = [
        ("wide", "", false),
        ("narrow", "view=compact", false),
        ("filtered", "verdict=FAIL%2CKNOWN&suite=ext4&view=wide", true),
    ];
    for (name, fragment, dark) in views {
        take(&mut browser, &page, fragment, dark, &folder.join(format!("{name}.png")));
    }
    let cell = browser.read("document.querySelector('#failures a').textContent");
    let cell = format!("cell={}", cell.as_str().unwrap_or_default());
    for (name, dark) in [("cell", false), ("cell-dark", true)] {
        take(&mut browser, &page, &cell, dark, &folder.join(format!("{name}.png")));
    }
}

fn take(browser: &mut Browser, page: &Path, fragment: &str, dark: bool, to: &Path) {
    browser.dark(dark);
    browser.open(page, fragment);
    if !fragment.contains("cell=") {
        browser.read("document.querySelector('#matrix').scrollIntoView()");
    }
    let picture = base64::engine::general_purpose::STANDARD.decode(browser.picture()).expect("base64");
    std::fs::write(to, picture).expect("a picture");
}
