//! One cell: attempts until its verdict is settled, made by one worker or by several at once.
//!
//! Results of attempts are taken in the order of their numbers, however they end: the verdict is the one that they
//! would give one after the other. Only a symptom settles it at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;

use super::attempt::{self, AttemptReporter, Finished};
use super::other_crashes::OtherCrashes;
use super::stress::Rounds;
use super::waiting::Share;
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
    /// What it takes of the host; absent: nothing, as it is skipped.
    share: Option<Arc<Share>>,
    /// Clean attempts that make a `good`.
    needed: u32,
    start: Instant,
    /// What it gave before, where it is judged again.
    before: Option<Rounds>,
    state: Mutex<CellState>,
    /// Ends the attempts that run when the verdict is settled, and with the run: made for the first attempt, as it has a
    /// descriptor, and thousands of cells may wait to be judged again.
    over: OnceLock<Cancel>,
    cancel: Cancel,
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
    pub fn new(cell: Cell, share: Option<Arc<Share>>, config: &Config, cancel: &Cancel) -> OpenCell {
        let needed = config.attempts.unwrap_or(cell.test.dose.attempts);
        let retries = cell.test.turn.retries.unwrap_or(config.retries);
        OpenCell {
            id: cell.id(),
            share,
            needed,
            start: Instant::now(),
            before: None,
            state: Mutex::new(CellState {
                ready: false,
                tally: Tally::new(needed, retries),
                other_crashes: OtherCrashes::default(),
                begun: 0,
                taken: 0,
                waiting: BTreeMap::new(),
                settled: false,
            }),
            over: OnceLock::new(),
            cancel: cancel.clone(),
            cell,
        }
    }

    /// The same cell, to be judged again after this `record` of it was told; `None` where nothing was tried.
    pub fn again(&self, record: &CellRecord, config: &Config, cancel: &Cancel) -> Option<OpenCell> {
        let state = self.lock();
        if !state.ready {
            return None;
        }
        let (title, reason) = (record.title.clone(), record.reason.clone());
        let before = Rounds {
            count: self.rounds() + 1,
            judgement: Judgement { verdict: record.verdict, title, reason, dosed: true },
            attempts: record.attempts,
            begun: self.number(state.begun),
            seconds: record.seconds,
        };
        Some(OpenCell {
            before: Some(before),
            ..OpenCell::new(self.cell.clone(), self.share.clone(), config, cancel)
        })
    }

    fn over(&self) -> &Cancel {
        self.over.get_or_init(|| self.cancel.child())
    }

    /// How often it was judged before.
    pub fn rounds(&self) -> u32 {
        self.before.as_ref().map_or(0, |before| before.count)
    }

    /// The verdict that was told of it before.
    pub fn told(&self) -> Option<Verdict> {
        self.before.as_ref().map(|before| before.judgement.verdict)
    }

    /// The number of an attempt among all of the cell, of its number in this round.
    pub fn number(&self, nth: u32) -> u32 {
        self.before.as_ref().map_or(0, |before| before.begun) + nth
    }

    /// What its attempts take of the host, each.
    pub fn share(&self) -> Option<&Arc<Share>> {
        self.share.as_ref()
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
        let (number, of) = (self.number(nth), self.number(self.needed));
        (reporter.sink)(Event::AttemptStarted { cell: self.id.clone(), attempt: number, of });
        let dir = attempt_dir(config.run_dir.as_deref(), reporter);
        let mut finished =
            attempt::make(&self.cell, number, lab, config.seed, reporter, dir.as_ref(), self.over());
        if !self.over().is_set() {
            if let Some((dir, script)) = dir.as_ref().zip(config.reproduce.as_ref()) {
                finished.leave_script(script, dir, reporter);
            }
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
            self.over().set();
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
        let before = self.before.as_ref();
        let judgement = before.map_or_else(|| judgement.clone(), |before| before.with(judgement.clone()));
        let (attempts_before, seconds_before) = before.map_or((0, 0.0), |b| (b.attempts, b.seconds));
        let clean = self.needed.saturating_mul(self.rounds() + 1);
        let good = judgement.verdict == Verdict::Good;
        let chance = self.cell.test.dose.chance.filter(|_| good);
        CellRecord {
            test: self.id.test.clone(),
            kernel: self.id.kernel.clone(),
            release: Some(self.cell.kernel.release.clone()).filter(|r| !r.is_empty()),
            verdict: judgement.verdict,
            title: judgement.title,
            attempts: attempts_before + attempts,
            seconds: seconds_before + self.start.elapsed().as_secs_f64(),
            reason: judgement.reason,
            miss_chance: chance.map(|p| miss_chance(p, clean)),
            known: self.cell.known(judgement.verdict, jiff::Zoned::now().date()).map(str::to_owned),
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
