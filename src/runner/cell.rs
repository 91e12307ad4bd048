//! One cell: attempts until its verdict is settled, made by one worker or by several at once.
//!
//! Results of attempts are taken in the order of their numbers, however they end: the verdict is the one that they
//! would give one after the other. Only a symptom settles it at once.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;

use super::attempt::{self, AttemptReporter, Finished};
use super::other_crashes::OtherCrashes;
use super::{Config, Sink};
use crate::cancel::Cancel;
use crate::event::{CellId, CellRecord, Event};
use crate::failure::Failure;
use crate::journal::{AttemptDir, RunDir};
use crate::lab::Lab;
use crate::plan::Cell;
use crate::verdict::{Judgement, Next, Tally, Verdict, miss_chance};

/// A cell whose verdict is sought.
pub struct OpenCell {
    cell: Cell,
    id: CellId,
    /// Clean attempts that make a `good`.
    needed: u32,
    start: Instant,
    state: Mutex<CellState>,
    /// Ends the attempts that run when the verdict is settled, and with the run.
    over: Cancel,
}

struct CellState {
    /// Whether attempts can be made: everything that they need is there.
    ready: bool,
    tally: Tally,
    other_crashes: OtherCrashes,
    /// Attempts begun.
    begun: u32,
    /// Of them those that were taken in.
    taken: u32,
    /// Results of attempts that wait for earlier ones.
    waiting: BTreeMap<u32, Finished>,
    settled: bool,
}

/// What a worker has to do after an attempt.
pub enum NextStep {
    /// Another attempt of this cell, of this number.
    Attempt(u32),
    /// Nothing more here: others are at it, or it is settled.
    Leave,
    /// The verdict is settled, and this worker tells it.
    Settled(Box<CellRecord>),
}

impl OpenCell {
    /// A cell with no attempt yet.
    pub fn new(cell: Cell, config: &Config, cancel: &Cancel) -> OpenCell {
        let needed = config.attempts.unwrap_or(cell.test.dose.attempts);
        OpenCell {
            id: cell.id(),
            needed,
            start: Instant::now(),
            state: Mutex::new(CellState {
                ready: false,
                tally: Tally::new(needed, config.retries),
                other_crashes: OtherCrashes::default(),
                begun: 0,
                taken: 0,
                waiting: BTreeMap::new(),
                settled: false,
            }),
            over: cancel.child(),
            cell,
        }
    }

