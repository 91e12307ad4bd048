//! Runs a patch's tests on a tree without and with it, and judges what came of it.
//!
//! First the unpatched kernel: how often the bug shows there says how many clean attempts on the patched one are worth
//! something. What then looks like a regression and could be luck is run again on both, until it is one or is not.

use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::dose::attempts_after;
use super::related::Related;
use super::verdict::{TreeResult, TreeVerdict, judge};
use crate::cancel::Cancel;
use crate::compare::{Change, Comparison, Row, Side};
use crate::event::{CellRecord, Event};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::lab::Lab;
use crate::plan::{Cell, PlacedTest};
use crate::report::RunSummary;
use crate::runner::{self, Queue, Sink};
use crate::suite::Test;
use crate::verdict::Verdict;

/// How often what looks worse is run again: four bad attempts beside four good ones are luck in one of 70 cases.
const AGAIN: usize = 4;

/// Which of a tree's two kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildVariant {
    /// Without the patch.
    Baseline,
    /// With it.
    Patched,
}

/// A kernel that was built, or was there.
#[derive(Clone, Debug)]
pub struct Built {
    /// The kernel, under the name that reports give its column.
    pub kernel: Arc<Kernel>,
    /// Files that were compiled for it; 0 where it was built before.
    pub compiled: u64,
}
/// Gives the kernels of one tree.
pub trait Kernels {
    /// The name that reports give a kernel's column.
    fn name(&self, half: BuildVariant) -> String;

    /// Builds one of them, or finds it built.
    ///
    /// # Errors
    /// See [`Failure`].
    fn kernel(&self, half: BuildVariant) -> Result<Built, Failure>;
}

/// What one step took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Which kernel.
    pub half: BuildVariant,
    /// Getting it, seconds.
    pub build_seconds: f64,
    /// Files that were compiled for it.
    pub compiled: u64,
    /// Running its tests, seconds.
    pub test_seconds: f64,
}

/// The result of a tree, with what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeOutcome {
    /// The result.
    pub result: TreeResult,
    /// What it took.
    pub steps: Vec<Step>,
    /// Every test on both kernels; absent where none ran on both.
    pub comparison: Option<Comparison>,
}

/// A tree to which the patch was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its version, as far as it is known before it is built.
    pub version: String,
    /// How the patch went in, in [`crate::patch::Outcome::words`].
    pub applied: String,
}

/// What runs, and where.
pub struct Validation<'a> {
    /// All tests: those of the bug and the check for regressions.
    pub tests: &'a [Arc<Test>],
    /// Which of them are about the bug.
    pub about: &'a [Related],
    /// Gives the tests their machines, knowing a kernel.
    pub place: &'a (dyn Fn(&Kernel) -> Vec<PlacedTest> + Sync),
    /// Runs attempts.
    pub lab: &'a dyn Lab,
    /// How.
    pub config: runner::Config,
    /// Hears of everything but the run's start and end.
    pub sink: Sink<'a>,
    /// Ends it.
    pub cancel: &'a Cancel,
    /// Everything that was heard, folded.
    pub seen: Mutex<RunSummary>,
}

