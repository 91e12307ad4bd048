//! How sure a difference is: two unknown chances per attempt, one of kernels with a patch and one of those without it.
//!
//! Whoever looks again and again until a difference shows finds one. So a difference is believed by its *e-value*: a
//! number whose expectation is at most 1 where there is no difference, whatever decides which attempts are made and when
//! to stop. By Ville's inequality (J. Ville, Étude critique de la notion de collectif, 1939) it ever reaches 1/α with a
//! chance of at most α. Here it is the likelihood of what was seen under a mixture of risen chances, divided by the
//! greatest likelihood that chances which did not rise can give it: the sequential form of universal inference
//! (L. Wasserman, A. Ramdas and S. Balakrishnan, Universal inference, PNAS 117 (29), 2020, section 8). For every pair of
//! chances that did not rise the mixture over theirs is a nonnegative martingale however the attempts are allotted, and
//! the quotient is no greater. (A. Ramdas, P. Grünwald, V. Vovk and G. Shafer, Game-theoretic statistics and safe
//! anytime-valid inference, Statistical Science 38 (4), 2023, put this and its kin in one place.)
//!
//! What is worth an attempt is a matter of thrift and not of proof: that is decided by ordinary posteriors on the same
//! grids.

use flaky_bisect::Seen;

/// Chances on kernels with the patch, where it is to blame; the last one has the most weight, as most regressions show
/// every time.
const RISEN: [f64; 21] = [
    0.04, 0.06, 0.08, 0.1, 0.13, 0.165, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.78,
    0.86, 0.94, 0.998,
];

/// The share of the last of [`RISEN`].
const ALWAYS: f64 = 0.3;

/// Chances on kernels without it, and their weights where nothing was learned.
const USUAL: [(f64, f64); 10] = [
    (2e-5, 0.5),
    (3e-3, 0.1),
    (0.01, 0.1),
    (0.03, 0.08),
    (0.07, 0.06),
    (0.12, 0.05),
    (0.2, 0.04),
    (0.3, 0.03),
    (0.5, 0.03),
    (0.7, 0.01),
];

/// Chances of a test that failed at least once and that no patch changed, with their weights: flaky, or broken anyway.
const SAME: [(f64, f64); 15] = [
    (0.005, 0.06),
    (0.02, 0.1),
    (0.04, 0.12),
    (0.07, 0.12),
    (0.1, 0.1),
    (0.15, 0.1),
    (0.2, 0.08),
    (0.25, 0.06),
    (0.3, 0.04),
    (0.4, 0.03),
    (0.5, 0.03),
    (0.65, 0.02),
    (0.8, 0.02),
    (0.95, 0.04),
    (0.998, 0.08),
];

/// Chances that differ by less than this are none of [`Rates::risen`].
const APART: f64 = 0.02;

/// How many attempts a learned chance is worth, and the share of the weight that does not believe in it.
const TRUST: f64 = 20.0;
const DOUBT: f64 = 0.2;

/// The probability beforehand that a test which failed on the tip was broken by the queue.
const BROKEN: f64 = 0.25;

/// What was seen on kernels with a patch and on those without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Split {
    /// With it.
    pub with: Seen,
    /// Without it.
    pub without: Seen,
}

/// How well what was seen fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The logarithm of its likelihood where the chance rose.
    pub risen: f64,
    /// The same, but only the rises that are worth looking for; both share one prior.
    pub worthwhile: f64,
    /// The logarithm of the greatest likelihood where it did not.
    pub not_risen: f64,
}

/// What is expected of a test's chances, before anything was seen.
#[derive(Clone, Debug)]
pub struct Rates {
    pairs: Vec<Pair>,
    same: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Which of [`USUAL`] and of [`RISEN`].
    without: usize,
    with: usize,
    log_weight: f64,
    is_worthwhile: bool,
}

impl Rates {
    /// `spurious` is the chance without a bug where it was learned, `least` the smallest rise that is looked for.
    pub fn new(spurious: Option<f64>, least: f64) -> Rates {
        let (usual, same) = match spurious {
            None => (USUAL.to_vec(), SAME.to_vec()),
            Some(learned) => (believe(&USUAL, learned), believe(&SAME, learned)),
        };
        let risen = |nth: usize| match nth + 1 == RISEN.len() {
            true => ALWAYS,
            false => (1.0 - ALWAYS) / (RISEN.len() - 1) as f64,
        };
        let mut pairs = Vec::new();
        let mut sum = 0.0;
        for (without, (low, weight)) in usual.iter().enumerate() {
            for (with, high) in RISEN.iter().enumerate().filter(|(_, high)| **high >= low + APART) {
                let weight = weight * risen(with);
                let is_worthwhile = high - low >= least - 1e-9;
                sum += weight;
                pairs.push(Pair { without, with, log_weight: weight.ln(), is_worthwhile });
            }
        }
        pairs.iter_mut().for_each(|pair| pair.log_weight -= sum.ln());
        Rates { pairs, same }
    }

