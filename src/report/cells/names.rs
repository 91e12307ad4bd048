//! Texts that many cells have in common, held once.

use std::collections::HashMap;
use std::sync::Arc;

/// No text, no cell, nothing of whatever has a number.
pub(super) const NONE: u32 = u32::MAX;

/// The number of a text.
pub(super) type Name = u32;

/// The number of two texts that belong together.
pub(super) type Pair = u32;

/// A number of what a run has fewer than 2³² of.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).ok().filter(|number| *number != NONE).expect("fewer than 2^32 of a kind")
}

/// Texts and their numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
}

impl Names {
    pub(super) fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    pub(super) fn number(&mut self, text: &str) -> Name {
        self.find(text).unwrap_or_else(|| {
            let (number, text) = (small(self.texts.len()), Arc::from(text));
            self.texts.push(Arc::clone(&text));
            self.numbers.insert(text, number);
            number
        })
    }

    pub(super) fn text(&self, name: Name) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn get(&self, name: Name) -> Option<&str> {
        self.texts.get(name as usize).map(|text| &**text)
    }
}

/// A test with its summary, a kernel with its release: there are far fewer of them than cells.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pairs: Vec<(Name, Name)>,
    numbers: HashMap<(Name, Name), Pair>,
}

impl Pairs {
    pub(super) fn number(&mut self, pair: (Name, Name)) -> Pair {
        let next = small(self.pairs.len());
        let number = *self.numbers.entry(pair).or_insert(next);
        if number == next {
            self.pairs.push(pair);
        }
        number
    }

    pub(super) fn get(&self, number: Pair) -> (Name, Name) {
        self.pairs[number as usize]
    }
}
