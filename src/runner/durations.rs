//! What cells took in earlier runs, so that those that take the longest begin first, and those that only wait run beside others.
//!
//! A guess that is wrong costs time and nothing else: a file that is missing or damaged is none.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::event::{CellId, CellRecord};
use crate::plan::Cell;
use crate::verdict::Verdict;

/// The file in the cache.
const FILE: &str = "durations.json";

/// The most cells that are remembered: about a megabyte.
const MOST: usize = 20_000;

/// What an attempt takes beside its dose, and without one, seconds.
const BESIDE: f64 = 3.0;

/// What one cell took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct TestDuration {
    /// One attempt, seconds.
    attempt: f64,
    /// Whether a symptom settled it before all its attempts were made.
    early: bool,
    /// Processors of the host that its virtual machine took in the mean, of the attempt that took the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    load: Option<f64>,
    /// Whether it was learnt in this run.
    #[serde(skip)]
    new: bool,
}

/// What cells took, by test and kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Durations {
    tests: HashMap<String, HashMap<String, TestDuration>>,
    /// Loads of cells that have no verdict yet.
    #[serde(skip)]
    loads: HashMap<CellId, f64>,
    /// How many cells these are.
    #[serde(skip)]
    cells: usize,
    /// Whether only cells of this run are left.
    #[serde(skip)]
    thinned: bool,
}

impl Durations {
    /// What earlier runs left in a cache.
    pub fn load(cache: &Path) -> Durations {
        let text = std::fs::read(cache.join(FILE)).unwrap_or_default();
        let mut durations: Durations = serde_json::from_slice(&text).unwrap_or_default();
        durations.cells = durations.tests.values().map(HashMap::len).sum();
        durations
    }

    /// Writes them for the next run.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn save(&self, cache: &Path) -> io::Result<()> {
        crate::atomic_file::write(&cache.join(FILE), &serde_json::to_vec(self)?)
    }

    /// Remembers how many processors an attempt of a cell took in the mean.
    pub fn learn_load(&mut self, cell: &CellId, load: f64) {
        let known = self.loads.entry(cell.clone()).or_default();
        *known = known.max(load);
    }

    /// Remembers what a cell took. The answer is whether its test is expected to take another number of processors on kernels that
    /// nobody saw it on.
    pub fn learn(&mut self, record: &CellRecord) -> bool {
        let load = self.loads.remove(&CellId { test: record.test.clone(), kernel: record.kernel.clone() });
        let says_nothing = matches!(record.verdict, Verdict::Skip | Verdict::Lost);
        if record.attempts == 0 || says_nothing || !self.has_room() {
            return false;
        }
        let attempt = record.seconds / f64::from(record.attempts);
        let early = record.verdict == Verdict::Bad;
        // one that hung, or was cut short, waited for another reason than its test does
        let load = load.filter(|_| matches!(record.verdict, Verdict::Good | Verdict::Bad));
        let taken = TestDuration { attempt, early, load, new: true };
        let kernels = self.tests.entry(record.test.clone()).or_default();
        let before = most(kernels);
        self.cells += usize::from(kernels.insert(record.kernel.clone(), taken).is_none());
        load.is_some() && most(kernels) != before
    }

    /// Forgets what earlier runs left where there is too much of it.
    fn has_room(&mut self) -> bool {
        if self.cells >= MOST && !self.thinned {
            self.tests.values_mut().for_each(|kernels| kernels.retain(|_, taken| taken.new));
            self.tests.retain(|_, kernels| !kernels.is_empty());
            self.cells = self.tests.values().map(HashMap::len).sum();
            self.thinned = true;
        }
        self.cells < MOST
    }

    /// Processors that a cell's virtual machine may take in the mean: as many as before, else the most that its test took on
    /// another kernel. `None`: nobody knows.
    pub fn load_of(&self, cell: &Cell) -> Option<f64> {
        let kernels = self.tests.get(&cell.test.id())?;
        match kernels.get(&cell.kernel.name) {
            Some(taken) => taken.load,
            None => most(kernels),
        }
    }

    /// What a cell may take, seconds: as before, else as its test took on other kernels, else as its dose says.
    /// `attempts` is what the run asks of every test, if anything.
    pub fn expected(&self, cell: &Cell, attempts: Option<u32>) -> f64 {
        let needed = f64::from(attempts.unwrap_or(cell.test.dose.attempts));
        let of = |taken: &TestDuration| taken.attempt * if taken.early { 1.0 } else { needed };
        let Some(kernels) = self.tests.get(&cell.test.id()) else {
            return needed * (BESIDE + f64::from(cell.test.dose.seconds.unwrap_or(0)));
        };
        match kernels.get(&cell.kernel.name) {
            Some(taken) => of(taken),
            None => kernels.values().map(of).sum::<f64>() / kernels.len().max(1) as f64,
        }
    }
}

/// The most processors that a test took on any of these kernels.
fn most(kernels: &HashMap<String, TestDuration>) -> Option<f64> {
    kernels.values().filter_map(|taken| taken.load).reduce(f64::max)
}
