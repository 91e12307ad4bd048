//! Cells of a run by their numbers.

use std::iter::{Flatten, StepBy};
use std::ops::Range;

/// Places of some cells of a run. A run may have a million; those of a kernel or of a test mostly have the same distance from
/// one another, and of such a stretch only its beginning is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellPlaces(Vec<Stretch>);

/// Places with the same distance from one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    first: u32,
    /// 0 in one of a single place.
    step: u32,
    count: u32,
}

impl Stretch {
    /// The place that would be its next one.
    fn next(self) -> usize {
        self.first as usize + self.step.max(1) as usize * self.count as usize
    }
}

impl IntoIterator for Stretch {
    type Item = usize;
    type IntoIter = StepBy<Range<usize>>;

    fn into_iter(self) -> Self::IntoIter {
        let step = self.step.max(1) as usize;
        let first = self.first as usize;
        (first..first + step * self.count as usize).step_by(step)
    }
}

impl CellPlaces {
    /// Adds a place behind all others.
    pub(in crate::report) fn push(&mut self, place: u32) {
        match self.0.last_mut() {
            Some(last) if last.count == 1 && place > last.first => {
                (last.step, last.count) = (place - last.first, 2);
            }
            Some(last) if last.count > 1 && last.next() == place as usize => last.count += 1,
            _ => self.0.push(Stretch { first: place, step: 0, count: 1 }),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|stretch| stretch.count as usize).sum()
    }

    /// The first one.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// The last one.
    pub fn last(&self) -> Option<usize> {
        self.0.last().map(|stretch| stretch.next() - stretch.step.max(1) as usize)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = usize> + Clone {
        self.0.iter().copied().flatten()
    }

    /// Puts those that are meant before all others; else they stay as they stand.
    pub fn put_first(&mut self, is_meant: impl Fn(usize) -> bool) {
        if !self.iter().any(&is_meant) {
            return;
        }
        let mut places = CellPlaces::default();
        let (first, others) =
            (self.iter().filter(|place| is_meant(*place)), self.iter().filter(|place| !is_meant(*place)));
        first.chain(others).for_each(|place| places.push(place as u32));
        *self = places;
    }
}

impl IntoIterator for CellPlaces {
    type Item = usize;
    type IntoIter = Flatten<std::vec::IntoIter<Stretch>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(numbers: &[u32]) -> CellPlaces {
        let mut places = CellPlaces::default();
        numbers.iter().for_each(|number| places.push(*number));
        places
    }

    proptest! {
        #[test]
        fn places_stay_in_their_order(numbers in prop::collection::vec(0..30u32, 0..40), meant in 0..30usize) {
            let mut places = places(&numbers);
            let all: Vec<usize> = numbers.iter().map(|number| *number as usize).collect();
            prop_assert_eq!(places.iter().collect::<Vec<_>>(), all.clone());
            prop_assert_eq!(places.clone().into_iter().collect::<Vec<_>>(), all.clone());
            prop_assert_eq!((places.len(), places.first(), places.last()), (all.len(), all.first().copied(), all.last().copied()));
            places.put_first(|place| place < meant);
            let mut sorted = all;
            sorted.sort_by_key(|place| *place >= meant);
            prop_assert_eq!(places.iter().collect::<Vec<_>>(), sorted);
        }
    }

    #[test]
    fn places_at_the_same_distance_take_little() {
        let numbers: Vec<u32> = (0..1000).map(|n| 7 + n * 100).collect();
        assert_eq!(places(&numbers).0.len(), 1);
    }
}
