//! A run as one JSON document, for programs that want the whole of it at once. `--message-format json` has the same
//! fields, event by event.

use serde::Serialize;

use super::defects::{DefectRecord, records};
use super::fold::{CellSummary, RunSummary};
use crate::event::{AttemptRecord, Counts, SCHEMA};
use crate::verdict::Verdict;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    run: &'a str,
    kregress: &'a str,
    at: Option<jiff::Timestamp>,
    command: &'a [String],
    host: Option<Host<'a>>,
    ended: &'static str,
    seconds: f64,
    cells: u64,
    #[serde(flatten)]
    counts: Counts,
    notices: &'a [String],
    /// What is behind the failing cells.
    defects: Vec<DefectRecord<'a>>,
    results: Vec<CellResult<'a>>,
}

#[derive(Serialize)]
struct Host<'a> {
    qemu: &'a str,
    accel: &'a str,
    accel_reason: &'a str,
    cpus: u32,
    memory_mib: u64,
}

/// The fields of a `cell` event, with `verdict` null for a cell that was not run, and its attempts in full.
#[derive(Serialize)]
struct CellResult<'a> {
    test: &'a str,
    kernel: &'a str,
    release: Option<&'a str>,
    summary: &'a str,
    verdict: Option<Verdict>,
    title: Option<&'a str>,
    attempts: u32,
    seconds: f64,
    reason: Option<&'a str>,
    miss_chance: Option<f64>,
    known: Option<&'a str>,
    attempt_records: &'a [AttemptRecord],
}

/// The document, indented, ended by a newline.
///
/// # Errors
/// A number that JSON has no form for.
pub fn json(run: &RunSummary) -> Result<String, serde_json::Error> {
    let host = run.host.as_ref().map(|host| Host {
        qemu: &host.qemu,
        accel: &host.accel,
        accel_reason: &host.accel_reason,
        cpus: host.cpus,
        memory_mib: host.memory_mib,
    });
    let document = Document {
        schema: SCHEMA,
        run: &run.id,
        kregress: &run.kregress,
        at: run.started,
        command: &run.command,
        host,
        ended: run.ended.word(),
        seconds: run.seconds,
        cells: run.planned(),
        counts: run.counts(),
        notices: &run.notices,
        defects: records(run),
        results: run.cells.iter().map(|cell| result(cell, run)).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn result<'a>(cell: &'a CellSummary, run: &RunSummary) -> CellResult<'a> {
    let record = cell.record.as_ref();
    let reason = match record {
        Some(record) => record.reason.as_deref(),
        None => Some(run.ended.why_not_run()),
    };
    CellResult {
        test: &cell.id.test,
        kernel: &cell.id.kernel,
        release: cell.release.as_deref(),
        summary: &cell.summary,
        verdict: cell.verdict(),
        title: record.and_then(|record| record.title.as_deref()),
        attempts: record.map_or(cell.attempts.len() as u32, |record| record.attempts),
        seconds: record.map_or(0.0, |record| record.seconds),
        reason,
        miss_chance: record.and_then(|record| record.miss_chance),
        known: record.and_then(|record| record.known.as_deref()),
        attempt_records: &cell.attempts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_document_has_the_counts_and_every_cell() {
        let run = sample::finished();
        let document: serde_json::Value = serde_json::from_str(&json(&run).unwrap()).unwrap();
        assert_eq!(document["bad"], 2);
        assert_eq!(document["not_run"], 1);
        assert_eq!(document["ended"], "finished");
        let results = document["results"].as_array().unwrap();
        assert_eq!(results.len(), 9);
        assert_eq!(results[1]["verdict"], "bad");
        assert_eq!(results[1]["attempt_records"][0]["diagnoses"][0]["type"], "NULL-POINTER-DEREFERENCE");
        assert_eq!(results[8]["verdict"], serde_json::Value::Null);
    }

    #[test]
    fn a_cell_has_every_field_of_its_event() {
        let run = sample::finished();
        let document: serde_json::Value = serde_json::from_str(&json(&run).unwrap()).unwrap();
        let record = serde_json::to_value(run.cells[1].record.as_ref().unwrap()).unwrap();
        for (field, value) in record.as_object().unwrap() {
            assert_eq!(document["results"][1][field], *value, "{field}");
        }
    }
}
