//! What the attempts so far say about each candidate change.
//!
//! The hypotheses: each node's change is the culprit, so that exactly the kernels that hold it are changed; the change
//! came before the old end (node 0), so that all kernels are; or it never came, so that none is. Given one of them, the
//! kernels are divided into those with the bug and those without. The chance of a symptom is one unknown number for
//! each of the two sides, and what was seen on a side is integrated over it. So a hypothesis is weighed by four sums
//! only, and candidates that the same tried kernels hold have the same weight.

use std::sync::Arc;

use super::chance::{Evidence, Prior, Seen};
use super::history::History;

/// What is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Find {
    /// The change that brought the bug: kernels that hold it are bad.
    #[default]
    Cause,
    /// The change that removed the bug: kernels that hold it are good.
    Fix,
}

/// Chance beforehand that the change is not between the ends at all: for each end.
const OUTSIDE: f64 = 0.01;

/// The weights of all hypotheses.
#[derive(Clone, Debug)]
pub struct Posterior {
    history: Arc<History>,
    find: Find,
    bad: Prior,
    good: Prior,
    tried: Vec<(usize, Seen)>,
    /// The group of each node.
    group: Vec<u32>,
    groups: Vec<Group>,
    never: Weight,
}

/// Candidates that the same tried kernels hold.
#[derive(Clone, Debug)]
struct Group {
    size: usize,
    /// For each tried kernel whether it holds these changes.
    held: Vec<bool>,
    /// Of each of them.
    log_prior: f64,
    weight: Weight,
}

/// A hypothesis, with what it expects of kernels.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// Its probability.
    pub probability: f64,
    /// Kernels that hold the change, if this is the culprit.
    pub changed: Evidence,
    /// Kernels that do not.
    pub unchanged: Evidence,
}

impl Posterior {
    /// Before anything was tried: every candidate is as likely as every other. `measured` is the chance per attempt on
    /// bad kernels, where earlier runs measured it.
    pub fn new(history: Arc<History>, find: Find, measured: Option<f64>) -> Posterior {
        Posterior::with_priors(history, find, Prior::bad(measured), Prior::good())
    }

    /// The same with other expectations of kernels with the bug and of those without it: for a test that is known to
    /// fail now and then on any kernel ([`Prior::spurious`]).
    pub fn with_priors(history: Arc<History>, find: Find, bad: Prior, good: Prior) -> Posterior {
        let nothing = Seen::default();
        let empty = Weight { probability: 0.0, changed: bad.after(nothing), unchanged: good.after(nothing) };
        let candidates = history.candidates();
        let group =
            |size: usize, prior: f64| Group { size, held: Vec::new(), log_prior: prior.ln(), weight: empty };
        let mut posterior = Posterior {
            group: (0..history.len()).map(|node| u32::from(node > 0)).collect(),
            groups: vec![group(1, OUTSIDE), group(candidates, (1.0 - 2.0 * OUTSIDE) / candidates as f64)],
            history,
            find,
            bad,
            good,
            tried: Vec::new(),
            never: empty,
        };
        posterior.weigh();
        posterior
    }

    /// Takes in what was seen on a kernel.
    pub fn observe(&mut self, node: usize, seen: Seen) {
        match self.tried.iter_mut().find(|(tried, _)| *tried == node) {
            Some((_, so_far)) => *so_far += seen,
            None => {
                self.split(node);
                self.tried.push((node, seen));
            }
        }
        self.weigh();
    }

    /// Divides every group into those that `node` holds and the others.
    fn split(&mut self, node: usize) {
        let held = self.history.ancestors(node);
        let mut parts: Vec<[Option<u32>; 2]> = vec![[None; 2]; self.groups.len()];
        let mut groups: Vec<Group> = Vec::new();
        for (of_node, held) in self.group.iter_mut().zip(held) {
            let old = *of_node as usize;
            let part = *parts[old][usize::from(held)].get_or_insert_with(|| {
                let mut group = Group { size: 0, ..self.groups[old].clone() };
                group.held.push(held);
                groups.push(group);
                groups.len() as u32 - 1
            });
            groups[part as usize].size += 1;
            *of_node = part;
        }
        self.groups = groups;
    }

