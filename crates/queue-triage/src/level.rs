//! One search in the queue: the kernels that lack some patches, cut after each of the others.
//!
//! At first nothing is taken out, and the kernels are the prefixes of the queue. Where a culprit is found and the tip
//! without it still fails, the same search is made on kernels without that culprit. The search itself is that of
//! `flaky_bisect` on a line: its nodes are the patches that can be the culprit, and a cut between two of them is the same
//! kernel as far as the search is concerned.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flaky_bisect::{Find, Gain, History, Posterior, Prior, Seen, gains};

use super::config::Config;
use super::counts::Counts;
use super::evidence::{LogSum, Rates, Split, worthwhile};
use super::kernel::KernelOf;

/// A test's search.
pub struct Level<'a> {
    config: &'a Config,
    counts: &'a Counts,
    test: usize,
    removed: BTreeSet<usize>,
    /// The patches that can be the culprit; node n of the line stands for the n-th of them, from 1.
    candidates: Vec<usize>,
    /// What was seen on each cut that was tried.
    cuts: Vec<(usize, Seen)>,
    posterior: Posterior,
}

/// What all attempts say of whether the queue broke the test.
#[derive(Clone, Copy, Debug)]
pub struct Rise {
    /// The logarithm of the e-value against "no patch made it worse".
    pub log_e: f64,
    /// The probability that one raised its chance by as much as is looked for.
    pub probability: f64,
}

