//! One cell: attempts until its verdict is settled. A bisection takes single ones.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::others::Others;
use super::{Config, Sink, attempt_seed, findings, record};
use crate::cancel::Cancel;
use crate::event::{CellId, CellRecord, Event};
use crate::journal::{AttemptDir, RunDir};
use crate::lab::{Lab, Request, Unprepared, Watch};
use crate::observation::{Observation, Phase};
use crate::oops;
use crate::plan::Cell;
use crate::suite::{Circumstances, Sorted};
use crate::verdict::{
    Judgement, Next, Tally, Verdict, judge, likeness_told, messages_told, miss_chance, shows_symptom,
    unrelated_leaks, with_messages,
};

/// Tells an attempt's progress as events.
struct Told<'a> {
    sink: Sink<'a>,
    cell: &'a CellId,
    attempt: u32,
    /// Whether a trouble with the host's files was told: a full disk has the same for every attempt.
    told: &'a AtomicBool,
}

impl Told<'_> {
    fn files_trouble(&self, text: &str) {
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

/// Runs a cell to its verdict. `None`: it was interrupted, so that there is none.
pub fn run(
    cell: &Cell,
    lab: &dyn Lab,
    config: &Config,
    sink: Sink<'_>,
    cancel: &Cancel,
    told: &AtomicBool,
) -> Option<CellRecord> {
    let start = Instant::now();
    let needed = config.attempts.unwrap_or(cell.test.dose.attempts);
    let finished =
        |judgement: Judgement, attempts: u32| Some(cell_record(cell, judgement, attempts, needed, start));
    if let Some(reason) = &cell.unmet {
        return finished(Judgement::skipped(reason), 0);
    }
    match lab.prepare(&cell.kernel, &cell.test, &cell.machine) {
        Ok(()) => {}
        Err(Unprepared::Test(reason)) => return finished(Judgement::unprepared(reason), 0),
        Err(Unprepared::Host(reason)) => return finished(Judgement::not_ready(reason), 0),
    }
    let mut tally = Tally::new(needed, config.retries);
    let mut others = Others::default();
    let once = Once { lab, seed: config.seed, run_dir: config.run_dir.as_deref(), sink, cancel, told };
    loop {
        let (judgement, sorted) = attempt(cell, tally.made() + 1, needed, &once)?;
        others.take(&judgement, &sorted);
        if let Next::Settled(mut judgement) = tally.take(judgement) {
            if judgement.verdict == Verdict::Other {
                judgement.explain(&others.told());
            }
            return finished(judgement, tally.made());
        }
    }
}

/// What single attempts need besides their cell.
#[derive(Clone, Copy)]
pub struct Once<'a> {
    /// Runs them.
    pub lab: &'a dyn Lab,
    /// From which every attempt's own seed is made.
    pub seed: u64,
    /// The run's folder; absent: nothing is written.
    pub run_dir: Option<&'a Path>,
    /// Is told of them.
    pub sink: Sink<'a>,
    /// Ends them.
    pub cancel: &'a Cancel,
    /// Whether a trouble with the host's files was told already.
    pub told: &'a AtomicBool,
}

/// Runs attempt `number` of a cell whose lab is prepared, and judges it by itself; `of` attempts are shown as the most
/// of the cell. The attempt with its judgement is told as an event. `None`: it was interrupted.
pub fn attempt(cell: &Cell, number: u32, of: u32, once: &Once<'_>) -> Option<(Judgement, Sorted)> {
    let (id, sink) = (cell.id(), once.sink);
    sink(Event::AttemptStarted { cell: id.clone(), attempt: number, of });
    let watch = Told { sink, cell: &id, attempt: number, told: once.told };
    let dir = attempt_dir(once.run_dir, &watch);
    let folder = dir.as_ref().map(AttemptDir::path);
    let request = Request {
        kernel: &cell.kernel,
        test: &cell.test,
        machine: &cell.machine,
        attempt: number,
        seed: attempt_seed(once.seed, &id, number),
        dir: folder.as_deref(),
        cancel: once.cancel,
    };
    let seen = once.lab.attempt(&request, &watch);
    if once.cancel.is_set() {
        return None;
    }
    let sorted = read_console(cell, &seen);
    let mut judgement = with_messages(judge(&cell.test, &seen, &sorted.reports), &seen, &sorted);
    let mut findings = findings::of(&judgement, &seen, &sorted.reports);
    let decided = sorted.reports.iter().find(|report| judgement.title.as_ref() == Some(&report.title));
    findings.extend(decided.into_iter().flat_map(|report| likeness_told(&cell.test.symptom, report)));
    findings.extend(unrelated_leaks(&cell.test.symptom, &seen));
    judgement.explain(&findings);
    findings.extend(messages_told(&sorted));
    let reports = sorted.all();
    let record = record::attempt(number, &judgement, seen, &reports, findings, dir.as_ref());
    sink(Event::Attempt { cell: id, record: Box::new(record) });
    Some((judgement, sorted))
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

/// The attempt's folder. A disk that cannot take it costs the console's copy, not the verdict, and is told.
fn attempt_dir(run: Option<&Path>, watch: &Told<'_>) -> Option<AttemptDir> {
    let dir = RunDir::at(run?).attempt(watch.cell, watch.attempt);
    match dir.create() {
        Ok(()) => Some(dir),
        Err(error) => {
            watch.files_trouble(&format!("the console is not kept: {}: {error}", dir.path().display()));
            None
        }
    }
}

fn cell_record(cell: &Cell, judgement: Judgement, attempts: u32, needed: u32, start: Instant) -> CellRecord {
    let CellId { test, kernel } = cell.id();
    let good = judgement.verdict == Verdict::Good;
    CellRecord {
        test,
        kernel,
        release: Some(cell.kernel.release.clone()).filter(|r| !r.is_empty()),
        verdict: judgement.verdict,
        title: judgement.title,
        attempts,
        seconds: start.elapsed().as_secs_f64(),
        reason: judgement.reason,
        miss_chance: cell.test.dose.chance.filter(|_| good).map(|p| miss_chance(p, needed)),
        known: cell.known(judgement.verdict).map(str::to_owned),
    }
}
