//! What kernels with a part of a queue are called: in journals, in reports and on disk.

use std::collections::BTreeSet;

use crate::triage::KernelOf;

/// The numbers of the patches that are tested, by their places in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<usize>);

impl Numbers {
    /// Of patches in their order.
    pub fn new(numbers: Vec<usize>) -> Numbers {
        Numbers(numbers)
    }

    /// How many patches there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The number of the patch in a place, from 1.
    pub fn number(&self, place: usize) -> usize {
        self.0[place - 1]
    }

    /// The place, from 1, of the patch with a number.
    pub fn place(&self, number: usize) -> Option<usize> {
        self.0.iter().position(|one| *one == number).map(|at| at + 1)
    }

    /// A kernel's name: `baseline`, `tip`, `upto-12`, `without-4+7..9`.
    pub fn name(&self, kernel: &KernelOf) -> String {
        match kernel.clone().canonical(self.count()) {
            KernelOf::Baseline => "baseline".into(),
            KernelOf::Tip => "tip".into(),
            KernelOf::Prefix(cut) => format!("upto-{}", self.number(cut)),
            KernelOf::Without(places) => {
                let mut parts: Vec<(usize, usize)> = Vec::new();
                for place in places {
                    match parts.last_mut() {
                        Some((_, last)) if *last + 1 == place => *last = place,
                        _ => parts.push((place, place)),
                    }
                }
                let part = |(first, last): &(usize, usize)| match first == last {
                    true => self.number(*first).to_string(),
                    false => format!("{}..{}", self.number(*first), self.number(*last)),
                };
                format!("without-{}", parts.iter().map(part).collect::<Vec<_>>().join("+"))
            }
        }
    }

    /// The kernel that a name is of.
    pub fn kernel(&self, name: &str) -> Option<KernelOf> {
        let place = |text: &str| self.place(text.parse().ok()?);
        let kernel = match name {
            "baseline" => KernelOf::Baseline,
            "tip" => KernelOf::Tip,
            name => match (name.strip_prefix("upto-"), name.strip_prefix("without-")) {
                (Some(number), _) => KernelOf::Prefix(place(number)?),
                (None, Some(parts)) => {
                    let mut places = BTreeSet::new();
                    for part in parts.split('+') {
                        let (first, last) = part.split_once("..").unwrap_or((part, part));
                        places.extend(place(first)?..=place(last)?);
                    }
                    KernelOf::Without(places)
                }
                (None, None) => return None,
            },
        };
        Some(kernel.canonical(self.count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_kernel() {
        // patches 3 and 5 are not tested
        let numbers = Numbers::new(vec![1, 2, 4, 6, 7, 8]);
        let without = |places: &[usize]| KernelOf::Without(places.iter().copied().collect());
        let table = [
            (KernelOf::Baseline, "baseline"),
            (KernelOf::Tip, "tip"),
            (KernelOf::Prefix(0), "baseline"),
            (KernelOf::Prefix(6), "tip"),
            (KernelOf::Prefix(3), "upto-4"),
            (without(&[3]), "without-4"),
            (without(&[1, 3, 4, 5]), "without-1+4..7"),
            (without(&[5, 6]), "upto-6"),
            (without(&[2, 5, 6]), "without-2+7..8"),
        ];
        for (kernel, name) in table {
            assert_eq!(numbers.name(&kernel), name);
            assert_eq!(numbers.kernel(name), Some(kernel.canonical(6)), "{name}");
        }
        for name in ["", "6.12.57", "upto-3", "upto-x", "without-", "without-1+5"] {
            assert_eq!(numbers.kernel(name), None, "{name}");
        }
    }
}
