//! What is known of a queue: a fold over the events of its run. What can be asked of it is in `asked.rs`.

mod asked;

use std::collections::BTreeMap;

use super::choice::BOOT;
use super::names::Numbers;
use crate::event::queue::{KernelRecord, QueueEvent, QueueRecord, QueuedPatch};
use crate::event::{AttemptRecord, Event};
use crate::journal::{JournalError, RunDir, read};
use crate::observation::{Ending, Stopped};
use crate::triage::{Budget, Config, ConfigError, Expect, KernelOf, Outcome, Patch, Tally, Test, Triage};
use crate::verdict::Verdict;

/// An attempt, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// What it says by itself.
    pub verdict: Verdict,
    /// What it counts for.
    pub outcome: Outcome,
    /// The title of what was seen, else why it says nothing.
    pub title: Option<String>,
    /// The crash report that it was seen by, cut to a bound.
    pub excerpt: Option<String>,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Its console's file, relative to the run's folder.
    pub console: Option<String>,
    /// Whether it no longer counts: the host was in trouble, and the run was gone on with.
    pub forgiven: bool,
}

/// A kernel with a part of the queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueKernel {
    /// What is known of it once it is there.
    pub record: Option<KernelRecord>,
    /// Why it does not build.
    pub broken: Option<String>,
    /// Why nothing can be judged on it.
    pub unjudged: Option<String>,
}

/// A patch that is not part of any kernel any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOut {
    /// Why.
    pub reason: String,
    /// Whether nothing builds with it; else nothing boots.
    is_unbuilt: bool,
}

/// A queue so far.
#[derive(Clone, Debug)]
pub struct QueueState {
    record: QueueRecord,
    numbers: Numbers,
    triage: Triage,
    kernels: BTreeMap<KernelOf, QueueKernel>,
    attempts: BTreeMap<(KernelOf, usize), Vec<QueueAttempt>>,
    /// Why a test cannot be judged on a kernel.
    unjudged: BTreeMap<(KernelOf, usize), String>,
    /// Places of patches that were taken out because nothing builds or boots with them.
    set_aside: BTreeMap<usize, TakenOut>,
    /// The highest numbers of attempts that no longer count.
    numbered: BTreeMap<(KernelOf, usize), u32>,
    impossible: BTreeMap<usize, String>,
    withdrawn: BTreeMap<usize, String>,
    /// Wall time of kernels that do not build, or no longer count, seconds.
    failed_seconds: f64,
    side_by_side: u32,
    ended: bool,
    seconds: f64,
    notices: Vec<String>,
    run: String,
}

impl QueueState {
    /// A queue of which nothing was seen yet.
    ///
    /// # Errors
    /// The record makes no sense.
    pub fn new(record: QueueRecord) -> Result<QueueState, ConfigError> {
        let numbers = Numbers::new(record.patches.iter().map(|patch| patch.number).collect());
        let none = BTreeMap::new();
        let triage = Triage::new(config(&record, &numbers, &none))?;
        Ok(QueueState {
            numbers,
            triage,
            record,
            kernels: BTreeMap::new(),
            attempts: BTreeMap::new(),
            unjudged: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            numbered: BTreeMap::new(),
            impossible: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            failed_seconds: 0.0,
            side_by_side: 1,
            ended: false,
            seconds: 0.0,
            notices: Vec::new(),
            run: String::new(),
        })
    }

