//! How much work one input may be, in steps that are counted and not timed, so that a result is the same on every machine.

use std::cell::Cell;

/// Steps for a megabyte of patches. One is a nanosecond or two; all of them are a fraction of a second. A patch
/// of a megabyte whose hunks are where it says takes a hundredth.
const STEPS: usize = 160_000_000;
/// Steps for finding the damage in it, before there is a source.
const READING: usize = 40_000_000;
/// Bytes that are worth so many steps; larger inputs have more of them.
const MEGABYTE: usize = 1 << 20;

/// The steps for all patches of an input. Half of them are shared out evenly, so that a patch which takes many leaves
/// the others enough for what fits where it says; of the other half each may take half of what is left.
#[derive(Debug)]
pub struct Pool {
    share: usize,
    common: Cell<usize>,
}

impl Pool {
    /// For applying so many patches of so many bytes.
    pub fn applying(patches: usize, bytes: usize) -> Pool {
        Pool::of(STEPS, patches, bytes)
    }

    /// For reading them.
    pub fn reading(patches: usize, bytes: usize) -> Pool {
        Pool::of(READING, patches, bytes)
    }

    fn of(steps: usize, patches: usize, bytes: usize) -> Pool {
        let steps = steps.saturating_mul(bytes.div_ceil(MEGABYTE).max(1));
        Pool { share: steps / 2 / patches.max(1), common: Cell::new(steps / 2) }
    }

    /// The steps of the next patch, which `work` takes them from.
    pub fn next<T>(&self, last: bool, work: impl FnOnce(&Budget) -> T) -> T {
        let common = self.common.get();
        let budget = Budget::of(self.share + if last { common } else { common / 2 });
        let result = work(&budget);
        self.common.set(common - budget.taken().saturating_sub(self.share).min(common));
        result
    }
}

/// Steps that are left for a patch.
#[derive(Debug)]
pub struct Budget {
    all: usize,
    left: Cell<usize>,
    hunks: Cell<usize>,
}

impl Budget {
    /// So many steps.
    pub fn of(steps: usize) -> Budget {
        Budget { all: steps, left: Cell::new(steps), hunks: Cell::new(0) }
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
    pub fn taken(&self) -> usize {
        self.all - self.left.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_patch_leaves_the_others_their_share() {
        let pool = Pool::applying(4, 1);
        let given = |last: bool, steps: usize| {
            pool.next(last, |budget| {
                let all = budget.all;
                budget.spend(steps.min(all));
                all
            })
        };
        assert_eq!(given(false, usize::MAX), STEPS / 8 + STEPS / 4);
        assert_eq!(given(false, 1000), STEPS / 8 + STEPS / 8);
        assert_eq!(given(false, 0), STEPS / 8 + STEPS / 8);
        assert_eq!(given(true, 0), STEPS / 8 + STEPS / 4);
        assert_eq!(Pool::applying(1, 3 << 20).next(true, |budget| budget.all), 3 * STEPS);
    }
}
