//! Makes attempts until the search has its answer.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;

use super::content;
use super::state::BisectionState;
use crate::bisect::{Answer, Step};
use crate::cancel::Cancel;
use crate::event::Event;
use crate::failure::Failure;
use crate::lab::Lab;
use crate::plan::Cell;
use crate::runner::{Capacity, SingleAttempt, Sink, attempt};
use crate::verdict::Verdict;
/// Gets the kernels of candidates.
pub trait CandidateKernels: Sync {
    /// The test on a candidate's kernel. A kernel that was got before is there at once.
    ///
    /// # Errors
    /// Says whether the kernel or the host is to blame.
    fn cell(&self, node: usize) -> Result<Cell, Failure>;

    /// Whether [`cell`](CandidateKernels::cell) costs nothing.
    fn is_here(&self, node: usize) -> bool;

    /// Whether [`bring_ahead`](CandidateKernels::bring_ahead) does anything.
    fn comes_ahead(&self) -> bool {
        false
    }

    /// Makes it cheaper to get a candidate's kernel soon, while attempts run: nothing that takes processors. Ends when
    /// `enough` is set.
    fn bring_ahead(&self, _node: usize, _enough: &Cancel) {}
}

/// Runs a bisection.
pub struct Driver<'a> {
    /// Runs attempts.
    pub lab: &'a dyn Lab,
    /// Gets kernels.
    pub kernels: &'a dyn CandidateKernels,
    /// What attempts may take of the host together.
    pub capacity: Capacity,
    /// How often an attempt that says nothing about the test is repeated on a kernel.
    pub retries: u32,
    /// From which every attempt's own seed is made.
    pub seed: u64,
    /// The run's folder; absent: nothing is written.
    pub run_dir: Option<PathBuf>,
    /// Receives every event.
    pub sink: Sink<'a>,
    /// Ends it.
    pub cancel: &'a Cancel,
}

/// How a run of the driver ended.
#[derive(Clone, Debug, PartialEq)]
pub enum BisectionEnd {
    /// With an answer.
    Answer(Answer),
    /// By the user; it can be resumed.
    Interrupted,
    /// By a failure of the host, in words; it can be resumed.
    Host(String),
}

