//! Which kernel to try next, for all tests together: the one whose attempts tell the most for what they cost.
//!
//! A kernel that is built once serves every test that it is informative for. Attempts are taken in, the most telling for
//! their cost first, as long as they raise what the whole step tells for what it costs.

use std::collections::BTreeMap;

use super::config::Config;
use super::counts::Counts;
use super::kernel::KernelOf;
use super::report::Why;
use super::state::{Next, State};

/// Attempts of a test, as part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Task {
    /// Which test.
    pub test: usize,
    /// At most so many attempts; they end at the first bad one.
    pub attempts: u32,
    /// What for.
    pub why: Why,
}

/// What an attempt that has to be made anyway is worth, bits.
const NEEDED: f64 = 1.0;

/// Attempts of a test that could be made on a kernel, in growing batches: attempts in all, and what the batch adds in
/// bits and expected attempts.
struct Offer {
    test: usize,
    why: Why,
    more: Vec<(u32, f64, f64)>,
}

/// The next step; `None` if nothing is left to try. Kernels that `affordable` does not know cannot be paid for.
pub fn choose(
    config: &Config,
    counts: &Counts,
    states: &[(usize, State)],
    affordable: impl Fn(&KernelOf) -> bool,
) -> Option<(KernelOf, Vec<Task>)> {
    let mut first: Option<(Why, KernelOf)> = None;
    let mut offers: BTreeMap<&KernelOf, Vec<Offer>> = BTreeMap::new();
    for (test, state) in states {
        match &state.next {
            Next::Nothing => {}
            Next::Wants(wants) => {
                for want in wants.iter().filter(|want| affordable(&want.kernel)) {
                    let more = vec![(want.attempts, NEEDED, f64::from(want.attempts))];
                    offers.entry(&want.kernel).or_default().push(Offer { test: *test, why: want.why, more });
                    // the tests are all judged before anybody is blamed: a build then serves all of them
                    let place = (want.why, want.kernel.clone());
                    if want.why <= Why::Reproduce
                        && first.as_ref().is_none_or(|first| order(&place) < order(first))
                    {
                        first = Some(place);
                    }
                }
            }
            Next::Narrow(kernels) => {
                for (kernel, gains) in kernels.iter().filter(|(kernel, _)| affordable(kernel)) {
                    let mut before = (0.0, 0.0);
                    let mut more = Vec::with_capacity(gains.len());
                    for gain in gains {
                        more.push((gain.attempts, gain.bits - before.0, gain.expected - before.1));
                        before = (gain.bits, gain.expected);
                    }
                    offers.entry(kernel).or_default().push(Offer { test: *test, why: Why::Narrow, more });
                }
            }
        }
    }
    if let Some((why, kernel)) = first {
        let is_now =
            |offer: &&Offer| offer.why == why || (why > Why::FirstPass && offer.why <= Why::Reproduce);
        let tasks = offers[&kernel].iter().filter(is_now);
        let tasks = tasks.map(|offer| Task { test: offer.test, attempts: offer.more[0].0, why: offer.why });
        return Some((kernel, tasks.collect()));
    }
    let mut best: Option<(f64, &KernelOf, Vec<Task>)> = None;
    for (kernel, offers) in &offers {
        let setup = if counts.built.contains(*kernel) { 0.0 } else { setup(config, counts, kernel) };
        let (worth, tasks) = together(offers, setup, config.costs.attempt);
        if !tasks.is_empty() && best.as_ref().is_none_or(|(most, ..)| worth > most * (1.0 + 1e-9)) {
            best = Some((worth, kernel, tasks));
        }
    }
    best.map(|(_, kernel, tasks)| (kernel.clone(), tasks))
}

/// What comes first of the attempts before any blame: the first pass, and the tip before the baseline.
fn order((why, kernel): &(Why, KernelOf)) -> (bool, bool) {
    (*why != Why::FirstPass, *kernel != KernelOf::Tip)
}

