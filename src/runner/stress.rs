//! Cells again and again: how often, and how long.

use std::time::{Duration, Instant};

use crate::verdict::Judgement;

/// How long every cell is judged again. Without any of these it is judged once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stress {
    /// Rounds of every cell.
    count: Option<u32>,
    /// After this no round is begun but the first.
    deadline: Option<Instant>,
}

impl Stress {
    /// So many rounds, or as many as begin within a time from now; whichever is over first.
    pub fn new(count: Option<u32>, duration: Option<Duration>) -> Stress {
        // a time beyond the clock's range never comes
        Stress { count, deadline: duration.and_then(|duration| Instant::now().checked_add(duration)) }
    }

    /// Whether a cell that was judged so many times is judged again.
    pub(super) fn wants_more_than(self, rounds: u32) -> bool {
        let is_asked = self.count.is_some() || self.deadline.is_some();
        is_asked && self.count.is_none_or(|count| rounds < count) && !self.is_over()
    }

    /// Whether no further round is begun.
    pub(super) fn is_over(self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// What the rounds of a cell gave before the one that goes on.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    /// How many.
    pub count: u32,
    /// What they say together.
    pub judgement: Judgement,
    /// Attempts that count.
    pub attempts: u32,
    /// Attempts that were begun: their numbers are taken.
    pub begun: u32,
    /// Wall time, seconds.
    pub seconds: f64,
}

impl Rounds {
    /// What they say with another one: what was seen once was there.
    pub fn with(&self, judgement: Judgement) -> Judgement {
        let (before, now) = (self.judgement.verdict, judgement.verdict);
        // of the same verdict twice the first one keeps its title and its place among the attempts
        if before.weight() >= now.weight() && before.weight() > 1 {
            self.judgement.clone()
        } else {
            judgement
        }
    }
}
