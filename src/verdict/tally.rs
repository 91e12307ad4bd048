//! What the attempts of a cell mean together, and whether another one can still change that.

use super::{Judgement, Verdict};

/// What to do next with a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Another attempt.
    Attempt,
    /// The verdict is settled.
    Settled(Judgement),
}

/// The attempts of a cell so far.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Clean attempts that make a `good`.
    needed: u32,
    /// Attempts that may still be repeated because they said nothing about the test.
    retries: u32,
    /// Whole doses that showed no symptom.
    doses: u32,
    made: u32,
    /// The first crash of another kind during a dose.
    other: Option<Judgement>,
    /// The first crash before a dose.
    early: Option<Judgement>,
    /// The result of the last attempt that said nothing about the test.
    failed: Option<Judgement>,
}

impl Tally {
    /// A cell that needs this many clean attempts, with this many retries.
    pub fn new(needed: u32, retries: u32) -> Tally {
        Tally { needed: needed.max(1), retries, doses: 0, made: 0, other: None, early: None, failed: None }
    }

    /// Attempts taken in.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Attempts that a `good` lacks. As many more may be made before the verdict is known.
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(self.doses)
    }

    /// Takes in one more attempt and says what is next.
    ///
    /// One symptom settles `bad`. `good` takes every clean attempt that was asked for. A crash of another kind does
    /// not end the cell: the symptom may still come. It is never swallowed either: where a later attempt ends in `skip`,
    /// `blind` or `lost`, the cell is `other`. What was lost before the dose is tried again.
    pub fn take(&mut self, judgement: Judgement) -> Next {
        self.made += 1;
        match judgement.verdict {
            Verdict::Bad => return Next::Settled(judgement),
            Verdict::Skip | Verdict::Blind => return Next::Settled(self.crash().unwrap_or(judgement)),
            Verdict::Good => self.doses += 1,
            Verdict::Other if judgement.dosed => {
                self.doses += 1;
                self.other.get_or_insert(judgement);
            }
            Verdict::Other | Verdict::Lost => {
                if judgement.verdict == Verdict::Other {
                    self.early.get_or_insert_with(|| judgement.clone());
                }
                if self.retries == 0 {
                    return Next::Settled(self.crash().unwrap_or(judgement));
                }
                self.retries -= 1;
                self.failed = Some(judgement);
            }
        }
        if self.doses < self.needed {
            return Next::Attempt;
        }
        Next::Settled(self.other.take().unwrap_or(Judgement {
            verdict: Verdict::Good,
            title: None,
            reason: None,
            dosed: true,
        }))
    }

    /// The result of an unfinished cell when no more attempts are made.
    pub fn unfinished(&self) -> Option<&Judgement> {
        self.other.as_ref().or(self.early.as_ref()).or(self.failed.as_ref())
    }

    /// The crash of another kind that was seen, one during a dose first.
    fn crash(&mut self) -> Option<Judgement> {
        self.other.take().or(self.early.take())
    }
}

/// The chance that a bug was missed: each of `clean` attempts would have shown it with chance `p`.
pub fn miss_chance(p: f64, clean: u32) -> f64 {
    (1.0 - p.clamp(0.0, 1.0)).powi(clean.min(i32::MAX as u32) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::*;

    fn one(verdict: Verdict, dosed: bool) -> Judgement {
        Judgement { verdict, title: None, reason: None, dosed }
    }

    /// Feeds attempts until the cell settles; answers the verdict and how many attempts it took.
    fn settle(needed: u32, retries: u32, attempts: &[(Verdict, bool)]) -> (Option<Verdict>, u32) {
        let mut tally = Tally::new(needed, retries);
        for &(verdict, dosed) in attempts {
            if let Next::Settled(judgement) = tally.take(one(verdict, dosed)) {
                return (Some(judgement.verdict), tally.made());
            }
        }
        (None, tally.made())
    }

    #[test]
    fn cells_settle_as_the_design_says() {
        type Case<'a> = (u32, u32, &'a [(Verdict, bool)], Option<Verdict>, u32);
        let table: &[Case<'_>] = &[
            (3, 2, &[(Bad, true)], Some(Bad), 1),
            (3, 2, &[(Good, true), (Bad, true)], Some(Bad), 2),
            (3, 2, &[(Good, true), (Good, true), (Good, true)], Some(Good), 3),
            (3, 2, &[(Good, true), (Good, true)], None, 2),
            (1, 2, &[(Lost, false), (Good, true)], Some(Good), 2),
            (1, 2, &[(Lost, false), (Lost, false), (Lost, false)], Some(Lost), 3),
            (1, 0, &[(Lost, false)], Some(Lost), 1),
            (1, 1, &[(Other, false), (Good, true)], Some(Good), 2),
            (1, 1, &[(Other, false), (Other, false)], Some(Other), 2),
            (2, 1, &[(Other, true), (Good, true)], Some(Other), 2),
            (2, 1, &[(Other, true), (Bad, true)], Some(Bad), 2),
            (3, 1, &[(Good, true), (Blind, true)], Some(Blind), 2),
            (3, 1, &[(Skip, true)], Some(Skip), 1),
            // a crash is not swallowed by what judges nothing
            (6, 2, &[(Other, true), (Skip, true)], Some(Other), 2),
            (6, 2, &[(Other, true), (Good, true), (Blind, true)], Some(Other), 3),
            (3, 2, &[(Other, false), (Blind, true)], Some(Other), 2),
            (3, 2, &[(Other, false), (Lost, false), (Lost, false)], Some(Other), 3),
            (3, 0, &[(Other, true), (Lost, false)], Some(Other), 2),
            (3, 2, &[(Other, true), (Lost, true), (Lost, false), (Lost, false)], Some(Other), 4),
            (
                3,
                2,
                &[(Other, false), (Other, false), (Good, true), (Good, true), (Good, true)],
                Some(Good),
                5,
            ),
            (3, 1, &[(Good, true), (Skip, true)], Some(Skip), 2),
        ];
        for (needed, retries, attempts, verdict, made) in table {
            assert_eq!(settle(*needed, *retries, attempts), (*verdict, *made), "{attempts:?}");
        }
    }

    #[test]
    fn absence_is_worth_what_the_chance_says() {
        assert!((miss_chance(0.5, 3) - 0.125).abs() < 1e-12);
        assert_eq!(miss_chance(1.0, 1), 0.0);
        assert_eq!(miss_chance(0.3, 0), 1.0);
    }
}