    fn weigh(&mut self) {
        let all = self.total();
        let weigh = |changed: Seen| {
            let unchanged = all - changed;
            let (changed, unchanged) = match self.find {
                Find::Cause => (self.bad.after(changed), self.good.after(unchanged)),
                Find::Fix => (self.good.after(changed), self.bad.after(unchanged)),
            };
            Weight { probability: changed.log_likelihood + unchanged.log_likelihood, changed, unchanged }
        };
        let mut weights: Vec<Weight> = self
            .groups
            .iter()
            .map(|group| {
                let changed = self.tried.iter().zip(&group.held).filter(|(_, held)| **held);
                weigh(changed.fold(Seen::default(), |sum, ((_, seen), _)| sum + *seen))
            })
            .collect();
        let mut never = weigh(Seen::default());
        // these are logarithms until they are brought to a sum of one
        never.probability += OUTSIDE.ln();
        for (weight, group) in weights.iter_mut().zip(&self.groups) {
            weight.probability += group.log_prior;
        }
        let most = weights.iter().map(|w| w.probability).fold(never.probability, f64::max);
        never.probability = (never.probability - most).exp();
        let mut sum = never.probability;
        for (weight, group) in weights.iter_mut().zip(&self.groups) {
            weight.probability = (weight.probability - most).exp();
            sum += weight.probability * group.size as f64;
        }
        never.probability /= sum;
        self.never = never;
        for (group, mut weight) in self.groups.iter_mut().zip(weights) {
            weight.probability /= sum;
            group.weight = weight;
        }
    }

    /// The history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What is looked for.
    pub fn find(&self) -> Find {
        self.find
    }

    /// The hypothesis that this node's change is the culprit; of node 0, that the change came before the old end.
    pub fn weight(&self, node: usize) -> &Weight {
        &self.groups[self.group[node] as usize].weight
    }

