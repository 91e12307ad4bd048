//! The whole queue: what was seen goes in, the next step comes out.

use super::choice::{Task, choose};
use super::config::{Config, ConfigError};
use super::counts::{Counts, Outcome, Tally};
use super::evidence::Rates;
use super::judge::{Case, judge};
use super::kernel::KernelOf;
use super::report::{Finding, Report};
use super::state::State;

/// The next step.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Attempts on one kernel. They may be made side by side and in any order, and the next step may be asked for at any
    /// time: it takes in what was observed until then.
    Run {
        /// The kernel, by its canonical name.
        kernel: KernelOf,
        /// The attempts of each test; never empty.
        tasks: Vec<Task>,
    },
    /// There is nothing more to try.
    Done(Report),
}

/// Something that is not part of the queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// There is no such patch.
    #[error("there is no patch {patch}: the queue has the patches 1 to {patches}")]
    Patch {
        /// The number that was given.
        patch: usize,
        /// How many there are.
        patches: usize,
    },
    /// There is no such test.
    #[error("there is no test {test}: there are {tests}, counted from 0")]
    Test {
        /// The number that was given.
        test: usize,
        /// How many there are.
        tests: usize,
    },
}

/// A queue that is judged. It has no memory but [`Counts`].
#[derive(Clone, Debug)]
pub struct Triage {
    config: Config,
    counts: Counts,
    rates: Vec<Rates>,
}

impl Triage {
    /// A queue of which nothing was seen yet.
    ///
    /// # Errors
    /// The configuration makes no sense.
    pub fn new(config: Config) -> Result<Triage, ConfigError> {
        config.check()?;
        let rates = config.tests.iter().map(|test| Rates::new(test.spurious, config.aims.least)).collect();
        Ok(Triage { config, counts: Counts::default(), rates })
    }

    /// The same queue with what was seen of it before.
    ///
    /// # Errors
    /// The counts are of another queue.
    pub fn resume(config: Config, counts: Counts) -> Result<Triage, ResumeError> {
        let mut triage = Triage::new(config)?;
        for kernel in counts.kernels_named() {
            triage.known_kernel(kernel)?;
        }
        for test in counts.tests_named() {
            triage.known_test(test)?;
        }
        for patch in counts.withdrawn.keys() {
            triage.known_patch(*patch)?;
        }
        triage.counts = counts.canonical(triage.config.queue());
        Ok(triage)
    }

    /// Takes in an attempt.
    ///
    /// # Errors
    /// There is no such kernel or test.
    pub fn observe(&mut self, kernel: KernelOf, test: usize, outcome: Outcome) -> Result<(), Unknown> {
        let one = |is: Outcome| u32::from(outcome == is);
        let tally =
            Tally { bad: one(Outcome::Bad), good: one(Outcome::Good), unjudged: one(Outcome::Unjudged) };
        self.observe_all(kernel, test, tally)
    }

    /// Takes in several attempts of a test on a kernel.
    ///
    /// # Errors
    /// There is no such kernel or test.
    pub fn observe_all(&mut self, kernel: KernelOf, test: usize, tally: Tally) -> Result<(), Unknown> {
        self.known_kernel(&kernel)?;
        self.known_test(test)?;
        self.counts.add(kernel.canonical(self.config.queue()), test, tally);
        Ok(())
    }

    /// A kernel is built already: it costs only its attempts.
    ///
    /// # Errors
    /// There is no such kernel.
    pub fn built(&mut self, kernel: KernelOf) -> Result<(), Unknown> {
        self.known_kernel(&kernel)?;
        self.counts.built.insert(kernel.canonical(self.config.queue()));
        Ok(())
    }

    /// A kernel does not build or boot, and why: no test is tried on it any more.
    ///
    /// # Errors
    /// There is no such kernel.
    pub fn broken(&mut self, kernel: KernelOf, why: impl Into<String>) -> Result<(), Unknown> {
        self.known_kernel(&kernel)?;
        self.counts.broken.insert(kernel.canonical(self.config.queue()), why.into());
        Ok(())
    }

