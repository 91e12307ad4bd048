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

/// A side by side count: broken and whole of the first, then of the second.
pub type Table = [u64; 4];

/// The exact test of several tables, two-sided: the chance that sides which are alike within each table differ as much as these
/// do in all of them together, or more. What is compared is how many of the first sides broke, given how many broke in each table,
/// as Mantel and Haenszel do; the distribution of that sum is computed, not approximated. Of one table it is Fisher's test.
pub fn exact_two_sided(tables: &[Table]) -> f64 {
    let mut chances = vec![1.0];
    let mut seen = 0;
    for [a, b, c, d] in tables {
        let (first, second, broken) = (a + b, c + d, a + c);
        let all = ln_choose(first + second, broken);
        let least = broken.saturating_sub(second);
        let of = |hits: u64| (ln_choose(first, hits) + ln_choose(second, broken - hits) - all).exp();
        let one: Vec<f64> = (least..=first.min(broken)).map(of).collect();
        let mut sum = vec![0.0; chances.len() + one.len() - 1];
        for (n, before) in chances.iter().enumerate() {
            for (m, chance) in one.iter().enumerate() {
                sum[n + m] += before * chance;
            }
        }
        chances = sum;
        seen += (a - least) as usize;
    }
    // as likely but for rounding
    let most = chances[seen] * (1.0 + 1e-7);
    chances.iter().filter(|chance| **chance <= most).sum::<f64>().min(1.0)
}

/// Wilson's interval of a share: where it lies with a chance of 95 %.
pub fn wilson(broken: u64, of: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, z2) = (of as f64, Z * Z);
    let share = broken as f64 / n;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    ((middle - half).max(0.0), (middle + half).min(1.0))
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
    fn several_tables_are_one_test() {
        // of one table it is Fisher's: the lady tasting tea again, both tails
        near(exact_two_sided(&[[3, 1, 1, 3]]), 34.0 / 70.0);
        near(exact_two_sided(&[[4, 0, 0, 4]]), 2.0 / 70.0);
        near(exact_two_sided(&[[2, 2, 2, 2]]), 1.0);
        // two tables that agree say more than one, two that contradict each other nothing
        near(exact_two_sided(&[[4, 0, 0, 4], [4, 0, 0, 4]]), 2.0 / 4900.0);
        near(exact_two_sided(&[[4, 0, 0, 4], [0, 4, 4, 0]]), 1.0);
        // where all broke, or nothing was tried, nothing is compared
        near(exact_two_sided(&[[5, 0, 7, 0], [0, 0, 0, 0]]), 1.0);
        near(exact_two_sided(&[]), 1.0);
        let large = exact_two_sided(&[[100, 100, 100, 100], [90, 110, 110, 90], [120, 80, 95, 105]]);
        assert!((0.5..1.0).contains(&large), "{large}");
    }

    #[test]
    fn wilsons_interval_has_its_known_values() {
        let close = |found: (f64, f64), expected: (f64, f64)| {
            assert!((found.0 - expected.0).abs() < 5e-4 && (found.1 - expected.1).abs() < 5e-4, "{found:?}");
        };
        // R. G. Newcombe, 1998, table I
        close(wilson(81, 263), (0.2553, 0.3662));
        close(wilson(15, 148), (0.0624, 0.1605));
        close(wilson(0, 20), (0.0, 0.1611));
        close(wilson(1, 29), (0.0061, 0.1718));
        close(wilson(0, 0), (0.0, 1.0));
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
