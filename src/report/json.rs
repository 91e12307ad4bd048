//! A run as one JSON document, for programs that want the whole of it at once. `--message-format json` has the same
//! fields, event by event.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

use super::ReportError;
use super::defects::{DefectRecord, records};
use super::fold::{CellSummary, RunSummary};
use super::history::Standing;
use super::line::{InLine, KernelLines};
use crate::event::{AttemptRecord, Counts, SCHEMA, Split};
use crate::expectation::{Agreement, Expectation};
use crate::journal::JournalError;
use crate::verdict::Verdict;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    run: &'a str,
    kregress: &'a str,
    at: Option<jiff::Timestamp>,
    command: &'a [String],
    /// The part of a plan that it is, or the runs that it was merged of.
    #[serde(flatten)]
    split: &'a Split,
    host: Option<Host<'a>>,
    ended: &'static str,
    seconds: f64,
    cells: u64,
    #[serde(flatten)]
    counts: Counts,
    notices: &'a [String],
    /// Cells that are bad on a kernel that has the fix, `suite::test@kernel`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unexpected: Vec<String>,
    /// What is behind the failing cells.
    defects: Vec<DefectRecord<'a>>,
    results: Results<'a>,
}

/// The cells, each read when it is written.
struct Results<'a> {
    run: &'a RunSummary,
    /// Why one of them could not be read.
    failed: &'a RefCell<Option<JournalError>>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = self.run.cells_to_tell();
        let mut list = serializer.serialize_seq(Some(self.run.cells().len()))?;
        let mut details = self.run.details();
        let lines = KernelLines::of(self.run);
        for outline in cells {
            match details.cell(outline.place()) {
                Ok(cell) => {
                    let in_line = lines.standing(self.run, &cell);
                    let history = self.run.standing(outline.place());
                    list.serialize_element(&result(&cell, self.run, history, in_line))?;
                }
                Err(error) => {
                    let said = S::Error::custom(&error);
                    self.failed.replace(Some(error));
                    return Err(said);
                }
            }
        }
        list.end()
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expectation: Option<ShownExpectation<'a>>,
    /// Since when it fails, by the runs before this one in its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Standing>,
    /// How it stands among the kernels of its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_line: Option<InLine>,
    attempt_records: &'a [AttemptRecord],
}

/// What was expected, and whether it came so.
#[derive(Serialize)]
struct ShownExpectation<'a> {
    #[serde(flatten)]
    expectation: &'a Expectation,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<Agreement>,
}

/// Writes the document, indented, ended by a newline.
///
/// # Errors
/// The journal cannot be read any more, `out` cannot be written to, or a number has no form in JSON.
pub fn write(run: &RunSummary, out: &mut dyn Write) -> Result<(), ReportError> {
    let failed = RefCell::new(None);
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
        split: &run.split,
        host,
        ended: run.ended.word(),
        seconds: run.seconds,
        cells: run.planned(),
        counts: run.counts(),
        notices: &run.notices,
        unexpected: run.unexpectedly_bad().map(|cell| cell.id().to_string()).collect(),
        defects: records(run)?,
        results: Results { run, failed: &failed },
    };
    let written = serde_json::to_writer_pretty(&mut *out, &document);
    if let Some(error) = failed.take() {
        return Err(error.into());
    }
    written.map_err(|error| match error.is_io() {
        true => ReportError::Output(io::Error::from(error)),
        false => ReportError::Json(error),
    })?;
    out.write_all(b"\n").map_err(ReportError::Output)
}

fn result<'a>(
    cell: &'a CellSummary,
    run: &RunSummary,
    history: Option<Standing>,
    in_line: Option<InLine>,
) -> CellResult<'a> {
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
        arch: record.and_then(|record| record.arch.as_deref()),
        package: record.and_then(|record| record.package.as_deref()),
        expectation: cell.expectation.as_ref().map(|expectation| ShownExpectation {
            expectation,
            agreement: cell.verdict().and_then(|verdict| expectation.expected.agreement(verdict)),
        }),
        history,
        in_line,
        attempt_records: &cell.attempts,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::sample;

    fn document(run: &RunSummary) -> serde_json::Value {
        let mut text = Vec::new();
        write(run, &mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn the_document_has_the_counts_and_every_cell() {
        let document = document(&sample::finished());
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
        let document = document(&run);
        let cell = run.details().cell(1).unwrap();
        let record = serde_json::to_value(cell.record.unwrap()).unwrap();
        for (field, value) in record.as_object().unwrap() {
            assert_eq!(document["results"][1][field], *value, "{field}");
        }
    }

    /// What of a value a schema does not allow. It knows the words that the schema of this document has.
    fn mistakes(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let schema = root.pointer(name.trim_start_matches('#')).expect("a definition");
            return mistakes(value, schema, root, at, found);
        }
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let fits = |name: &&str| match *name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("{other}"),
        };
        if !types.iter().any(fits) {
            found.push(format!("{at}: {value} is none of {types:?}"));
        }
        if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
            found.push(format!("{at}: {value} is none of {allowed:?}"));
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.is_object() && value.get(name).is_none() {
                found.push(format!("{at} lacks {name}"));
            }
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            match schema["properties"].get(name) {
                Some(schema) => mistakes(value, schema, root, &format!("{at}.{name}"), found),
                None if schema["additionalProperties"] == true => {}
                None => found.push(format!("{at} has {name}, which the schema does not know")),
            }
        }
        for (number, value) in value.as_array().into_iter().flatten().enumerate() {
            mistakes(value, &schema["items"], root, &format!("{at}[{number}]"), found);
        }
    }

    #[test]
    fn the_schema_describes_the_document() {
        let schema: Value =
            serde_json::from_str(include_str!("../../docs/report.schema.json")).expect("JSON");
        for run in [sample::finished(), sample::crashing(), RunSummary::default()] {
            let document = document(&run);
            let mut found = Vec::new();
            mistakes(&document, &schema, &schema, "document", &mut found);
            assert_eq!(found, Vec::<String>::new());
        }
        let mut wrong = document(&sample::finished());
        wrong["results"][1]["verdict"] = "maybe".into();
        wrong["results"][1]["more"] = 1.into();
        let mut found = Vec::new();
        mistakes(&wrong, &schema, &schema, "document", &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
