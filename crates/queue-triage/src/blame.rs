//! Which patch broke a test: narrowed, confirmed, and proved by taking it out.

use std::collections::BTreeSet;

use super::counts::Tally;
use super::evidence::Split;
use super::judge::Case;
use super::kernel::KernelOf;
use super::level::{Level, Rise};
use super::report::{Class, Culprit, Limit, Possible, Proof, Regression, Undecided, Why};
use super::state::{Next, State, Want};

/// How much likelier a kernel must be good, or bad, by its own attempts to be taken for that: the logarithm of 20.
const BELIEVABLE: f64 = 2.995_732_273_553_991;

/// The same where nothing else stands beside it: the logarithm of 1000.
pub const STRONG: f64 = 6.907_755_278_982_137;

/// The share of the errors that are promised at most that the posterior itself may make, as in `flaky_bisect`.
const MARGIN: f64 = 0.35;

/// Of so many candidates that no prefix tells apart, each is taken out by itself.
const MOST_TAKEN_OUT: usize = 8;

/// So many culprits of one test are searched.
const MOST_CULPRITS: usize = 3;

/// Attempts where a bad one is expected, which ends them.
const UNTIL_BAD: u32 = 8;

/// A test that the queue probably broke: `level` searches, `before` are the culprits that were found already and whose
/// removal did not help.
pub fn blame(case: Case<'_>, level: Level<'_>, rise: Rise, before: Vec<Culprit>) -> State {
    search(case, level, rise, rise.log_e, before)
}

/// The same; `whole_e` is the logarithm of the e-value of the queue as a whole.
fn search(case: Case<'_>, level: Level<'_>, rise: Rise, whole_e: f64, before: Vec<Culprit>) -> State {
    let is_sure = rise.log_e >= threshold(case, before.len());
    let search = Search { is_sure, case, level, rise, whole_e, before };
    let confidence = 1.0 - MARGIN * (1.0 - case.config.aims.confidence);
    let (leader, probability) = search.level.posterior().leader();
    if probability >= confidence {
        return search.one(leader, probability);
    }
    if let Some((nodes, probability)) = search.level.undivided(confidence) {
        return search.several(&nodes, probability);
    }
    let gains = search.level.gains();
    match gains.is_empty() {
        true => search.ended(Limit::Kernels),
        false => State { class: search.so_far(Limit::Budget), next: Next::Narrow(gains) },
    }
}

/// The logarithm of the e-value that a difference needs. The chance that is promised is shared by all tests; what is left
/// of it is for the searches behind culprits, of which there may be one for every patch.
fn threshold(case: Case<'_>, depth: usize) -> f64 {
    let ln = |count: usize| (count as f64).ln();
    let shares = ln(case.config.tests.len()) + ln(case.config.queue()) * depth as f64;
    shares + (depth + 1) as f64 * std::f64::consts::LN_2 - case.config.aims.wrong.ln()
}

/// A test that fails on the tip where no patch can be the culprit.
pub fn nobody(case: Case<'_>) -> State {
    let (tip, base) = (case.of(&KernelOf::Tip), case.of(&KernelOf::Baseline));
    let fit = case.rates.fit(Split { with: tip.seen(), without: base.seen() });
    let log_e = fit.risen - fit.not_risen;
    if log_e >= threshold(case, 0) {
        let open = Some(Limit::Nobody);
        let error = (-log_e).exp();
        return State::settled(Class::Regression(Regression {
            culprits: vec![],
            candidates: vec![],
            open,
            error,
        }));
    }
    let possible = vec![Possible::Flaky, Possible::FailingBefore];
    State::settled(Class::Undecided(Undecided { why: Limit::Nobody, possible }))
}

struct Search<'a> {
    case: Case<'a>,
    level: Level<'a>,
    rise: Rise,
    whole_e: f64,
    before: Vec<Culprit>,
    /// The difference is.
    is_sure: bool,
}

/// A kernel without a culprit.
struct TakenOut {
    kernel: KernelOf,
    patches: BTreeSet<usize>,
}

