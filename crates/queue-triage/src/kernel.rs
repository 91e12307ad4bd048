//! Which kernel: the baseline with some patches of the queue.

use std::collections::BTreeSet;

/// A kernel, by the patches of the queue that it holds. Patches are numbered from 1 in the order of the queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelOf {
    /// None of them.
    Baseline,
    /// All of them.
    Tip,
    /// The first so many.
    Prefix(usize),
    /// All but these.
    Without(BTreeSet<usize>),
}

impl KernelOf {
    /// The one name of this kernel in a queue of so many patches: an end before a prefix, a prefix before a set.
    pub fn canonical(self, patches: usize) -> KernelOf {
        let cut = match &self {
            KernelOf::Baseline => 0,
            KernelOf::Tip => patches,
            KernelOf::Prefix(cut) => (*cut).min(patches),
            KernelOf::Without(set) => match set.first() {
                None => patches,
                Some(first) if patches + 1 - first == set.len() => first - 1,
                Some(_) => return self,
            },
        };
        match cut {
            0 => KernelOf::Baseline,
            cut if cut == patches => KernelOf::Tip,
            cut => KernelOf::Prefix(cut),
        }
    }

    /// Whether it holds a patch.
    pub fn holds(&self, patch: usize) -> bool {
        match self {
            KernelOf::Baseline => false,
            KernelOf::Tip => true,
            KernelOf::Prefix(cut) => patch <= *cut,
            KernelOf::Without(set) => !set.contains(&patch),
        }
    }

    /// The kernel that has the first `cut` patches but none of `removed`.
    pub(crate) fn cut_without(cut: usize, removed: &BTreeSet<usize>, patches: usize) -> KernelOf {
        if removed.range(..=cut).next().is_none() {
            return KernelOf::Prefix(cut).canonical(patches);
        }
        KernelOf::Without(removed.iter().copied().chain(cut + 1..=patches).collect()).canonical(patches)
    }

    /// The `cut` for which [`KernelOf::cut_without`] is this kernel.
    pub(crate) fn as_cut(&self, removed: &BTreeSet<usize>, patches: usize) -> Option<usize> {
        let prefix = |cut: usize| removed.range(..=cut).next().is_none().then_some(cut);
        match self {
            KernelOf::Baseline => Some(0),
            KernelOf::Tip => prefix(patches),
            KernelOf::Prefix(cut) => prefix(*cut),
            KernelOf::Without(set) => {
                if !removed.is_subset(set) {
                    return None;
                }
                let Some(first) = set.iter().find(|patch| !removed.contains(patch)) else {
                    return Some(patches);
                };
                let also_removed = removed.range(first..).count();
                let rest = set.range(first..).count();
                (rest == patches + 1 - first && also_removed <= rest).then(|| first - 1)
            }
        }
    }
}

impl std::fmt::Display for KernelOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KernelOf::Baseline => f.write_str("the baseline"),
            KernelOf::Tip => f.write_str("the tip"),
            KernelOf::Prefix(cut) => write!(f, "the first {cut} patches"),
            KernelOf::Without(set) => {
                f.write_str("the tip without ")?;
                for (nth, patch) in set.iter().enumerate() {
                    let comma = if nth > 0 { ", " } else { "" };
                    write!(f, "{comma}{patch}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_says_which_patches_are_held(set in proptest::collection::btree_set(1usize..8, 0..8), cut in 0usize..9) {
            for kernel in [KernelOf::Without(set.clone()), KernelOf::Prefix(cut.min(7))] {
                let name = kernel.clone().canonical(7);
                for patch in 1..=7 {
                    prop_assert_eq!(kernel.holds(patch), name.holds(patch), "{} {}", kernel, name);
                }
                prop_assert_eq!(name.clone().canonical(7), name);
            }
        }

        #[test]
        fn cuts_are_found_again(
            removed in proptest::collection::btree_set(1usize..8, 0..4),
            other in proptest::collection::btree_set(1usize..8, 0..8),
            cut in 0usize..8,
        ) {
            let kernel = KernelOf::cut_without(cut, &removed, 7);
            let found = kernel.as_cut(&removed, 7).expect("it is a cut");
            // patches that are taken out make no difference to where the cut is
            prop_assert_eq!(KernelOf::cut_without(found, &removed, 7), kernel.clone());
            for patch in 1..=7 {
                prop_assert_eq!(kernel.holds(patch), patch <= cut && !removed.contains(&patch));
            }
            let other = KernelOf::Without(other).canonical(7);
            if let Some(cut) = other.as_cut(&removed, 7) {
                prop_assert_eq!(KernelOf::cut_without(cut, &removed, 7), other);
            }
        }
    }

    #[test]
    fn kernels_are_named() {
        let without = |patches: &[usize]| KernelOf::Without(patches.iter().copied().collect()).canonical(5);
        assert_eq!(without(&[4, 5]), KernelOf::Prefix(3));
        assert_eq!(without(&[1, 2, 3, 4, 5]), KernelOf::Baseline);
        assert_eq!(without(&[]), KernelOf::Tip);
        assert_eq!(without(&[2, 3]).to_string(), "the tip without 2, 3");
    }
}
