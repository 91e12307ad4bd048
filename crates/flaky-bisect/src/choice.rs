//! Which kernel to try next: the one whose attempts are expected to tell the most about the culprit for what they cost.

use super::chance::{BATCHES, Evidence};
use super::posterior::Posterior;

/// What kernels and attempts cost, in one unit, for example seconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Costs {
    /// Getting a kernel that is not here yet: building or fetching it.
    pub kernel: f64,
    /// One attempt.
    pub attempt: f64,
}

/// A kernel to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Which.
    pub node: usize,
    /// How many attempts make the most of it, if none shows the symptom before.
    pub attempts: u32,
    /// What these are expected to tell of the culprit, bits.
    pub bits: f64,
    /// How many of them are expected to be made.
    pub expected: f64,
}

/// A sum for each of the batches, of the chance that it stays clean and of the uncertainty about that which is left
/// when the culprit is known.
const SUMS: usize = 2 * BATCHES.len();

/// What a batch of attempts on a kernel is expected to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gain {
    /// At most so many attempts; the batch ends at its first symptom.
    pub attempts: u32,
    /// What they are expected to tell of the culprit, bits.
    pub bits: f64,
    /// How many of them are expected to be made.
    pub expected: f64,
}

/// What each of the [`BATCHES`] on each kernel is expected to tell, for those who weigh several searches against each
/// other; [`choose`] takes the best for one.
///
/// A batch ends at its first symptom, so what it can show is one of two things. What that tells of the culprit is the
/// entropy of the outcome less what is left of it when the culprit is known.
pub fn gains(posterior: &Posterior) -> Vec<[Gain; BATCHES.len()]> {
    let mut base = parts(posterior.never().probability, &posterior.never().unchanged);
    let mut more_of_group = Vec::new();
    for (weight, size) in posterior.groups() {
        let unchanged = parts(weight.probability, &weight.unchanged);
        let changed = parts(weight.probability, &weight.changed);
        more_of_group.push(std::array::from_fn(|n| changed[n] - unchanged[n]));
        (0..SUMS).for_each(|n| base[n] += unchanged[n] * size as f64);
    }
    let more: Vec<[f64; SUMS]> = posterior.history().sums(|node| more_of_group[posterior.group_of(node)]);
    let of_kernel = |more: [f64; SUMS]| {
        // chances that the first 0, 1, 2, 4 … attempts are clean, and attempts expected up to there
        let (mut made, mut still_clean, mut expected) = (0, 1.0, 0.0);
        std::array::from_fn(|nth| {
            let batch = BATCHES[nth];
            let clean = (base[nth] + more[nth]).clamp(0.0, 1.0);
            let left = base[BATCHES.len() + nth] + more[BATCHES.len() + nth];
            let steps = f64::from(batch - made);
            // the first of these attempts is made for sure, the others while all before were clean
            expected += still_clean + (steps - 1.0) * (still_clean + clean) / 2.0;
            (made, still_clean) = (batch, clean);
            Gain { attempts: batch, bits: entropy(clean) - left, expected }
        })
    };
    more.into_iter().map(of_kernel).collect()
}

/// The best kernel to try; `None` if no kernel can tell anything.
///
/// `cost` answers what it takes to get a kernel, and `None` for one that cannot be tried.
pub fn choose(posterior: &Posterior, attempt: f64, cost: impl Fn(usize) -> Option<f64>) -> Option<Choice> {
    let mut best: Option<(f64, Choice)> = None;
    for (node, gains) in gains(posterior).into_iter().enumerate() {
        let Some(setup) = cost(node) else { continue };
        for Gain { attempts, bits, expected } in gains {
            let worth = bits / (setup + attempt * expected).max(f64::MIN_POSITIVE);
            if bits > LEAST && best.is_none_or(|(most, _)| worth > most * (1.0 + 1e-9)) {
                best = Some((worth, Choice { node, attempts, bits, expected }));
            }
        }
    }
    best.map(|(_, choice)| choice)
}

/// Less than this is rounding, bits.
const LEAST: f64 = 1e-9;

/// The sums of one hypothesis, for kernels of one kind.
fn parts(probability: f64, kind: &Evidence) -> [f64; SUMS] {
    std::array::from_fn(|n| {
        probability * if n < BATCHES.len() { kind.clean[n] } else { entropy(kind.clean[n - BATCHES.len()]) }
    })
}

/// The entropy of something that is so with chance `p`, bits.
fn entropy(p: f64) -> f64 {
    let of = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    of(p) + of(1.0 - p)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Find, History, Seen};

    fn verified(history: History, chance: f64) -> Posterior {
        let newest = history.newest();
        let mut posterior = Posterior::new(Arc::new(history), Find::Cause, Some(chance));
        posterior.observe(newest, Seen::new(9, 10));
        posterior.observe(0, Seen::new(0, 9));
        posterior
    }

    #[test]
    fn a_sure_bug_is_halved() {
        let choice = choose(&verified(History::linear(64), 0.998), 1.0, |_| Some(0.0)).unwrap();
        assert!((26..=34).contains(&choice.node), "{choice:?}");
        assert!(choice.attempts == 1 && (0.7..1.0).contains(&choice.bits), "{choice:?}");
    }

    #[test]
    fn kernels_that_cannot_be_tried_are_left_out() {
        let posterior = verified(History::linear(64), 0.9);
        let choice = choose(&posterior, 1.0, |node| (!(20..50).contains(&node)).then_some(0.0)).unwrap();
        assert!([19, 50].contains(&choice.node), "{choice:?}");
        assert_eq!(choose(&posterior, 1.0, |_| None), None);
    }

    #[test]
    fn a_dear_kernel_is_worth_more_attempts() {
        let mut posterior = Posterior::new(Arc::new(History::linear(64)), Find::Cause, Some(0.3));
        posterior.observe(64, Seen::new(3, 10));
        let batch = |kernel: f64| choose(&posterior, 1.0, |_| Some(kernel)).unwrap().attempts;
        assert_eq!(batch(0.0), 1);
        assert!(batch(30.0) >= 8, "{}", batch(30.0));
    }

    #[test]
    fn a_kernel_that_is_here_goes_before_one_that_has_to_be_made() {
        let posterior = verified(History::linear(64), 0.9);
        let choice = choose(&posterior, 1.0, |node| Some(if node == 40 { 0.0 } else { 100.0 })).unwrap();
        assert_eq!(choice.node, 40);
    }

    #[test]
    fn of_two_branches_either_is_asked_first() {
        // two branches of 8 changes each, merged
        let mut parents = vec![vec![]];
        parents.extend((0..8).map(|n| vec![n]));
        parents.extend((0..8).map(|n| vec![if n == 0 { 0 } else { 8 + n }]));
        parents.push(vec![8, 16]);
        let history = History::new(parents).unwrap();
        let choice = choose(&verified(history, 0.95), 1.0, |_| Some(0.0)).unwrap();
        assert!([8, 16].contains(&choice.node), "{choice:?}");
    }
}
