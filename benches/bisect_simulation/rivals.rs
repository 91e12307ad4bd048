//! The rules of others, on the same kernels that do not exist: a line of candidates, bad from the culprit on.

use kregress::bisect::simulate::Random;

/// The result of a search by another rule.
pub struct Trial {
    /// Whether it named a culprit, and the right one.
    pub correct: Option<bool>,
    /// Attempts made.
    pub attempts: u32,
    /// Kernels built.
    pub kernels: u32,
}

/// A line of kernels: 0 is the good end, `candidates` the bad one.
pub struct Line<'a> {
    pub candidates: usize,
    pub culprit: usize,
    pub bad: f64,
    pub spurious: f64,
    pub random: &'a mut Random,
    pub attempts: u32,
    built: Vec<bool>,
}

impl Line<'_> {
    pub fn new(candidates: usize, culprit: usize, bad: f64, spurious: f64, random: &mut Random) -> Line<'_> {
        Line { candidates, culprit, bad, spurious, random, attempts: 0, built: vec![false; candidates + 1] }
    }

    /// Whether one attempt shows the symptom.
    fn attempt(&mut self, kernel: usize) -> bool {
        self.attempts += 1;
        self.built[kernel] = true;
        let chance = if kernel >= self.culprit { self.bad } else { self.spurious };
        self.random.chance(chance)
    }

    fn ended(&self, named: Option<usize>) -> Trial {
        Trial {
            correct: named.map(|named| named == self.culprit),
            attempts: self.attempts,
            kernels: self.built.iter().filter(|built| **built).count() as u32,
        }
    }
}

/// Both ends, then halving: every kernel 20 times, until the first symptom, which makes it bad.
pub fn first_symptom(mut line: Line<'_>) -> Trial {
    let is_bad = |line: &mut Line<'_>, kernel| (0..20).any(|_| line.attempt(kernel));
    let newest = line.candidates;
    if !is_bad(&mut line, newest) || is_bad(&mut line, 0) {
        return line.ended(None);
    }
    let (mut good, mut bad) = (0, line.candidates);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if is_bad(&mut line, middle) { bad = middle } else { good = middle }
    }
    line.ended(Some(bad))
}

/// syzkaller's: 10 runs a kernel, 20 as soon as one was seen to be flaky; good without any crash, bad with at least
/// max(2, runs/6), else skipped as git does it.
pub fn syzkaller(mut line: Line<'_>) -> Trial {
    let mut flaky = false;
    let judge = |line: &mut Line<'_>, kernel: usize, flaky: &mut bool| {
        let runs = if *flaky { 20 } else { 10 };
        let crashes = (0..runs).filter(|_| line.attempt(kernel)).count();
        *flaky |= crashes > 0 && crashes < runs;
        match crashes {
            0 => Some(false),
            n if n >= (runs / 6).max(2) => Some(true),
            _ => None,
        }
    };
    let newest = line.candidates;
    if judge(&mut line, newest, &mut flaky) != Some(true) || judge(&mut line, 0, &mut flaky) != Some(false) {
        return line.ended(None);
    }
    let (mut good, mut bad) = (0, line.candidates);
    let mut skipped = vec![false; line.candidates + 1];
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        let mut open: Vec<usize> = (good + 1..bad).filter(|kernel| !skipped[*kernel]).collect();
        open.sort_by_key(|kernel| kernel.abs_diff(middle));
        // only skipped ones are left: several may be the culprit
        let Some(&kernel) = open.first() else { return line.ended(None) };
        match judge(&mut line, kernel, &mut flaky) {
            Some(true) => bad = kernel,
            Some(false) => good = kernel,
            None => skipped[kernel] = true,
        }
    }
    line.ended(Some(bad))
}

/// git_bayesect's: one attempt where the expected entropy is the least, both chances with the same prior, the end at
/// 95% (its default) or as asked; given up after `most` attempts.
pub fn bayesect(mut line: Line<'_>, confidence: f64, most: u32) -> Trial {
    let mut search = Bayesect::new(line.candidates + 1);
    // what its user says of the ends is believed without an attempt
    let newest = line.candidates;
    while line.attempts < most {
        let (likeliest, probability) = search.leader();
        if probability >= confidence {
            return line.ended(Some(newest - likeliest));
        }
        let at = search.select();
        let seen = line.attempt(newest - at);
        search.record(at, seen);
    }
    line.ended(None)
}

/// The state of git_bayesect's search: the newest commit is 0, the culprit the oldest one of the new side.
pub struct Bayesect {
    /// Observations and symptoms up to each commit, itself included.
    total: Vec<u32>,
    yes: Vec<u32>,
    weights: Vec<f64>,
    gammas: Gammas,
}

