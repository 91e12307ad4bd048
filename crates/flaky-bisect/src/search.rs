//! The search: from what was seen so far to the next step, or to the answer.
//!
//! A search has no memory but the attempts themselves: the next step follows from the counts alone. So one that was
//! killed goes on where it was when its attempts are read back, in any order.

use std::sync::Arc;

use super::answer::{Answer, Exhausted};
use super::chance::Seen;
use super::choice::{Costs, choose};
use super::history::History;
use super::posterior::{Find, Posterior};

/// What is asked of a search.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Aims {
    /// How sure the answer must be.
    pub confidence: f64,
    /// The most attempts that are evidence.
    pub most_attempts: u32,
    /// The most attempts at the bad end before it is given up.
    pub end_attempts: u32,
    /// The chance per attempt on bad kernels, where earlier runs measured it.
    pub measured: Option<f64>,
}

impl Default for Aims {
    fn default() -> Aims {
        Aims { confidence: 0.99, most_attempts: 1000, end_attempts: 60, measured: None }
    }
}

/// What an attempt is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To see that an end is what the user says.
    Ends,
    /// To narrow the candidates.
    Narrow,
    /// To see that the culprit and what it is based on differ by themselves.
    Confirm,
}

/// The next step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Attempts on a kernel, until one shows the symptom.
    Try {
        /// Which kernel.
        node: usize,
        /// At most so many attempts.
        attempts: u32,
        /// What for.
        purpose: Purpose,
    },
    /// The search has ended.
    Ended(Answer),
}

/// How much likelier, by its own attempts, the culprit's kernel must be bad and its parent's good, or the other way
/// round: the logarithm of 20.
const BELIEVABLE: f64 = 2.995_732_273_553_991;

/// The share of the errors that are promised at most that the posterior itself may make. Chosen by simulation.
const MARGIN: f64 = 0.35;

/// Attempts at the good end that show its exchange with the other one, or a symptom that is not specific.
const GOOD_END: u32 = 12;

/// A search that goes on.
#[derive(Clone, Debug)]
pub struct Search {
    posterior: Posterior,
    aims: Aims,
    costs: Costs,
    here: Vec<bool>,
    /// Kernels that cannot be judged, or no more.
    closed: Vec<bool>,
}

impl Search {
    /// A search that has seen nothing yet.
    pub fn new(history: Arc<History>, find: Find, aims: Aims, costs: Costs) -> Search {
        let nodes = history.len();
        let posterior = Posterior::new(history, find, aims.measured);
        Search { posterior, aims, costs, here: vec![false; nodes], closed: vec![false; nodes] }
    }

    /// Takes in attempts on a kernel that were evidence.
    pub fn observe(&mut self, node: usize, seen: Seen) {
        self.here[node] = true;
        self.posterior.observe(node, seen);
    }

    /// A kernel is here already: it costs only its attempts.
    pub fn have(&mut self, node: usize) {
        self.here[node] = true;
    }

    /// Whether a kernel costs only its attempts.
    pub fn is_here(&self, node: usize) -> bool {
        self.here[node]
    }

    /// A kernel cannot be judged: it is not tried any more. What was seen on it before still counts.
    pub fn close(&mut self, node: usize) {
        self.closed[node] = true;
    }

    /// Whether a kernel was found not to be judgeable.
    pub fn is_closed(&self, node: usize) -> bool {
        self.closed[node]
    }

    /// What is known so far.
    pub fn posterior(&self) -> &Posterior {
        &self.posterior
    }

    /// What is asked.
    pub fn aims(&self) -> &Aims {
        &self.aims
    }

    /// What kernels and attempts cost.
    pub fn costs(&self) -> Costs {
        self.costs
    }

    /// Costs that were measured take the place of those that were assumed.
    pub fn set_costs(&mut self, costs: Costs) {
        self.costs = costs;
    }

    /// The end that is said to have the bug.
    pub fn bad_end(&self) -> usize {
        match self.posterior.find() {
            Find::Cause => self.posterior.history().newest(),
            Find::Fix => 0,
        }
    }

    /// The end that is said not to have it.
    pub fn good_end(&self) -> usize {
        match self.posterior.find() {
            Find::Cause => 0,
            Find::Fix => self.posterior.history().newest(),
        }
    }

