//! KCIDB's form of a run, version 5.3 (<https://github.com/kernelci/kcidb-io>): a checkout and a build for each kernel, a
//! test for each cell and for each of its subtests.
//!
//! What kcidb-io 141 takes was measured: paths are words of letters, digits, `_` and `-` joined by dots, an origin has no
//! hyphen, an excerpt at most 16,384 characters, statuses are those of [`status`] and no others. Consoles have no address
//! that others could open, so that none is named.

use std::io::Write;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::ReportError;
use super::cells::CellPlaces;
use super::evidence::said;
use super::fold::{CellSummary, RunSummary};
use super::rerun::rerun;
use super::text::replace_forbidden;
use crate::arch::GUEST;
use crate::observation::{Subtest, SubtestResult};
use crate::verdict::Verdict;

/// The longest excerpt of a log, characters.
const EXCERPT_LIMIT: usize = 16_384;
/// Subtests of a cell that are told.
const SUBTESTS: usize = 1000;
/// Who says it, unless the user has another name.
pub const ORIGIN: &str = "kregress";

/// Writes the document, an object a line within its lists.
///
/// # Errors
/// The journal cannot be read any more, or `out` cannot be written to.
pub fn write(run: &RunSummary, origin: &str, out: &mut dyn Write) -> Result<(), ReportError> {
    let origin = origin_of(origin);
    let mut details = run.details();
    let version = "{\"version\":{\"major\":5,\"minor\":3},\n\"checkouts\":[";
    out.write_all(version.as_bytes()).map_err(ReportError::Output)?;
    let kernels = run.cells_by_kernel();
    let mut list = List::default();
    for (number, (kernel, _)) in kernels.iter().enumerate() {
        let mut checkout = json!({
            "id": format!("{origin}:{}:{number}", run.id), "origin": origin, "valid": true,
            "comment": text(kernel),
            "misc": {"kernel": kernel, "run": run.id, "package": run.package(kernel)},
        });
        if let Some(at) = run.started {
            checkout["start_time"] = json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string());
        }
        list.push(out, &checkout)?;
    }
    out.write_all(b"],\n\"builds\":[").map_err(ReportError::Output)?;
    let mut list = List::default();
    for (number, (kernel, cells)) in kernels.iter().enumerate() {
        let release = cells.iter().find_map(|place| run.outline(place).release());
        let id = format!("{origin}:{}:{number}", run.id);
        let mut build = json!({
            "id": id, "checkout_id": id, "origin": origin, "status": "PASS",
            "architecture": arch_of(run, cells, &mut details)?,
            "misc": {"kernel": kernel},
        });
        if let Some(release) = release {
            build["comment"] = json!(text(release));
        }
        list.push(out, &build)?;
    }
    out.write_all(b"],\n\"tests\":[").map_err(ReportError::Output)?;
    let mut list = List::default();
    for (number, (_, cells)) in kernels.iter().enumerate() {
        let build = format!("{origin}:{}:{number}", run.id);
        for place in cells.iter() {
            let cell = details.cell(place)?;
            for value in tests(run, &cell, place, &origin, &build) {
                list.push(out, &value)?;
            }
        }
    }
    out.write_all(b"]}\n").map_err(ReportError::Output)
}

/// The members of a list, as they are written.
#[derive(Default)]
struct List {
    any: bool,
}

impl List {
    fn push(&mut self, out: &mut dyn Write, value: &Value) -> Result<(), ReportError> {
        let separator: &[u8] = if self.any { b",\n" } else { b"\n" };
        self.any = true;
        out.write_all(separator).map_err(ReportError::Output)?;
        serde_json::to_writer(&mut *out, &WithoutNull(value)).map_err(|error| match error.is_io() {
            true => ReportError::Output(error.into()),
            false => ReportError::Json(error),
        })
    }
}

/// An object whose members are left out where they are null.
struct WithoutNull<'v>(&'v Value);

impl Serialize for WithoutNull<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.0.as_object().ok_or_else(|| S::Error::custom("an object"))?;
        serializer.collect_map(object.iter().filter(|(_, value)| !value.is_null()))
    }
}

fn arch_of(
    run: &RunSummary,
    cells: &CellPlaces,
    details: &mut super::records::Details<'_>,
) -> Result<String, ReportError> {
    let judged = cells.iter().find(|place| run.outline(*place).verdict().is_some());
    let record = judged.map(|place| details.cell(place)).transpose()?.and_then(|cell| cell.record);
    Ok(record.and_then(|record| record.arch).unwrap_or_else(|| GUEST.name.to_owned()))
}

fn tests(run: &RunSummary, cell: &CellSummary, place: usize, origin: &str, build: &str) -> Vec<Value> {
    let id = format!("{origin}:{}:{place}", run.id);
    let path = path(&cell.id.test);
    let excerpt = cell.deciding_diagnosis().map(|diagnosis| excerpt(&diagnosis.text));
    let record = cell.record.as_ref();
    let host = run
        .host
        .as_ref()
        .map(|host| json!({"comment": text(&format!("QEMU {} with {}", host.qemu, host.accel))}));
    let main = json!({
        "id": id, "build_id": build, "origin": origin, "path": path,
        "status": status(cell.verdict()),
        "comment": text(&said(cell, run.ended)),
        "log_excerpt": excerpt,
        "duration": record.map(|record| record.seconds.max(0.0)),
        "environment": host,
        "misc": {
            "verdict": cell.verdict(), "kernel": cell.id.kernel, "known": cell.known(),
            "attempts": record.map(|record| record.attempts),
            "miss_chance": record.and_then(|record| record.miss_chance),
            "expectation": cell.expectation, "run_it_again": rerun(run, &cell.id),
        },
    });
    let subtests = cell.deciding_attempt().map_or(&[][..], |attempt| &attempt.program.subtests);
    let subtest = |(number, subtest): (usize, &Subtest)| {
        // neither of them may be empty between dots
        let below = self::path(&subtest.name.replace(" > ", "::"));
        let words = [path.as_str(), below.as_str()].into_iter().filter(|words| !words.is_empty());
        let path = words.collect::<Vec<_>>().join(".");
        json!({
            "id": format!("{id}:{number}"), "build_id": build, "origin": origin, "path": path,
            "status": subtest_status(subtest.result), "comment": text(&subtest.name),
        })
    };
    let subtests = subtests.iter().take(SUBTESTS).enumerate().map(subtest);
    std::iter::once(main).chain(subtests).collect()
}

