//! The attempts of one step, side by side as far as the host carries them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Condvar, Mutex};

use super::driver::Driving;
use crate::event::Event;
use crate::event::queue::QueueEvent;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::plan::{Cell, PlacedTest};
use crate::runner::{Capacity, SingleAttempt, attempt};
use crate::triage::{KernelOf, Outcome, Task};

/// A kernel with everything that attempts on it need.
pub struct Work<'w, 'd> {
    pub driving: &'w Driving<'d>,
    pub of: &'w KernelOf,
    pub kernel: &'w Arc<Kernel>,
    /// The tests in the order of the record.
    pub placed: &'w [PlacedTest],
}

/// Attempts that the host carries side by side, of the smallest machine.
pub fn side_by_side(capacity: &Capacity, placed: &[PlacedTest]) -> u32 {
    let least = |of: fn(&PlacedTest) -> u32| placed.iter().map(of).min().unwrap_or(1).max(1);
    let memory = capacity.memory_mib / u64::from(least(|one| one.machine.memory_mib));
    let cpus = capacity.jobs.unwrap_or(capacity.cpus / least(|one| one.machine.cpus));
    cpus.min(u32::try_from(memory).unwrap_or(u32::MAX)).max(1)
}

/// What running attempts take of the host.
#[derive(Default)]
struct Taken {
    running: u32,
    cpus: u32,
    memory_mib: u64,
}

/// What is left to do, and what keeps the rest from being done.
struct Shared {
    tasks: Mutex<VecDeque<Task>>,
    taken: Mutex<Taken>,
    freed: Condvar,
    failed: Mutex<Option<Failure>>,
}

impl Work<'_, '_> {
    /// Makes the attempts of all tasks, each up to its first bad one.
    pub fn run(&self, tasks: &[Task], side_by_side: u32) -> Result<(), Failure> {
        let shared = Shared {
            tasks: Mutex::new(tasks.iter().copied().collect()),
            taken: Mutex::default(),
            freed: Condvar::new(),
            failed: Mutex::default(),
        };
        let workers = usize::try_from(side_by_side).unwrap_or(1).min(tasks.len()).max(1);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let next = shared.tasks.lock().pop_front();
                        let stopped = shared.failed.lock().is_some();
                        let Some(task) = next.filter(|_| !stopped) else { break };
                        if let Err(failure) = self.task(task, &shared) {
                            shared.failed.lock().get_or_insert(failure);
                        }
                    }
                });
            }
        });
        shared.failed.into_inner().map_or(Ok(()), Err)
    }

    fn task(&self, task: Task, shared: &Shared) -> Result<(), Failure> {
        let Some(placed) = self.placed.get(task.test) else { return Ok(()) };
        let (driver, cell) = (self.driving.driver, Cell::new(placed, Arc::clone(self.kernel)));
        let kernel = self.driving.state().numbers().name(self.of);
        let unjudged = |reason: String| {
            let (kernel, test) = (kernel.clone(), Some(cell.test.id()));
            self.driving.tell(QueueEvent::Unjudged { kernel, test, reason });
        };
        if let Some(reason) = &cell.unmet {
            unjudged(reason.clone());
            return Ok(());
        }
        match driver.lab.prepare(&cell.kernel, &cell.test, &cell.machine) {
            Ok(()) => {}
            Err(Failure::Test(reason) | Failure::Kernel(reason)) => {
                unjudged(reason);
                return Ok(());
            }
            Err(other) => return Err(other),
        }
        let trouble = AtomicBool::new(false);
        let sink = |event: Event| self.driving.sink(event);
        let single = SingleAttempt {
            lab: driver.lab,
            seed: driver.seed,
            run_dir: driver.run_dir.as_deref(),
            sink: &sink,
            cancel: driver.cancel,
            report_file_trouble_reported: &trouble,
            at_once: 1,
        };
        let first = self.driving.state().next_number(self.of, task.test);
        for number in first..first + task.attempts {
            let made = {
                let _room = Room::take(shared, &driver.capacity, &cell);
                attempt(&cell, number, first + task.attempts - 1, &single)
            };
            if made.is_none() {
                return Err(Failure::Cancelled);
            }
            let state = self.driving.state();
            let last = state.attempts(self.of, task.test).iter().find(|made| made.number == number);
            // a test that says it cannot run here says so again
            let is_over = last.is_some_and(|made| {
                made.outcome == Outcome::Bad || made.verdict == crate::verdict::Verdict::Skip
            });
            if is_over || shared.failed.lock().is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// A share of the host, given back when it is dropped.
struct Room<'s> {
    shared: &'s Shared,
    cpus: u32,
    memory_mib: u64,
}

impl<'s> Room<'s> {
    /// Waits until there is room for one more machine; the only one always has it.
    fn take(shared: &'s Shared, capacity: &Capacity, cell: &Cell) -> Room<'s> {
        let (cpus, memory_mib) = (cell.machine.cpus, u64::from(cell.machine.memory_mib));
        let mut taken = shared.taken.lock();
        let fits = |taken: &Taken| {
            let cpus_fit = match capacity.jobs {
                Some(jobs) => taken.running < jobs,
                None => taken.cpus + cpus <= capacity.cpus,
            };
            taken.running == 0 || (cpus_fit && taken.memory_mib + memory_mib <= capacity.memory_mib)
        };
        while !fits(&taken) {
            shared.freed.wait(&mut taken);
        }
        taken.running += 1;
        taken.cpus += cpus;
        taken.memory_mib += memory_mib;
        Room { shared, cpus, memory_mib }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.running -= 1;
        taken.cpus -= self.cpus;
        taken.memory_mib -= self.memory_mib;
        self.shared.freed.notify_all();
    }
}