    /// Reads a queue back. `None`: the run is none of a queue.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before its last one is damaged.
    pub fn of(run: &RunDir) -> Result<Option<QueueState>, JournalError> {
        let mut state: Option<QueueState> = None;
        for (nth, event) in read(&run.journal())?.enumerate() {
            let event = event?;
            match (&event, &mut state) {
                (Event::Queue(queue), None) => {
                    if let QueueEvent::Begun(record) = queue.as_ref() {
                        state = QueueState::new((**record).clone()).ok();
                    }
                }
                (event, Some(state)) => state.apply(event),
                // what comes before the record: the run's start. Other runs are not read any further
                (_, None) if nth > 3 => return Ok(None),
                _ => {}
            }
        }
        if let Some(state) = &mut state {
            state.run = run.id().to_owned();
        }
        Ok(state)
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => {
                self.run = run.clone();
                self.forgive();
            }
            Event::Attempt { cell, record } => {
                let kernel = self.numbers.kernel(&cell.kernel);
                let test = self.record.tests.iter().position(|test| test.test == cell.test);
                if let Some((kernel, test)) = kernel.zip(test) {
                    self.attempt(kernel, test, record);
                }
            }
            Event::Queue(event) => self.queue(event),
            Event::Notice { text } => self.notices.push(text.clone()),
            _ => {}
        }
    }

    fn queue(&mut self, event: &QueueEvent) {
        let place = |number: &usize| self.numbers.place(*number);
        match event {
            QueueEvent::Begun(_) | QueueEvent::Step { .. } => {}
            QueueEvent::Limits { aims, budget } => {
                (self.record.aims, self.record.budget) = (*aims, *budget);
                self.ended = false;
                self.rebuild();
            }
            QueueEvent::Kernel(record) => {
                let of = record.of.clone().canonical(self.numbers.count());
                self.kernels.entry(of.clone()).or_default().record = Some(record.clone());
                let _ = self.triage.built(of);
            }
            QueueEvent::Broken { of, reason, seconds, .. } => {
                let of = of.clone().canonical(self.numbers.count());
                self.failed_seconds += seconds;
                self.kernels.entry(of.clone()).or_default().broken = Some(reason.clone());
                let _ = self.triage.broken(of, reason.clone());
            }
            QueueEvent::SetAside { patch, reason, boot } => {
                if let Some(place) = place(patch) {
                    self.set_aside.insert(place, TakenOut { reason: reason.clone(), is_unbuilt: !boot });
                    self.forget_kernels_with(place);
                    self.rebuild();
                }
            }
            QueueEvent::Impossible { patch, reason } => {
                if let Some(place) = place(patch) {
                    self.impossible.insert(place, reason.clone());
                    self.rebuild();
                }
            }
            QueueEvent::Unjudged { kernel, test, reason } => {
                let Some(of) = self.numbers.kernel(kernel) else { return };
                match test {
                    None => self.kernels.entry(of).or_default().unjudged = Some(reason.clone()),
                    Some(test) => {
                        if let Some(at) = self.record.tests.iter().position(|one| one.test == *test) {
                            self.unjudged.insert((of, at), reason.clone());
                        }
                    }
                }
                self.rebuild();
            }
            QueueEvent::Withdrawn { patch, reason } => {
                if let Some(place) = place(patch) {
                    self.withdrawn.insert(place, reason.clone());
                    self.ended = false;
                    self.rebuild();
                }
            }
            QueueEvent::Ended { seconds, .. } => {
                self.ended = true;
                self.seconds += seconds;
            }
        }
    }

    /// Kernels that had a patch are other kernels without it.
    fn forget_kernels_with(&mut self, place: usize) {
        let before = self.spent();
        self.kernels.retain(|of, _| !of.holds(place));
        self.unjudged.retain(|(of, _), _| !of.holds(place));
        let numbered = &mut self.numbered;
        self.attempts.retain(|key, attempts| {
            if key.0.holds(place) {
                let last = attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
                let most = numbered.entry(key.clone()).or_default();
                *most = last.max(*most);
            }
            !key.0.holds(place)
        });
        // the time that they took stays spent
        self.failed_seconds += before - self.spent();
    }

    fn attempt(&mut self, kernel: KernelOf, test: usize, record: &AttemptRecord) {
        let tested = &self.record.tests[test];
        let outcome = outcome(&tested.test, tested.expect, record);
        let excerpt = record
            .diagnoses
            .iter()
            .find(|one| record.title.as_deref() == Some(&one.title))
            .or(record.diagnoses.first())
            .filter(|_| outcome == Outcome::Bad);
        self.attempts.entry((kernel.clone(), test)).or_default().push(QueueAttempt {
            number: record.attempt,
            verdict: record.verdict,
            outcome,
            title: record.title.clone().or_else(|| record.reason.clone()),
            excerpt: excerpt.map(|one| one.text.clone()),
            seconds: record.seconds,
            console: record.console.clone(),
            forgiven: false,
        });
        let _ = self.triage.observe(kernel, test, outcome);
        if record.verdict == Verdict::Skip {
            // another attempt says the same
            self.rebuild();
        }
    }

    /// Gives tests another chance whose attempts were lost: when a run is gone on with, the trouble may have passed, such as
    /// that of a host that is too busy to boot a guest.
    fn forgive(&mut self) {
        for attempt in self.attempts.values_mut().flatten() {
            if attempt.verdict == Verdict::Lost && attempt.outcome == Outcome::Unjudged {
                attempt.forgiven = true;
            }
        }
        self.rebuild();
    }

    /// Makes the triage anew from what was seen.
    fn rebuild(&mut self) {
        let mut impossible = self.impossible.clone();
        impossible.extend(self.set_aside.iter().map(|(place, out)| (*place, out.reason.clone())));
        let config = config(&self.record, &self.numbers, &impossible);
        let Ok(mut triage) = Triage::new(config) else { return };
        for ((kernel, test), attempts) in &self.attempts {
            for attempt in attempts.iter().filter(|attempt| !attempt.forgiven) {
                let _ = triage.observe(kernel.clone(), *test, attempt.outcome);
            }
        }
        for (kernel, known) in &self.kernels {
            match (&known.broken, &known.record) {
                (Some(reason), _) => _ = triage.broken(kernel.clone(), reason.clone()),
                (None, Some(_)) => _ = triage.built(kernel.clone()),
                (None, None) => {}
            }
            if known.unjudged.is_some() {
                for (test, tested) in self.record.tests.iter().enumerate() {
                    if tested.test != BOOT {
                        close(&mut triage, kernel, test);
                    }
                }
            }
        }
        self.unjudged.keys().for_each(|(kernel, test)| close(&mut triage, kernel, *test));
        for ((kernel, test), attempts) in &self.attempts {
            if attempts.iter().any(|attempt| attempt.verdict == Verdict::Skip) {
                close(&mut triage, kernel, *test);
            }
        }
        for (place, reason) in &self.withdrawn {
            let _ = triage.withdraw(*place, reason.clone());
        }
        self.triage = triage;
    }
}

