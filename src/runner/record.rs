//! An observation and its judgement, as the record that events carry.

use crate::event::{AttemptRecord, Diagnosis};
use crate::journal::AttemptDir;
use crate::observation::{ClockPair, Observation};
use crate::oops::Report;
use crate::verdict::Judgement;
use crate::witness::WitnessEvidence;

/// The longest text of one crash report in a record, bytes. The whole of it is in the console's file.
const EXCERPT: usize = 16 * 1024;

/// The most crash reports of one attempt in a record.
const REPORTS: usize = 20;

/// The longest output of a program in a record, bytes: its end.
const OUTPUT: usize = 4 * 1024;

/// Builds the record of an attempt.
pub fn attempt(
    attempt: u32,
    judgement: &Judgement,
    seen: Observation,
    reports: &[Report],
    testimony: &WitnessEvidence,
    findings: Vec<String>,
    dir: Option<&AttemptDir>,
) -> AttemptRecord {
    let text = &seen.console.text;
    let diagnoses = reports
        .iter()
        .take(REPORTS)
        .map(|r| Diagnosis { witness: testimony.witness_of(r), ..diagnosis(r, text) })
        .collect();
    let mut program = seen.program;
    program.output = end_of(&program.output, OUTPUT);
    AttemptRecord {
        attempt,
        verdict: judgement.verdict,
        title: judgement.title.clone(),
        reason: judgement.reason.clone(),
        seconds: milliseconds(seen.seconds),
        processor_seconds: seen.processor_seconds.map(milliseconds),
        start: seen.start,
        time_travel: seen.time_travel,
        clock: seen
            .clock
            .map(|pair| ClockPair { guest: milliseconds(pair.guest), host: milliseconds(pair.host) }),
        boot_seconds: seen.boot_seconds.map(milliseconds),
        phase: seen.phase,
        ending: seen.ending,
        program,
        probes: seen.probes,
        blocked: seen.blocked,
        findings,
        diagnoses,
        console: dir.map(AttemptDir::console_relative),
        reproduce: None,
    }
}

/// A figure that reads back as it was written, and is no more precise than the clock's use.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn diagnosis(report: &Report, console: &[u8]) -> Diagnosis {
    let end = report.end.min(console.len()).min(report.start + EXCERPT);
    let text = console.get(report.start..end).unwrap_or_default();
    Diagnosis {
        title: report.title.clone(),
        alt_titles: report.alt_titles.clone(),
        kind: report.kind.to_string(),
        frame: report.frame.clone(),
        frames: report.frames.clone(),
        corrupted: report.corrupted,
        line: report.start_line,
        witness: None,
        text: String::from_utf8_lossy(text).replace('\r', ""),
    }
}

fn end_of(text: &str, most: usize) -> String {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}
