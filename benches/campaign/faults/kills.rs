//! `kill -9` at a random moment: what is left, what is kept, and whether the rest can be run.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::Value;

use super::hosts::{false_cell, forget_cache, forget_runs, run};
use super::left::left;
use super::table::{Outcome, Table};
use crate::place::{Place, ends_within};

/// What a killed run has to do: each test ends in its own way.
const TESTS: [&str; 4] =
    ["ends::clean", "ends::reports-the-symptom", "ends::crashes", "ends::too-few-rounds"];

/// What stands in the cache when a run begins that is to be killed.
const BEGINNINGS: [(&str, &[&str]); 3] = [
    ("kill -9 in a run whose guests are restored", &[]),
    ("kill -9 in a run that makes all anew: image, guest, snapshot", &[]),
    ("kill -9 in a run that tries the accelerator and boots", &["--accel", "auto", "--no-snapshot"]),
];

/// Kills so many runs, in turn with each beginning.
pub fn attempt(place: &Place, times: u32, random: &mut impl Rng, table: &mut Table) {
    let mut whole = [None; BEGINNINGS.len()];
    for n in 0..times as usize {
        let beginning = n % BEGINNINGS.len();
        let (fault, options) = BEGINNINGS[beginning];
        let limit = *whole[beginning].get_or_insert_with(|| duration(place, beginning, options));
        let moment = limit.mul_f64(random.gen_range(0.0..1.0));
        table.attempt(fault, || killed(place, beginning, options, moment));
    }
}

fn prepare(place: &Place, beginning: usize) {
    forget_runs(place);
    if beginning > 0 {
        forget_cache(place);
    }
}

/// How long such a run takes if nobody kills it.
fn duration(place: &Place, beginning: usize, options: &[&str]) -> Duration {
    prepare(place, beginning);
    let start = Instant::now();
    place.finish(run(place, &TESTS, options));
    start.elapsed()
}

fn killed(place: &Place, beginning: usize, options: &[&str], moment: Duration) -> Outcome {
    prepare(place, beginning);
    let mut child = run(place, &TESTS, options).spawn().expect("kregress starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        bytes
    });
    ends_within(child.id() as i32, moment);
    let _ = child.kill();
    let _ = child.wait();
    let said = String::from_utf8_lossy(&reader.join().expect("its output")).into_owned();
    // what stood in a whole line was acknowledged
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let finished: BTreeMap<String, Value> = events
        .filter(|event| event["event"] == "cell")
        .map(|cell| (cell["test"].as_str().unwrap_or_default().to_owned(), cell))
        .collect();

    if !place.path().join("reports/latest").exists() {
        return if finished.is_empty() { swept(place) } else { Outcome::Lost("there is no run".into()) };
    }
    if let Some(lost) = lost(place, &finished) {
        return Outcome::Lost(lost);
    }
    match rest(place, options) {
        Outcome::Right => swept(place),
        other => other,
    }
}

/// A result that was shown and is not in the journal, or is there as another one.
fn lost(place: &Place, finished: &BTreeMap<String, Value>) -> Option<String> {
    let kept = journal(place)?;
    finished.iter().find_map(|(test, cell)| {
        let there = kept.get(test).is_some_and(|kept| kept["verdict"] == cell["verdict"]);
        let false_one = false_cell(cell, &[]);
        false_one.or_else(|| (!there).then(|| format!("{test} was {}, the journal has not", cell["verdict"])))
    })
}

/// The cells of the last run's journal that have a verdict.
fn journal(place: &Place) -> Option<BTreeMap<String, Value>> {
    let text = std::fs::read_to_string(place.report_file("journal.jsonl")).ok()?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let events =
        whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of the journal"));
    let cells = events.filter(|event| event["event"] == "cell");
    Some(cells.map(|cell| (cell["test"].as_str().unwrap_or_default().to_owned(), cell)).collect())
}

/// Runs what the killed run did not, and looks whether that is the rest and only the rest.
fn rest(place: &Place, options: &[&str]) -> Outcome {
    let before = journal(place).unwrap_or_default();
    let planned = std::fs::read_to_string(place.report_file("journal.jsonl")).unwrap_or_default();
    let planned = planned.matches(r#""event":"planned""#).count();
    let ended = place.finish(run(place, &[], &[&["-R", "latest", "--lost-only"], options].concat()));
    let ran: Vec<&str> = ended
        .events
        .iter()
        .filter(|event| event["event"] == "cell")
        .filter_map(|cell| cell["test"].as_str())
        .collect();
    if ran.iter().any(|test| before.contains_key(*test)) {
        return Outcome::Wrong(format!("{ran:?} ran again, of which the killed run had {:?}", before.keys()));
    }
    if ran.len() + before.len() != planned {
        return Outcome::Lost(format!(
            "{planned} cells were planned, {:?} had a verdict, {ran:?} ran again: {}",
            before.keys(),
            ended.err
        ));
    }
    let cells = ended.events.iter().filter(|event| event["event"] == "cell");
    Outcome::of(cells.into_iter().find_map(|cell| false_cell(cell, &[])))
}

/// The next start removes what the killed one left.
fn swept(place: &Place) -> Outcome {
    let mut doctor = place.command(&["doctor"]);
    let _ = doctor.stdout(Stdio::null()).stderr(Stdio::null()).status();
    left(place)
}
