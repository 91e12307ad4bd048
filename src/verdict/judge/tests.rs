//! Hand-made observations, each with what must be said about it.

mod clocks;
mod collections;
mod detectors;
mod doses;
mod endless;
mod hangs;
mod leaks;
mod likeness;
mod sanitisers;
mod symptoms;
mod without_symptom;

use super::*;
use crate::observation::{
    Console, Ending, Exit, GuestFacts, Phase, ProgramReport, ProgramRun, SetupFailure, Stopped,
};
use crate::oops::ReportKind;

/// Where the dose of [`clean`] begins and ends on the console, bytes.
const DOSE: (usize, usize) = (1000, 9000);

/// A place on the console before the dose, and one within it.
const BEFORE: usize = 100;
const DURING: usize = 5000;

/// A test with this symptom, written as in a suite; `more` is added to the test.
fn test_with(symptom: &str, more: &str) -> Test {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suite.yaml");
    let text = format!(
        "suite: s\nsummary: s\ntests:\n- name: t\n  summary: t\n  program: {{shell: 'true'}}\n  symptom: {symptom}\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    let suite = crate::suite::load_file(&path).unwrap_or_else(|e| panic!("{symptom}: {e:?}"));
    Test::clone(&suite.tests[0])
}

/// A whole dose under working detectors, in which nothing was seen.
fn clean() -> Observation {
    Observation {
        phase: Phase::Stop,
        ending: Ending::Complete,
        console: Console {
            text: b"[    1.0] first line\n[    9.0] last line\n".to_vec(),
            printed: 10_000,
            left_out: 0,
            dose_start: Some(DOSE.0),
            dose_end: Some(DOSE.1),
        },
        guest: Some(GuestFacts { hung_task_timeout: Some(20), ..GuestFacts::default() }),
        program: ProgramRun { started: true, exit: Some(Exit::Code(0)), ..ProgramRun::default() },
        ..Observation::not_started("")
    }
}

/// An attempt that ended in this phase, before the dose.
fn undosed(phase: Phase, ending: Ending) -> Observation {
    let mut seen = Observation { phase, ending, program: ProgramRun::default(), ..clean() };
    (seen.console.dose_start, seen.console.dose_end) = (None, None);
    seen
}

/// An attempt that ended during the dose.
fn cut_short(ending: Ending) -> Observation {
    changed(|seen| {
        seen.phase = Phase::Dose;
        seen.ending = ending;
        seen.program.exit = None;
        seen.console.dose_end = None;
    })
}

/// [`clean`] with a change.
fn changed(change: impl FnOnce(&mut Observation)) -> Observation {
    let mut seen = clean();
    change(&mut seen);
    seen
}

/// A crash report at this place on the console.
fn report(title: &str, kind: ReportKind, start: usize, frames: &[&str]) -> Report {
    Report {
        title: title.into(),
        alt_titles: Vec::new(),
        kind,
        corrupted: false,
        corrupted_reason: None,
        frame: frames.first().map(|f| (*f).to_owned()),
        frames: frames.iter().map(|f| (*f).to_owned()).collect(),
        suppressed: false,
        panicked: false,
        start,
        end: start + 500,
        start_line: 1,
        task: None,
        pid: None,
        cpu: None,
    }
}

fn oops(start: usize) -> Report {
    report("general protection fault in elv_x", ReportKind::DoS, start, &["elv_x", "elevator_change_done"])
}

fn warning(start: usize) -> Report {
    report("WARNING in folio_x", ReportKind::Warning, start, &["folio_x", "do_writepages"])
}

fn hung(start: usize) -> Report {
    let frames = ["__mutex_lock", "elv_iosched_store"];
    let report = report("INFO: task hung in elv_iosched_store", ReportKind::Hang, start, &frames);
    Report { task: Some("writer".into()), pid: Some(77), ..report }
}

fn panic_of(title: &str, start: usize) -> Report {
    Report { panicked: true, ..report(title, ReportKind::DoS, start, &[]) }
}

/// What is said about an attempt, in a line.
fn said(test: &Test, seen: &Observation, reports: &[Report]) -> String {
    let Judgement { verdict, title, reason, dosed } = judge(test, seen, reports);
    let mut text = verdict.word().to_owned();
    if !dosed {
        text.push_str(", not dosed");
    }
    for part in [title, reason].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(&part);
    }
    text
}
