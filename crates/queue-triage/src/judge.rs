//! One test: fine, failing as before, flaky, fixed, or to be blamed on a patch.

use flaky_bisect::{Prior, Seen};

use super::blame::{STRONG, blame, nobody};
use super::config::{Config, Expect};
use super::counts::{Counts, Tally};
use super::evidence::{Rates, Split};
use super::kernel::KernelOf;
use super::level::Level;
use super::report::{Class, Limit, Possible, Undecided, Why};
use super::state::{Next, State};

/// Below this probability a rise that is worth looking for is given up.
const GIVEN_UP: f64 = 0.01;

/// From this probability on the culprit is searched, while the difference is made sure.
const SEARCHED: f64 = 0.95;

/// A test with all that is known of it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What is asked.
    pub config: &'a Config,
    /// What was seen.
    pub counts: &'a Counts,
    /// Which test.
    pub test: usize,
    /// What is expected of its chances.
    pub rates: &'a Rates,
}

impl Case<'_> {
    /// What it showed on a kernel.
    pub fn of(&self, kernel: &KernelOf) -> Tally {
        self.counts.of(kernel, self.test)
    }

    fn closed(&self, kernel: &KernelOf) -> bool {
        self.counts.closed(kernel, self.test)
    }
}

/// What is said of a test, and what would be tried next.
pub fn judge(case: Case<'_>) -> State {
    let mut state = first_pass(case);
    let made: u32 = case.counts.of_test(case.test).map(|(_, tally)| tally.attempts()).sum();
    let left = case.config.aims.per_test.saturating_sub(made);
    if left == 0 && state.next != Next::Nothing {
        limit(&mut state.class, Limit::Test);
        state.next = Next::Nothing;
    }
    if let Next::Wants(wants) = &mut state.next {
        wants.iter_mut().for_each(|want| want.attempts = want.attempts.min(left));
    }
    state
}

/// Says why there are no more attempts, where nothing was said yet.
fn limit(class: &mut Class, why: Limit) {
    match class {
        Class::Undecided(undecided) if undecided.why == Limit::Budget => undecided.why = why,
        Class::Regression(regression) if regression.open == Some(Limit::Budget) => {
            regression.open = Some(why)
        }
        _ => {}
    }
}

fn first_pass(case: Case<'_>) -> State {
    let tip = case.of(&KernelOf::Tip);
    if case.closed(&KernelOf::Tip) {
        return State::settled(Class::NotJudged);
    }
    let worth = case.config.worth(case.test);
    let expect = case.config.tests[case.test].expect;
    if tip.bad == 0 && tip.good < worth {
        let possible = match expect {
            Expect::Good => vec![Possible::Fine],
            Expect::Fixed => vec![Possible::Fixed, Possible::NotReproducible],
        };
        return State::open(undecided(possible), KernelOf::Tip, worth - tip.good, Why::FirstPass);
    }
    match expect {
        Expect::Good if tip.bad == 0 => State::settled(Class::Fine),
        Expect::Good => compare(case),
        Expect::Fixed => fixed(case),
    }
}

fn undecided(possible: Vec<Possible>) -> Class {
    Class::Undecided(Undecided { why: Limit::Budget, possible })
}

/// A test that failed on the tip.
fn compare(case: Case<'_>) -> State {
    if case.closed(&KernelOf::Baseline) {
        return State::settled(Class::Uncovered);
    }
    let Some(level) = Level::new(case.config, case.counts, case.test, Default::default()) else {
        return nobody(case);
    };
    let rise = level.rise(case.rates);
    if rise.probability < GIVEN_UP {
        return State::settled(not_risen(case));
    }
    let base = case.of(&KernelOf::Baseline);
    if rise.probability >= SEARCHED && base.judged() > 1 {
        return blame(case, level, rise, Vec::new());
    }
    let kernel = more_telling(case);
    let regression = Possible::Regression { probability: rise.probability, candidates: Vec::new() };
    State::open(undecided(vec![regression, not_risen_yet(case)]), kernel, 1, Why::Compare)
}

/// The end whose next attempt tells more about whether there is a difference, for what it costs.
fn more_telling(case: Case<'_>) -> KernelOf {
    let tally = |kernel| case.of(&kernel).seen();
    let split = Split { with: tally(KernelOf::Tip), without: tally(KernelOf::Baseline) };
    let (tip, base) = case.rates.bits(split);
    let costs = case.config.costs;
    let built = case.counts.built.contains(&KernelOf::Baseline);
    let setup = if built { 0.0 } else { costs.kernel };
    match tip / costs.attempt >= base / (costs.attempt + setup) {
        true => KernelOf::Tip,
        false => KernelOf::Baseline,
    }
}

/// What a test is that failed on the tip, where the queue did not make it worse by as much as is looked for.
fn not_risen(case: Case<'_>) -> Class {
    let base = case.of(&KernelOf::Baseline);
    let learned = case.config.tests[case.test].spurious.is_some();
    let both = base.seen() + case.of(&KernelOf::Tip).seen();
    match () {
        () if base.bad == 0 && !learned => {
            Class::Undecided(Undecided { why: Limit::Least, possible: vec![Possible::Rare, Possible::Flaky] })
        }
        () if base.bad > 0 && base.bad >= base.good && both.symptoms >= both.clean() => Class::FailingBefore,
        () => Class::Flaky,
    }
}

fn not_risen_yet(case: Case<'_>) -> Possible {
    let base = case.of(&KernelOf::Baseline);
    if base.bad > base.good { Possible::FailingBefore } else { Possible::Flaky }
}

/// A test of a bug that the queue is to fix.
fn fixed(case: Case<'_>) -> State {
    let (tip, base) = (case.of(&KernelOf::Tip), case.of(&KernelOf::Baseline));
    if case.closed(&KernelOf::Baseline) {
        return State::settled(Class::Uncovered);
    }
    let good = if tip.bad == 0 { Possible::Fixed } else { Possible::NotFixed };
    if base.bad == 0 {
        let left = case.config.aims.reproduce.saturating_sub(base.good);
        return match left {
            0 if tip.bad > 0 => compare(case),
            0 => State::settled(Class::NotReproducible),
            left => {
                let class = undecided(vec![good, Possible::NotReproducible]);
                State::open(class, KernelOf::Baseline, left, Why::Reproduce)
            }
        };
    }
    let fit = case.rates.fit(Split { with: base.seen(), without: tip.seen() });
    let is_less = fit.risen - fit.not_risen >= -case.config.aims.wrong.ln();
    let ratio = still_there(case.config.tests[case.test].spurious, base.seen(), tip.seen());
    match () {
        () if is_less && (tip.bad == 0 || ratio <= -STRONG) => State::settled(Class::Fixed),
        () if tip.bad > 0 && ratio >= STRONG => State::settled(Class::NotFixed),
        () => {
            let kernel = if tip.judged() <= base.judged() { KernelOf::Tip } else { KernelOf::Baseline };
            State::open(undecided(vec![Possible::Fixed, Possible::NotFixed]), kernel, 2, Why::Compare)
        }
    }
}

/// How much better what was seen on the tip fits the bug of the baseline than a kernel without it: the logarithm of the
/// ratio.
fn still_there(spurious: Option<f64>, base: Seen, tip: Seen) -> f64 {
    let bad = Prior::bad(None).updated(base).after(tip).log_likelihood;
    bad - spurious.map_or_else(Prior::good, Prior::spurious).after(tip).log_likelihood
}