/// A test is not tried on a kernel any more: so many attempts that say nothing.
fn close(triage: &mut Triage, kernel: &KernelOf, test: usize) {
    const HOPELESS: u32 = 3;
    let judged = triage.counts().of(kernel, test).judged();
    let tally = Tally { bad: 0, good: 0, unjudged: HOPELESS * (1 + judged) };
    let _ = triage.observe_all(kernel.clone(), test, tally);
}

/// What the triage is asked.
fn config(record: &QueueRecord, numbers: &Numbers, impossible: &BTreeMap<usize, String>) -> Config {
    let patch = |(at, patch): (usize, &QueuedPatch)| {
        let known = impossible.get(&(at + 1));
        let needs = patch.needs.iter().filter_map(|number| numbers.place(*number));
        Patch {
            impossible: patch.impossible.clone().or_else(|| known.cloned()),
            needs: needs.filter(|place| *place <= at).collect(),
            stays: None,
        }
    };
    Config {
        patches: record.patches.iter().enumerate().map(patch).collect(),
        tests: record
            .tests
            .iter()
            .map(|test| Test { expect: test.expect, spurious: None, worth: test.worth })
            .collect(),
        aims: record.aims,
        costs: record.costs,
        // time is counted by the driver
        budget: Budget::default(),
    }
}

/// What an attempt counts for. A crash that is not the test's own symptom counts against a queue, too; where the symptom is
/// that of a bug which the queue fixes, it says nothing of that bug.
fn outcome(test: &str, expect: Expect, record: &AttemptRecord) -> Outcome {
    let never_up = matches!(
        record.ending,
        Ending::GuestReset | Ending::Stopped(Stopped::BootTimeout { .. } | Stopped::CrashSeen)
    );
    match (record.verdict, expect) {
        (Verdict::Good, _) => Outcome::Good,
        (Verdict::Bad, _) => Outcome::Bad,
        (Verdict::Other, Expect::Good) => Outcome::Bad,
        // that nothing comes up is what this test is about
        (Verdict::Lost, _) if test == BOOT && never_up => Outcome::Bad,
        _ => Outcome::Unjudged,
    }
}
