//! Cells that wait for their turn, so that the next one is found without looking at all of them.
//!
//! What a cell takes of the host and which group it belongs to decides whether it fits; of those alike in this only
//! the foremost is looked at.

mod shared;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::plan::Cell;
use crate::suite::Test;
use shared::Shared;

/// What a cell takes while it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Thousandths of a processor.
    pub millicores: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Its test's groups: name and maximum of each.
    pub groups: Vec<(String, u32)>,
}

impl Share {
    /// What this cell takes. Its machine has so many processors of the host, unless it mostly waits: `load` is how many it took
    /// in the mean before, where that is known. A dose of seconds alone has them all: beside others it might do less in its time.
    pub fn of(cell: &Cell, load: Option<f64>) -> Share {
        let whole = cell.machine.host_cpus().saturating_mul(1000);
        let turn = &cell.test.turn;
        let groups = turn.group.iter().chain(&turn.limits);
        let groups = groups.map(|group| (group.name.clone(), group.max)).collect();
        let dose = &cell.test.dose;
        let load = load.filter(|_| dose.seconds.is_none() || dose.rounds.is_some());
        let millicores = load.map_or(whole, |load| millicores(whole, load));
        Share { millicores, memory_mib: u64::from(cell.machine.memory_mib), groups }
    }
}

/// What a machine is counted with that took `load` processors in the mean. One that works for more than half of the time has all
/// of its own, as what it does may depend on them; for the bursts of another one a quarter is added.
fn millicores(whole: u32, load: f64) -> u32 {
    let taken = (load.max(0.0) * 1000.0) as u32;
    if taken > whole / 2 {
        return whole;
    }
    (taken + taken / 4).next_multiple_of(LEAST_MILLICORES).max(LEAST_MILLICORES).min(whole)
}

/// The guests that one snapshot serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuestKind {
    image: PathBuf,
    machine: String,
}

impl GuestKind {
    /// That of a test's machine on a kernel.
    pub fn of(kernel: &Kernel, machine: &Machine) -> GuestKind {
        GuestKind { image: kernel.image.clone(), machine: format!("{machine:?}") }
    }
}

/// What a machine that never works is counted with, and the step of all figures, so that few are different: thousandths of a
/// processor.
const LEAST_MILLICORES: u32 = 250;

/// Room for more cells than this is given back when most of them are gone.
const LEAST_SHRUNK: usize = 4096;

/// So many cells behind the foremost are looked at where that should rather wait.
const LOOK_AHEAD: usize = 8;

/// The place of a cell among those of its priority that wait: the one that is expected to take the longest, then the one that
/// came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct QueueRank {
    milliseconds: u32,
    number: Reverse<u32>,
}

/// A cell that takes something, so that no need of it is unmet: of a million of them every byte counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: QueueRank,
    test: u32,
    kernel: u32,
}

/// Cells that wait.
#[derive(Default)]
pub struct Waiting {
    /// Cells that are skipped: they take nothing.
    skipped: VecDeque<Cell>,
    /// By priority and by what they take; none is empty.
    heaps: BTreeMap<(i32, Arc<Share>), BinaryHeap<Entry>>,
    tests: Shared<(Arc<Test>, Arc<Machine>)>,
    kernels: Shared<Arc<Kernel>>,
    number: u32,
}

impl Waiting {
    /// Adds a cell that is expected to take so long, seconds, and so many processors, where that is known.
    pub fn push(&mut self, cell: Cell, seconds: f64, load: Option<f64>) {
        if cell.unmet.is_some() {
            self.skipped.push_back(cell);
            return;
        }
        // of more than four billion cells all others are the last
        self.number = self.number.saturating_add(1);
        let rank = QueueRank { milliseconds: (seconds * 1e3) as u32, number: Reverse(self.number) };
        let heap = (cell.test.turn.priority, Arc::new(Share::of(&cell, load)));
        let Cell { test, machine, kernel, unmet: _ } = cell;
        let addresses = [Arc::as_ptr(&test).addr(), Arc::as_ptr(&machine).addr()];
        let test = self.tests.enter(addresses, (test, machine));
        let kernel = self.kernels.enter([Arc::as_ptr(&kernel).addr(), 0], kernel);
        self.heaps.entry(heap).or_default().push(Entry { rank, test, kernel });
    }