    /// For each of the pairs the logarithm of its weight times the likelihood of what was seen.
    fn logs(&self, split: Split) -> impl Iterator<Item = (&Pair, f64)> {
        let with = RISEN.map(|chance| log_likelihood(split.with, chance));
        let without = USUAL.map(|(chance, _)| log_likelihood(split.without, chance));
        self.pairs.iter().map(move |pair| (pair, pair.log_weight + with[pair.with] + without[pair.without]))
    }

    /// How well what was seen fits risen chances, and others.
    pub fn fit(&self, split: Split) -> Fit {
        let (mut risen, mut worthwhile) = (0.0, 0.0);
        let most = self.logs(split).map(|(_, log)| log).fold(f64::NEG_INFINITY, f64::max);
        for (pair, log) in self.logs(split) {
            let likelihood = (log - most).exp();
            risen += likelihood;
            if pair.is_worthwhile {
                worthwhile += likelihood;
            }
        }
        let not_risen = greatest_not_risen(split);
        Fit { risen: most + risen.ln(), worthwhile: most + worthwhile.ln(), not_risen }
    }

    /// The logarithm of the likelihood where all kernels are alike.
    pub fn same(&self, all: Seen) -> f64 {
        let mut sum = LogSum::default();
        self.same.iter().for_each(|(chance, weight)| sum.add(weight.ln() + log_likelihood(all, *chance)));
        sum.value()
    }

    /// What one more attempt with the patch, and one without it, is expected to tell about whether the chance rose by as
    /// much as is looked for, bits.
    pub fn bits(&self, split: Split) -> (f64, f64) {
        // weight, weight of a bad attempt with the patch, and of one without it: where it rose, and where it did not
        let mut risen = [0.0; 3];
        let mut other = [0.0; 3];
        let mut logs: Vec<(f64, f64, f64, bool)> = Vec::with_capacity(self.pairs.len() + self.same.len());
        for (pair, log) in self.logs(split) {
            let (with, without) = (RISEN[pair.with], USUAL[pair.without].0);
            logs.push((BROKEN.ln() + log, with, without, pair.is_worthwhile));
        }
        for (chance, weight) in &self.same {
            let log = ((1.0 - BROKEN) * weight).ln() + log_likelihood(split.with + split.without, *chance);
            logs.push((log, *chance, *chance, false));
        }
        let most = logs.iter().map(|(log, ..)| *log).fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (log, with, without, is_risen) in logs {
            let weight = (log - most).exp();
            sum += weight;
            let side = if is_risen { &mut risen } else { &mut other };
            side[0] += weight;
            side[1] += weight * with;
            side[2] += weight * without;
        }
        let tells = |nth: usize| {
            let given = |side: &[f64; 3]| {
                if side[0] > 0.0 { side[0] / sum * entropy(side[nth] / side[0]) } else { 0.0 }
            };
            (entropy((risen[nth] + other[nth]) / sum) - given(&risen) - given(&other)).max(0.0)
        };
        (tells(1), tells(2))
    }
}

/// The probability of a rise that is worth looking for, from logarithms of likelihoods: of such a rise, of any rise, and
/// of none.
pub fn worthwhile(worthwhile: f64, risen: f64, same: f64) -> f64 {
    let mut all = LogSum::default();
    all.add(BROKEN.ln() + risen);
    all.add((1.0 - BROKEN).ln() + same);
    (BROKEN.ln() + worthwhile - all.value()).exp().min(1.0)
}