    /// Takes a culprit back, and why: it is not blamed for anything any more, and the search goes on among the others.
    ///
    /// # Errors
    /// There is no such patch.
    pub fn withdraw(&mut self, patch: usize, reason: impl Into<String>) -> Result<(), Unknown> {
        self.known_patch(patch)?;
        self.counts.withdrawn.insert(patch, reason.into());
        Ok(())
    }

    /// The next step. The same until something is taken in.
    pub fn next(&self) -> Step {
        let states = self.states();
        let left = self.attempts_left();
        let step = match left {
            0 => None,
            _ => choose(&self.config, &self.counts, &states, |kernel| self.affords(kernel, 1)),
        };
        let Some((kernel, mut tasks)) = step else { return Step::Done(self.report_of(states)) };
        let mut left = left.min(self.payable(&kernel));
        for task in &mut tasks {
            task.attempts = task.attempts.min(left);
            left -= task.attempts;
        }
        tasks.retain(|task| task.attempts > 0);
        Step::Run { kernel, tasks }
    }

    /// What can be said so far. At the end it is what [`Step::Done`] holds.
    pub fn report(&self) -> Report {
        self.report_of(self.states())
    }

    /// Everything that was seen.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What is asked.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was spent, in the unit of the costs.
    pub fn spent(&self) -> f64 {
        let costs = self.config.costs;
        costs.kernel * self.counts.kernels() as f64
            + costs.attempt * f64::from(self.counts.total().attempts())
    }

    fn states(&self) -> Vec<(usize, State)> {
        let state = |test: usize| {
            let case = Case { config: &self.config, counts: &self.counts, test, rates: &self.rates[test] };
            (test, judge(case))
        };
        (0..self.config.tests.len()).map(state).collect()
    }

    fn report_of(&self, states: Vec<(usize, State)>) -> Report {
        let finding = |(test, state): (usize, State)| Finding {
            test,
            class: state.class,
            baseline: self.counts.of(&KernelOf::Baseline, test),
            tip: self.counts.of(&KernelOf::Tip, test),
        };
        Report {
            findings: states.into_iter().map(finding).collect(),
            attempts: self.counts.total().attempts(),
            kernels: self.counts.kernels(),
            withdrawn: self.counts.withdrawn.clone(),
        }
    }

    fn attempts_left(&self) -> u32 {
        let made = self.counts.total().attempts();
        self.config.budget.attempts.map_or(u32::MAX, |most| most.saturating_sub(made))
    }

    /// How many attempts on a kernel the cost that is left pays for.
    fn payable(&self, kernel: &KernelOf) -> u32 {
        let Some(most) = self.config.budget.cost else { return u32::MAX };
        let built = self.counts.built.contains(kernel);
        let setup = if built { 0.0 } else { self.config.costs.kernel };
        ((most - self.spent() - setup) / self.config.costs.attempt + 1e-9).max(0.0) as u32
    }

    fn affords(&self, kernel: &KernelOf, attempts: u32) -> bool {
        self.payable(kernel) >= attempts
    }

    fn known_kernel(&self, kernel: &KernelOf) -> Result<(), Unknown> {
        match kernel {
            KernelOf::Prefix(cut) if *cut > self.config.queue() => self.known_patch(*cut),
            KernelOf::Without(set) => set.iter().try_for_each(|patch| self.known_patch(*patch)),
            _ => Ok(()),
        }
    }

    fn known_patch(&self, patch: usize) -> Result<(), Unknown> {
        let patches = self.config.queue();
        if (1..=patches).contains(&patch) { Ok(()) } else { Err(Unknown::Patch { patch, patches }) }
    }

    fn known_test(&self, test: usize) -> Result<(), Unknown> {
        let tests = self.config.tests.len();
        if test < tests { Ok(()) } else { Err(Unknown::Test { test, tests }) }
    }
}

/// Counts that do not belong to a configuration, or a configuration that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResumeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The counts.
    #[error("what was seen before is of another queue: {0}")]
    Counts(#[from] Unknown),
}