    /// Counts the cells of a test with what is known of them now.
    pub fn count_again(&mut self, test: &str, load_of: impl Fn(&Cell) -> Option<f64>) {
        let is_meant: Vec<bool> =
            self.tests.each(|one| one.is_some_and(|(one, _)| one.id() == test)).collect();
        let heaps: Vec<_> = self.heaps.keys().cloned().collect();
        for heap in heaps {
            let Some(entries) = self.heaps.get(&heap) else { continue };
            let of_test = entries.iter().filter(|entry| is_meant[entry.test as usize]);
            let counted = of_test.map(|entry| {
                let cell = self.cell(entry);
                (Share::of(&cell, load_of(&cell)), *entry)
            });
            let moved: Vec<_> = counted.filter(|(share, _)| *share != *heap.1).collect();
            if moved.is_empty() {
                continue;
            }
            let gone: HashSet<_> = moved.iter().map(|(_, entry)| entry.rank.number).collect();
            if let Some(entries) = self.heaps.get_mut(&heap) {
                entries.retain(|entry| !gone.contains(&entry.rank.number));
                if entries.is_empty() {
                    self.heaps.remove(&heap);
                }
            }
            for (share, entry) in moved {
                self.heaps.entry((heap.0, Arc::new(share))).or_default().push(entry);
            }
        }
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.skipped.is_empty() && self.heaps.is_empty()
    }

    /// The foremost cell of those that take something.
    pub fn foremost(&self) -> Option<Cell> {
        let foremost = self.heaps.iter().filter_map(|((priority, _), heap)| Some((priority, heap.peek()?)));
        foremost.max().map(|(_, entry)| self.cell(entry))
    }

    fn cell(&self, entry: &Entry) -> Cell {
        let (test, machine) = self.tests.at(entry.test);
        let kernel = Arc::clone(self.kernels.at(entry.kernel));
        Cell { test: Arc::clone(test), machine: Arc::clone(machine), kernel, unmet: None }
    }

    /// The foremost cell that fits, with what it takes; one that is skipped takes nothing. One whose guest `is_starting` for
    /// another cell would only wait for the same snapshot: another of the same priority that is not far behind it comes first.
    pub fn pop(
        &mut self,
        fits: impl Fn(&Share) -> bool,
        is_starting: impl Fn(&Kernel, &Machine) -> bool,
    ) -> Option<(Cell, Option<Arc<Share>>)> {
        if let Some(cell) = self.skipped.pop_front() {
            return Some((cell, None));
        }
        let fitting = self.heaps.iter().filter(|((_, share), _)| fits(share));
        let mut heaps: Vec<_> =
            fitting.filter_map(|(heap, cells)| Some((heap.0, cells.peek()?.rank, heap.clone()))).collect();
        heaps.sort_unstable_by(|one, other| other.cmp(one));
        let (priority, ..) = *heaps.first()?;
        let of_priority = heaps.iter().take_while(|(other, ..)| *other == priority);
        let found = of_priority
            .map(|(.., heap)| heap)
            .find_map(|heap| Some((self.take(heap, &is_starting)?, heap.clone())));
        let (entry, heap) = match found {
            Some(found) => found,
            None => {
                let (.., heap) = heaps.into_iter().next()?;
                (self.heaps.get_mut(&heap)?.pop()?, heap)
            }
        };
        if let Some(cells) = self.heaps.get_mut(&heap) {
            if cells.is_empty() {
                self.heaps.remove(&heap);
            } else if cells.capacity() > LEAST_SHRUNK && cells.len() < cells.capacity() / 4 {
                cells.shrink_to(cells.len() * 2);
            }
        }
        let cell = self.cell(&entry);
        self.tests.leave(entry.test);
        self.kernels.leave(entry.kernel);
        Some((cell, Some(heap.1)))
    }

    /// Takes the first cell whose guest is not starting from the foremost of those alike.
    fn take(
        &mut self,
        heap: &(i32, Arc<Share>),
        is_starting: impl Fn(&Kernel, &Machine) -> bool,
    ) -> Option<Entry> {
        let cells = self.heaps.get_mut(heap)?;
        let mut passed_over = Vec::new();
        let mut found = None;
        while let Some(entry) = cells.pop() {
            if !is_starting(self.kernels.at(entry.kernel), &self.tests.at(entry.test).1) {
                found = Some(entry);
                break;
            }
            passed_over.push(entry);
            if passed_over.len() == LOOK_AHEAD {
                break;
            }
        }
        cells.extend(passed_over);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_mostly_waits_counts_for_what_it_takes() {
        let table = [
            (2000, 0.0, 250),
            (2000, 0.2, 250),
            (2000, 0.21, 500),
            (2000, 0.8, 1000),
            (2000, 1.0, 1250),
            // from here on it works
            (2000, 1.01, 2000),
            (2000, 2.3, 2000),
            (1000, 0.5, 750),
            (1000, 0.6, 1000),
            // what is no figure is no excuse
            (2000, f64::INFINITY, 2000),
            (2000, -1.0, 250),
            (0, 0.0, 0),
        ];
        for (whole, load, counted) in table {
            assert_eq!(millicores(whole, load), counted, "{load} of {whole}");
        }
    }
}
