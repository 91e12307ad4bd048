//! Searches on kernels that do not exist, for planning and to measure the method: the chance per attempt is given, the
//! culprit is drawn, and what an attempt shows is drawn too.

use std::sync::Arc;

use super::answer::Answer;
use super::chance::Seen;
use super::choice::Costs;
use super::history::History;
use super::posterior::Find;
use super::search::{Aims, Search, Step};

/// Numbers that look random, from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True with this chance.
    pub fn chance(&mut self, chance: f64) -> bool {
        ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < chance
    }

    /// One of the first `count` numbers from 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }
}

/// Kernels that do not exist.
#[derive(Clone, Debug)]
pub struct World {
    /// Their history.
    pub history: Arc<History>,
    /// Chance per attempt that a bad kernel shows the symptom.
    pub bad: f64,
    /// Chance per attempt that a good one does.
    pub spurious: f64,
    /// What kernels and attempts cost.
    pub costs: Costs,
}

/// The result of one simulated search.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its answer.
    pub answer: Answer,
    /// Whether it named a culprit, and the right one.
    pub correct: Option<bool>,
    /// Attempts made.
    pub attempts: u32,
    /// Kernels built or fetched.
    pub kernels: u32,
}

/// One search for `culprit`.
pub fn search(world: &World, culprit: usize, aims: Aims, random: &mut Random) -> Trial {
    let mut search = Search::new(Arc::clone(&world.history), Find::Cause, aims, world.costs);
    let mut holders: Vec<(usize, bool)> = Vec::new();
    loop {
        let (node, attempts) = match search.next() {
            Step::Try { node, attempts, .. } => (node, attempts),
            Step::Ended(answer) => {
                let correct = match &answer {
                    Answer::Found { candidates, .. } => Some(candidates.contains(&culprit)),
                    Answer::GoodEndBad { .. } | Answer::BadEndSpurious { .. } | Answer::Exchanged { .. } => {
                        Some(false)
                    }
                    _ => None,
                };
                let (attempts, kernels) = (search.posterior().total().attempts, holders.len() as u32);
                return Trial { answer, correct, attempts, kernels };
            }
        };
        let holds = match holders.iter().find(|(tried, _)| *tried == node) {
            Some((_, holds)) => *holds,
            None => {
                let holds = world.history.ancestors(node)[culprit];
                holders.push((node, holds));
                holds
            }
        };
        let chance = if holds { world.bad } else { world.spurious };
        let mut seen = Seen::default();
        while seen.attempts < attempts && seen.symptoms == 0 {
            seen += Seen::new(u32::from(random.chance(chance)), 1);
        }
        search.observe(node, seen);
    }
}

/// The results of many simulated searches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// Searches.
    pub trials: u32,
    /// Those that named the culprit.
    pub correct: u32,
    /// Those that named another, or said that an end is wrong.
    pub wrong: u32,
    /// Those that named none.
    pub inconclusive: u32,
    /// Attempts in all.
    pub attempts: u64,
    /// Kernels built or fetched in all.
    pub kernels: u64,
    /// The most attempts of one search.
    pub most_attempts: u32,
}

impl Outcomes {
    /// Takes in one search.
    pub fn add(&mut self, trial: &Trial) {
        self.trials += 1;
        *match trial.correct {
            Some(true) => &mut self.correct,
            Some(false) => &mut self.wrong,
            None => &mut self.inconclusive,
        } += 1;
        self.attempts += u64::from(trial.attempts);
        self.kernels += u64::from(trial.kernels);
        self.most_attempts = self.most_attempts.max(trial.attempts);
    }

    /// A count as a share of the searches.
    pub fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.trials.max(1))
    }

    /// Attempts a search.
    pub fn mean_attempts(&self) -> f64 {
        self.attempts as f64 / f64::from(self.trials.max(1))
    }

    /// Kernels a search.
    pub fn mean_kernels(&self) -> f64 {
        self.kernels as f64 / f64::from(self.trials.max(1))
    }
}

/// Simulates `trials` searches, each with a culprit of its own.
pub fn simulate(world: &World, aims: Aims, trials: u32, seed: u64) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut random = Random::new(seed);
    for _ in 0..trials {
        let culprit = 1 + random.below(world.history.candidates());
        outcomes.add(&search(world, culprit, aims, &mut random));
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_right_and_repeatable() {
        let costs = Costs { kernel: 5.0, attempt: 1.0 };
        for (bad, spurious) in [(0.9, 0.0), (0.4, 0.01)] {
            let world = World { history: Arc::new(History::linear(40)), bad, spurious, costs };
            let outcomes = simulate(&world, Aims::default(), 30, 1);
            assert_eq!(outcomes, simulate(&world, Aims::default(), 30, 1));
            assert_eq!(outcomes.trials, outcomes.correct + outcomes.wrong + outcomes.inconclusive);
            assert!(outcomes.wrong <= 1 && outcomes.correct >= 28, "{outcomes:?}");
        }
    }

    #[test]
    fn drawn_numbers_have_their_chance() {
        let mut random = Random::new(3);
        let hits = (0..10_000).filter(|_| random.chance(0.3)).count();
        assert!((2800..3200).contains(&hits), "{hits}");
        let mut below = [0; 5];
        (0..1000).for_each(|_| below[random.below(5)] += 1);
        assert!(below.iter().all(|count| *count > 150), "{below:?}");
    }
}