    /// The next step. The same until something is taken in.
    pub fn next(&self) -> Step {
        if let Some(step) = self.check_ends() {
            return step;
        }
        let sure = self.sure();
        let (leader, probability) = self.posterior.leader();
        let found = if probability >= sure { Some((vec![leader], probability)) } else { self.undivided() };
        if let Some((candidates, probability)) = found {
            return match self.unconfirmed(&candidates) {
                Some(node) if self.spent() < self.aims.most_attempts => {
                    Step::Try { node, attempts: 1, purpose: Purpose::Confirm }
                }
                Some(_) => self.short(Exhausted::Attempts),
                None => Step::Ended(Answer::Found { candidates, probability }),
            };
        }
        if self.spent() >= self.aims.most_attempts {
            return self.short(Exhausted::Attempts);
        }
        match choose(&self.posterior, self.costs.attempt, |node| self.cost(node)) {
            Some(choice) => {
                let attempts = choice.attempts.min(self.aims.most_attempts - self.spent());
                Step::Try { node: choice.node, attempts, purpose: Purpose::Narrow }
            }
            None => self.short(Exhausted::Kernels),
        }
    }

    /// About how many attempts are left: the uncertainty, at the rate at which the next attempts lessen it. Too few
    /// rather than too many, because information gets dearer towards the end.
    pub fn attempts_left(&self) -> Option<u32> {
        let choice = choose(&self.posterior, self.costs.attempt, |node| self.cost(node))?;
        let sure = self.sure();
        let aim = -sure * sure.log2() - (1.0 - sure) * (1.0 - sure).log2();
        let left = (self.posterior.entropy() - aim).max(0.0) * choice.expected / choice.bits;
        Some(left.ceil().min(f64::from(u32::MAX)) as u32)
    }

    /// The probability at which the search ends. Where the bug shows more seldom than was to be expected, a clean
    /// attempt is worth less than it is taken for, so that more is asked for than is promised.
    fn sure(&self) -> f64 {
        1.0 - MARGIN * (1.0 - self.aims.confidence)
    }

    fn spent(&self) -> u32 {
        self.posterior.total().attempts
    }

    fn short(&self, why: Exhausted) -> Step {
        Step::Ended(Answer::Inconclusive { why, attempts_left: self.attempts_left() })
    }

    /// The bad end has to show the symptom, the good end must not, before anything is built in between.
    fn check_ends(&self) -> Option<Step> {
        let (bad, good) = (self.bad_end(), self.good_end());
        let (at_bad, at_good) = (self.posterior.seen(bad), self.posterior.seen(good));
        let (no_bug_at_bad, bug_at_good) = self.outside();
        let most = self.aims.end_attempts.min(self.aims.most_attempts);
        let again = |node| Some(Step::Try { node, attempts: 1, purpose: Purpose::Ends });
        let ended = |answer| Some(Step::Ended(answer));
        for (node, seen) in [(bad, at_bad), (good, at_good)] {
            if self.closed[node] && seen.attempts == 0 {
                return ended(Answer::EndNotJudged { node });
            }
        }
        let bad_is_open = !self.closed[bad] && at_bad.attempts < most;
        if at_bad.symptoms == 0 && bad_is_open {
            return again(bad);
        }
        if at_bad.symptoms == 0 {
            // was it the other end that was meant?
            let asked = GOOD_END.min(most);
            if at_good.symptoms == 0 && at_good.attempts < asked && !self.closed[good] {
                return again(good);
            }
            return ended(match at_good.symptoms {
                0 => Answer::BadEndClean { attempts: at_bad.attempts },
                _ => Answer::Exchanged { at_good, at_bad },
            });
        }
        if no_bug_at_bad > DOUBTFUL && bad_is_open {
            return again(bad);
        }
        if no_bug_at_bad >= self.aims.confidence {
            return ended(Answer::BadEndSpurious { at_bad });
        }
        if bug_at_good >= self.aims.confidence {
            return ended(Answer::GoodEndBad { at_good });
        }
        let doubtful = at_good.symptoms > 0 && bug_at_good > DOUBTFUL;
        let asked = if doubtful { most } else { self.good_end_attempts() };
        (at_good.attempts < asked && !self.closed[good]).then(|| again(good)).flatten()
    }

    /// The chances that the bad end does not have the bug, and that the good end has it.
    fn outside(&self) -> (f64, f64) {
        let (never, before) = (self.posterior.never().probability, self.posterior.probability(0));
        match self.posterior.find() {
            Find::Cause => (never, before),
            Find::Fix => (before, never),
        }
    }