/// Sums of numbers that are given by their logarithms.
#[derive(Clone, Copy, Debug)]
pub struct LogSum {
    most: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> LogSum {
        LogSum { most: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    /// Adds a number.
    pub fn add(&mut self, log: f64) {
        if log <= self.most {
            if log > f64::NEG_INFINITY {
                self.sum += (log - self.most).exp();
            }
        } else {
            self.sum = self.sum * (self.most - log).exp() + 1.0;
            self.most = log;
        }
    }

    /// The logarithm of the sum.
    pub fn value(self) -> f64 {
        self.most + self.sum.ln()
    }
}

fn log_likelihood(seen: Seen, chance: f64) -> f64 {
    f64::from(seen.symptoms) * chance.ln() + f64::from(seen.clean()) * (-chance).ln_1p()
}

/// The logarithm of the greatest likelihood where the chance with the patch is not above the one without it: each side
/// at its own rate if that is so of these, otherwise both at their common one.
fn greatest_not_risen(split: Split) -> f64 {
    let rate = |seen: Seen| f64::from(seen.symptoms) / f64::from(seen.attempts.max(1));
    let at_own = |seen: Seen| {
        let of = |count: u32| match count {
            0 => 0.0,
            count => f64::from(count) * (f64::from(count) / f64::from(seen.attempts)).ln(),
        };
        of(seen.symptoms) + of(seen.clean())
    };
    let Split { with, without } = split;
    match with.attempts == 0 || without.attempts == 0 || rate(with) <= rate(without) {
        true => at_own(with) + at_own(without),
        false => at_own(with + without),
    }
}

/// The same chances with weights that a learned one has changed.
fn believe(points: &[(f64, f64)], learned: f64) -> Vec<(f64, f64)> {
    let learned = learned.clamp(1e-4, 0.99);
    let near = |chance: f64| (TRUST * (learned * chance.ln() + (1.0 - learned) * (1.0 - chance).ln())).exp();
    let sum: f64 = points.iter().map(|(chance, _)| near(*chance)).sum();
    let all: f64 = points.iter().map(|(_, weight)| weight).sum();
    let weight = |chance: f64, weight: f64| DOUBT * weight / all + (1.0 - DOUBT) * near(chance) / sum;
    points.iter().map(|(chance, of_point)| (*chance, weight(*chance, *of_point))).collect()
}

fn entropy(p: f64) -> f64 {
    let of = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    of(p) + of(1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(with: (u32, u32), without: (u32, u32)) -> Split {
        Split { with: Seen::new(with.0, with.1), without: Seen::new(without.0, without.1) }
    }

    fn log_e(rates: &Rates, split: Split) -> f64 {
        let fit = rates.fit(split);
        fit.risen - fit.not_risen
    }

    #[test]
    fn weights_are_a_whole() {
        for spurious in [None, Some(0.0), Some(0.2), Some(0.9)] {
            let rates = Rates::new(spurious, 0.3);
            let fit = rates.fit(Split::default());
            assert!(fit.risen.abs() < 1e-9 && fit.worthwhile < fit.risen, "{fit:?}");
            assert!(rates.same(Seen::default()).abs() < 1e-9, "{}", rates.same(Seen::default()));
            assert_eq!(fit.not_risen, 0.0);
        }
    }

    type Known = std::collections::HashMap<(Split, u32), f64>;

    /// The expectation of the e-value over all that can be seen, where both chances are given and an unfair rule
    /// decides who is next and when to stop: at once when a difference shows.
    fn expected_e(rates: &Rates, chances: (f64, f64), seen: Split, left: u32, known: &mut Known) -> f64 {
        if let Some(expected) = known.get(&(seen, left)) {
            return *expected;
        }
        let e = log_e(rates, seen).exp();
        if left == 0 || e > 2.0 {
            return e;
        }
        let with_is_next = seen.with.attempts <= seen.without.attempts + seen.without.symptoms;
        let chance = if with_is_next { chances.0 } else { chances.1 };
        let mut after = |bad: u32| {
            let mut seen = seen;
            *(if with_is_next { &mut seen.with } else { &mut seen.without }) += Seen::new(bad, 1);
            expected_e(rates, chances, seen, left - 1, known)
        };
        let expected = chance * after(1) + (1.0 - chance) * after(0);
        known.insert((seen, left), expected);
        expected
    }

    #[test]
    fn looking_again_does_not_help() {
        for spurious in [None, Some(0.2)] {
            let rates = Rates::new(spurious, 0.3);
            let expected = |with: f64, without: f64| {
                expected_e(&rates, (with, without), Split::default(), 16, &mut Known::new())
            };
            for (with, without) in [(0.1, 0.1), (0.3, 0.3), (0.5, 0.5), (0.9, 0.9), (0.2, 0.6)] {
                let expected = expected(with, without);
                assert!(expected <= 1.0, "{with} {without}: {expected}");
            }
            assert!(expected(0.998, 0.0) > 2.0, "{}", expected(0.998, 0.0));
        }
    }

    #[test]
    fn a_difference_is_believed_sooner_the_greater_it_is() {
        let rates = Rates::new(None, 0.3);
        let needed = |percent: u32| {
            (1..300).find(|n| log_e(&rates, split((n * percent / 100, *n), (0, *n))) > 10.0).unwrap()
        };
        let (always, half, seldom) = (needed(100), needed(50), needed(20));
        assert!(always <= 11 && (15..40).contains(&half) && seldom > half, "{always} {half} {seldom}");
        assert!(log_e(&rates, split((0, 20), (20, 20))) < -10.0, "an improvement is no regression");
    }

    #[test]
    fn the_side_that_tells_more_is_asked() {
        let rates = Rates::new(None, 0.3);
        let (tip, base) = rates.bits(split((6, 6), (0, 0)));
        assert!(base > 3.0 * tip, "{tip} {base}");
        let (tip, base) = rates.bits(split((1, 4), (0, 0)));
        assert!(tip > base, "{tip} {base}");
    }

    #[test]
    fn sums_of_logarithms() {
        let mut sum = LogSum::default();
        assert_eq!(sum.value(), f64::NEG_INFINITY);
        [0.5f64, 2.0, 0.25].iter().for_each(|number| sum.add(number.ln()));
        sum.add(f64::NEG_INFINITY);
        assert!((sum.value() - 2.75f64.ln()).abs() < 1e-12);
    }
}