    /// The candidates in groups of equal weight, with their sizes.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Weight, usize)> {
        self.groups.iter().map(|group| (&group.weight, group.size))
    }

    /// The group of a node, as counted by [`Posterior::groups`].
    pub(super) fn group_of(&self, node: usize) -> usize {
        self.group[node] as usize
    }

    /// The hypothesis that there is no change.
    pub fn never(&self) -> &Weight {
        &self.never
    }

    /// The probability that this node's change is the culprit; of node 0, that the change came before the old end.
    pub fn probability(&self, node: usize) -> f64 {
        self.weight(node).probability
    }

    /// For every kernel the probability that it has the bug.
    pub fn bad_probabilities(&self) -> Vec<f64> {
        let changed = self.history.sums(|node| [self.probability(node)]);
        let bad = |[changed]: [f64; 1]| match self.find {
            Find::Cause => changed,
            Find::Fix => 1.0 - changed,
        };
        changed.into_iter().map(|sum| bad(sum).clamp(0.0, 1.0)).collect()
    }

    /// The likeliest candidate, the first of equals, and its probability.
    pub fn leader(&self) -> (usize, f64) {
        let mut leader = (1, self.probability(1));
        for node in 2..self.history.len() {
            if self.probability(node) > leader.1 {
                leader = (node, self.probability(node));
            }
        }
        leader
    }

    /// The candidates that no attempt so far tells from the one with the most of the probability between them, and how
    /// likely the culprit is among them.
    pub fn leaders(&self) -> (Vec<usize>, f64) {
        let mass = |group: usize| self.groups[group].weight.probability * self.groups[group].size as f64;
        let old_end = self.group[0] as usize;
        let leading = (0..self.groups.len()).filter(|group| *group != old_end);
        let Some(leading) = leading.max_by(|a, b| mass(*a).total_cmp(&mass(*b))) else {
            return (Vec::new(), 0.0);
        };
        let members = (1..self.history.len()).filter(|node| self.group[*node] as usize == leading).collect();
        (members, mass(leading))
    }

    /// The uncertainty that is left, in bits.
    pub fn entropy(&self) -> f64 {
        let of = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
        let groups = self.groups.iter().map(|group| of(group.weight.probability) * group.size as f64);
        groups.sum::<f64>() + of(self.never.probability)
    }

    /// What was seen on a kernel.
    pub fn seen(&self, node: usize) -> Seen {
        self.tried.iter().find(|(tried, _)| *tried == node).map_or(Seen::default(), |(_, seen)| *seen)
    }

    /// The kernels that were tried, in the order of their first attempts.
    pub fn tried(&self) -> &[(usize, Seen)] {
        &self.tried
    }

    /// What was seen on all kernels.
    pub fn total(&self) -> Seen {
        self.tried.iter().fold(Seen::default(), |sum, (_, seen)| sum + *seen)
    }

    /// What was seen on the kernels with the bug and on those without, if `culprit` is the culprit.
    pub fn sides(&self, culprit: usize) -> (Seen, Seen) {
        let held = &self.groups[self.group[culprit] as usize].held;
        let changed = self.tried.iter().zip(held).filter(|(_, held)| **held);
        let changed = changed.fold(Seen::default(), |sum, ((_, seen), _)| sum + *seen);
        let unchanged = self.total() - changed;
        match self.find {
            Find::Cause => (changed, unchanged),
            Find::Fix => (unchanged, changed),
        }
    }

    /// How much better what was seen on `node` alone fits a kernel with the bug than one without, when `culprit` says
    /// what the other kernels are: the logarithm of the ratio.
    pub fn log_ratio(&self, node: usize, culprit: usize) -> f64 {
        let (mut bad, mut good) = self.sides(culprit);
        let seen = self.seen(node);
        let held = self.tried.iter().position(|(tried, _)| *tried == node);
        let held = held.is_some_and(|nth| self.groups[self.group[culprit] as usize].held[nth]);
        match held == (self.find == Find::Cause) {
            true => bad = bad - seen,
            false => good = good - seen,
        }
        self.bad.updated(bad).after(seen).log_likelihood - self.good.updated(good).after(seen).log_likelihood
    }

    /// The chance per attempt on kernels with the bug, as the likeliest candidate has it: expected, and the range that
    /// holds it with 95%.
    pub fn bad_chance(&self) -> (f64, f64, f64) {
        self.bad_prior(self.leader().0).summary()
    }

    /// What is known of kernels with the bug, if `culprit` is the culprit.
    pub fn bad_prior(&self, culprit: usize) -> Prior {
        self.bad.updated(self.sides(culprit).0)
    }

    /// What is known of kernels without the bug, if `culprit` is the culprit.
    pub fn good_prior(&self, culprit: usize) -> Prior {
        self.good.updated(self.sides(culprit).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the definition: every hypothesis by itself, over every kernel that was tried.
    fn by_definition(history: &History, find: Find, tried: &[(usize, Seen)]) -> Vec<f64> {
        let (bad, good) = (Prior::bad(None), Prior::good());
        let candidates = history.candidates() as f64;
        let weight = |culprit: Option<usize>| {
            let (mut with, mut without) = (Seen::default(), Seen::default());
            for (node, seen) in tried {
                let changed = culprit.is_some_and(|culprit| history.ancestors(*node)[culprit]);
                *(if changed == (find == Find::Cause) { &mut with } else { &mut without }) += *seen;
            }
            let prior = match culprit {
                None | Some(0) => OUTSIDE,
                _ => (1.0 - 2.0 * OUTSIDE) / candidates,
            };
            prior * (bad.after(with).log_likelihood + good.after(without).log_likelihood).exp()
        };
        let mut weights: Vec<f64> = (0..history.len()).map(|node| weight(Some(node))).collect();
        weights.push(weight(None));
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|w| w / sum).collect()
    }

    proptest! {
        #[test]
        fn groups_change_nothing(
            tries in proptest::collection::vec((0usize..7, 0u32..4, 0u32..6), 0..12),
            fix in any::<bool>(),
        ) {
            let parents = vec![vec![], vec![0], vec![1], vec![1], vec![2], vec![4, 3], vec![5]];
            let history = Arc::new(History::new(parents).unwrap());
            let find = if fix { Find::Fix } else { Find::Cause };
            let mut posterior = Posterior::new(Arc::clone(&history), find, None);
            for (node, symptoms, clean) in tries {
                posterior.observe(node, Seen::new(symptoms, symptoms + clean));
            }
            let expected = by_definition(&history, find, posterior.tried());
            for (node, expected) in expected.iter().enumerate().take(history.len()) {
                prop_assert!((posterior.probability(node) - expected).abs() < 1e-9);
            }
            prop_assert!((posterior.never().probability - expected[history.len()]).abs() < 1e-9);
        }
    }

    #[test]
    fn a_symptom_points_down_and_clean_attempts_point_up() {
        let mut posterior = Posterior::new(Arc::new(History::linear(8)), Find::Cause, Some(0.5));
        posterior.observe(8, Seen::new(3, 5));
        posterior.observe(0, Seen::new(0, 8));
        posterior.observe(4, Seen::new(2, 3));
        assert!((1..=4).map(|n| posterior.probability(n)).sum::<f64>() > 0.99);
        posterior.observe(2, Seen::new(0, 9));
        let (leaders, mass) = posterior.leaders();
        assert_eq!(leaders, [3, 4]);
        assert!(mass > 0.95, "{mass}");
        assert!((posterior.probability(3) - posterior.probability(4)).abs() < 1e-12);
        let (mean, low, high) = posterior.bad_chance();
        assert!((0.4..0.8).contains(&mean) && low < mean && mean < high);
        assert!(posterior.log_ratio(4, 3) > 0.0 && posterior.log_ratio(2, 3) < -2.0);
    }

    #[test]
    fn one_symptom_among_many_attempts_is_not_believed() {
        let mut posterior = Posterior::new(Arc::new(History::linear(4)), Find::Cause, None);
        posterior.observe(4, Seen::new(9, 12));
        posterior.observe(2, Seen::new(1, 12));
        assert!(posterior.probability(3) + posterior.probability(4) > 0.95);
    }
}
