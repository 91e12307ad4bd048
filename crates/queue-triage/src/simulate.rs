//! Queues that do not exist, for planning and to measure the method: what the patches break and which tests are flaky is
//! given, and what an attempt shows is drawn.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use flaky_bisect::simulate::Random;

use super::config::Config;
use super::counts::{Outcome, Tally};
use super::kernel::KernelOf;
use super::report::{Class, Report};
use super::triage::{Step, Triage};

/// Which patches break a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Each of these by itself.
    Either(Vec<usize>),
    /// All of these together, and no part of them.
    Together(Vec<usize>),
}

impl Cause {
    fn is_in(&self, kernel: &KernelOf) -> bool {
        match self {
            Cause::Either(patches) => patches.iter().any(|patch| kernel.holds(*patch)),
            Cause::Together(patches) => patches.iter().all(|patch| kernel.holds(*patch)),
        }
    }

    /// The patches that are rightly named: of several that work together, each.
    pub fn patches(&self) -> &[usize] {
        match self {
            Cause::Either(patches) | Cause::Together(patches) => patches,
        }
    }
}

/// A test that the queue breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Harm {
    /// Which.
    pub test: usize,
    /// By what.
    pub cause: Cause,
    /// The chance per attempt that it shows.
    pub chance: f64,
}

/// Flaky tests that fail together: in some steps the host is busy, and each of them fails more often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storms {
    /// The chance that a step is such a one.
    pub chance: f64,
    /// What the chances of the flaky tests are multiplied with then. Otherwise they are lowered, so that they are right
    /// over time.
    pub factor: f64,
}

/// A queue that does not exist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// How many patches it has.
    pub patches: usize,
    /// How many tests there are.
    pub tests: usize,
    /// The tests that are flaky on every kernel, and their chance per attempt.
    pub flaky: Vec<(usize, f64)>,
    /// What the queue breaks.
    pub harms: Vec<Harm>,
    /// Tests that cannot be judged on some prefixes; a `None` is every test: these kernels do not build.
    pub unjudged: Vec<(Option<usize>, RangeInclusive<usize>)>,
    /// Flaky tests that fail together.
    pub storms: Option<Storms>,
}

impl World {
    /// 300 patches and 150 tests, of which 10 flake with 2 to 30 % on every kernel. Up to 3 patches break `broken` tests
    /// each, with a chance of 1.0, 0.5 or 0.1.
    pub fn of_a_release(random: &mut Random, broken: RangeInclusive<usize>) -> World {
        let mut world = World { patches: 300, tests: 150, ..World::default() };
        let mut tests = Distinct::new(150);
        for _ in 0..10 {
            let chance = 0.02 + 0.28 * random.below(1001) as f64 / 1000.0;
            world.flaky.push((tests.draw(random), chance));
        }
        let (mut patches, mut tests) = (Distinct::new(300), Distinct::new(150));
        for _ in 0..random.below(4) {
            let patch = 1 + patches.draw(random);
            let chance = [1.0, 0.5, 0.1][random.below(3)];
            let many = broken.start() + random.below(broken.end() + 1 - broken.start());
            for _ in 0..many {
                let test = tests.draw(random);
                world.harms.push(Harm { test, cause: Cause::Either(vec![patch]), chance });
            }
        }
        world
    }

    /// What an attempt shows.
    fn outcome(&self, kernel: &KernelOf, test: usize, storm: bool, random: &mut Random) -> Outcome {
        if self.hides(kernel, Some(test)) {
            return Outcome::Unjudged;
        }
        let mut good = 1.0;
        for (_, chance) in self.flaky.iter().filter(|(flaky, _)| *flaky == test) {
            good *= 1.0 - self.stormy(*chance, storm);
        }
        for harm in self.harms.iter().filter(|harm| harm.test == test && harm.cause.is_in(kernel)) {
            good *= 1.0 - harm.chance;
        }
        if random.chance(1.0 - good) { Outcome::Bad } else { Outcome::Good }
    }

