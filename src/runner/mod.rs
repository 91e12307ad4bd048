//! Executes cells on a lab: capacity, order, retries, cancellation. What happens is told as events; the runner knows
//! no QEMU and writes no report.

mod cell;
mod findings;
mod others;
mod queue;
mod record;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use jiff::Timestamp;

pub use cell::{Once, attempt};
pub use queue::Queue;

use crate::cancel::Cancel;
use crate::event::{CellId, Counts, Event};
use crate::lab::Lab;
use crate::verdict::Verdict;

/// What the virtual machines of a run may take of the host together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Virtual machines at once, where the user said so: then their processors are not counted.
    pub jobs: Option<u32>,
    /// Processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
}

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it may take of the host.
    pub capacity: Capacity,
    /// Attempts of every cell, instead of what its test says.
    pub attempts: Option<u32>,
    /// How often an attempt that said nothing about the test (`lost`, or a crash before the dose) is repeated in a
    /// cell.
    pub retries: u32,
    /// After this many cells that came out `bad` or `other` no further cell is begun.
    pub max_fail: Option<u64>,
    /// Whether a failure that the suite lists as known counts for `max_fail`.
    pub ignore_known: bool,
    /// From which every attempt's own seed is made.
    pub seed: u64,
    /// The run's folder; attempts get folders below it. Absent: nothing is written.
    pub run_dir: Option<PathBuf>,
}

/// Hears of everything that happens, from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);

/// Runs every cell that the queue yields, and ends when it is closed and empty. After `cancel` is set or the queue
/// was stopped, no cell is begun; that the queue is closed is waited for in any case, as who fills it tells events too.
/// The last event is [`Event::RunFinished`].
pub fn run(queue: &Queue, lab: &dyn Lab, config: &Config, sink: Sink<'_>, cancel: &Cancel) -> Counts {
    let start = Instant::now();
    let state = Mutex::new(Counts::default());
    let told = AtomicBool::new(false);
    let workers = config.capacity.jobs.unwrap_or(config.capacity.cpus).max(1);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(claim) = queue.claim(cancel) {
                    let finished = cell::run(&claim.cell, lab, config, sink, cancel, &told);
                    let Some(record) = finished else { continue };
                    let mut counts = state.lock().unwrap_or_else(|e| e.into_inner());
                    counts.add(record.verdict);
                    let failed = matches!(record.verdict, Verdict::Bad | Verdict::Other)
                        && (config.ignore_known || record.known.is_none());
                    sink(Event::Cell(Box::new(record)));
                    if failed && config.max_fail.is_some_and(|most| counts.bad + counts.other >= most) {
                        queue.stop();
                    }
                }
            });
        }
    });
    queue.wait_closed();
    let mut counts = *state.lock().unwrap_or_else(|e| e.into_inner());
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
