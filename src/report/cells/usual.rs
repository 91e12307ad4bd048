//! What is said of each cell and is mostly the same for all cells of a kernel, or of a test.

use std::collections::HashMap;

use super::names::{NONE, Name};

/// Texts by kernel or by test, and those of single cells that are others.
#[derive(Debug, Default)]
pub(super) struct Usual {
    /// What was said first, by the number of the kernel or test.
    usual: Vec<Name>,
    /// By the cell's place.
    others: HashMap<u32, Name>,
}

impl Usual {
    /// Takes down what is said of a cell of `group`. The answer is whether it is the usual text there.
    pub(super) fn say(&mut self, group: Name, place: u32, text: Name) -> bool {
        let group = group as usize;
        if self.usual.len() <= group {
            self.usual.resize(group + 1, NONE);
        }
        let usual = &mut self.usual[group];
        if *usual == NONE {
            *usual = text;
        }
        let is_usual = *usual == text;
        if is_usual {
            self.others.remove(&place);
        } else {
            self.others.insert(place, text);
        }
        is_usual
    }

    /// What was said of a cell last; [`NONE`]: nothing was.
    pub(super) fn of(&self, group: Name, place: u32, is_usual: bool) -> Name {
        if is_usual { self.usual[group as usize] } else { self.others.get(&place).copied().unwrap_or(NONE) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_word_counts(said in prop::collection::vec((0..3u32, 0..4u32, 0..3u32), 0..30)) {
            let mut usual = Usual::default();
            let mut last: HashMap<(Name, u32), (Name, bool)> = HashMap::new();
            for (group, cell, text) in said {
                // a cell belongs to one group
                let place = group * 4 + cell;
                last.insert((group, place), (text, usual.say(group, place, text)));
                for ((group, place), (text, is_usual)) in &last {
                    prop_assert_eq!(usual.of(*group, *place, *is_usual), *text);
                }
            }
            prop_assert_eq!(usual.of(0, 99, false), NONE);
        }
    }

    #[test]
    fn cells_that_are_alike_are_held_once() {
        let mut usual = Usual::default();
        assert!((0..100).all(|place| usual.say(1, place, 7)));
        assert!(!usual.say(1, 100, 8) && usual.say(0, 101, 8));
        assert_eq!(usual.others.len(), 1);
    }
}
