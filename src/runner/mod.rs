//! Executes cells on a lab: capacity, order, retries, cancellation. What happens is reported as events; the runner knows
//! no QEMU and writes no report.

mod attempt;
mod cell;
pub mod durations;
mod findings;
mod other_crashes;
mod queue;
mod record;
mod reproduce;
mod single;
mod stress;
mod waiting;

use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use jiff::Timestamp;

pub use queue::Queue;
pub use reproduce::Reproduction;
pub use single::{SingleAttempt, attempt};
pub use stress::Stress;

use crate::cancel::Cancel;
use crate::event::{CellId, CellRecord, Counts, Event};
use crate::lab::Lab;
use crate::verdict::Verdict;
use attempt::AttemptReporter;
use cell::{NextStep, OpenCell};
use queue::Work;

/// What the virtual machines of a run may take of the host together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Virtual machines at once, at the most, whatever they take.
    pub guests: u32,
    /// Virtual machines at once, where the user said so: then their processors are not counted.
    pub jobs: Option<u32>,
    /// Processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
}

/// So many virtual machines that only wait run beside each other on a processor, at the most.
const IDLE_GUESTS: u32 = 4;

impl Capacity {
    /// The most virtual machines that run at once.
    pub fn most_guests(&self) -> u32 {
        self.jobs.unwrap_or_else(|| self.cpus.saturating_mul(IDLE_GUESTS).min(self.guests)).max(1)
    }
}

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it may take of the host.
    pub capacity: Capacity,
    /// Attempts of every cell, instead of what its test says.
    pub attempts: Option<u32>,
    /// How often an attempt that said nothing about the test (`lost`, or a crash before the dose) is repeated in a
    /// cell whose test says nothing of it.
    pub retries: u32,
    /// After this many cells that came out `bad` or `other` no further cell is begun.
    pub max_fail: Option<u64>,
    /// Whether a failure that the suite lists as known counts for `max_fail`.
    pub ignore_known: bool,
    /// From which every attempt's own seed is made.
    pub seed: u64,
    /// The run's folder; attempts get folders below it. Absent: nothing is written.
    pub run_dir: Option<PathBuf>,
    /// What scripts say by which a person comes into the guest of an attempt that failed. Absent: there are none.
    pub reproduce: Option<Reproduction>,
}

/// Hears of everything that happens, from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);

/// Runs every cell that the queue yields, and ends when it is closed and empty. After `cancel` is set or the queue
/// was stopped, no cell is begun; that the queue is closed is waited for in any case, as who fills it tells events too.
/// The last event is [`Event::RunFinished`].
pub fn run(queue: &Queue, lab: &dyn Lab, config: &Config, sink: Sink<'_>, cancel: &Cancel) -> Counts {
    let start = Instant::now();
    let counts = Mutex::new(Counts::default());
    let report_file_trouble_reported = AtomicBool::new(false);
    let runner = Runner {
        queue,
        lab,
        config,
        sink,
        cancel,
        report_file_trouble_reported: &report_file_trouble_reported,
        counts: &counts,
    };
    let workers = config.capacity.most_guests();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| runner.work());
        }
    });
    queue.wait_closed();
    let mut counts = *counts.lock();
    counts.lost += queue.lost();
    counts.not_run = queue.total().saturating_sub(counts.finished());
    sink(Event::RunFinished {
        at: Timestamp::now(),
        seconds: start.elapsed().as_secs_f64(),
        cancelled: cancel.is_set() || queue.was_stopped(),
        counts,
    });
    counts
}

/// What the workers of a run share.
struct Runner<'a> {
    queue: &'a Queue,
    lab: &'a dyn Lab,
    config: &'a Config,
    sink: Sink<'a>,
    cancel: &'a Cancel,
    report_file_trouble_reported: &'a AtomicBool,
    counts: &'a Mutex<Counts>,
}

impl Runner<'_> {
    fn work(&self) {
        while let Some(claim) = self.queue.claim(self.config, self.cancel) {
            let finished = match &claim.work {
                Work::Begin(cell) => self.begin(cell),
                Work::Help(cell, nth) => self.attempts(cell, *nth, true),
            };
            if let Some(record) = finished {
                let (Work::Begin(cell) | Work::Help(cell, _)) = &claim.work;
                let again = cell.again(&record, self.config, self.cancel);
                self.finish(record, cell.told());
                // while the claim is held, so that nobody takes the run for done
                again.into_iter().for_each(|cell| self.queue.again(cell));
            }
        }
    }

    /// A new cell, to its verdict unless others settle it. `None`: they do, or there is none.
    fn begin(&self, cell: &Arc<OpenCell>) -> Option<CellRecord> {
        if let Some(record) = cell.prepare(self.lab) {
            // what was ended with the run says nothing
            let cut_off = self.cancel.is_set() && record.verdict == Verdict::Lost;
            return (!cut_off).then_some(record);
        }
        let nth = cell.begin()?;
        self.queue.open(cell);
        let finished = self.attempts(cell, nth, false);
        if self.cancel.is_set() {
            self.queue.forget(cell);
        }
        finished
    }

    /// Attempts of a cell, from this one on. A worker that came to help stays only if nobody else does.
    fn attempts(&self, cell: &OpenCell, mut nth: u32, helped: bool) -> Option<CellRecord> {
        let id = cell.cell().id();
        let settling = || {
            let next = Some(cell.cell().clone()).filter(|_| cell.wanted() > 0);
            if let Some(next) = next.or_else(|| self.queue.upcoming()) {
                self.lab.prefetch(&next.kernel, &next.test, &next.machine);
            }
        };
        loop {
            let reporter = AttemptReporter {
                sink: self.sink,
                cell: &id,
                attempt: cell.number(nth),
                report_file_trouble_reported: self.report_file_trouble_reported,
                settling: &settling,
            };
            let finished = cell.attempt(nth, self.lab, self.config, &reporter)?;
            self.queue.learn_load(&id, &finished.record);
            let then = cell.take(nth, finished, helped, self.sink);
            match then {
                NextStep::Attempt(next) => {
                    // one that said nothing may have made room for others
                    self.queue.look_again();
                    nth = next;
                }
                NextStep::Leave => return None,
                NextStep::Settled(record) => {
                    self.queue.forget(cell);
                    return Some(*record);
                }
            }
        }
    }

    /// Tells a verdict; `told` is the one that it takes the place of.
    fn finish(&self, record: CellRecord, told: Option<Verdict>) {
        self.queue.learn(&record);
        let mut counts = self.counts.lock();
        told.into_iter().for_each(|verdict| counts.remove(verdict));
        counts.add(record.verdict);
        let failed = matches!(record.verdict, Verdict::Bad | Verdict::Other)
            && (self.config.ignore_known || record.known.is_none());
        (self.sink)(Event::Cell(Box::new(record)));
        if failed && self.config.max_fail.is_some_and(|most| counts.bad + counts.other >= most) {
            self.queue.stop();
        }
    }
}

/// A seed for one attempt: different for every run, cell and attempt, the same for the same three.
pub(crate) fn attempt_seed(run: u64, cell: &CellId, attempt: u32) -> u64 {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(run.to_le_bytes());
    hash.update(cell.to_string());
    hash.update(attempt.to_le_bytes());
    let digest = hash.finalize();
    u64::from_le_bytes(std::array::from_fn(|n| digest[n]))
}

#[cfg(test)]
mod tests;
