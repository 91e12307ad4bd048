//! One attempt: made on the lab, its console read, judged.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Sink, attempt_seed, findings, record};
use crate::cancel::Cancel;
use crate::event::{AttemptRecord, CellId, Event};
use crate::journal::AttemptDir;
use crate::lab::{Lab, Request, Watch};
use crate::observation::{Observation, Phase};
use crate::oops;
use crate::plan::Cell;
use crate::suite::{Circumstances, Sorted};
use crate::verdict::{
    Judgement, judge, likeness_told, messages_told, shows_symptom, unrelated_leaks, with_messages,
};

/// What an attempt came to.
pub struct Finished {
    /// What it says alone.
    pub judgement: Judgement,
    /// The crash reports of its console.
    pub sorted: Sorted,
    /// Its record.
    pub record: AttemptRecord,
}

/// Tells an attempt's progress as events.
pub struct Told<'a> {
    /// Hears the events.
    pub sink: Sink<'a>,
    /// The attempt's cell.
    pub cell: &'a CellId,
    /// Its number.
    pub attempt: u32,
    /// Whether a trouble with the host's files was told: a full disk has the same for every attempt.
    pub told: &'a AtomicBool,
    /// Called when the program has ended and the guest is only watched any more.
    pub settling: &'a dyn Fn(),
}

impl Told<'_> {
    /// Tells that a file of the attempt could not be written.
    pub fn files_trouble(&self, text: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let text =
                format!("{}, attempt {}: {text}; later ones may lack theirs too", self.cell, self.attempt);
            (self.sink)(Event::Notice { text });
        }
    }
}

impl Watch for Told<'_> {
    fn phase(&self, phase: Phase) {
        (self.sink)(Event::Phase { cell: self.cell.clone(), attempt: self.attempt, phase });
        if phase == Phase::Settle {
            (self.settling)();
        }
    }

    fn slow(&self, seconds: f64) {
        (self.sink)(Event::Slow { cell: self.cell.clone(), attempt: self.attempt, seconds });
    }

    fn trouble(&self, text: &str) {
        self.files_trouble(text);
    }

    fn notice(&self, text: &str) {
        (self.sink)(Event::Notice { text: text.to_owned() });
    }
}

/// Makes the attempt and judges it; `seed` is the run's. After `over` was set what it came to means nothing.
pub fn make(
    cell: &Cell,
    nth: u32,
    lab: &dyn Lab,
    seed: u64,
    told: &Told<'_>,
    dir: Option<&AttemptDir>,
    over: &Cancel,
) -> Finished {
    let folder = dir.map(AttemptDir::path);
    let request = Request {
        kernel: &cell.kernel,
        test: &cell.test,
        machine: &cell.machine,
        attempt: nth,
        seed: attempt_seed(seed, told.cell, nth),
        dir: folder.as_deref(),
        cancel: over,
    };
    let seen = lab.attempt(&request, told);
    let sorted = read_console(cell, &seen);
    let mut judgement = with_messages(judge(&cell.test, &seen, &sorted.reports), &seen, &sorted);
    let mut findings = findings::of(&judgement, &seen, &sorted.reports);
    let decided = sorted.reports.iter().find(|report| judgement.title.as_ref() == Some(&report.title));
    findings.extend(decided.into_iter().flat_map(|report| likeness_told(&cell.test.symptom, report)));
    findings.extend(unrelated_leaks(&cell.test.symptom, &seen));
    judgement.explain(&findings);
    findings.extend(messages_told(&sorted));
    let reports = sorted.all();
    let record = record::attempt(nth, &judgement, seen, &reports, findings, dir);
    Finished { judgement, sorted, record }
}

/// The crash reports of an attempt, known messages told apart.
fn read_console(cell: &Cell, seen: &Observation) -> Sorted {
    let now = Circumstances {
        today: jiff::Zoned::now().date(),
        version: Some(&cell.kernel.version),
        // what was said before the dose is not the test's
        lines_from: seen.console.dose_start.unwrap_or(usize::MAX),
    };
    let own = |report: &oops::Report| shows_symptom(&cell.test, report);
    cell.test.messages.read(oops::Engine::embedded(), &seen.console.text, now, own)
}
