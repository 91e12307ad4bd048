//! `kill -9` in a bisection, which is gone on with: what was told is kept, only the rest is tried, and the answer is the same.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::Value;

use super::hosts::{forget_cache, forget_runs};
use super::left::{left, temporary};
use super::table::{Outcome, Table};
use crate::place::{Place, ends_within, fetch};

/// What is searched, oldest first.
const KERNELS: [&str; 4] = ["6.12.57", "6.12.117", "6.17.13", "7.2.13"];

/// The kernel decides, and nothing else: another answer is a wrong one.
const SUITE: &str = "
suite: decide
summary: a bug that kernels have from 6.16 on
tests:
  - name: by-version
    summary: the kernel's version decides
    machine: {cpus: 1, memory: 256M}
    program:
      shell: |
        case $(uname -r) in 6.1[6-9]*|7.*) echo symptom a word of the bug >&3;; esac
    symptom: {reported: {matching: word}}
";

const FIRST_BAD: &str = "6.17.13";

const FAULTS: [&str; 2] =
    ["kill -9 in a bisection whose guests are restored", "kill -9 in a bisection that makes all anew"];

/// Kills so many bisections, in turn with a cache that has everything and with one that has kernels alone.
pub fn attempt(place: &Place, times: u32, random: &mut impl Rng, table: &mut Table) {
    for kernel in KERNELS {
        if let Err(why) = fetch(&format!("{kernel}/cloud")) {
            return FAULTS.iter().for_each(|fault| table.add(fault, Outcome::NotHere(why.clone())));
        }
    }
    let suites = place.path().join("searched");
    std::fs::create_dir_all(&suites).expect("a folder");
    std::fs::write(suites.join("decide.yaml"), SUITE).expect("a file");
    let mut whole: [Option<(Duration, usize)>; 2] = [None; 2];
    for n in 0..times as usize {
        let anew = n % 2 == 1;
        let (limit, attempts) = *whole[n % 2].get_or_insert_with(|| {
            prepare(place, anew);
            let start = Instant::now();
            let status = begin(place, &suites).stdout(Stdio::null()).status().expect("kregress starts");
            assert!(status.success(), "an undisturbed bisection ends with {status}");
            (start.elapsed(), attempts(&journal(place)).len())
        });
        let moment = limit.mul_f64(random.gen_range(0.0..1.0));
        table.attempt(FAULTS[n % 2], || {
            prepare(place, anew);
            killed(place, &suites, moment, attempts)
        });
    }
}

fn prepare(place: &Place, anew: bool) {
    forget_runs(place);
    if anew {
        forget_cache(place);
    }
}

fn begin(place: &Place, suites: &Path) -> Command {
    let (first, last) = (KERNELS[0], KERNELS[KERNELS.len() - 1]);
    let kernels = KERNELS.join(",");
    let words = [
        "by-version",
        "--fresh",
        "--flavour",
        "cloud",
        "--kernels",
        &kernels,
        "--good",
        first,
        "--bad",
        last,
    ];
    bisect(place, suites, &words)
}

fn bisect(place: &Place, suites: &Path, words: &[&str]) -> Command {
    // one guest after the other, so that what is tried depends on what was seen alone
    let common =
        ["bisect", "-j", "1", "--accel", "tcg", "--boot-timeout", "120s", "--message-format", "json"];
    let mut command = place.command(&[&common, words].concat());
    command.env("KREGRESS_SUITES", suites).env("TMPDIR", temporary(place)).stderr(Stdio::null());
    command
}

fn killed(place: &Place, suites: &Path, moment: Duration, expected: usize) -> Outcome {
    let mut child = begin(place, suites).stdout(Stdio::piped()).spawn().expect("kregress starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        text
    });
    ends_within(child.id() as i32, moment);
    let _ = child.kill();
    let _ = child.wait();
    let said = String::from_utf8_lossy(&reader.join().expect("its output")).into_owned();
    let told = attempts(&said);
    let before = journal(place);
    let kept = attempts(&before);
    if let Some(lost) = told.iter().find(|attempt| !kept.contains(attempt)) {
        return Outcome::Lost(format!("{lost} was told, and is not in the journal"));
    }
    let resumed = run(place).is_some_and(|run| is_begun(&run));
    let mut again = match resumed {
        true => {
            let id = run(place).and_then(|run| Some(run.file_name()?.to_string_lossy().into_owned()));
            bisect(place, suites, &["--resume", &id.unwrap_or_default()])
        }
        // killed before it had said what it searches
        false => begin(place, suites),
    };
    let output = again.stdout(Stdio::piped()).output().expect("kregress starts");
    if !output.status.success() {
        return Outcome::Wrong(format!("gone on with, it ends with {}", output.status));
    }
    let after = journal(place);
    if resumed && !after.starts_with(whole_lines(&before)) {
        return Outcome::Lost("what the journal had is not its beginning any more".into());
    }
    let made = attempts(&after);
    if made.iter().enumerate().any(|(n, attempt)| made[..n].contains(attempt)) {
        return Outcome::Wrong(format!("an attempt was made twice: {made:?}"));
    }
    if made.len() != expected {
        return Outcome::Wrong(format!("{} attempts, undisturbed {expected}: {made:?}", made.len()));
    }
    let report = run(place).and_then(|run| std::fs::read_to_string(run.join("bisection.json")).ok());
    let report: Value = serde_json::from_str(&report.unwrap_or_default()).unwrap_or_default();
    match report["culprits"][0]["name"].as_str() {
        Some(FIRST_BAD) => left(place),
        other => Outcome::Wrong(format!("{other:?} is named instead of {FIRST_BAD}")),
    }
}

/// The newest run's folder.
fn run(place: &Place) -> Option<PathBuf> {
    let runs = std::fs::read_dir(place.path().join("reports")).ok()?.flatten().map(|run| run.path());
    runs.filter(|run| !run.is_symlink() && run.join("journal.jsonl").is_file()).max()
}

fn journal(place: &Place) -> String {
    let text = run(place).and_then(|run| std::fs::read_to_string(run.join("journal.jsonl")).ok());
    text.unwrap_or_default()
}

/// Whether the journal has what is searched.
fn is_begun(run: &Path) -> bool {
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    whole_lines(&text).contains(r#"{"event":"bisection","#)
}

fn whole_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |at| &text[..=at])
}

/// `kernel number verdict` of each attempt in whole lines.
fn attempts(text: &str) -> Vec<String> {
    let events = whole_lines(text).lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let attempts = events.filter(|event| event["event"] == "attempt");
    attempts.map(|one| format!("{} {} {}", one["kernel"], one["attempt"], one["verdict"])).collect()
}