    fn stormy(&self, chance: f64, storm: bool) -> f64 {
        let Some(storms) = self.storms else { return chance };
        let raised = (chance * storms.factor).min(0.95);
        match storm {
            true => raised,
            false => ((chance - storms.chance * raised) / (1.0 - storms.chance)).max(0.0),
        }
    }

    /// Whether a test, or any test, cannot be judged on a kernel.
    fn hides(&self, kernel: &KernelOf, test: Option<usize>) -> bool {
        let cut = match kernel {
            KernelOf::Prefix(cut) => *cut,
            KernelOf::Baseline => 0,
            KernelOf::Tip => self.patches,
            KernelOf::Without(_) => return false,
        };
        self.unjudged.iter().any(|(hidden, cuts)| *hidden == test && cuts.contains(&cut))
    }
}

/// Numbers that are drawn once each.
struct Distinct {
    count: usize,
    drawn: BTreeSet<usize>,
}

impl Distinct {
    fn new(count: usize) -> Distinct {
        Distinct { count, drawn: BTreeSet::new() }
    }

    fn draw(&mut self, random: &mut Random) -> usize {
        loop {
            let number = random.below(self.count);
            if self.drawn.insert(number) {
                return number;
            }
        }
    }
}

/// The result of a simulated queue.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its report.
    pub report: Report,
    /// Steps that were asked for.
    pub steps: u32,
    /// Of the harms, in their order, whether the report names all patches that break the test by themselves, or one of
    /// those that do it together, and nobody else.
    pub named: Vec<bool>,
    /// Blames that are wrong: a patch with a test that it does not break.
    pub wrong: Vec<(usize, usize)>,
}

/// Judges a queue that does not exist.
///
/// # Panics
/// The configuration makes no sense for it.
pub fn run(world: &World, config: Config, random: &mut Random) -> Trial {
    let mut triage = Triage::new(config).expect("a configuration that makes sense");
    let mut steps = 0;
    loop {
        let (kernel, tasks) = match triage.next() {
            Step::Done(report) => return trial(world, report, steps),
            Step::Run { kernel, tasks } => (kernel, tasks),
        };
        steps += 1;
        if world.hides(&kernel, None) {
            triage.broken(kernel, "it does not build").expect("a kernel of the queue");
            continue;
        }
        let storm = world.storms.is_some_and(|storms| random.chance(storms.chance));
        for task in tasks {
            let mut tally = Tally::default();
            while tally.attempts() < task.attempts && tally.bad == 0 {
                match world.outcome(&kernel, task.test, storm, random) {
                    Outcome::Bad => tally.bad += 1,
                    Outcome::Good => tally.good += 1,
                    Outcome::Unjudged => tally.unjudged += 1,
                }
            }
            triage.observe_all(kernel.clone(), task.test, tally).expect("a kernel and a test of the queue");
        }
    }
}

fn trial(world: &World, report: Report, steps: u32) -> Trial {
    let mut wrong = Vec::new();
    let mut right: Vec<(usize, usize)> = Vec::new();
    for finding in &report.findings {
        let Class::Regression(regression) = &finding.class else { continue };
        for culprit in &regression.culprits {
            let is_right =
                |harm: &Harm| harm.test == finding.test && harm.cause.patches().contains(&culprit.patch);
            let blame = (culprit.patch, finding.test);
            if world.harms.iter().any(is_right) { right.push(blame) } else { wrong.push(blame) }
        }
    }
    let is_named = |harm: &Harm| {
        let is_blamed = |patch: &usize| right.contains(&(*patch, harm.test));
        let named = match &harm.cause {
            Cause::Either(patches) => patches.iter().all(is_blamed),
            Cause::Together(patches) => patches.iter().any(is_blamed),
        };
        named && !wrong.iter().any(|blame| blame.1 == harm.test)
    };
    Trial { named: world.harms.iter().map(is_named).collect(), wrong, report, steps }
}
