//! Texts that many cells have in common, held once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// No text, no cell, nothing of whatever has a number.
pub(super) const NONE: u32 = u32::MAX;

/// The number of a text.
pub(super) type Name = u32;

/// A number of what a run has fewer than 2³² of.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).ok().filter(|number| *number != NONE).expect("fewer than 2^32 of a kind")
}

/// Texts and their numbers, which are given in order from 0.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// One behind the other, as a run may have ten thousand kernels.
    texts: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    numbers: HashTable<Name>,
    hasher: DefaultHashBuilder,
}

impl Names {
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        self.numbers.find(self.hasher.hash_one(text), |name| self.text(*name) == text).copied()
    }

    pub(super) fn number(&mut self, text: &str) -> Name {
        self.find(text).unwrap_or_else(|| {
            let number = small(self.ends.len());
            self.texts.push_str(text);
            self.ends.push(self.texts.len());
            let Names { texts, ends, numbers, hasher } = self;
            let hash_of = |name: &Name| hasher.hash_one(nth(texts, ends, *name).unwrap_or_default());
            numbers.insert_unique(hasher.hash_one(text), number, hash_of);
            number
        })
    }

    pub(super) fn text(&self, name: Name) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn get(&self, name: Name) -> Option<&str> {
        nth(&self.texts, &self.ends, name)
    }

    /// All of them in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|number| self.text(number as Name))
    }
}

fn nth<'t>(texts: &'t str, ends: &[usize], name: Name) -> Option<&'t str> {
    let name = name as usize;
    let end = *ends.get(name)?;
    let start = name.checked_sub(1).map_or(0, |before| ends[before]);
    texts.get(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_has_one_number(texts in prop::collection::vec("[aß]{0,3}", 0..40)) {
            let mut names = Names::default();
            let mut told: Vec<String> = Vec::new();
            for text in &texts {
                let known = told.iter().position(|one| one == text);
                prop_assert_eq!(names.find(text), known.map(small));
                if known.is_none() {
                    told.push(text.clone());
                }
                let number = names.number(text);
                prop_assert_eq!((number as usize, names.text(number)), (known.unwrap_or(told.len() - 1), text.as_str()));
            }
            prop_assert_eq!(names.iter().collect::<Vec<_>>(), told);
            prop_assert_eq!(names.get(NONE), None);
        }
    }
}
