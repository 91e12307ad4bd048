//! Power cuts, simulated on the journal: it ends anywhere, and what was acknowledged before is there. What was written last
//! may also be zeroes, as file systems leave it that had grown the file and not yet written it.

use std::collections::BTreeSet;

use rand::Rng;
use serde_json::Value;

use super::hosts::{forget_runs, run};
use super::table::{Outcome, Table};
use crate::place::Place;

/// Cuts the journal of a run so many times.
pub fn attempt(place: &Place, times: u32, random: &mut impl Rng, table: &mut Table) {
    forget_runs(place);
    let tests = ["ends::clean", "ends::reports-the-symptom", "ends::crashes", "ends::missing-module"];
    place.finish(run(place, &tests, &[]));
    let journal = place.report_file("journal.jsonl");
    let whole = std::fs::read(&journal).expect("a journal");
    for n in 0..times {
        let at = random.gen_range(first_line(&whole)..=whole.len());
        let mut cut = whole[..at].to_vec();
        let zeroes = n % 2 == 1;
        if zeroes {
            cut.resize(at + random.gen_range(1..5000), 0);
        }
        std::fs::write(&journal, &cut).expect("a journal");
        let fault = if zeroes { "the journal ends in zeroes" } else { "the journal ends anywhere" };
        table.attempt(fault, || cut_short(place, &whole[..at]));
    }
}

/// A run begins with its first line, which is on disk before anything runs.
fn first_line(journal: &[u8]) -> usize {
    memchr::memchr(b'\n', journal).map_or(journal.len(), |at| at + 1)
}

fn cut_short(place: &Place, before: &[u8]) -> Outcome {
    let _ = std::fs::remove_file(place.report_file("outline.jsonl"));
    let expected: BTreeSet<String> = before
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|event| event["event"] == "cell")
        .map(|cell| format!("{} {}", cell["test"], cell["verdict"]))
        .collect();
    let output = place.command(&["report", "--format", "json"]).output().expect("kregress starts");
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
        return Outcome::Lost(String::from_utf8_lossy(&output.stderr).into_owned());
    };
    let cells = report["results"].as_array().cloned().unwrap_or_default();
    let judged = cells.iter().filter(|cell| cell["verdict"].is_string());
    let found: BTreeSet<String> =
        judged.map(|cell| format!("{} {}", cell["test"], cell["verdict"])).collect();
    if found == expected {
        Outcome::Right
    } else {
        Outcome::Lost(format!("{found:?} instead of {expected:?}"))
    }
}
