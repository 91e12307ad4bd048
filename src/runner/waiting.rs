//! Cells that wait for their turn, so that the next one is found without looking at all of them.
//!
//! What a cell takes of the host and which group it belongs to decides whether it fits; of those alike in this only
//! the foremost is looked at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::plan::Cell;
use crate::suite::Test;

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

/// So many cells behind the foremost are looked at where that should rather wait.
const LOOK_AHEAD: usize = 8;

/// The place of a cell among those that wait: the highest priority first, then the one that is expected to take the
/// longest, then the one that came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QueueRank {
    priority: i32,
    milliseconds: u64,
    number: Reverse<u64>,
}

/// A cell that takes something, so that no need of it is unmet: of a million of them every byte counts.
struct Entry {
    place: QueueRank,
    test: Arc<Test>,
    machine: Arc<Machine>,
    kernel: Arc<Kernel>,
}

impl Entry {
    fn new(place: QueueRank, cell: Cell) -> Entry {
        let Cell { test, machine, kernel, unmet: _ } = cell;
        Entry { place, test, machine, kernel }
    }

    fn cell(&self) -> Cell {
        let (test, machine) = (Arc::clone(&self.test), Arc::clone(&self.machine));
        Cell { test, machine, kernel: Arc::clone(&self.kernel), unmet: None }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.place == other.place
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

/// Cells that wait.
#[derive(Default)]
pub struct Waiting {
    /// Cells that are skipped: they take nothing.
    skipped: VecDeque<Cell>,
    /// By what they take; none is empty.
    heaps: BTreeMap<Arc<Share>, BinaryHeap<Entry>>,
    number: u64,
}

impl Waiting {
    /// Adds a cell that is expected to take so long, seconds, and so many processors, where that is known.
    pub fn push(&mut self, cell: Cell, seconds: f64, load: Option<f64>) {
        if cell.unmet.is_some() {
            self.skipped.push_back(cell);
            return;
        }
        self.number += 1;
        let place = QueueRank {
            priority: cell.test.turn.priority,
            milliseconds: (seconds * 1e3) as u64,
            number: Reverse(self.number),
        };
        self.heaps.entry(Arc::new(Share::of(&cell, load))).or_default().push(Entry::new(place, cell));
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.skipped.is_empty() && self.heaps.is_empty()
    }

    /// The foremost cell of those that take something.
    pub fn foremost(&self) -> Option<Cell> {
        let entries = self.heaps.values().filter_map(BinaryHeap::peek);
        entries.max().map(Entry::cell)
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
        let foremost = |heap: &BinaryHeap<Entry>| heap.peek().map(|entry| entry.place);
        let fitting = self.heaps.iter().filter(|(share, _)| fits(share));
        let mut shares: Vec<_> =
            fitting.filter_map(|(share, heap)| Some((foremost(heap)?, Arc::clone(share)))).collect();
        shares.sort_unstable_by(|one, other| other.cmp(one));
        let (first, _) = shares.first()?;
        let wanted = |entry: &Entry| !is_starting(&entry.kernel, &entry.machine);
        let of_priority = shares.iter().take_while(|(place, _)| place.priority == first.priority);
        let found = of_priority
            .map(|(_, share)| share)
            .find_map(|share| Some((self.take(share, first.priority, wanted)?, Arc::clone(share))));
        let (entry, share) = match found {
            Some(found) => found,
            None => {
                let (_, share) = shares.into_iter().next()?;
                (self.heaps.get_mut(&share)?.pop()?, share)
            }
        };
        if self.heaps.get(&share).is_some_and(BinaryHeap::is_empty) {
            self.heaps.remove(&share);
        }
        Some((entry.cell(), Some(share)))
    }

    /// Takes the first cell that is wanted from the foremost of those alike.
    fn take(&mut self, share: &Arc<Share>, priority: i32, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let heap = self.heaps.get_mut(share)?;
        let mut passed_over = Vec::new();
        let mut found = None;
        while let Some(entry) = heap.pop() {
            if entry.place.priority == priority && wanted(&entry) {
                found = Some(entry);
                break;
            }
            passed_over.push(entry);
            if passed_over.len() == LOOK_AHEAD {
                break;
            }
        }
        heap.extend(passed_over);
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
