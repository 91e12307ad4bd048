//! Are restored guests the same experiment as booted ones? A race that about every second attempt shows, tried with
//! `kregress run --stress-count` as users have it, once with and once without `--no-snapshot`, the sides in turn in blocks,
//! on several kernels. It is that of `block::elevator-switch-race` with a short dose.
//!
//! Prints for each kernel both rates with Wilson's interval of 95 % and the exact test of their difference (Fisher's), and one
//! test over all kernels: the exact form of Mantel and Haenszel's. That one decides: a chance below 5 % is a failure, restored
//! guests would be another experiment than booted ones. So is a rate outside of 0.2 to 0.8, as there the test would see little.
//!
//! `cargo bench --bench restored_and_booted [-- [ATTEMPTS] [KERNEL[=ROUNDS]...]]`: ATTEMPTS are those of a side on each kernel
//! [200], ROUNDS the dose; where it is not given it is looked for with booted guests. Run in the crate's folder, needs what a run
//! needs.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{RACE, number, program, words};
use kregress::compare::statistics::{Table, exact_two_sided, wilson};
use kregress::event::{AttemptRecord, Event};
use kregress::journal::{self, RunDir};
use kregress::observation::Start;
use kregress::verdict::Verdict;

/// What follows the race; its dose is what is looked for.
const REST: &str = "        echo \"iterations $KREGRESS_ROUNDS\" >&3
    dose: {rounds: ROUNDS, attempts: 1}
    timeout: {slow: 60s, terminate: 120s}
    symptom: {crash: {trace: ['^elevator_change_done$']}}
";

/// The dose from which the right one is looked for.
const ROUNDS: u64 = 12;

/// Kernels that have the bug.
const KERNELS: [&str; 3] = ["6.17.13", "6.18.15", "6.19.14"];

/// Attempts of one side before the other one's turn.
const BLOCK: u64 = 20;

/// Attempts by which a dose is looked for, and how often another one is tried.
const TRIED: (u64, usize) = (16, 8);

/// The sides: what they are called, the option that makes them, and how their guests start.
const SIDES: [(&str, &[&str], Start); 2] =
    [("restored", &[], Start::Restored), ("booted", &["--no-snapshot"], Start::Booted)];

/// What was seen on one side.
#[derive(Clone, Copy, Default)]
struct Seen {
    shown: u64,
    clean: u64,
    /// Attempts that say nothing: blind, lost.
    nothing: u64,
    /// Attempts that started in the other way.
    other_start: u64,
}

impl Seen {
    fn of(self) -> u64 {
        self.shown + self.clean
    }

    fn share(self) -> f64 {
        self.shown as f64 / self.of() as f64
    }

    /// A report whose trace is cut short is the race's, too: nothing else runs.
    fn add(&mut self, record: &AttemptRecord, start: Start) {
        let count = match record.verdict {
            _ if record.start != start => &mut self.other_start,
            Verdict::Bad | Verdict::Other => &mut self.shown,
            Verdict::Good => &mut self.clean,
            _ => &mut self.nothing,
        };
        *count += 1;
    }
}

/// One race on one kernel with one dose.
struct Race<'a> {
    kernel: &'a str,
    rounds: u64,
    folder: &'a Path,
}

