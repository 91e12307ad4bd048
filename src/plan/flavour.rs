//! Which image of a kernel each test gets: the smallest that suffices.
//!
//! The small image is looked at first. Only the tests that it does not suffice for ask for the large one.

use std::sync::Arc;

use super::{Cell, PlacedTest, Unmet, unmet};
use crate::kernel::{Kernel, LargerImage};

/// Options that no image of Debian's has: nothing is fetched to look for them.
const NOT_IN_DEBIAN: &[&str] = &["KASAN", "KCSAN", "KMSAN", "DEBUG_KMEMLEAK", "PROVE_LOCKING", "LOCKDEP"];

/// A test that needs more than the small image has.
#[derive(Clone, Debug)]
pub struct NeedsLarger {
    placed: PlacedTest,
    what: String,
    /// What the small image lacks, a whole sentence.
    reason: String,
}

/// The tests of a kernel, by what its small image has.
#[derive(Clone, Debug, Default)]
pub struct ImageSplit {
    /// Cells on the small image, those among them that are skipped on any image.
    pub cells: Vec<Cell>,
    /// Tests that need the large one.
    pub needs_larger: Vec<NeedsLarger>,
}

/// Divides the tests. Where there is no larger image, all of them are cells on this one.
pub fn split_by_image(tests: &[PlacedTest], kernel: &Arc<Kernel>, larger: &LargerImage) -> ImageSplit {
    let mut split = ImageSplit::default();
    for placed in tests {
        let unmet = unmet(placed, kernel);
        match (&unmet, larger) {
            (Some(Unmet::Image { what, reason, options }), LargerImage::Known(_)) if !in_none(options) => {
                let (what, reason) = (what.clone(), reason.clone());
                split.needs_larger.push(NeedsLarger { placed: placed.clone(), what, reason });
            }
            (Some(Unmet::Image { reason, options, .. }), LargerImage::Known(_) | LargerImage::Missing(_))
                if in_none(options) =>
            {
                let reason = format!("{reason}; no image of Debian's has it");
                split.cells.push(skipped(placed, kernel, reason));
            }
            (Some(Unmet::Image { reason, .. }), LargerImage::Missing(why)) => {
                let reason = format!("{reason}; the plain image, which may have it, is unavailable: {why}");
                split.cells.push(skipped(placed, kernel, reason));
            }
            _ => split.cells.push(skipped_or_not(placed, kernel, unmet.map(|unmet| unmet.to_string()))),
        }
    }
    split
}

/// The cells of the tests that need the large image, now that it is here. What it lacks too is said of both.
pub fn on_larger(tests: &[NeedsLarger], large: &Arc<Kernel>) -> Vec<Cell> {
    let cell = |test: &NeedsLarger| {
        let unmet = unmet(&test.placed, large).map(|unmet| match unmet {
            Unmet::Image { what, reason, .. } if what == test.what => {
                format!("{reason}; the cloud image lacks it too")
            }
            Unmet::Image { reason, .. } => format!("{reason}; and of the cloud image: {}", test.reason),
            Unmet::Settled(reason) => reason,
        });
        skipped_or_not(&test.placed, large, unmet)
    };
    tests.iter().map(cell).collect()
}

impl NeedsLarger {
    /// Its test.
    pub fn test(&self) -> &Arc<crate::suite::Test> {
        &self.placed.test
    }

    /// Why there is no verdict if the large image could not be fetched.
    pub fn lost(&self, error: &dyn std::fmt::Display) -> String {
        format!("{}, and the plain image could not be fetched: {error}", self.reason)
    }
}

/// Whether one of the options is needed that no image of Debian's has.
fn in_none(options: &[String]) -> bool {
    !options.is_empty() && options.iter().all(|option| NOT_IN_DEBIAN.contains(&option.as_str()))
}

fn skipped(placed: &PlacedTest, kernel: &Arc<Kernel>, reason: String) -> Cell {
    skipped_or_not(placed, kernel, Some(reason))
}

fn skipped_or_not(placed: &PlacedTest, kernel: &Arc<Kernel>, unmet: Option<String>) -> Cell {
    Cell {
        test: Arc::clone(&placed.test),
        machine: Arc::clone(&placed.machine),
        kernel: Arc::clone(kernel),
        unmet,
    }
}
