//! Which tests judge a queue, in which order, and what each is to show: first those that are about what it touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::reading::Reading;
use crate::backport::{Related, related};
use crate::event::queue::QueueTest;
use crate::machine::Machine;
use crate::patch::queue::Queued;
use crate::suite::{Suite, Test};
use crate::triage::Expect;

/// The suite with the test that every queue is judged by.
const BOOT_SUITE: &str = "\
suite: kernel
summary: whether a kernel comes up at all
tests:
  - name: boot
    summary: the kernel boots and runs a program
    program: {shell: 'true'}
    symptom: {reported: {matching: '^the kernel does not boot$'}}
";

/// The id of that test.
pub const BOOT: &str = "kernel::boot";

/// The test that a kernel boots.
///
/// # Errors
/// The folder for temporary files cannot be written.
pub fn boot() -> Result<Arc<Test>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let path = folder.path().join("kernel.yaml");
    std::fs::write(&path, BOOT_SUITE).map_err(|error| format!("{}: {error}", path.display()))?;
    let suite = crate::suite::load_file(&path).map_err(|error| error.to_string())?;
    suite.tests.into_iter().next().ok_or_else(|| "the test of the boot is not there".to_owned())
}

/// A test with what it is to show for a queue.
#[derive(Clone, Debug)]
pub struct ChosenTest {
    /// The test.
    pub test: Arc<Test>,
    /// What it is to show.
    pub expect: Expect,
    /// What ties it to the queue, in words; empty: nothing.
    pub tie: String,
    /// Numbers of the patches that it is tied to.
    pub patches: Vec<usize>,
}

/// Puts tests in the order in which they run: those of bugs that the queue fixes, those of what it touches, the others.
/// `kept` are the patches of the reading as they were read.
pub fn choose(reading: &Reading, kept: &[Queued], tests: &[Arc<Test>]) -> Vec<ChosenTest> {
    let mut chosen: Vec<ChosenTest> = tests
        .iter()
        .map(|test| ChosenTest {
            test: Arc::clone(test),
            expect: Expect::Good,
            tie: String::new(),
            patches: Vec::new(),
        })
        .collect();
    for (patch, queued) in reading.patches.iter().zip(kept) {
        for Related { test, tie } in related(&[&queued.patch], queued.patch.commit.as_deref(), tests) {
            let Some(found) = chosen.iter_mut().find(|one| one.test.id() == test) else { continue };
            if tie.is_certain() && found.expect == Expect::Good {
                // those that only share a file do not count beside the one that is about the bug
                (found.expect, found.tie) = (Expect::Fixed, tie.to_string());
                found.patches.clear();
            } else if tie.is_certain() != (found.expect == Expect::Fixed) {
                continue;
            }
            if found.tie.is_empty() {
                found.tie = tie.to_string();
            }
            found.patches.push(patch.number);
        }
    }
    let touched: BTreeSet<&str> =
        kept.iter().flat_map(|queued| &queued.patch.decoded.files).map(|file| folder(file.path())).collect();
    for one in &mut chosen {
        let near = one.test.history.files.iter().map(|path| folder(path)).find(|path| touched.contains(path));
        if let (true, Some(near)) = (one.tie.is_empty(), near) {
            one.tie = format!("it touches {near}");
        }
    }
    let rank = |one: &ChosenTest| match (one.expect, one.tie.is_empty()) {
        (Expect::Fixed, _) => 0,
        (Expect::Good, false) if !one.patches.is_empty() => 1,
        (Expect::Good, false) => 2,
        (Expect::Good, true) => 3,
    };
    chosen.sort_by_key(rank);
    chosen
}

/// The folder of a file.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(folder, _)| folder)
}

/// The tests of these suites.
pub fn all(suites: &[Suite]) -> Vec<Arc<Test>> {
    suites.iter().flat_map(|suite| &suite.tests).cloned().collect()
}

impl ChosenTest {
    /// What a journal keeps of it. `worth`: good attempts that make a test fine of which nothing was measured.
    pub fn record(&self, machine: &Machine, worth: u32) -> QueueTest {
        let dose = &self.test.dose;
        // the author of a suite who measured the chance knows how many attempts a pass takes; what the queue touches
        // deserves more
        let is_known = dose.chance.is_some() && self.tie.is_empty();
        let attempts = if is_known { dose.attempts } else { dose.attempts.max(worth) };
        QueueTest {
            test: self.test.id(),
            summary: self.test.summary.clone(),
            digest: crate::bisection::reuse::test_digest(&self.test, machine),
            expect: self.expect,
            tie: self.tie.clone(),
            patches: self.patches.clone(),
            worth: (attempts != worth).then_some(attempts),
            reproducer: super::reproducer::reproducer(&self.test),
        }
    }
}