impl Race<'_> {
    /// So many attempts of a side by the command, taken from the journal.
    fn run(&self, side: usize, attempts: u64, seen: &mut Seen) {
        let (_, options, start) = SIDES[side];
        let suite = self.folder.join("race.yaml");
        std::fs::write(&suite, format!("{RACE}{REST}").replace("ROUNDS,", &format!("{},", self.rounds)))
            .expect("a file");
        let reports = self.folder.join("reports");
        let mut command = Command::new(program());
        command.args(["run", "--exact", "bench::race", "-k", self.kernel, "-j", "1", "-s"]);
        command.arg(&suite).args([
            "--stress-count",
            &attempts.to_string(),
            "--ignore-known",
            "--quiet",
            "-o",
        ]);
        command.arg(&reports).args(options).stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.stderr(Stdio::piped()).output().expect("kregress starts");
        assert!(
            matches!(output.status.code(), Some(0 | 100 | 102)),
            "{:?}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let run = RunDir::find(&reports, "latest").expect("a run");
        for event in journal::read(&run.journal()).expect("its journal") {
            if let Event::Attempt { record, .. } = event.expect("an event") {
                seen.add(&record, start);
            }
        }
        let _ = std::fs::remove_dir_all(&reports);
    }

    /// Looks for a dose that about half of booted attempts show, by halves and doubles.
    fn find_dose(&mut self) {
        for _ in 0..TRIED.1 {
            let mut seen = Seen::default();
            self.run(1, TRIED.0, &mut seen);
            eprintln!("{}: {} of {} with {} rounds", self.kernel, seen.shown, seen.of(), self.rounds);
            self.rounds = match seen.share() {
                share if share > 0.7 && self.rounds > 1 => self.rounds.div_ceil(2),
                share if share < 0.3 => self.rounds * 2,
                _ => return,
            };
        }
    }

    /// So many attempts of each side, in turn.
    fn compare(&self, attempts: u64) -> [Seen; 2] {
        let mut seen = [Seen::default(); 2];
        // one that says nothing is made up for, and not for ever
        for block in 0..3 * attempts.div_ceil(BLOCK) {
            // neither side has the host always first
            for side in if block % 2 == 0 { [0, 1] } else { [1, 0] } {
                let lacking = attempts.saturating_sub(seen[side].of());
                if lacking > 0 {
                    self.run(side, lacking.min(BLOCK), &mut seen[side]);
                }
            }
            eprintln!("{}: {} and {} attempts", self.kernel, seen[0].of(), seen[1].of());
            if seen.iter().all(|side| side.of() >= attempts) {
                break;
            }
        }
        seen
    }
}

fn main() {
    let mut words = words().peekable();
    let is_number = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
    let attempts = number(words.next_if(is_number), 200) as u64;
    let mut kernels: Vec<String> = words.collect();
    if kernels.is_empty() {
        kernels = KERNELS.map(str::to_owned).to_vec();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut tables: Vec<Table> = Vec::new();
    let mut fit = true;
    println!("{attempts} attempts on each side");
    println!(
        "| kernel | rounds | restored | booted | difference | chance of it if both are alike (Fisher) |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for word in &kernels {
        let (kernel, rounds) = word.split_once('=').map_or((word.as_str(), None), |(k, r)| (k, Some(r)));
        let wanted = rounds.map(|rounds| rounds.parse().unwrap_or_else(|_| panic!("{rounds} is no number")));
        let mut race = Race { kernel, rounds: wanted.unwrap_or(ROUNDS), folder: folder.path() };
        if wanted.is_none() {
            race.find_dose();
        }
        let [restored, booted] = race.compare(attempts);
        let table = [restored.shown, restored.clean, booted.shown, booted.clean];
        println!(
            "| {kernel} | {} | {} | {} | {} | {:.3} |",
            race.rounds,
            rate(restored),
            rate(booted),
            difference(restored, booted),
            exact_two_sided(&[table])
        );
        for ((name, ..), side) in SIDES.iter().zip([restored, booted]) {
            if side.nothing + side.other_start > 0 {
                let Seen { nothing, other_start, .. } = side;
                eprintln!(
                    "{kernel}, {name}: {nothing} attempts say nothing, {other_start} started otherwise"
                );
            }
        }
        let both = (restored.shown + booted.shown) as f64 / (restored.of() + booted.of()) as f64;
        fit &= (0.2..=0.8).contains(&both) && restored.of() >= attempts && booted.of() >= attempts;
        tables.push(table);
    }
    let chance = exact_two_sided(&tables);
    println!(
        "\nOver {}: were both sides alike, the chance of a difference as large would be {chance:.3} \
         (exact conditional test of the strata, two-sided)",
        kregress::plural::counted(kernels.len(), "kernel")
    );
    assert!(fit, "a rate is not between 0.2 and 0.8, or attempts are missing: the dose is no good for this");
    assert!(chance >= 0.05, "restored guests differ from booted ones");
}

/// A side's rate with its interval.
fn rate(seen: Seen) -> String {
    let (low, high) = wilson(seen.shown, seen.of());
    format!("{} of {}: {:.2} ({low:.2}–{high:.2})", seen.shown, seen.of(), seen.share())
}

/// The difference of the rates, with its error at 95 %.
fn difference(restored: Seen, booted: Seen) -> String {
    let variance = |side: Seen| side.share() * (1.0 - side.share()) / side.of() as f64;
    let error = 1.96 * (variance(restored) + variance(booted)).sqrt();
    format!("{:+.2} ± {error:.2}", restored.share() - booted.share())
}
