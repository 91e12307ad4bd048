//! What was seen: the only memory there is.

use std::collections::{BTreeMap, BTreeSet};

use flaky_bisect::Seen;

use super::kernel::KernelOf;

/// What an attempt showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The test failed with its symptom.
    Bad,
    /// It passed.
    Good,
    /// It could not judge, or was lost.
    Unjudged,
}

/// Attempts of a test on a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Those that failed.
    pub bad: u32,
    /// Those that passed.
    pub good: u32,
    /// Those that could not judge.
    pub unjudged: u32,
}

/// After so many attempts of which none could judge, a test is not tried on that kernel again.
const HOPELESS: u32 = 3;

impl Tally {
    /// Attempts that are evidence.
    pub fn judged(self) -> u32 {
        self.bad + self.good
    }

    /// All attempts.
    pub fn attempts(self) -> u32 {
        self.judged() + self.unjudged
    }

    pub(crate) fn seen(self) -> Seen {
        Seen::new(self.bad, self.judged())
    }

    /// More attempts are not worth the trouble: none could judge, or hardly any.
    pub(crate) fn hopeless(self) -> bool {
        self.unjudged >= HOPELESS * (1 + self.judged())
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.bad += other.bad;
        self.good += other.good;
        self.unjudged += other.unjudged;
    }
}

impl std::fmt::Display for Tally {
    /// Bad of judged attempts, as in `3/8`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.bad, self.judged())
    }
}

/// Everything that was seen. Neither the order nor the time of anything is kept.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(from = "Record", into = "Record")]
pub struct Counts {
    tallies: BTreeMap<KernelOf, BTreeMap<usize, Tally>>,
    pub(crate) built: BTreeSet<KernelOf>,
    pub(crate) broken: BTreeMap<KernelOf, String>,
    pub(crate) withdrawn: BTreeMap<usize, String>,
    total: Tally,
}

impl Counts {
    pub(crate) fn add(&mut self, kernel: KernelOf, test: usize, tally: Tally) {
        self.built.insert(kernel.clone());
        *self.tallies.entry(kernel).or_default().entry(test).or_default() += tally;
        self.total += tally;
    }

    /// What a test showed on a kernel, by its canonical name ([`KernelOf::canonical`]).
    pub fn of(&self, kernel: &KernelOf, test: usize) -> Tally {
        self.tallies.get(kernel).and_then(|tests| tests.get(&test)).copied().unwrap_or_default()
    }

    /// What a test showed on every kernel that it ran on.
    pub fn of_test(&self, test: usize) -> impl Iterator<Item = (&KernelOf, Tally)> {
        self.tallies.iter().filter_map(move |(kernel, tests)| Some((kernel, *tests.get(&test)?)))
    }

    /// All attempts.
    pub fn total(&self) -> Tally {
        self.total
    }

    /// Kernels that were built, or tried to be.
    pub fn kernels(&self) -> usize {
        self.built.len() + self.broken.keys().filter(|kernel| !self.built.contains(kernel)).count()
    }

    /// The same with every kernel by its canonical name.
    pub(crate) fn canonical(self, patches: usize) -> Counts {
        let mut counts = Counts { withdrawn: self.withdrawn, ..Counts::default() };
        counts.built.extend(self.built.into_iter().map(|kernel| kernel.canonical(patches)));
        counts.broken.extend(self.broken.into_iter().map(|(kernel, why)| (kernel.canonical(patches), why)));
        for (kernel, tests) in self.tallies {
            let kernel = kernel.canonical(patches);
            tests.into_iter().for_each(|(test, tally)| counts.add(kernel.clone(), test, tally));
        }
        counts
    }

    /// Every kernel that is named anywhere.
    pub(crate) fn kernels_named(&self) -> impl Iterator<Item = &KernelOf> {
        self.tallies.keys().chain(&self.built).chain(self.broken.keys())
    }

    /// Every test that is named anywhere.
    pub(crate) fn tests_named(&self) -> impl Iterator<Item = usize> {
        self.tallies.values().flat_map(|tests| tests.keys().copied())
    }

    /// Whether a test cannot be judged on a kernel.
    pub(crate) fn closed(&self, kernel: &KernelOf, test: usize) -> bool {
        self.broken.contains_key(kernel) || self.of(kernel, test).hopeless()
    }
}

/// How [`Counts`] are written.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    seen: Vec<Entry>,
    #[serde(default)]
    built: BTreeSet<KernelOf>,
    #[serde(default)]
    broken: Vec<(KernelOf, String)>,
    #[serde(default)]
    withdrawn: BTreeMap<usize, String>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    kernel: KernelOf,
    test: usize,
    #[serde(flatten)]
    tally: Tally,
}

impl From<Counts> for Record {
    fn from(counts: Counts) -> Record {
        let entry = |kernel: &KernelOf, (test, tally): (&usize, &Tally)| Entry {
            kernel: kernel.clone(),
            test: *test,
            tally: *tally,
        };
        let seen = counts.tallies.iter().flat_map(|(kernel, tests)| tests.iter().map(|of| entry(kernel, of)));
        Record {
            seen: seen.collect(),
            built: counts.built,
            broken: counts.broken.into_iter().collect(),
            withdrawn: counts.withdrawn,
        }
    }
}

impl From<Record> for Counts {
    fn from(record: Record) -> Counts {
        let mut counts = Counts {
            built: record.built,
            broken: record.broken.into_iter().collect(),
            withdrawn: record.withdrawn,
            ..Counts::default()
        };
        record.seen.into_iter().for_each(|entry| counts.add(entry.kernel, entry.test, entry.tally));
        counts
    }
}