impl<'a> Level<'a> {
    /// The search on kernels without `removed`; `None` if no patch is left that can be the culprit.
    pub fn new(
        config: &'a Config,
        counts: &'a Counts,
        test: usize,
        removed: BTreeSet<usize>,
    ) -> Option<Level<'a>> {
        let queue = config.queue();
        let possible = |patch: &usize| {
            let is_out = removed.contains(patch) || counts.withdrawn.contains_key(patch);
            !is_out && config.patch(*patch).impossible.is_none()
        };
        let candidates: Vec<usize> = (1..=queue).filter(possible).collect();
        if candidates.is_empty() {
            return None;
        }
        let cuts: Vec<(usize, Seen)> = counts
            .of_test(test)
            .filter(|(_, tally)| tally.judged() > 0)
            .filter_map(|(kernel, tally)| Some((kernel.as_cut(&removed, queue)?, tally.seen())))
            .collect();
        let base = counts.of(&KernelOf::Baseline, test);
        let flaky = config.tests[test].spurious.or_else(|| {
            (base.bad > 0).then(|| (f64::from(base.bad) + 0.5) / (f64::from(base.judged()) + 1.0))
        });
        let good = flaky.map_or_else(Prior::good, Prior::spurious);
        let history = Arc::new(History::linear(candidates.len()));
        let posterior = Posterior::with_priors(history, Find::Cause, Prior::bad(None), good);
        let mut level = Level { config, counts, test, removed, candidates, cuts, posterior };
        for (cut, seen) in level.cuts.clone() {
            let node = level.node_of(cut);
            level.posterior.observe(node, seen);
        }
        Some(level)
    }

    /// How many of the candidates the first `cut` patches hold.
    pub fn node_of(&self, cut: usize) -> usize {
        self.candidates.partition_point(|patch| *patch <= cut)
    }

    /// The kernel to try for a node: the one that is built, of those that no candidate tells apart, or else the first;
    /// `None` if none can be judged.
    pub fn kernel(&self, node: usize) -> Option<KernelOf> {
        let queue = self.config.queue();
        let first = if node == 0 { 0 } else { self.candidates[node - 1] };
        let behind = self.candidates.get(node).copied().unwrap_or(queue + 1);
        // the ends themselves go before what is as good as they are
        let ends = [(node == 0).then_some(0), (node == self.candidates.len()).then_some(queue)];
        let cuts = ends.into_iter().flatten().chain(first..behind);
        let kernels = cuts.map(|cut| KernelOf::cut_without(cut, &self.removed, queue));
        let mut open = kernels.filter(|kernel| !self.counts.closed(kernel, self.test)).peekable();
        let first = open.peek().cloned();
        open.find(|kernel| self.counts.built.contains(kernel)).or(first)
    }

    /// The kernel right before a node's patch, where patches that cannot be the culprit stand between it and the candidate
    /// before. If it is bad one of them is the culprit all the same.
    pub fn behind_excluded(&self, node: usize) -> Option<KernelOf> {
        let last = node.checked_sub(2).map_or(0, |at| self.candidates[at]);
        let cut = self.patch(node) - 1;
        let is_between = (last + 1..=cut).any(|patch| !self.removed.contains(&patch));
        let kernel = KernelOf::cut_without(cut, &self.removed, self.config.queue());
        (is_between && !self.counts.closed(&kernel, self.test)).then_some(kernel)
    }

    /// The kernel with all patches but those that are out.
    pub fn tip(&self) -> KernelOf {
        KernelOf::cut_without(self.config.queue(), &self.removed, self.config.queue())
    }

    /// What is known of the culprit.
    pub fn posterior(&self) -> &Posterior {
        &self.posterior
    }

    /// A node's patch.
    pub fn patch(&self, node: usize) -> usize {
        self.candidates[node - 1]
    }

    /// How well the two sides of a node were tried: attempts on cuts with its patch, and on cuts without it.
    pub fn tried(&self, node: usize) -> (u32, u32) {
        let (bad, good) = self.posterior.sides(node);
        (bad.attempts, good.attempts)
    }

    /// What is taken out.
    pub fn removed(&self) -> &BTreeSet<usize> {
        &self.removed
    }

    /// How much better what was seen on any kernel fits one with the bug than one without it, if a node's patch is the
    /// culprit: the logarithm of the ratio.
    pub fn log_ratio(&self, seen: Seen, node: usize) -> f64 {
        let bad = self.posterior.bad_prior(node).after(seen).log_likelihood;
        bad - self.posterior.good_prior(node).after(seen).log_likelihood
    }

    /// How many good attempts on a kernel make it `least` times (a logarithm) likelier to be one without the bug.
    pub fn clean_attempts(&self, so_far: Seen, node: usize, least: f64) -> u32 {
        let enough = |more: &u32| self.log_ratio(so_far + Seen::new(0, *more), node) <= -least;
        [1, 2, 3, 4, 6, 8, 12].into_iter().find(enough).unwrap_or(16)
    }

    /// What all attempts say of whether the queue broke the test.
    pub fn rise(&self, rates: &Rates) -> Rise {
        let mut fits = HashMap::new();
        let mut fit = |split: Split| *fits.entry(split).or_insert_with(|| rates.fit(split));
        // a patch that was withdrawn keeps its share, so that taking one back raises nobody's
        let share = -((self.config.queue()) as f64).ln();
        let all = self.cuts.iter().fold(Seen::default(), |sum, (_, seen)| sum + *seen);
        let (mut e_cuts, mut risen, mut worth) = (LogSum::default(), LogSum::default(), LogSum::default());
        for patch in &self.candidates {
            let with = self.cuts.iter().filter(|(cut, _)| cut >= patch);
            let with = with.fold(Seen::default(), |sum, (_, seen)| sum + *seen);
            let fit = fit(Split { with, without: all - with });
            e_cuts.add(share + fit.risen - fit.not_risen);
            risen.add(share + fit.risen);
            worth.add(share + fit.worthwhile);
        }
        let probability = worthwhile(worth.value(), risen.value(), rates.same(all));
        let others = self.others();
        if others.is_empty() {
            return Rise { log_e: e_cuts.value(), probability };
        }
        let all = others.iter().fold(all, |sum, (_, seen)| sum + *seen);
        let mut e_all = LogSum::default();
        for patch in &self.candidates {
            let cuts = self.cuts.iter().filter(|(cut, _)| cut >= patch).map(|(_, seen)| *seen);
            let others = others.iter().filter(|(kernel, _)| kernel.holds(*patch)).map(|(_, seen)| *seen);
            let with = cuts.chain(others).fold(Seen::default(), |sum, seen| sum + seen);
            let fit = fit(Split { with, without: all - with });
            e_all.add(share + fit.risen - fit.not_risen);
        }
        // the mean of two e-values is one: the second counts the kernels without the culprit too, which helps unless
        // there are several culprits
        let mut mean = LogSum::default();
        mean.add(e_cuts.value() - std::f64::consts::LN_2);
        mean.add(e_all.value() - std::f64::consts::LN_2);
        Rise { log_e: mean.value(), probability }
    }

    /// Kernels of this search that are no cut: those that lack more patches in the middle.
    fn others(&self) -> Vec<(&KernelOf, Seen)> {
        let queue = self.config.queue();
        let tried = self.counts.of_test(self.test).filter(|(kernel, tally)| {
            let lacks_removed = self.removed.iter().all(|patch| !kernel.holds(*patch));
            tally.judged() > 0 && lacks_removed && kernel.as_cut(&self.removed, queue).is_none()
        });
        tried.map(|(kernel, tally)| (kernel, tally.seen())).collect()
    }

    /// What attempts on each kernel are expected to tell about the culprit.
    pub fn gains(&self) -> Vec<(KernelOf, Vec<Gain>)> {
        let of_node = |(node, gains): (usize, [Gain; flaky_bisect::BATCHES.len()])| {
            let tells = gains.iter().any(|gain| gain.bits > LEAST);
            tells.then(|| Some((self.kernel(node)?, gains.to_vec()))).flatten()
        };
        gains(&self.posterior).into_iter().enumerate().filter_map(of_node).collect()
    }

    /// The candidates that no kernel can tell from each other any more, as nodes, if the culprit is surely among them.
    pub fn undivided(&self, sure: f64) -> Option<(Vec<usize>, f64)> {
        let (leaders, mass) = self.posterior.leaders();
        let (first, last) = (*leaders.first()?, *leaders.last()?);
        let is_divided = (first..last).any(|node| self.kernel(node).is_some());
        (leaders.len() > 1 && mass >= sure && !is_divided).then_some((leaders, mass))
    }

    /// The likeliest candidates that together have so much of the probability, as patches, likeliest first.
    pub fn likeliest(&self, mass: f64) -> Vec<usize> {
        let probability = |node: &usize| self.posterior.probability(*node);
        let mut nodes: Vec<usize> = (1..=self.candidates.len()).collect();
        nodes.sort_by(|a, b| probability(b).total_cmp(&probability(a)).then(a.cmp(b)));
        let mut sum = 0.0;
        let whole: f64 = nodes.iter().map(probability).sum();
        let needed = |node: &usize| {
            let needed = sum < mass * whole;
            sum += probability(node);
            needed
        };
        nodes.into_iter().take_while(needed).map(|node| self.patch(node)).collect()
    }
}

/// Less than this is rounding, bits.
const LEAST: f64 = 1e-6;
