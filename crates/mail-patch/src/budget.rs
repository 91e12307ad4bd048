//! How much work one patch may be, in steps that are counted and not timed, so that a result is the same on every machine.

use std::cell::Cell;

/// Steps for one patch. One is a nanosecond or two; all of them are a fraction of a second. A patch
/// of a megabyte whose hunks are where it says takes a hundredth.
const STEPS: usize = 200_000_000;

/// Steps that are left for a patch.
#[derive(Debug)]
pub struct Budget {
    left: Cell<usize>,
    hunks: Cell<usize>,
}

impl Budget {
    /// For one patch.
    pub fn new() -> Budget {
        Budget { left: Cell::new(STEPS), hunks: Cell::new(0) }
    }

    /// Takes so many steps; false where they are not left.
    pub fn spend(&self, steps: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(steps));
        left >= steps
    }

    /// Takes the steps of so many comparisons of lines.
    pub fn compare(&self, lines: usize) -> bool {
        self.spend(lines.saturating_mul(4))
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Counts a hunk that was looked for.
    pub fn hunk(&self) {
        self.hunks.set(self.hunks.get() + 1);
    }

    /// Hunks that were looked for.
    pub fn hunks(&self) -> usize {
        self.hunks.get()
    }

    /// Steps that were taken.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        STEPS - self.left.get()
    }
}
