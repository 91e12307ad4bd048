//! Cells that wait for a virtual machine, those whose attempts run, and what the running ones take of the host.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::cell::OpenCell;
use super::durations::Durations;
use super::stress::Stress;
use super::waiting::{GuestKind, Share, Waiting};
use super::{Capacity, Config};
use crate::cancel::Cancel;
use crate::event::{AttemptRecord, CellId, CellRecord};
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::plan::Cell;

/// A queue that is filled while it is emptied: a kernel's cells come when the kernel is there.
pub struct Queue {
    capacity: Capacity,
    order: Mutex<Order>,
    state: Mutex<QueueState>,
    changed: Condvar,
    enough: Cancel,
    stress: Stress,
}

/// What the order of cells depends on.
#[derive(Default)]
struct Order {
    durations: Durations,
    /// Attempts that the run asks of every test.
    attempts: Option<u32>,
}

#[derive(Default)]
struct QueueState {
    waiting: Waiting,
    /// Cells that have their verdict and are judged again, when those that have none are begun.
    again: VecDeque<Arc<OpenCell>>,
    /// Cells at which several workers may be at work.
    open: Vec<Arc<OpenCell>>,
    /// Everything that was ever put in, and what was announced but will not come.
    total: u64,
    /// Of them those that got their verdict before they could wait here.
    lost: u64,
    closed: bool,
    stopped: bool,
    running: u32,
    millicores: u32,
    memory_mib: u64,
    /// Virtual machines of each group.
    groups: HashMap<String, u32>,
    /// What was begun in this run, so that there is a snapshot of it, or none can be had.
    started: HashSet<GuestKind>,
    /// Of them those whose first cell is at work. They are few.
    starting: Vec<GuestKind>,
}

/// What a worker is to do.
pub enum Work {
    /// Begin this cell.
    Begin(Arc<OpenCell>),
    /// Make the attempt of this number of a cell that was begun already.
    Help(Arc<OpenCell>, u32),
}

/// Work that may be done now. Dropping it gives its share of the host back.
pub struct Claim<'q> {
    /// The work.
    pub work: Work,
    /// What it takes; absent where no virtual machine is needed.
    share: Option<Arc<Share>>,
    /// What nobody began before.
    starts: Option<GuestKind>,
    queue: &'q Queue,
}

impl Queue {
    /// An empty queue.
    pub fn new(capacity: Capacity) -> Queue {
        Queue {
            capacity,
            order: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            enough: Cancel::new(),
            stress: Stress::default(),
        }
    }

    /// Orders cells by what they took earlier; `attempts` is what the run asks of every test, if anything.
    pub fn with_durations(self, durations: Durations, attempts: Option<u32>) -> Queue {
        Queue { order: Mutex::new(Order { durations, attempts }), ..self }
    }

    /// Judges every cell again, as long as that says.
    pub fn with_stress(self, stress: Stress) -> Queue {
        Queue { stress, ..self }
    }

    /// Takes back a cell that was judged, if it is to be judged again.
    pub(super) fn again(&self, cell: OpenCell) {
        if self.stress.wants_more_than(cell.rounds()) {
            self.lock().again.push_back(Arc::new(cell));
            self.changed.notify_all();
        }
    }

    /// What cells took, those of this run included.
    pub fn durations(&self) -> Durations {
        self.order().durations.clone()
    }

    /// Remembers what an attempt of a cell took of the processors.
    pub(super) fn learn_load(&self, cell: &CellId, attempt: &AttemptRecord) {
        if let Some(taken) = attempt.processor_seconds {
            self.order().durations.learn_load(cell, taken / attempt.seconds.max(1e-3));
        }
    }