impl Validation<'_> {
    /// Validates the patch in one tree.
    pub fn tree(&self, subject: &Subject, kernels: &dyn Kernels) -> TreeOutcome {
        let mut outcome = TreeOutcome {
            result: TreeResult {
                tree: subject.name.clone(),
                version: subject.version.clone(),
                applied: subject.applied.clone(),
                verdict: TreeVerdict::Inconclusive { why: "interrupted".into() },
                unchanged: 0,
                failing: 0,
                unjudged: Vec::new(),
            },
            steps: Vec::new(),
            comparison: None,
        };
        let mut built = Vec::new();
        for half in [BuildVariant::Baseline, BuildVariant::Patched] {
            let begun = Instant::now();
            match kernels.kernel(half) {
                Ok(kernel) => {
                    let build_seconds = begun.elapsed().as_secs_f64();
                    let compiled = kernel.compiled;
                    outcome.steps.push(Step { half, build_seconds, compiled, test_seconds: 0.0 });
                    built.push(kernel.kernel);
                }
                Err(error) => {
                    if error != Failure::Cancelled {
                        self.without(
                            &kernels.name(BuildVariant::Baseline),
                            "not run: one of the tree's kernels was not built",
                        );
                        self.without(
                            &kernels.name(BuildVariant::Patched),
                            "not run: one of the tree's kernels was not built",
                        );
                    }
                    outcome.result.verdict = not_built(half, error);
                    return outcome;
                }
            }
        }
        outcome.result.version = built[0].version.to_string();
        let placed = (self.place)(&built[0]);
        let begun = Instant::now();
        self.run(&placed, &built[0]);
        outcome.steps[0].test_seconds = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let (baseline, patched) = (built[0].name.as_str(), built[1].name.as_str());
        let with_doses: Vec<PlacedTest> = placed.iter().map(|placed| self.dosed(placed, baseline)).collect();
        self.run(&with_doses, &built[1]);
        let rows = self.rows(&placed, &built[0], &built[1]);
        outcome.steps[1].test_seconds = begun.elapsed().as_secs_f64();
        if self.cancel.is_set() {
            return outcome;
        }
        let comparison = Comparison {
            before: baseline.to_owned(),
            after: patched.to_owned(),
            rows,
            only_before: Vec::new(),
            only_after: Vec::new(),
        };
        outcome.result.verdict = judge(&comparison, self.about);
        for row in comparison.rows.iter().filter(|row| !self.is_about(&row.test)) {
            match (failed(&row.before), failed(&row.after)) {
                (Some(false), Some(false)) => outcome.result.unchanged += 1,
                (Some(true), Some(true)) => outcome.result.failing += 1,
                (Some(_), Some(_)) => {}
                _ => outcome.result.unjudged.push(row.test.clone()),
            }
        }
        outcome.comparison = Some(comparison);
        outcome
    }

    fn is_about(&self, test: &str) -> bool {
        self.about.iter().any(|one| one.test == test)
    }

    fn seen(&self) -> MutexGuard<'_, RunSummary> {
        self.seen.lock()
    }

    fn side(&self, test: &str, kernel: &str) -> Option<Side> {
        let seen = self.seen();
        let place = seen.find(test, kernel)?.place();
        // the records of a run without a journal are held, so there is nothing that could not be read
        seen.details().cell(place).ok().map(|cell| Side::of(&cell))
    }

    /// A test of the bug with as many attempts as make its absence believable, after what the baseline showed.
    fn dosed(&self, placed: &PlacedTest, baseline: &str) -> PlacedTest {
        let before = self.side(&placed.test.id(), baseline);
        let bad =
            before.filter(|side| side.verdict == Some(Verdict::Bad) && self.is_about(&placed.test.id()));
        let Some(before) = bad else { return placed.clone() };
        let mut test = Test::clone(&placed.test);
        test.dose.attempts = attempts_after(&test, &before);
        PlacedTest { test: Arc::new(test), ..placed.clone() }
    }

    /// Runs tests on a kernel and waits for all of them.
    fn run(&self, placed: &[PlacedTest], kernel: &Arc<Kernel>) {
        let cells: Vec<Cell> = placed.iter().map(|placed| Cell::new(placed, Arc::clone(kernel))).collect();
        let tell = |event: Event| {
            // several stages are one run
            if !matches!(event, Event::RunFinished { .. }) {
                self.seen().apply(event.clone());
                (self.sink)(event);
            }
        };
        for cell in &cells {
            let release = Some(kernel.release.clone());
            tell(Event::Planned {
                cell: cell.id(),
                release,
                summary: cell.test.summary.clone(),
                expectation: None,
                about: None,
                select: None,
                options: Vec::new(),
            });
        }
        let queue = Queue::new(self.config.capacity);
        queue.push(cells);
        queue.close();
        runner::run(&queue, self.lab, &self.config, &tell, self.cancel);
    }

    /// Every test on both kernels; what looks like a regression is run again first.
    fn rows(&self, placed: &[PlacedTest], baseline: &Arc<Kernel>, patched: &Arc<Kernel>) -> Vec<Row> {
        let mut rows = Vec::new();
        for placed in placed {
            let test = placed.test.id();
            let sides = self.side(&test, &baseline.name).zip(self.side(&test, &patched.name));
            let Some((before, after)) = sides else { continue };
            let mut row = Row::of(&test, before, after);
            for round in 2..2 + AGAIN {
                let suspicious =
                    row.before.verdict == Some(Verdict::Good) && row.change == Change::PerhapsWorse;
                if !suspicious || self.cancel.is_set() {
                    break;
                }
                let again = |kernel: &Arc<Kernel>| {
                    let name = format!("{} ({round})", kernel.name);
                    let kernel = Arc::new(Kernel { name, ..Kernel::clone(kernel) });
                    self.run(std::slice::from_ref(placed), &kernel);
                    self.side(&test, &kernel.name).unwrap_or_default()
                };
                let (before, after) = (again(baseline), again(patched));
                row = Row::of(&test, row.before.with(before), row.after.with(after));
            }
            rows.push(row);
        }
        rows.sort_by_key(|row| row.change);
        rows
    }

    /// Tells that the cells of a kernel cannot run, so that no report takes them for forgotten.
    fn without(&self, kernel: &str, reason: &str) {
        for test in self.tests {
            let record = CellRecord {
                test: test.id(),
                kernel: kernel.to_owned(),
                release: None,
                verdict: Verdict::Lost,
                title: None,
                attempts: 0,
                seconds: 0.0,
                reason: Some(reason.to_owned()),
                miss_chance: None,
                known: None,
                arch: None,
                package: None,
                expectation: None,
            };
            let event = Event::Cell(Box::new(record));
            self.seen().apply(event.clone());
            (self.sink)(event);
        }
    }
}

/// Whether a test failed; `None` without a judgement.
fn failed(side: &Side) -> Option<bool> {
    match side.verdict? {
        Verdict::Good => Some(false),
        Verdict::Bad | Verdict::Other => Some(true),
        Verdict::Skip | Verdict::Blind | Verdict::Lost => None,
    }
}

fn not_built(half: BuildVariant, error: Failure) -> TreeVerdict {
    match (half, error) {
        (BuildVariant::Patched, Failure::Test(error) | Failure::Kernel(error)) => {
            TreeVerdict::DoesNotBuild { error }
        }
        (BuildVariant::Baseline, Failure::Test(error) | Failure::Kernel(error)) => {
            TreeVerdict::Inconclusive {
                why: format!("the tree does not build without the patch either: {error}"),
            }
        }
        (_, Failure::Host(error)) => TreeVerdict::Inconclusive { why: error },
        (_, Failure::Cancelled) => TreeVerdict::Inconclusive { why: "interrupted".into() },
    }
}

#[cfg(test)]
mod tests;