/// The attempts on a kernel that together tell the most for their cost, and how much that is.
fn together(offers: &[Offer], setup: f64, attempt: f64) -> (f64, Vec<Task>) {
    let mut taken = vec![0; offers.len()];
    let (mut bits, mut cost) = (0.0, setup);
    let ratio = |bits: f64, cost: f64| bits / cost.max(f64::MIN_POSITIVE);
    loop {
        let next = |nth: usize| offers[nth].more.get(taken[nth]).map(|more| (nth, more.1, attempt * more.2));
        let next =
            (0..offers.len()).filter_map(next).max_by(|a, b| ratio(a.1, a.2).total_cmp(&ratio(b.1, b.2)));
        let Some((nth, more_bits, more_cost)) = next else { break };
        let whole = ratio(bits + more_bits, cost + more_cost);
        if more_bits <= 0.0 || (bits > 0.0 && whole <= ratio(bits, cost)) {
            break;
        }
        taken[nth] += 1;
        bits += more_bits;
        cost += more_cost;
    }
    let task = |(offer, taken): (&Offer, &usize)| {
        let attempts = offer.more[taken.checked_sub(1)?].0;
        Some(Task { test: offer.test, attempts, why: offer.why })
    };
    (ratio(bits, cost), offers.iter().zip(&taken).filter_map(task).collect())
}

/// What it costs to build a kernel. One near to prefixes that could not be built is likely not to build either, so that
/// it counts as dearer, the more so the more of them there are.
fn setup(config: &Config, counts: &Counts, kernel: &KernelOf) -> f64 {
    let cost = config.costs.kernel;
    let KernelOf::Prefix(cut) = kernel else { return cost };
    let failed = counts.broken.keys().filter_map(|kernel| match kernel {
        KernelOf::Prefix(cut) => Some(*cut),
        _ => None,
    });
    let (mut many, mut nearest) = (0usize, usize::MAX);
    for other in failed {
        many += 1;
        nearest = nearest.min(other.abs_diff(*cut));
    }
    match many >= nearest {
        true => cost + (many + 1 - nearest) as f64 / nearest.max(1) as f64 * (cost + config.costs.attempt),
        false => cost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Want;

    fn wants(test: usize, kernel: KernelOf, why: Why) -> (usize, State) {
        let class = crate::Class::Fine;
        (test, State { class, next: Next::Wants(vec![Want { kernel, attempts: 3, why }]) })
    }

    fn chosen(counts: &Counts, states: &[(usize, State)]) -> (KernelOf, Vec<usize>) {
        let config = Config::new(9, 9);
        let (kernel, tasks) = choose(&config, counts, states, |_| true).unwrap();
        (kernel, tasks.iter().map(|task| task.test).collect())
    }

    #[test]
    fn every_test_runs_on_the_tip_before_anything_else() {
        let states = [
            wants(0, KernelOf::Baseline, Why::Compare),
            wants(1, KernelOf::Tip, Why::Compare),
            wants(2, KernelOf::Prefix(3), Why::Confirm),
            wants(3, KernelOf::Tip, Why::FirstPass),
            wants(4, KernelOf::Tip, Why::FirstPass),
        ];
        let counts = Counts::default();
        assert_eq!(chosen(&counts, &states), (KernelOf::Tip, vec![3, 4]));
        assert_eq!(chosen(&counts, &states[..3]), (KernelOf::Tip, vec![1]));
        assert_eq!(chosen(&counts, &states[2..3]), (KernelOf::Prefix(3), vec![2]));
    }

    #[test]
    fn a_kernel_that_serves_two_goes_before_one_that_serves_one() {
        let states = [
            wants(0, KernelOf::Prefix(3), Why::Confirm),
            wants(1, KernelOf::Prefix(4), Why::Confirm),
            wants(2, KernelOf::Prefix(4), Why::Prove),
        ];
        let mut counts = Counts::default();
        assert_eq!(chosen(&counts, &states), (KernelOf::Prefix(4), vec![1, 2]));
        counts.built.insert(KernelOf::Prefix(3));
        assert_eq!(chosen(&counts, &states), (KernelOf::Prefix(3), vec![0]));
    }

    #[test]
    fn kernels_near_one_that_does_not_build_are_dearer() {
        let config = Config::new(100, 1);
        let mut counts = Counts::default();
        for cut in [50, 51] {
            counts.broken.insert(KernelOf::Prefix(cut), "does not compile".into());
        }
        let cost = |cut| setup(&config, &counts, &KernelOf::Prefix(cut));
        assert!(cost(52) > cost(53) && cost(53) > cost(54));
        assert_eq!(cost(54), config.costs.kernel);
    }
}