    /// The cell.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock()
    }

    /// What must be there before the first attempt. A record: the cell has its verdict without one.
    pub fn prepare(&self, lab: &dyn Lab) -> Option<CellRecord> {
        let judgement = match &self.cell.unmet {
            Some(reason) => Judgement::skipped(reason),
            None => match lab.prepare(&self.cell.kernel, &self.cell.test, &self.cell.machine) {
                Ok(()) => {
                    self.lock().ready = true;
                    return None;
                }
                Err(Failure::Test(reason) | Failure::Kernel(reason)) => Judgement::unprepared(reason),
                Err(Failure::Host(reason)) => Judgement::not_ready(reason),
                Err(Failure::Cancelled) => Judgement::not_ready("interrupted"),
            },
        };
        self.lock().settled = true;
        Some(self.record(judgement, 0))
    }

    /// How many attempts could begin now and still count.
    pub fn wanted(&self) -> u32 {
        let state = self.lock();
        if state.ready { state.wanted() } else { 0 }
    }

    /// The number of the next attempt; `None`: those that run may be enough.
    pub fn begin(&self) -> Option<u32> {
        let mut state = self.lock();
        let wanted = state.ready && state.wanted() > 0;
        wanted.then(|| {
            state.begun += 1;
            state.begun
        })
    }

    /// Makes the attempt of this number. `None`: it was called off, and says nothing.
    pub fn attempt(
        &self,
        nth: u32,
        lab: &dyn Lab,
        config: &Config,
        reporter: &AttemptReporter<'_>,
    ) -> Option<Finished> {
        let started = Event::AttemptStarted { cell: self.id.clone(), attempt: nth, of: self.needed };
        (reporter.sink)(started);
        let dir = attempt_dir(config.run_dir.as_deref(), reporter);
        let finished = attempt::make(&self.cell, nth, lab, config.seed, reporter, dir.as_ref(), &self.over);
        if !self.over.is_set() {
            return Some(finished);
        }
        if let Some(dir) = dir.filter(|_| self.lock().settled) {
            // what was called off belongs to no record
            let _ = std::fs::remove_dir_all(dir.path());
        }
        None
    }

    /// Takes in the result of an attempt and says what its worker does next. One that came to `helped` goes on only
    /// when nobody else is at it.
    pub fn take(&self, nth: u32, finished: Finished, helped: bool, sink: Sink<'_>) -> NextStep {
        let mut state = self.lock();
        if state.settled {
            return NextStep::Leave;
        }
        let seen = finished.judgement.verdict == Verdict::Bad;
        state.waiting.insert(nth, finished);
        let mut settled = None;
        // a symptom is not to be undone by the result of an earlier attempt
        while !seen && settled.is_none() {
            let next = state.taken + 1;
            let Some(finished) = state.waiting.remove(&next) else { break };
            settled = state.enter(finished, &self.id, sink);
        }
        if seen || settled.is_some() {
            // of them, too, learns their results
            for (n, finished) in std::mem::take(&mut state.waiting) {
                let meant = state.enter(finished, &self.id, sink);
                settled = if seen && n == nth { meant } else { settled };
            }
        }
        if let Some(mut judgement) = settled {
            state.settled = true;
            self.over.set();
            if judgement.verdict == Verdict::Other {
                judgement.explain(&state.other_crashes.describe());
            }
            return NextStep::Settled(Box::new(self.record(judgement, state.taken)));
        }
        let running = state.begun - state.taken - state.waiting.len() as u32;
        if state.wanted() == 0 || (helped && running > 0) {
            return NextStep::Leave;
        }
        state.begun += 1;
        NextStep::Attempt(state.begun)
    }

    fn record(&self, judgement: Judgement, attempts: u32) -> CellRecord {
        let good = judgement.verdict == Verdict::Good;
        let chance = self.cell.test.dose.chance.filter(|_| good);
        CellRecord {
            test: self.id.test.clone(),
            kernel: self.id.kernel.clone(),
            release: Some(self.cell.kernel.release.clone()).filter(|r| !r.is_empty()),
            verdict: judgement.verdict,
            title: judgement.title,
            attempts,
            seconds: self.start.elapsed().as_secs_f64(),
            reason: judgement.reason,
            miss_chance: chance.map(|p| miss_chance(p, self.needed)),
            known: self.cell.known(judgement.verdict).map(str::to_owned),
            arch: self.cell.kernel.arch.to_tell(),
            package: self.cell.kernel.origin.package().map(|(_, version)| version.to_owned()),
            expectation: None,
        }
    }
}

impl CellState {
    /// Attempts that could begin now: as many as are at least missing to the verdict, without those that run or wait.
    fn wanted(&self) -> u32 {
        if self.settled { 0 } else { self.tally.missing().saturating_sub(self.begun - self.taken) }
    }

    /// Takes in the next attempt and tells it.
    fn enter(&mut self, finished: Finished, id: &CellId, sink: Sink<'_>) -> Option<Judgement> {
        let Finished { judgement, sorted, record } = finished;
        self.taken += 1;
        self.other_crashes.take(&judgement, &sorted);
        sink(Event::Attempt { cell: id.clone(), record: Box::new(record) });
        match self.tally.take(judgement) {
            Next::Attempt => None,
            Next::Settled(judgement) => Some(judgement),
        }
    }
}

/// The attempt's folder. A disk that cannot take it costs the console's copy, not the verdict, and is reported.
pub(super) fn attempt_dir(run: Option<&Path>, reporter: &AttemptReporter<'_>) -> Option<AttemptDir> {
    let dir = RunDir::at(run?).attempt(reporter.cell, reporter.attempt);
    match dir.create() {
        Ok(()) => Some(dir),
        Err(error) => {
            reporter
                .report_file_trouble(&format!("the console is not kept: {}: {error}", dir.path().display()));
            None
        }
    }
}
