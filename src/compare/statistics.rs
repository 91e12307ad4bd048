//! How well chance explains a difference.

/// Fisher's exact test, one-sided: the chance that of two kernels that are alike, the first breaks in at least `a` of
/// its `a + b` attempts when `a + c` of all attempts broke (hypergeometric; R. A. Fisher, 1935).
pub fn fisher_one_sided(a: u64, b: u64, c: u64, d: u64) -> f64 {
    let (first, second) = (a + b, c + d);
    let broken = a + c;
    let all = ln_choose(first + second, broken);
    let most = first.min(broken);
    let sum: f64 = (a..=most)
        .filter(|hits| broken - hits <= second)
        .map(|hits| (ln_choose(first, hits) + ln_choose(second, broken - hits) - all).exp())
        .sum();
    sum.min(1.0)
}

/// The chance that `clean` attempts of a bug stay clean that showed in `bad` of `bad + good` attempts before, when
/// nothing else is known of how often it shows (a uniform prior; the mean of (1-p)^clean over the posterior).
pub fn clean_by_luck(bad: u64, good: u64, clean: u64) -> f64 {
    // B(bad + 1, good + clean + 1) / B(bad + 1, good + 1)
    (0..clean).map(|n| (good + 1 + n) as f64 / (bad + good + 2 + n) as f64).product()
}

/// How many clean attempts make [`clean_by_luck`] at most `doubt`.
pub fn clean_needed(bad: u64, good: u64, doubt: f64) -> u64 {
    const MOST: u64 = 10_000;
    (0..MOST).find(|clean| clean_by_luck(bad, good, *clean) <= doubt).unwrap_or(MOST)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |n: u64| (2..=n).map(|factor| (factor as f64).ln()).sum::<f64>();
    if k > n { f64::NEG_INFINITY } else { ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} and not {expected}");
    }

    #[test]
    fn fishers_test_has_its_known_values() {
        // the lady tasting tea: 17/70 for one mistake, 1/70 for none
        near(fisher_one_sided(3, 1, 1, 3), 17.0 / 70.0);
        near(fisher_one_sided(4, 0, 0, 4), 1.0 / 70.0);
        near(fisher_one_sided(1, 0, 0, 3), 1.0 / 4.0);
        near(fisher_one_sided(0, 5, 3, 2), 1.0);
        near(fisher_one_sided(0, 0, 0, 0), 1.0);
        near(fisher_one_sided(5, 0, 5, 0), 1.0);
    }

    #[test]
    fn clean_attempts_are_worth_what_the_posterior_says() {
        // once of once: the mean of (1-p)^m over the density 2p is 2 / ((m+1)(m+2))
        near(clean_by_luck(1, 0, 3), 2.0 / 20.0);
        near(clean_by_luck(1, 0, 5), 2.0 / 42.0);
        near(clean_by_luck(0, 0, 1), 1.0 / 2.0);
        near(clean_by_luck(3, 7, 0), 1.0);
        assert_eq!(clean_needed(1, 0, 0.05), 5);
        assert!(clean_needed(1, 9, 0.05) > 30);
    }
}
