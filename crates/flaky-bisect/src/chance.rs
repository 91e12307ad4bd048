//! What an attempt is worth: the unknown chance that a kernel with the bug shows it, and the unknown chance that a
//! kernel without it shows the symptom all the same.
//!
//! Both are held as weights on a grid. What is known of them beforehand and what was seen are multiplied there, so that
//! any prior will do, and the two never trade places: a symptom in one attempt of fifty is a spurious one, a symptom in
//! one of ten is not.

/// Sizes of the batches that are weighed against each other, attempts.
pub const BATCHES: [u32; 5] = [1, 2, 4, 8, 16];

/// Chances per attempt on a kernel with the bug. Below the first one the bug is not distinguishable from noise within a number
/// of attempts that anybody makes.
const BAD: [f64; 23] = [
    0.04, 0.055, 0.075, 0.1, 0.13, 0.165, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75,
    0.8, 0.86, 0.92, 0.97, 0.998,
];

/// Chances per attempt on a kernel without the bug, with their weights beforehand. Symptoms are specific, so that most
/// tests never see one there; some do in up to one attempt of fifty.
const GOOD: [(f64, f64); 6] =
    [(2e-5, 0.55), (1e-3, 0.12), (3e-3, 0.11), (7e-3, 0.09), (1.2e-2, 0.08), (2e-2, 0.05)];

/// Chances per attempt on a kernel without the bug, for a test that is known to be flaky.
const SPURIOUS: [f64; 13] = [2e-5, 3e-3, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6];

/// How many attempts a measured chance is worth beforehand: enough to help, few enough to be overruled by what is seen
/// on these kernels.
const TRUST: f64 = 10.0;

/// The share of the weight that does not believe in the measured chance at all.
const DOUBT: f64 = 0.2;

/// Symptoms and attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Attempts that showed the symptom.
    pub symptoms: u32,
    /// Attempts that were evidence: those with the symptom, and whole doses without it.
    pub attempts: u32,
}

impl Seen {
    /// So many symptoms in so many attempts.
    pub fn new(symptoms: u32, attempts: u32) -> Seen {
        Seen { symptoms, attempts }
    }

    /// Attempts without the symptom.
    pub fn clean(self) -> u32 {
        self.attempts - self.symptoms
    }
}

impl std::ops::Add for Seen {
    type Output = Seen;

    fn add(self, other: Seen) -> Seen {
        Seen { symptoms: self.symptoms + other.symptoms, attempts: self.attempts + other.attempts }
    }
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Seen) {
        *self = *self + other;
    }
}

impl std::ops::Sub for Seen {
    type Output = Seen;

    fn sub(self, other: Seen) -> Seen {
        Seen { symptoms: self.symptoms - other.symptoms, attempts: self.attempts - other.attempts }
    }
}

/// What is known of the chance per attempt on one kind of kernel, before anything was seen there.
#[derive(Clone, Debug)]
pub struct Prior {
    points: Vec<Point>,
}

#[derive(Clone, Debug)]
struct Point {
    chance: f64,
    log_weight: f64,
    log_symptom: f64,
    log_clean: f64,
    /// The chance that a batch of each size stays clean.
    clean: [f64; BATCHES.len()],
}

/// What is known of the chance after something was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The logarithm of the chance of what was seen.
    pub log_likelihood: f64,
    /// The expected chance that a batch of each of the [`BATCHES`] shows no symptom.
    pub clean: [f64; BATCHES.len()],
}

impl Prior {
    /// For kernels with the bug; `measured` is the chance per attempt that earlier runs saw.
    pub fn bad(measured: Option<f64>) -> Prior {
        let flat = 1.0 / BAD.len() as f64;
        let Some(measured) = measured else { return Prior::new(BAD.iter().map(|chance| (*chance, flat))) };
        let measured = measured.clamp(BAD[0], BAD[BAD.len() - 1]);
        let beta = |chance: f64| {
            (TRUST * measured * chance.ln() + TRUST * (1.0 - measured) * (1.0 - chance).ln()).exp()
        };
        let sum: f64 = BAD.iter().map(|chance| beta(*chance)).sum();
        Prior::new(BAD.iter().map(|chance| (*chance, DOUBT * flat + (1.0 - DOUBT) * beta(*chance) / sum)))
    }

    /// For kernels without it.
    pub fn good() -> Prior {
        Prior::new(GOOD.into_iter())
    }

    /// For kernels without it, where the test is known to show its symptom now and then all the same: `learned` is that
    /// chance per attempt. Wider than [`Prior::good`], which holds for specific symptoms only.
    pub fn spurious(learned: f64) -> Prior {
        let flat = 1.0 / SPURIOUS.len() as f64;
        let learned = learned.clamp(SPURIOUS[0], SPURIOUS[SPURIOUS.len() - 1]);
        let beta = |chance: f64| {
            (TRUST * learned * chance.ln() + TRUST * (1.0 - learned) * (1.0 - chance).ln()).exp()
        };
        let sum: f64 = SPURIOUS.iter().map(|chance| beta(*chance)).sum();
        let weight = |chance: f64| DOUBT * flat + (1.0 - DOUBT) * beta(chance) / sum;
        Prior::new(SPURIOUS.iter().map(|chance| (*chance, weight(*chance))))
    }