    /// Enough for a good end that has the bug to show it with four chances in five; what is left of the doubt is part
    /// of every answer.
    fn good_end_attempts(&self) -> u32 {
        self.posterior.bad_prior(self.posterior.history().newest()).clean_attempts(0.2, GOOD_END)
    }

    /// The candidates that no kernel can tell from each other any more, if the culprit is surely among them.
    fn undivided(&self) -> Option<(Vec<usize>, f64)> {
        let (leaders, mass) = self.posterior.leaders();
        if leaders.len() < 2 || mass < self.sure() {
            return None;
        }
        let leads: std::collections::HashSet<usize> = leaders.iter().copied().collect();
        let held = self.posterior.history().sums(|node| [f64::from(u8::from(leads.contains(&node)))]);
        let divides = |node: usize| held[node][0] > 0.5 && held[node][0] < leaders.len() as f64 - 0.5;
        let divided = (0..held.len()).any(|node| !self.closed[node] && divides(node));
        (!divided).then_some((leaders, mass))
    }

    /// A kernel next to the culprit whose own attempts do not yet say by themselves what it is.
    fn unconfirmed(&self, culprits: &[usize]) -> Option<usize> {
        let (holder, bases) = self.neighbours(culprits);
        let culprit = culprits[0];
        let bad_after = self.posterior.find() == Find::Cause;
        let open = |node: &usize, is_bad: bool| {
            let ratio = self.posterior.log_ratio(*node, culprit);
            !self.closed[*node] && if is_bad { ratio < BELIEVABLE } else { ratio > -BELIEVABLE }
        };
        let bases = bases.into_iter().filter(|node| open(node, !bad_after));
        let holder = holder.filter(|node| open(node, bad_after));
        // in alternation: the one with fewer attempts first
        holder.into_iter().chain(bases).min_by_key(|node| self.posterior.seen(*node).attempts)
    }

    /// The kernel with the culprit and those it is based on: the culprit's own and its parents, or what was tried
    /// closest to them where these cannot be judged.
    pub fn neighbours(&self, culprits: &[usize]) -> (Option<usize>, Vec<usize>) {
        let history = self.posterior.history();
        let culprit = culprits[0];
        let sizes = history.sums(|_| [1.0]);
        let tried = |with: bool| {
            let kernels = self.posterior.tried().iter().map(|(node, _)| *node);
            kernels.filter(move |node| history.ancestors(*node)[culprit] == with)
        };
        let size = |node: &usize| sizes[*node][0] as usize;
        let judged = |node: usize| !self.closed[node] || self.posterior.seen(node).attempts > 0;
        let alone = culprits.len() == 1;
        let holder = if alone && judged(culprit) { Some(culprit) } else { tried(true).min_by_key(size) };
        let parents = history.parents(culprit);
        let bases = match alone && parents.iter().all(|parent| judged(*parent)) {
            true => parents.to_vec(),
            false => tried(false).max_by_key(size).into_iter().collect(),
        };
        (holder, bases)
    }

    /// What it costs to get a kernel; `None` if it cannot be judged. Kernels near those that could not be judged are
    /// likely to fail in the same way, so that they count as dearer.
    fn cost(&self, node: usize) -> Option<f64> {
        if self.closed[node] {
            return None;
        }
        if self.here[node] {
            return Some(0.0);
        }
        let failed = self.closed.iter().filter(|closed| **closed).count();
        if failed == 0 {
            return Some(self.costs.kernel);
        }
        let reach = failed.min(node.max(self.closed.len() - node));
        let near = (1..=reach).find(|distance| {
            let is_closed = |at: Option<usize>| at.is_some_and(|at| self.closed.get(at) == Some(&true));
            is_closed(node.checked_sub(*distance)) || is_closed(node.checked_add(*distance))
        });
        let waste = near.map_or(0.0, |distance| (failed + 1 - distance) as f64 / distance as f64);
        Some(self.costs.kernel + waste * (self.costs.kernel + self.costs.attempt))
    }
}

