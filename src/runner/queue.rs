//! Cells that wait for a virtual machine, and what the running ones take of the host.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::Capacity;
use crate::cancel::Cancel;
use crate::plan::Cell;

/// A queue that is filled while it is emptied: a kernel's cells come when the kernel is there.
pub struct Queue {
    capacity: Capacity,
    state: Mutex<State>,
    changed: Condvar,
    enough: Cancel,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Cell>,
    /// Everything that was ever put in, and what was announced but will not come.
    total: u64,
    /// Of them those that got their verdict before they could wait here.
    lost: u64,
    closed: bool,
    stopped: bool,
    running: u32,
    cpus: u32,
    memory_mib: u64,
}

/// A cell that may run now. Dropping it gives its share of the host back.
pub struct Claim<'q> {
    /// The cell.
    pub cell: Cell,
    queue: &'q Queue,
}

impl Queue {
    /// An empty queue.
    pub fn new(capacity: Capacity) -> Queue {
        Queue { capacity, state: Mutex::default(), changed: Condvar::new(), enough: Cancel::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Adds cells.
    pub fn push(&self, cells: impl IntoIterator<Item = Cell>) {
        let mut state = self.lock();
        let before = state.waiting.len();
        state.waiting.extend(cells);
        state.total += (state.waiting.len() - before) as u64;
        self.changed.notify_all();
    }

    /// Counts cells that were planned but can never run.
    pub fn forgo(&self, cells: u64) {
        self.lock().total += cells;
    }

    /// Counts cells that were planned and are lost already: their kernel could not be had.
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
            state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
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
        // under the lock, so that none is between its look at the token and its wait
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Waits for a cell that fits into what is free. `None`: there is nothing more to do.
    pub fn claim(&self, cancel: &Cancel) -> Option<Claim<'_>> {
        let mut state = self.lock();
        loop {
            if cancel.is_set() || state.stopped || (state.closed && state.waiting.is_empty()) {
                return None;
            }
            let fitting = state.waiting.iter().position(|cell| self.fits(&state, cell));
            if let Some(cell) = fitting.and_then(|n| state.waiting.remove(n)) {
                state.running += 1;
                state.cpus += cell.machine.cpus;
                state.memory_mib += u64::from(cell.machine.memory_mib);
                return Some(Claim { cell, queue: self });
            }
            state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// A machine larger than the host runs alone. One that is skipped takes nothing.
    fn fits(&self, state: &State, cell: &Cell) -> bool {
        if state.running == 0 || cell.unmet.is_some() {
            return true;
        }
        let memory = state.memory_mib + u64::from(cell.machine.memory_mib) <= self.capacity.memory_mib;
        let cpus = match self.capacity.jobs {
            Some(jobs) => state.running < jobs,
            None => state.cpus + cell.machine.cpus <= self.capacity.cpus,
        };
        memory && cpus
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.running -= 1;
        state.cpus -= self.cell.machine.cpus;
        state.memory_mib -= u64::from(self.cell.machine.memory_mib);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
