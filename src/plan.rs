//! Suites × kernels, filtered, to the list of cells of a run.
//!
//! A need that the kernel's own configuration and modules already deny, or that this host's QEMU cannot meet, makes a
//! cell that is skipped without a virtual machine, with the reason. Where a kernel has a small image and a large one,
//! [`flavour`] finds the smallest that suffices.

mod choice;
pub mod flavour;
pub mod jobs;
mod names;
mod needs;
mod partition;
#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;

use jiff::civil::Date;

use crate::event::CellId;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::suite::{Known, KnownVerdict, Suite, Test};
use crate::verdict::Verdict;

pub use choice::{CellChoice, EarlierCell, EarlierCells};
pub use names::{FilterError, NameFilter};
pub use needs::{Unmet, unmet};
pub use partition::{Partition, PartitionError, PlanPart};

/// A test with the machine that it runs on.
#[derive(Clone, Debug)]
pub struct PlacedTest {
    /// The test.
    pub test: Arc<Test>,
    /// What it runs on, with what the test itself says about it.
    pub machine: Arc<Machine>,
    /// Why this host cannot build that machine, if so.
    pub lacking: Option<String>,
}

/// One test on one kernel.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The test.
    pub test: Arc<Test>,
    /// What it runs on.
    pub machine: Arc<Machine>,
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// The need that is not met, if there is one.
    pub unmet: Option<String>,
}

impl Cell {
    /// A cell, with its needs checked against what the kernel's files say and what the host can build.
    pub fn new(placed: &PlacedTest, kernel: Arc<Kernel>) -> Cell {
        let unmet = unmet(placed, &kernel).map(|unmet| unmet.to_string());
        Cell { test: Arc::clone(&placed.test), machine: Arc::clone(&placed.machine), kernel, unmet }
    }

    /// Its name in events.
    pub fn id(&self) -> CellId {
        CellId { test: self.test.id(), kernel: self.kernel.name.clone() }
    }

    /// What the suite's `known` list says of this verdict: `known` where it was foretold, `fixed` where a kernel
    /// listed as bad is good. An entry that has expired says nothing.
    pub fn known(&self, verdict: Verdict, today: Date) -> Option<&'static str> {
        let holds = |k: &&Known| k.versions.contains(&self.kernel.version) && !k.is_expired(today);
        let entry = self.test.known.iter().find(holds)?;
        match (entry.verdict, verdict) {
            (KnownVerdict::Bad, Verdict::Bad) | (KnownVerdict::Other, Verdict::Other) => Some("known"),
            (KnownVerdict::Bad, Verdict::Good) => Some("fixed"),
            _ => None,
        }
    }
}

/// The tests that a filter selects, in the suites' order.
pub fn select(suites: &[Suite], filter: &NameFilter) -> Vec<Arc<Test>> {
    suites.iter().flat_map(|s| &s.tests).filter(|t| filter.is_match(&t.id())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_has_expired_hides_nothing() {
        let known = "known: [{versions: 6.17, verdict: bad, expires: 2026-11-28}]";
        let cell = Cell::new(&sample::placed("race", known), sample::kernel(None, &[], None));
        for (day, bad, good) in [("2026-11-28", Some("known"), Some("fixed")), ("2026-11-29", None, None)] {
            let today = day.parse().unwrap();
            let said = (cell.known(Verdict::Bad, today), cell.known(Verdict::Good, today));
            assert_eq!(said, (bad, good), "{day}");
        }
    }
}