/// KCIDB's word for a verdict. `MISS` is for tests that did not run because the harness failed, and `ERROR` for tests that
/// failed themselves.
fn status(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Good) => "PASS",
        Some(Verdict::Bad | Verdict::Other) => "FAIL",
        Some(Verdict::Skip) => "SKIP",
        Some(Verdict::Blind) => "ERROR",
        Some(Verdict::Lost) | None => "MISS",
    }
}

/// The word for a subtest; of one that failed as it should KCIDB knows no more than that it ended.
fn subtest_status(result: SubtestResult) -> &'static str {
    match result {
        SubtestResult::Passed => "PASS",
        SubtestResult::Failed => "FAIL",
        SubtestResult::Skipped => "SKIP",
        SubtestResult::ExpectedFailure => "DONE",
    }
}

/// A name as a path: `suite::test` is `suite.test`.
fn path(name: &str) -> String {
    let word = |part: &str| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        part.chars().map(|c| if fits(c) { c } else { '_' }).collect()
    };
    let words: Vec<String> = name.split("::").map(word).filter(|word| !word.is_empty()).collect();
    words.join(".")
}

/// A name as an origin.
fn origin_of(name: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let name: String = name.to_lowercase().chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if name.is_empty() { ORIGIN.to_owned() } else { name }
}

fn text(text: &str) -> String {
    replace_forbidden(text)
}

/// The beginning of a log, which is where a crash report says what it is.
fn excerpt(log: &str) -> String {
    replace_forbidden(log).chars().take(EXCERPT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::sample;

    fn document(run: &RunSummary) -> Value {
        let mut out = Vec::new();
        write(run, "my-ci", &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_verdict_has_its_status() {
        let document = document(&sample::finished());
        let tests = document["tests"].as_array().unwrap();
        let told: Vec<String> = tests
            .iter()
            .map(|test| {
                let word = |key: &str| test[key].as_str().unwrap_or_default().to_owned();
                format!("{} {} {}", word("status"), word("path"), word("comment"))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        PASS block.elevator-switch-race the whole dose ran and nothing was seen
        FAIL cifs.fsconfig-source-leak leak of 20000 objects in kmalloc-192
        MISS ext4.mmap-writeback-failure the agent did not speak within 60 s
        FAIL block.elevator-switch-race BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
        SKIP cifs.fsconfig-source-leak module cifs is not in this kernel's package
        FAIL ext4.mmap-writeback-failure WARNING in ext4_iomap_begin
        PASS block.elevator-switch-race the whole dose ran and nothing was seen
        ERROR cifs.fsconfig-source-leak the slab probe could not be read: no /proc/slabinfo
        MISS ext4.mmap-writeback-failure not run: the run finished without a verdict for this cell
        ");
        assert_eq!(document["builds"].as_array().unwrap().len(), 3);
        assert!(tests.iter().all(|test| test["origin"] == "my_ci"));
    }

    #[test]
    fn names_become_paths_and_origins() {
        assert_eq!(path("a::b c/d.é"), "a.b_c_d__");
        assert_eq!(path("::"), "");
        assert_eq!(origin_of("Lab-7 é"), "lab_7__");
        assert_eq!(origin_of(""), "kregress");
    }

    #[test]
    fn kcidb_io_takes_it() {
        let python = std::env::var_os("KREGRESS_KCIDB_PYTHON").unwrap_or_else(|| "python3".into());
        let program = "import json, sys, kcidb_io; kcidb_io.schema.LATEST.validate(json.load(sys.stdin))";
        let is_there = std::process::Command::new(&python).args(["-c", "import kcidb_io"]).output();
        if !is_there.is_ok_and(|output| output.status.success()) {
            loud_skip::optional(
                "kcidb-io is not installed (pip install kcidb-io; KREGRESS_KCIDB_PYTHON names its Python)",
            );
            return;
        }
        let flood = "é".repeat(40_000) + "\u{0}";
        let mut events = sample::events();
        for event in &mut events {
            if let Event::Attempt { record, .. } = event {
                record.diagnoses.iter_mut().for_each(|diagnosis| diagnosis.text = flood.clone());
                let named =
                    |name: &str| Subtest { name: name.to_owned(), result: SubtestResult::ExpectedFailure };
                record.program.subtests = vec![named("a > b c"), named("\u{0} é"), named("")];
            }
        }
        for run in [sample::fold(events), sample::crashing(), RunSummary::default()] {
            let mut document = Vec::new();
            write(&run, "my-ci", &mut document).unwrap();
            let mut child = std::process::Command::new(&python)
                .args(["-c", program])
                .stdin(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&document).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
