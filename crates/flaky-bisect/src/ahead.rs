//! Which kernel a search will most likely ask for next, so that it can be fetched while attempts on another one run.

use super::{Search, Seen, Step};

/// How likely a kernel has to be needed for it to be fetched before it is asked for: of two that are as likely as each
/// other neither is, as half of what is fetched so would be for nothing.
const LIKELY: f64 = 0.6;

/// How many steps are looked ahead.
const STEPS: usize = 6;

impl Search {
    /// The next kernel that has to be got, after `attempts` on `node`, if that can be said with some certainty.
    pub fn likely_next(&self, node: usize, attempts: u32) -> Option<usize> {
        let bad = self.bad_probability(node);
        let mut needed: Vec<(usize, f64)> = Vec::new();
        for (chance, seen) in [(bad, Seen::new(1, 1)), (1.0 - bad, Seen::new(0, attempts.max(1)))] {
            if chance <= 0.0 {
                continue;
            }
            if let Some(next) = self.next_to_get(node, seen) {
                match needed.iter_mut().find(|(node, _)| *node == next) {
                    Some((_, sum)) => *sum += chance,
                    None => needed.push((next, chance)),
                }
            }
        }
        let likely = needed.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (likely.1 >= LIKELY).then_some(likely.0)
    }

    /// The first kernel that is not here, on the likeliest way on from what was seen on `node`.
    fn next_to_get(&self, mut node: usize, mut seen: Seen) -> Option<usize> {
        let mut search = self.clone();
        for _ in 0..STEPS {
            search.observe(node, seen);
            let Step::Try { node: next, attempts, .. } = search.next() else { return None };
            if !search.is_here(next) {
                return Some(next);
            }
            node = next;
            seen = match search.bad_probability(next) > 0.5 {
                true => Seen::new(1, 1),
                false => Seen::new(0, attempts),
            };
        }
        None
    }

    /// How likely a kernel has the bug. An end is taken for what it is called until attempts there say otherwise.
    fn bad_probability(&self, node: usize) -> f64 {
        let untried = self.posterior().seen(node).attempts == 0;
        match () {
            () if untried && node == self.bad_end() => 1.0,
            () if untried && node == self.good_end() => 0.0,
            () => self.posterior().bad_probabilities()[node],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Aims, Costs, Find, History};

    fn line(find: Find) -> Search {
        let costs = Costs { kernel: 10.0, attempt: 10.0 };
        Search::new(Arc::new(History::linear(32)), find, Aims::default(), costs)
    }

    #[test]
    fn behind_the_bad_end_comes_the_good_one_and_then_the_middle() {
        for find in [Find::Cause, Find::Fix] {
            let mut search = line(find);
            let (bad, good) = (search.bad_end(), search.good_end());
            assert_eq!(search.likely_next(bad, 1), Some(good), "{find:?}");
            search.observe(bad, Seen::new(1, 1));
            search.have(good);
            let middle = search.likely_next(good, 1).expect("it is sure");
            assert!((10..=22).contains(&middle), "{find:?} {middle}");
        }
    }

    #[test]
    fn of_two_halves_neither_is_fetched() {
        let mut search = line(Find::Cause);
        search.observe(32, Seen::new(6, 6));
        search.observe(0, Seen::new(0, 12));
        let Step::Try { node, attempts, .. } = search.next() else { panic!() };
        search.have(node);
        assert_eq!(search.likely_next(node, attempts), None, "{node}");
    }

    #[test]
    fn nothing_is_fetched_that_is_here() {
        let mut search = line(Find::Cause);
        (0..=32).for_each(|node| search.have(node));
        assert_eq!(search.likely_next(32, 1), None);
    }
}
