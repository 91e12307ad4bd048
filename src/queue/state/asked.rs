//! What can be asked of a queue so far.

use std::collections::{BTreeMap, BTreeSet};

use super::{QueueAttempt, QueueKernel, QueueState, TakenOut};
use crate::event::queue::{Aside, QueueRecord, QueuedPatch, SetAside};
use crate::queue::names::Numbers;
use crate::triage::{Counts, KernelOf, Report, Step};

impl QueueState {
    /// What is judged.
    pub fn record(&self) -> &QueueRecord {
        &self.record
    }

    /// The patches' numbers.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether there is nothing more to try.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Attempts that the host carries side by side, by which their time is counted.
    pub fn set_side_by_side(&mut self, count: u32) {
        self.side_by_side = count.max(1);
    }

    /// What was spent: wall time of builds and attempts, seconds.
    pub fn spent(&self) -> f64 {
        let records = self.kernels.values().filter_map(|kernel| kernel.record.as_ref());
        let builds: f64 = records.map(|record| record.seconds).sum();
        let attempts: f64 = self.attempts.values().flatten().map(|attempt| attempt.seconds).sum();
        builds + self.failed_seconds + attempts / f64::from(self.side_by_side)
    }

    /// The next step.
    pub fn next(&self) -> Step {
        self.triage.next()
    }

    /// What can be said so far; patches by their places.
    pub fn report(&self) -> Report {
        self.triage.report()
    }

    /// Everything that counts.
    pub fn counts(&self) -> &Counts {
        self.triage.counts()
    }

    /// Places of the patches that a kernel has.
    pub fn patches_of(&self, kernel: &KernelOf) -> Vec<usize> {
        let has = |place: &usize| kernel.holds(*place) && !self.set_aside.contains_key(place);
        (1..=self.numbers.count()).filter(has).collect()
    }

    /// A patch and all that cannot be without it, by places.
    pub fn with_dependents(&self, place: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::from([place]);
        for later in place + 1..=self.numbers.count() {
            let needs = self.patch(later).needs.iter().filter_map(|number| self.numbers.place(*number));
            if needs.into_iter().any(|needed| all.contains(&needed)) {
                all.insert(later);
            }
        }
        all
    }

    /// The patch in a place.
    pub fn patch(&self, place: usize) -> &QueuedPatch {
        &self.record.patches[place - 1]
    }

    /// A kernel, as far as anything is known of it.
    pub fn kernel(&self, of: &KernelOf) -> Option<&QueueKernel> {
        self.kernels.get(of)
    }

    /// All of them.
    pub fn kernels(&self) -> impl Iterator<Item = (&KernelOf, &QueueKernel)> {
        self.kernels.iter()
    }

    /// The attempts of a test on a kernel.
    pub fn attempts(&self, kernel: &KernelOf, test: usize) -> &[QueueAttempt] {
        self.attempts.get(&(kernel.clone(), test)).map_or(&[], Vec::as_slice)
    }

    /// All of them, by kernel and test.
    pub fn all_attempts(&self) -> impl Iterator<Item = (&KernelOf, usize, &[QueueAttempt])> {
        self.attempts.iter().map(|((kernel, test), attempts)| (kernel, *test, attempts.as_slice()))
    }

    /// How many attempts were made.
    pub fn attempt_count(&self) -> usize {
        self.attempts.values().map(Vec::len).sum()
    }

    /// The number of the next attempt of a test on a kernel.
    pub fn next_number(&self, kernel: &KernelOf, test: usize) -> u32 {
        let gone = self.numbered.get(&(kernel.clone(), test)).copied().unwrap_or(0);
        self.attempts(kernel, test).iter().map(|attempt| attempt.number).max().unwrap_or(0).max(gone) + 1
    }

    /// Why a test cannot be judged on a kernel, where that is known without an attempt.
    pub fn unjudged(&self, kernel: &KernelOf, test: usize) -> Option<&str> {
        let of_kernel = || self.kernels.get(kernel)?.unjudged.as_ref();
        self.unjudged.get(&(kernel.clone(), test)).or_else(of_kernel).map(String::as_str)
    }

    /// Patches that were taken out because nothing builds or boots with them, by places.
    pub fn taken_out(&self) -> &BTreeMap<usize, TakenOut> {
        &self.set_aside
    }

    /// Culprits that were taken back, by places.
    pub fn withdrawn(&self) -> &BTreeMap<usize, String> {
        &self.withdrawn
    }

    /// Why a patch cannot be the culprit of anything.
    pub fn impossible(&self, place: usize) -> Option<&str> {
        let out = || self.set_aside.get(&place).map(|out| &out.reason);
        let known = self.patch(place).impossible.as_ref().or(self.impossible.get(&place));
        known.or_else(out).map(String::as_str)
    }

    /// The patches that are not tested, those that do not build included, by numbers.
    pub fn not_tested(&self) -> Vec<SetAside> {
        let broken = self.set_aside.iter().map(|(place, out)| SetAside {
            number: self.numbers.number(*place),
            title: self.patch(*place).title.clone(),
            kind: if out.is_unbuilt { Aside::DoesNotBuild } else { Aside::DoesNotBoot },
            why: out.reason.clone(),
        });
        let mut all: Vec<SetAside> = self.record.set_aside.iter().cloned().chain(broken).collect();
        all.sort_by_key(|one| one.number);
        all
    }

    /// Wall time of the runs that ended, seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Further notices for the user.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}