    fn new(weights: impl Iterator<Item = (f64, f64)>) -> Prior {
        let point = |(chance, weight): (f64, f64)| Point {
            chance,
            log_weight: weight.ln(),
            log_symptom: chance.ln(),
            log_clean: (-chance).ln_1p(),
            clean: BATCHES.map(|batch| (1.0 - chance).powi(batch as i32)),
        };
        Prior { points: weights.map(point).collect() }
    }

    /// What `seen` makes of it.
    pub fn after(&self, seen: Seen) -> Evidence {
        let logs = self.logs(seen);
        let most = logs.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let mut sum = 0.0;
        let mut clean = [0.0; BATCHES.len()];
        for (log, point) in logs.iter().zip(&self.points) {
            let weight = (log - most).exp();
            sum += weight;
            for (clean, of_point) in clean.iter_mut().zip(&point.clean) {
                *clean += weight * of_point;
            }
        }
        Evidence { log_likelihood: most + sum.ln(), clean: clean.map(|c| c / sum) }
    }

    /// The prior that `seen` makes of it, for what is seen elsewhere.
    pub fn updated(&self, seen: Seen) -> Prior {
        let logs = self.logs(seen);
        let whole = self.after(seen).log_likelihood;
        let points = self.points.iter().zip(logs);
        Prior {
            points: points.map(|(point, log)| Point { log_weight: log - whole, ..point.clone() }).collect(),
        }
    }

    /// The chance per attempt that is expected, and the range that holds it with 95%.
    pub fn summary(&self) -> (f64, f64, f64) {
        let weights: Vec<(f64, f64)> = self.points.iter().map(|p| (p.chance, p.log_weight.exp())).collect();
        let mean = weights.iter().map(|(chance, weight)| chance * weight).sum();
        let reach = |tail: f64, mut points: Box<dyn Iterator<Item = &(f64, f64)> + '_>| {
            let mut sum = 0.0;
            points
                .find(|(_, weight)| {
                    sum += weight;
                    sum >= tail
                })
                .map_or(mean, |(chance, _)| *chance)
        };
        (mean, reach(0.025, Box::new(weights.iter())), reach(0.025, Box::new(weights.iter().rev())))
    }

    /// How many clean attempts leave at most `miss` of the chance that a kernel of this kind shows nothing; at most
    /// `most`.
    pub fn clean_attempts(&self, miss: f64, most: u32) -> u32 {
        (1..most).find(|n| self.after(Seen::new(0, *n)).log_likelihood <= miss.ln()).unwrap_or(most)
    }

    fn logs(&self, seen: Seen) -> Vec<f64> {
        let (symptoms, clean) = (f64::from(seen.symptoms), f64::from(seen.clean()));
        self.points.iter().map(|p| p.log_weight + symptoms * p.log_symptom + clean * p.log_clean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likelihoods_are_those_of_the_grid() {
        let prior = Prior::bad(None);
        let expected: f64 = BAD.iter().map(|p| p * (1.0 - p).powi(3) / BAD.len() as f64).sum();
        assert!((prior.after(Seen::new(1, 4)).log_likelihood - expected.ln()).abs() < 1e-9);
        assert!(prior.after(Seen::default()).log_likelihood.abs() < 1e-9);
        let good: f64 = GOOD.iter().map(|(_, weight)| weight).sum();
        assert!((good - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_prior_that_was_updated_goes_on_where_the_other_stopped() {
        let (first, then) = (Seen::new(2, 7), Seen::new(1, 9));
        for prior in [Prior::bad(None), Prior::bad(Some(0.3)), Prior::good()] {
            let both = prior.after(first + then).log_likelihood;
            let steps = prior.after(first).log_likelihood + prior.updated(first).after(then).log_likelihood;
            assert!((both - steps).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_seen_overrules_what_was_measured() {
        let (mean, low, high) = Prior::bad(Some(0.9)).updated(Seen::new(3, 30)).summary();
        assert!(mean < 0.25 && low < 0.1 && high < 0.45, "{mean} {low} {high}");
        let (mean, low, high) = Prior::bad(Some(0.9)).summary();
        assert!(mean > 0.7 && low < 0.3 && high > 0.95, "{mean} {low} {high}");
    }

    #[test]
    fn a_flaky_test_is_believed_to_be_one() {
        let (mean, low, high) = Prior::spurious(0.2).summary();
        assert!((0.12..0.3).contains(&mean) && low < 0.05 && high > 0.3, "{mean} {low} {high}");
        let seen = Seen::new(3, 12);
        let better =
            Prior::spurious(0.2).after(seen).log_likelihood - Prior::good().after(seen).log_likelihood;
        assert!(better > 2.0, "{better}");
    }

    #[test]
    fn rare_bugs_take_more_clean_attempts() {
        let needed = |seen| Prior::bad(None).updated(seen).clean_attempts(0.05, 200);
        let (sure, half, rare) =
            (needed(Seen::new(10, 10)), needed(Seen::new(10, 20)), needed(Seen::new(2, 20)));
        assert!(sure <= 2 && half > sure && rare > 2 * half, "{sure} {half} {rare}");
    }
}