impl Bayesect {
    /// Nothing seen yet.
    pub fn new(commits: usize) -> Bayesect {
        let weights = vec![1.0 / commits as f64; commits];
        Bayesect { total: vec![0; commits], yes: vec![0; commits], weights, gammas: Gammas::default() }
    }

    /// Takes in one attempt.
    pub fn record(&mut self, at: usize, seen: bool) {
        for place in at..self.total.len() {
            self.total[place] += 1;
            self.yes[place] += u32::from(seen);
        }
        let (all, all_yes) = (self.total[self.total.len() - 1], self.yes[self.yes.len() - 1]);
        // both chances are integrated over a Beta(1/2, 1/2)
        let logs: Vec<f64> = (0..self.total.len())
            .map(|place| {
                let (total, yes) = (self.total[place], self.yes[place]);
                let side = |yes: u32, no: u32, gammas: &mut Gammas| {
                    gammas.half(yes) + gammas.half(no) - gammas.whole(yes + no + 1)
                };
                side(yes, total - yes, &mut self.gammas)
                    + side(all_yes - yes, all - total - (all_yes - yes), &mut self.gammas)
            })
            .collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
        self.weights = logs.iter().map(|log| (log - most).exp() / sum).collect();
    }

    /// The likeliest commit and its probability.
    pub fn leader(&self) -> (usize, f64) {
        let mut leader = (0, 0.0);
        for (place, weight) in self.weights.iter().enumerate() {
            if *weight > leader.1 {
                leader = (place, *weight);
            }
        }
        leader
    }

    /// The commit whose attempt leaves the least entropy; of equals the one nearest to the middle.
    pub fn select(&self) -> usize {
        let commits = self.total.len();
        let (all, all_yes) = (self.total[commits - 1], self.yes[commits - 1]);
        let plogp = |p: f64| if p > 0.0 { p * p.log2() } else { 0.0 };
        // for each outcome and side: weights, and their logarithms
        let mut parts = vec![[[0.0f64; 2]; 4]; commits];
        for (place, part) in parts.iter_mut().enumerate() {
            let (total, yes) = (f64::from(self.total[place]), f64::from(self.yes[place]));
            let new = (0.5 + yes) / (1.0 + total);
            let old = (0.5 + f64::from(all_yes) - yes) / (1.0 + f64::from(all) - total);
            let weight = self.weights[place];
            let shares = [weight * new, weight * old, weight * (1.0 - new), weight * (1.0 - old)];
            *part = shares.map(|share| [share, plogp(share)]);
        }
        // commit `at` is on the new side of every culprit from itself on, on the old side of those before
        let mut later = vec![[[0.0f64; 2]; 2]; commits + 1];
        for place in (0..commits).rev() {
            for outcome in 0..2 {
                for k in 0..2 {
                    later[place][outcome][k] = later[place + 1][outcome][k] + parts[place][2 * outcome][k];
                }
            }
        }
        let mut before = [[0.0f64; 2]; 2];
        let mut expected = Vec::with_capacity(commits);
        for place in 0..commits {
            let mut entropy = 0.0;
            for outcome in 0..2 {
                let [sum, logs] = [0, 1].map(|k| before[outcome][k] + later[place][outcome][k]);
                if sum > 0.0 {
                    entropy += sum * sum.log2() - logs;
                }
            }
            expected.push(entropy);
            for outcome in 0..2 {
                for k in 0..2 {
                    before[outcome][k] += parts[place][2 * outcome + 1][k];
                }
            }
        }
        let least = expected.iter().copied().fold(f64::INFINITY, f64::min);
        let close = |entropy: f64| (entropy - least).abs() <= 1e-15 + 1e-12 * least.abs();
        let equals = (0..commits).filter(|place| close(expected[*place]));
        equals.min_by_key(|place| place.abs_diff(commits / 2)).unwrap_or(0)
    }
}

/// Logarithms of the gamma function at n + 1/2 and at n, each made from the one before.
#[derive(Default)]
struct Gammas {
    halves: Vec<f64>,
    wholes: Vec<f64>,
}

impl Gammas {
    fn half(&mut self, n: u32) -> f64 {
        if self.halves.is_empty() {
            self.halves.push(std::f64::consts::PI.ln() / 2.0);
        }
        while self.halves.len() <= n as usize {
            let last = self.halves.len() - 1;
            self.halves.push(self.halves[last] + (last as f64 + 0.5).ln());
        }
        self.halves[n as usize]
    }

    /// `n` is at least 1.
    fn whole(&mut self, n: u32) -> f64 {
        if self.wholes.is_empty() {
            self.wholes.extend([0.0, 0.0]);
        }
        while self.wholes.len() <= n as usize {
            let last = self.wholes.len() - 1;
            self.wholes.push(self.wholes[last] + (last as f64).ln());
        }
        self.wholes[n as usize]
    }
}