    /// Remembers what a cell took. Where it says more of its test than was known, cells of that test that wait are counted with
    /// it from now on.
    pub(super) fn learn(&self, record: &CellRecord) {
        let mut order = self.order();
        if order.durations.learn(record) {
            self.lock().waiting.count_again(&record.test, |cell| order.durations.load_of(cell));
            self.changed.notify_all();
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock()
    }

    /// Adds cells.
    pub fn push(&self, cells: impl IntoIterator<Item = Cell>) {
        let order = self.order();
        let mut state = self.lock();
        for cell in cells {
            let seconds = order.durations.expected(&cell, order.attempts);
            let load = order.durations.load_of(&cell);
            state.waiting.push(cell, seconds, load);
            state.total += 1;
        }
        self.changed.notify_all();
    }

    /// Counts cells that were planned but can never run.
    pub fn forgo(&self, cells: u64) {
        self.lock().total += cells;
    }

    /// Counts cells that were planned and are lost already: their kernel was unavailable.
    pub fn lose(&self, cells: u64) {
        let mut state = self.lock();
        state.total += cells;
        state.lost += cells;
    }

    /// How many of them there were.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// No more cells will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Set when no more cells are begun: who brings kernels may stop then.
    pub fn enough(&self) -> &Cancel {
        &self.enough
    }

    /// Waits until [`Queue::close`] was called.
    pub(super) fn wait_closed(&self) {
        let mut state = self.lock();
        while !state.closed {
            self.changed.wait(&mut state);
        }
    }

    /// No more cells are begun.
    pub fn stop(&self) {
        self.enough.set();
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Whether [`Queue::stop`] ended it before it was empty.
    pub fn was_stopped(&self) -> bool {
        let state = self.lock();
        state.stopped && !state.waiting.is_empty()
    }

    /// How many cells there were.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// Wakes the waiting workers, so that they see a cancellation, and ends the bringing of kernels.
    pub fn wake(&self) {
        self.enough.set();
        self.look_again();
    }

    /// Wakes the waiting workers.
    pub(super) fn look_again(&self) {
        // under the lock, so that none is between its look and its wait
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Lets others help with a cell.
    pub(super) fn open(&self, cell: &Arc<OpenCell>) {
        self.lock().open.push(Arc::clone(cell));
        self.changed.notify_all();
    }

    /// Nobody can help with a cell any more.
    pub(super) fn forget(&self, cell: &OpenCell) {
        self.lock().open.retain(|open| !std::ptr::eq(Arc::as_ptr(open), cell));
        self.changed.notify_all();
    }

    /// Waits for work that fits into what is free: a cell, else an attempt of one that was begun. `None`: there is
    /// nothing more to do.
    pub(super) fn claim(&self, config: &Config, cancel: &Cancel) -> Option<Claim<'_>> {
        let mut state = self.lock();
        loop {
            // a cell that is being prepared will be open to helpers
            let idle = state.open.is_empty() && state.running == 0;
            if self.stress.is_over() {
                state.again.clear();
            }
            let done = state.closed && state.waiting.is_empty() && state.again.is_empty() && idle;
            if cancel.is_set() || state.stopped || done {
                return None;
            }
            if let Some(claim) = self.begin(&mut state, config, cancel).or_else(|| self.help(&mut state)) {
                return Some(claim);
            }
            self.changed.wait(&mut state);
        }
    }

    /// The cell that is likely to be begun next.
    pub(super) fn upcoming(&self) -> Option<Cell> {
        let state = self.lock();
        (!state.stopped).then(|| state.waiting.foremost()).flatten()
    }

    fn begin(&self, state: &mut QueueState, config: &Config, cancel: &Cancel) -> Option<Claim<'_>> {
        let mut waiting = std::mem::take(&mut state.waiting);
        let is_starting = |kernel: &Kernel, machine: &Machine| {
            !state.starting.is_empty() && state.starting.contains(&GuestKind::of(kernel, machine))
        };
        let found = waiting.pop(|share| self.fits(state, share), is_starting);
        state.waiting = waiting;
        let (cell, share) = match found {
            Some((cell, share)) => (Arc::new(OpenCell::new(cell, share.clone(), config, cancel)), share),
            None => {
                let fits = |cell: &Arc<OpenCell>| cell.share().is_none_or(|share| self.fits(state, share));
                let place = state.again.iter().position(fits)?;
                let cell = state.again.remove(place)?;
                let share = cell.share().cloned();
                (cell, share)
            }
        };
        let mut starts = None;
        if let Some(share) = &share {
            state.take(share);
            let kind = GuestKind::of(&cell.cell().kernel, &cell.cell().machine);
            starts = state.started.insert(kind.clone()).then_some(kind);
            state.starting.extend(starts.clone());
        }
        Some(Claim { work: Work::Begin(cell), share, starts, queue: self })
    }

    fn help(&self, state: &mut QueueState) -> Option<Claim<'_>> {
        let wanted = |cell: &&Arc<OpenCell>| cell.wanted();
        let needy = state.open.iter().filter(|cell| wanted(cell) > 0);
        let fitting = needy.filter(|cell| cell.share().is_none_or(|share| self.fits(state, share)));
        let cell = Arc::clone(fitting.max_by_key(wanted)?);
        let nth = cell.begin()?;
        let share = cell.share().cloned();
        share.iter().for_each(|share| state.take(share));
        Some(Claim { work: Work::Help(cell, nth), share, starts: None, queue: self })
    }

    /// A machine larger than the host runs alone.
    fn fits(&self, state: &QueueState, share: &Share) -> bool {
        let is_full = |(group, max): &(String, u32)| state.groups.get(group).is_some_and(|n| n >= max);
        if share.groups.iter().any(is_full) {
            return false;
        }
        if state.running == 0 {
            return true;
        }
        let memory = state.memory_mib + share.memory_mib <= self.capacity.memory_mib;
        let cpus = match self.capacity.jobs {
            Some(jobs) => state.running < jobs,
            None => state.millicores + share.millicores <= self.capacity.cpus.saturating_mul(1000),
        };
        memory && cpus
    }
}

impl QueueState {
    fn take(&mut self, share: &Share) {
        self.running += 1;
        self.millicores += share.millicores;
        self.memory_mib += share.memory_mib;
        for (group, _) in &share.groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
    }

    fn give_back(&mut self, share: &Share) {
        self.running -= 1;
        self.millicores -= share.millicores;
        self.memory_mib -= share.memory_mib;
        for (group, _) in &share.groups {
            if let Some(running) = self.groups.get_mut(group) {
                *running -= 1;
            }
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(share) = &self.share {
            state.give_back(share);
        }
        if let Some(kind) = &self.starts {
            state.starting.retain(|starting| starting != kind);
        }
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