impl Search<'_> {
    /// One patch is the culprit: the kernels on its two sides say so by themselves, and the tip without it is good.
    fn one(self, node: usize, probability: f64) -> State {
        let out = self.taken_out(node);
        let ratio = out.as_ref().map_or(0.0, |out| self.ratio(&out.kernel, node));
        let is_other_too = ratio >= STRONG;
        // with nothing else to go by, the two sides have to be surer
        let least = if out.is_err() || is_other_too { STRONG } else { BELIEVABLE };
        let mut wants = self.unconfirmed(node, least);
        if let Some(before) = self.level.behind_excluded(node) {
            let ratio = self.level.log_ratio(self.case.of(&before).seen(), node);
            if ratio >= STRONG {
                return self.excluded();
            }
            if ratio > -BELIEVABLE {
                wants.push(self.until_clean(&before, node, BELIEVABLE, Why::Confirm));
            }
        }
        if let Ok(out) = &out
            && ratio > -BELIEVABLE
            && !is_other_too
        {
            wants.push(self.until_clean(&out.kernel, node, BELIEVABLE, Why::Prove));
        }
        if !wants.is_empty() {
            return State { class: self.so_far(Limit::Budget), next: Next::Wants(wants) };
        }
        if !self.is_sure {
            return self.strengthened(out.as_ref().ok().filter(|_| !is_other_too), node);
        }
        let is_last = !is_other_too || self.before.len() + 1 == MOST_CULPRITS;
        let culprit = self.culprit(node, probability, out, ratio);
        if is_last {
            return self.named(culprit, is_other_too.then_some(Limit::Kernels));
        }
        self.behind(culprit)
    }

    /// What breaks the test is a patch that was excluded: flagged as impossible, or taken back.
    fn excluded(self) -> State {
        State::settled(match self.is_sure || !self.before.is_empty() {
            true => regression(self.before, Vec::new(), Some(Limit::Nobody), self.whole_e),
            false => self.so_far(Limit::Nobody),
        })
    }

    /// The test still fails without a culprit: what else breaks it is searched on kernels without that one.
    fn behind(self, culprit: Culprit) -> State {
        let Proof::StillBad { without, .. } = &culprit.proof else { return self.named(culprit, None) };
        let without = without.clone();
        let (case, whole_e) = (self.case, self.whole_e);
        let mut culprits = self.before;
        culprits.push(culprit);
        let Some(level) = Level::new(case.config, case.counts, case.test, without) else {
            return State::settled(regression(culprits, vec![], Some(Limit::Nobody), whole_e));
        };
        let rise = level.rise(case.rates);
        search(case, level, rise, whole_e, culprits)
    }

    /// No prefix tells some candidates apart: each is taken out by itself, until one is enough.
    fn several(self, nodes: &[usize], probability: f64) -> State {
        if !self.is_sure {
            return self.strengthened(None, nodes[0]);
        }
        if nodes.len() > MOST_TAKEN_OUT {
            return self.ended(Limit::Kernels);
        }
        let patches: BTreeSet<usize> = nodes.iter().map(|node| self.level.patch(*node)).collect();
        let mut left = Vec::new();
        for node in nodes {
            let alone = |out: &TakenOut| out.patches.intersection(&patches).count() == 1;
            let Some(out) = self.taken_out(*node).ok().filter(alone) else {
                left.push(*node);
                continue;
            };
            let ratio = self.ratio(&out.kernel, *node);
            match () {
                () if ratio <= -STRONG => {
                    let culprit = self.culprit(*node, probability / nodes.len() as f64, Ok(out), ratio);
                    return self.named(culprit, None);
                }
                () if ratio >= STRONG => {}
                () => {
                    let want = self.until_clean(&out.kernel, *node, STRONG, Why::Prove);
                    return State { class: self.so_far(Limit::Budget), next: Next::Wants(vec![want]) };
                }
            }
        }
        match left[..] {
            // all others are still bad when they are taken out
            [node] => {
                let out = self.taken_out(node).map_err(|_| TOGETHER.to_owned());
                let why = out.err().unwrap_or_else(|| TOGETHER.to_owned());
                let culprit = self.culprit(node, probability, Err(why), 0.0);
                self.named(culprit, None)
            }
            _ => self.ended(Limit::Kernels),
        }
    }

    /// The tip without a patch and without those that need it, or why there is no such kernel.
    fn taken_out(&self, node: usize) -> Result<TakenOut, String> {
        let config = self.case.config;
        let mut patches = config.with_dependents(self.level.patch(node));
        patches.extend(self.level.removed());
        for patch in &patches {
            if let Some(why) = &config.patch(*patch).stays {
                return Err(format!("patch {patch}: {why}"));
            }
        }
        let kernel = KernelOf::Without(patches.clone()).canonical(config.queue());
        if let Some(why) = self.case.counts.broken.get(&kernel) {
            return Err(why.clone());
        }
        match self.case.of(&kernel).hopeless() {
            true => Err(format!("the test cannot be judged on {kernel}")),
            false => Ok(TakenOut { kernel, patches }),
        }
    }

    /// How much better what a kernel showed fits one with the bug.
    fn ratio(&self, kernel: &KernelOf, node: usize) -> f64 {
        let queue = self.case.config.queue();
        match kernel.as_cut(self.level.removed(), queue) {
            Some(cut) => self.level.posterior().log_ratio(self.level.node_of(cut), node),
            None => self.level.log_ratio(self.case.of(kernel).seen(), node),
        }
    }

    /// The kernels up to a patch and right before it whose own attempts do not say yet what they are.
    fn unconfirmed(&self, node: usize, least: f64) -> Vec<Want> {
        let mut wants = Vec::new();
        let posterior = self.level.posterior();
        if posterior.log_ratio(node, node) < least
            && let Some(kernel) = self.level.kernel(node)
        {
            wants.push(Want { kernel, attempts: UNTIL_BAD, why: Why::Confirm });
        }
        if posterior.log_ratio(node - 1, node) > -least
            && let Some(kernel) = self.level.kernel(node - 1)
        {
            wants.push(self.until_clean(&kernel, node, least, Why::Confirm));
        }
        wants
    }

    /// Attempts on a kernel that is expected to be good, until that is believed.
    fn until_clean(&self, kernel: &KernelOf, node: usize, least: f64, why: Why) -> Want {
        let so_far = self.case.of(kernel).seen();
        Want { kernel: kernel.clone(), attempts: self.level.clean_attempts(so_far, node, least), why }
    }

    /// More attempts on the two sides of a difference, first where there are fewer.
    fn strengthened(self, out: Option<&TakenOut>, node: usize) -> State {
        let (with, without) = self.level.tried(node);
        let out =
            out.map(|out| &out.kernel).filter(|kernel| !self.case.counts.closed(kernel, self.case.test));
        let more =
            out.map_or(0, |kernel| match kernel.as_cut(self.level.removed(), self.case.config.queue()) {
                Some(_) => 0,
                None => self.case.of(kernel).judged(),
            });
        let kernel = match with <= without + more {
            true => self.level.tip(),
            false => out.cloned().unwrap_or(KernelOf::Baseline),
        };
        if self.case.counts.closed(&kernel, self.case.test) {
            return State::settled(self.so_far(Limit::Kernels));
        }
        State::open(self.so_far(Limit::Budget), kernel, 2, Why::Strengthen)
    }

    fn culprit(&self, node: usize, probability: f64, out: Result<TakenOut, String>, ratio: f64) -> Culprit {
        let tally =
            |node: usize| self.level.kernel(node).map(|kernel| self.case.of(&kernel)).unwrap_or_default();
        let seen = |kernel: &KernelOf| self.case.of(kernel);
        let (proof, odds) = match out {
            Err(why) => (Proof::CannotBeRemoved { why }, 0.0),
            Ok(out) if ratio >= STRONG => {
                (Proof::StillBad { seen: seen(&out.kernel), without: out.patches }, 0.0)
            }
            Ok(out) => (Proof::GoodAgain { seen: seen(&out.kernel), without: out.patches }, -ratio),
        };
        let doubt = (1.0 - probability).max(1e-12) * (-odds).exp();
        let confidence = probability / (probability + doubt);
        let (with, before): (Tally, Tally) = (tally(node), tally(node - 1));
        Culprit { patch: self.level.patch(node), confidence, with, before, proof }
    }

    fn named(self, culprit: Culprit, open: Option<Limit>) -> State {
        let mut culprits = self.before;
        culprits.push(culprit);
        State::settled(regression(culprits, vec![], open, self.whole_e))
    }

    fn ended(self, limit: Limit) -> State {
        State::settled(self.so_far(limit))
    }

    /// What is said when nothing more is tried.
    fn so_far(&self, limit: Limit) -> Class {
        let candidates = self.level.likeliest(0.95);
        if self.is_sure || !self.before.is_empty() {
            return regression(self.before.clone(), candidates, Some(limit), self.whole_e);
        }
        let regression = Possible::Regression { probability: self.rise.probability, candidates };
        Class::Undecided(Undecided { why: limit, possible: vec![regression, Possible::Flaky] })
    }
}

/// Why a culprit that is left over is not taken out.
const TOGETHER: &str = "it is what is left when all others are ruled out";

fn regression(culprits: Vec<Culprit>, candidates: Vec<usize>, open: Option<Limit>, log_e: f64) -> Class {
    Class::Regression(Regression { culprits, candidates, open, error: (-log_e).exp().min(1.0) })
}