/// A doubt about an end that asks for more attempts there.
const DOUBTFUL: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs { kernel: 0.0, attempt: 1.0 };

    /// Runs a search on kernels that never lie: bad ones always show the symptom, good ones never do.
    fn run(mut search: Search, is_bad: impl Fn(usize) -> Option<bool>) -> (Answer, Search) {
        loop {
            match search.next() {
                Step::Ended(answer) => return (answer, search),
                Step::Try { node, .. } => match is_bad(node) {
                    Some(bad) => search.observe(node, Seen::new(u32::from(bad), 1)),
                    None => search.close(node),
                },
            }
        }
    }

    fn line(candidates: usize, find: Find) -> Search {
        Search::new(Arc::new(History::linear(candidates)), find, Aims::default(), COSTS)
    }

    fn found(answer: &Answer) -> &[usize] {
        match answer {
            Answer::Found { candidates, .. } => candidates,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cause_and_a_fix_are_found() {
        for culprit in [1, 2, 17, 63, 64] {
            let (answer, search) = run(line(64, Find::Cause), |node| Some(node >= culprit));
            assert_eq!(found(&answer), [culprit]);
            assert!(search.spent() < 60, "{}", search.spent());
            let (answer, _) = run(line(64, Find::Fix), |node| Some(node < culprit));
            assert_eq!(found(&answer), [culprit]);
        }
    }

    #[test]
    fn both_neighbours_speak_for_themselves() {
        let (_, search) = run(line(64, Find::Cause), |node| Some(node >= 20));
        assert!(search.posterior().log_ratio(20, 20) >= BELIEVABLE);
        assert!(search.posterior().log_ratio(19, 20) <= -BELIEVABLE);
    }

    #[test]
    fn kernels_that_cannot_be_judged_make_a_set_and_hurt_no_other() {
        let bad = |node: usize| (!(18..24).contains(&node)).then_some(node >= 20);
        let (answer, search) = run(line(64, Find::Cause), bad);
        assert_eq!(found(&answer), (18..=24).collect::<Vec<_>>());
        assert!(search.closed.iter().filter(|closed| **closed).count() <= 6);
        let far = |node: usize| (!(18..24).contains(&node)).then_some(node >= 40);
        assert_eq!(found(&run(line(64, Find::Cause), far).0), [40]);
    }

    #[test]
    fn a_merged_branch_is_searched() {
        let mut parents = vec![vec![]];
        parents.extend((0..8).map(|n| vec![n]));
        parents.extend((0..8).map(|n| vec![if n == 0 { 0 } else { 8 + n }]));
        parents.push(vec![8, 16]);
        let history = Arc::new(History::new(parents).unwrap());
        for culprit in [3, 8, 9, 12, 16, 17] {
            let search = Search::new(Arc::clone(&history), Find::Cause, Aims::default(), COSTS);
            let (answer, _) = run(search, |node| Some(history.ancestors(node)[culprit]));
            assert_eq!(found(&answer), [culprit]);
        }
    }

    #[test]
    fn ends_that_are_not_what_they_are_called_end_the_search() {
        let answer = |bad: &dyn Fn(usize) -> Option<bool>| run(line(16, Find::Cause), bad).0;
        assert!(matches!(answer(&|_| Some(false)), Answer::BadEndClean { attempts: 60 }));
        assert!(matches!(answer(&|node| Some(node == 0)), Answer::Exchanged { .. }));
        assert!(matches!(answer(&|_| Some(true)), Answer::GoodEndBad { .. }));
        assert_eq!(answer(&|_| None), Answer::EndNotJudged { node: 16 });
        assert_eq!(answer(&|node| (node == 16).then_some(true)), Answer::EndNotJudged { node: 0 });
    }

    #[test]
    fn no_culprit_is_named_without_the_attempts_for_it() {
        let aims = Aims { most_attempts: 8, ..Aims::default() };
        let search = Search::new(Arc::new(History::linear(64)), Find::Cause, aims, COSTS);
        let (answer, search) = run(search, |node| Some(node >= 20));
        let Answer::Inconclusive { why: Exhausted::Attempts, attempts_left: Some(left) } = answer else {
            panic!("{answer:?}");
        };
        assert!(left > 0 && search.spent() == 8, "{left}");
    }

    #[test]
    fn the_next_step_follows_from_the_counts_alone() {
        let (_, search) = run(line(64, Find::Cause), |node| Some(node >= 20));
        let mut again = line(64, Find::Cause);
        for (node, seen) in search.posterior().tried().iter().rev() {
            again.observe(*node, *seen);
        }
        let (Step::Ended(first), Step::Ended(second)) = (search.next(), again.next()) else { panic!() };
        assert_eq!(found(&first), found(&second));
    }
}