impl Driver<'_> {
    /// Goes on from `state` to the answer. Everything that happens is reported as events, and `state` is what they make.
    pub fn run(&self, state: &mut BisectionState) -> BisectionEnd {
        let start = Instant::now();
        (0..state.record().candidates.len())
            .filter(|node| self.kernels.is_here(*node))
            .for_each(|node| state.have(node));
        let state = Mutex::new(state);
        // the state hears of every event before anybody else does, so that it never knows less than the journal
        let sink = |event: Event| {
            lock(&state).apply(&event);
            (self.sink)(event);
        };
        loop {
            if self.cancel.is_set() {
                return BisectionEnd::Interrupted;
            }
            let (step, event) = {
                let state = lock(&state);
                let step = state.search().next();
                let event = step_event(&state, &step);
                (step, event)
            };
            let (node, attempts) = match step {
                Step::Try { node, attempts, .. } => (node, attempts),
                Step::Ended(answer) => {
                    let (seconds, answer) = (rounded(start.elapsed().as_secs_f64()), readable(answer));
                    sink(Event::BisectionEnded { answer: answer.clone(), seconds });
                    return BisectionEnd::Answer(answer);
                }
            };
            event.into_iter().for_each(&sink);
            match self.try_candidate(node, attempts, &state, &sink) {
                Ok(()) => {}
                Err(Failure::Test(reason) | Failure::Kernel(reason)) => {
                    let kernel = lock(&state).candidate(node).name.clone();
                    sink(Event::CandidateClosed { kernel, reason });
                }
                Err(Failure::Host(_) | Failure::Cancelled) if self.cancel.is_set() => {
                    return BisectionEnd::Interrupted;
                }
                Err(Failure::Cancelled) => return BisectionEnd::Interrupted,
                Err(Failure::Host(reason)) => return BisectionEnd::Host(reason),
            }
        }
    }

    /// At most `attempts` on a candidate, until one shows the symptom. An error about the kernel closes it.
    fn try_candidate(
        &self,
        node: usize,
        attempts: u32,
        state: &Mutex<&mut BisectionState>,
        sink: &(dyn Fn(Event) + Sync),
    ) -> Result<(), Failure> {
        let fruitless = || lock(state).tried(node).map_or(0, |tried| tried.inconclusive_streak());
        if fruitless() > self.retries {
            return Err(self.given_up(node, state));
        }
        let cell = self.ready(node, state, sink)?;
        let next = match self.kernels.comes_ahead() {
            true => lock(state).search().likely_next(node, attempts),
            false => None,
        };
        let enough = self.cancel.child();
        std::thread::scope(|scope| {
            if let Some(next) = next {
                let enough = &enough;
                scope.spawn(move || self.kernels.bring_ahead(next, enough));
            }
            let result = self.attempts(node, attempts, &cell, state, sink);
            enough.set();
            result
        })
    }

    /// At most `attempts` in a cell, until one shows the symptom.
    fn attempts(
        &self,
        node: usize,
        attempts: u32,
        cell: &Cell,
        state: &Mutex<&mut BisectionState>,
        sink: &(dyn Fn(Event) + Sync),
    ) -> Result<(), Failure> {
        let fruitless = || lock(state).tried(node).map_or(0, |tried| tried.inconclusive_streak());
        let report_file_trouble_reported = AtomicBool::new(false);
        let run_dir = self.run_dir.as_deref();
        let mut left = attempts;
        while left > 0 {
            let first = lock(state).tried(node).map_or(1, |tried| tried.next_number());
            let at_once = left.min(self.at_once(cell));
            let of = first + left - 1;
            let (lab, seed, cancel) = (self.lab, self.seed, self.cancel);
            let report_file_trouble_reported = &report_file_trouble_reported;
            let single =
                &SingleAttempt { lab, seed, run_dir, sink, cancel, report_file_trouble_reported, at_once };
            let verdicts: Vec<Option<(Verdict, Option<String>)>> = std::thread::scope(|scope| {
                let runs: Vec<_> = (first..first + at_once)
                    .map(|number| scope.spawn(move || attempt(cell, number, of, single)))
                    .collect();
                let ends = runs.into_iter().map(|run| run.join().ok().flatten());
                ends.map(|end| end.map(|(judgement, _)| (judgement.verdict, judgement.reason))).collect()
            });
            if verdicts.iter().any(Option::is_none) {
                return Err(Failure::Cancelled);
            }
            for (verdict, reason) in verdicts.iter().flatten() {
                match verdict {
                    Verdict::Bad | Verdict::Good => left -= 1,
                    Verdict::Skip => return Err(Failure::Kernel(reason.clone().unwrap_or_default())),
                    Verdict::Other | Verdict::Blind | Verdict::Lost => {}
                }
            }
            if verdicts.iter().flatten().any(|(verdict, _)| *verdict == Verdict::Bad) {
                return Ok(());
            }
            if fruitless() > self.retries {
                return Err(self.given_up(node, state));
            }
        }
        Ok(())
    }

    /// The cell of a candidate, with everything that its attempts need.
    fn ready(
        &self,
        node: usize,
        state: &Mutex<&mut BisectionState>,
        sink: &(dyn Fn(Event) + Sync),
    ) -> Result<Cell, Failure> {
        let start = Instant::now();
        let cell = self.kernels.cell(node)?;
        if let Some(reason) = &cell.unmet {
            return Err(Failure::Kernel(reason.clone()));
        }
        let known = lock(state).tried(node).is_some_and(|tried| tried.content.is_some());
        if !known {
            let content = content::of(&cell.kernel).map_err(|error| Failure::Host(error.to_string()))?;
            sink(Event::CandidateReady {
                kernel: cell.kernel.name.clone(),
                release: cell.kernel.release.clone(),
                content,
                seconds: rounded(start.elapsed().as_secs_f64()),
            });
        }
        match self.lab.prepare(&cell.kernel, &cell.test, &cell.machine) {
            Ok(()) => Ok(cell),
            // a test that does not fit this kernel tells nothing of the change
            Err(Failure::Test(reason)) => Err(Failure::Kernel(reason)),
            Err(other) => Err(other),
        }
    }

    /// Why a candidate whose attempts keep saying nothing is tried no more.
    fn given_up(&self, node: usize, state: &Mutex<&mut BisectionState>) -> Failure {
        let state = lock(state);
        let last = state.tried(node).and_then(|tried| tried.attempts.last());
        let Some(last) = last else { return Failure::Kernel("it cannot be judged".into()) };
        let why = last.title.as_deref().or(last.reason.as_deref()).unwrap_or("no reason given");
        let times = self.retries + 1;
        Failure::Kernel(format!(
            "{times} attempts in a row said nothing about the test; the last one was {}: {why}",
            last.verdict
        ))
    }

    /// Attempts that the host carries side by side.
    fn at_once(&self, cell: &Cell) -> u32 {
        let memory = self.capacity.memory_mib / u64::from(cell.machine.memory_mib.max(1));
        let cpus = self.capacity.jobs.unwrap_or(self.capacity.cpus / cell.machine.host_cpus().max(1));
        cpus.min(u32::try_from(memory).unwrap_or(u32::MAX)).max(1)
    }
}

fn lock<'l, 's>(state: &'l Mutex<&'s mut BisectionState>) -> MutexGuard<'l, &'s mut BisectionState> {
    state.lock()
}

/// A figure that reads back as it was written.
fn rounded(figure: f64) -> f64 {
    (figure * 1e6).round() / 1e6
}

fn readable(answer: Answer) -> Answer {
    match answer {
        Answer::Found { candidates, probability } => {
            Answer::Found { candidates, probability: rounded(probability) }
        }
        answer => answer,
    }
}

fn step_event(state: &BisectionState, step: &Step) -> Option<Event> {
    let Step::Try { node, attempts, purpose } = step else { return None };
    let search = state.search();
    let mut suspects = state.suspects();
    suspects.iter_mut().for_each(|suspect| suspect.probability = rounded(suspect.probability));
    Some(Event::BisectionStep {
        kernel: state.candidate(*node).name.clone(),
        attempts: *attempts,
        purpose: *purpose,
        candidates: state.open_candidates(),
        suspects,
        made: search.posterior().total().attempts,
        left: search.attempts_left(),
    })
}
