//! Builds kernels and makes attempts until the triage has nothing more to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::breaking;
use super::choice::BOOT;
use super::state::QueueState;
use super::work::{self, Work};
use crate::bisection::content;
use crate::cancel::Cancel;
use crate::event::Event;
use crate::event::queue::{Each, KernelRecord, QueueEvent};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::lab::Lab;
use crate::plan::PlacedTest;
use crate::runner::{Capacity, Sink};
use crate::triage::{KernelOf, Outcome, Step, Task, Why};

/// How often a kernel is booted that does not come up, before it is believed.
const BOOTS: u32 = 3;

/// A kernel that was built, or was there.
#[derive(Clone, Debug)]
pub struct BuiltKernel {
    /// The kernel, under the name that it was asked for.
    pub kernel: Arc<Kernel>,
    /// Files that were compiled for it.
    pub compiled: u64,
    /// The compiler's warnings, without the numbers of lines and columns.
    pub warnings: Vec<String>,
}

/// Builds kernels with a part of the queue.
pub trait QueueKernels: Sync {
    /// The kernel with the patches in these places (from 1, in order). One that was got before is there at once.
    ///
    /// # Errors
    /// Says whether the patches or the host are to blame.
    fn kernel(&self, name: &str, patches: &[usize]) -> Result<BuiltKernel, Failure>;

    /// The tests in the order of the record, with what this host lacks for them, knowing a kernel.
    fn place(&self, kernel: &Kernel) -> Vec<PlacedTest>;

    /// Patches, by places, of which no file is part of the last kernel that was built, and why; asked once, for the tip.
    fn not_built(&self) -> Vec<(usize, String)> {
        Vec::new()
    }
}

/// Runs a queue.
pub struct QueueDriver<'a> {
    /// Runs attempts.
    pub lab: &'a dyn Lab,
    /// Builds kernels.
    pub kernels: &'a dyn QueueKernels,
    /// What attempts may take of the host together.
    pub capacity: Capacity,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueEnd {
    /// There is nothing more to try.
    Answered,
    /// The budget is spent; what is known is reported, and it can be gone on with.
    Budget,
    /// By the user; it can be resumed.
    Interrupted,
    /// By a failure of the host, in words; it can be resumed.
    Host(String),
    /// The tree does not build without the queue.
    Baseline(String),
    /// No patch is left that builds.
    Nothing,
}

impl From<Failure> for QueueEnd {
    fn from(failure: Failure) -> QueueEnd {
        match failure {
            Failure::Cancelled => QueueEnd::Interrupted,
            Failure::Host(reason) | Failure::Kernel(reason) | Failure::Test(reason) => QueueEnd::Host(reason),
        }
    }
}

/// A run of the driver: the state with what the process knows besides.
pub(super) struct Driving<'d> {
    pub driver: &'d QueueDriver<'d>,
    state: Mutex<&'d mut QueueState>,
    here: Mutex<BTreeMap<KernelOf, Arc<Kernel>>>,
    placed: OnceLock<Vec<PlacedTest>>,
}

impl QueueDriver<'_> {
    /// Goes on from `state` to the answer. Everything that happens is reported as events, and `state` is what they make.
    pub fn run(&self, state: &mut QueueState) -> QueueEnd {
        let start = Instant::now();
        let driving = Driving {
            driver: self,
            state: Mutex::new(state),
            here: Mutex::default(),
            placed: OnceLock::new(),
        };
        let end = driving.drive().unwrap_or_else(|end| end);
        if self.cancel.is_set() {
            return QueueEnd::Interrupted;
        }
        if end == QueueEnd::Answered {
            let blamed = {
                let state = driving.state();
                state.report().blamed().keys().map(|place| state.numbers().number(*place)).collect()
            };
            driving.tell(QueueEvent::Ended { blamed, seconds: rounded(start.elapsed().as_secs_f64()) });
        }
        end
    }
}

impl<'d> Driving<'d> {
    pub fn state(&self) -> MutexGuard<'_, &'d mut QueueState> {
        self.state.lock()
    }

    /// The state hears of every event before anybody else does, so that it never knows less than the journal.
    pub fn sink(&self, event: Event) {
        self.state().apply(&event);
        (self.driver.sink)(event);
    }

    pub fn tell(&self, event: QueueEvent) {
        self.sink(Event::Queue(Box::new(event)));
    }

    fn drive(&self) -> Result<QueueEnd, QueueEnd> {
        breaking::build_tip(self)?;
        self.flag_what_is_not_built();
        self.each()?;
        loop {
            match self.ask()? {
                QueueEnd::Answered if breaking::take_out_what_does_not_boot(self) => {
                    breaking::build_tip(self)?;
                }
                end => return Ok(end),
            }
        }
    }

    /// Does what the triage asks for, until it has nothing more to ask.
    fn ask(&self) -> Result<QueueEnd, QueueEnd> {
        loop {
            if self.driver.cancel.is_set() {
                return Err(QueueEnd::Interrupted);
            }
            let step = {
                let state = self.state();
                let budget = state.record().budget.cost;
                let step = state.next();
                if budget.is_some_and(|most| state.spent() >= most) && matches!(step, Step::Run { .. }) {
                    return Ok(QueueEnd::Budget);
                }
                step
            };
            match step {
                Step::Done(_) => return Ok(QueueEnd::Answered),
                Step::Run { kernel, tasks } => self.step(&kernel, &tasks)?,
            }
        }
    }

    /// Attempts on one kernel. One that does not build is closed, which the triage goes on from.
    fn step(&self, of: &KernelOf, tasks: &[Task]) -> Result<(), QueueEnd> {
        let name = self.state().numbers().name(of);
        self.tell(QueueEvent::Step { kernel: name, tasks: tasks.to_vec() });
        let kernel = match self.kernel(of) {
            Ok(kernel) => kernel,
            Err(Failure::Kernel(_) | Failure::Test(_)) => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        if tasks.iter().any(|task| Some(task.test) != self.boot_test()) && !self.boots(of, &kernel)? {
            return Ok(());
        }
        self.attempts(of, &kernel, tasks)
    }

    fn attempts(&self, of: &KernelOf, kernel: &Arc<Kernel>, tasks: &[Task]) -> Result<(), QueueEnd> {
        let placed = self.placed.get_or_init(|| self.driver.kernels.place(kernel));
        let work = Work { driving: self, of, kernel, placed };
        let side_by_side = work::side_by_side(&self.driver.capacity, placed);
        self.state().set_side_by_side(side_by_side);
        work.run(tasks, side_by_side).map_err(QueueEnd::from)
    }

    /// Where the test of the boot is in the record.
    fn boot_test(&self) -> Option<usize> {
        self.state().record().tests.iter().position(|test| test.test == BOOT)
    }

    /// Whether a kernel comes up; one that does not is closed for all other tests.
    fn boots(&self, of: &KernelOf, kernel: &Arc<Kernel>) -> Result<bool, QueueEnd> {
        let Some(test) = self.boot_test() else { return Ok(true) };
        loop {
            let (came_up, bad, made, title) = {
                let state = self.state();
                if state.kernel(of).is_some_and(|known| known.unjudged.is_some()) {
                    return Ok(false);
                }
                let attempts = state.attempts(of, test);
                let bad = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Bad);
                let title = bad.clone().find_map(|attempt| attempt.title.clone());
                let came_up = attempts.iter().any(|attempt| attempt.outcome == Outcome::Good);
                (came_up, bad.count() as u32, attempts.len() as u32, title)
            };
            if came_up {
                return Ok(true);
            }
            if bad >= BOOTS {
                let kernel = self.state().numbers().name(of);
                let reason = format!("the kernel does not boot: {}", title.unwrap_or_default());
                self.tell(QueueEvent::Unjudged { kernel, test: None, reason });
                return Ok(false);
            }
            if made >= 2 * BOOTS {
                // neither is known: the host may be in trouble, and the tests themselves will say
                return Ok(true);
            }
            self.attempts(of, kernel, &[Task { test, attempts: 1, why: Why::FirstPass }])?;
        }
    }

    /// Builds every patch in its place, in the order of the queue: of two neighbours only what one patch touches is compiled.
    fn each(&self) -> Result<(), QueueEnd> {
        let (each, count) = {
            let state = self.state();
            (state.record().each, state.numbers().count())
        };
        if each == Each::Nothing {
            return Ok(());
        }
        // whose warnings are no patch's
        match self.kernel(&KernelOf::Baseline) {
            Ok(_) | Err(Failure::Kernel(_) | Failure::Test(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        for cut in 1..count {
            if self.driver.cancel.is_set() {
                return Err(QueueEnd::Interrupted);
            }
            if self.state().taken_out().contains_key(&cut) {
                continue;
            }
            let of = KernelOf::Prefix(cut).canonical(count);
            let kernel = match self.kernel(&of) {
                Ok(kernel) => kernel,
                Err(Failure::Kernel(_) | Failure::Test(_)) => continue,
                Err(failure) => return Err(failure.into()),
            };
            if each >= Each::Boot && self.boots(&of, &kernel)? && each == Each::Tests {
                let tasks: Vec<Task> = {
                    let state = self.state();
                    let tests = 0..state.record().tests.len();
                    let open = tests.filter(|test| state.attempts(&of, *test).is_empty());
                    open.map(|test| Task { test, attempts: 1, why: Why::FirstPass }).collect()
                };
                self.attempts(&of, &kernel, &tasks)?;
            }
        }
        Ok(())
    }

    /// Patches between two kernels that cannot differ are nobody's fault: nothing of them is in what boots.
    fn flag_what_changes_nothing(&self, of: &KernelOf) {
        let same: Vec<usize> = {
            let state = self.state();
            let count = state.numbers().count();
            let cut = |of: &KernelOf| match of {
                KernelOf::Baseline => Some(0),
                KernelOf::Prefix(cut) => Some(*cut),
                KernelOf::Tip => Some(count),
                KernelOf::Without(_) => None,
            };
            let content = |of: &KernelOf| Some(state.kernel(of)?.record.as_ref()?.content.clone());
            let (Some(own), Some(held)) = (cut(of), content(of)) else { return };
            let others = state.kernels().filter_map(|(other, _)| Some((cut(other)?, content(other)?)));
            let ranges =
                others.filter(|(_, other)| *other == held).map(|(cut, _)| cut.min(own) + 1..=cut.max(own));
            let between: BTreeSet<usize> = ranges.flatten().collect();
            between.into_iter().filter(|place| state.impossible(*place).is_none()).collect()
        };
        for place in same {
            let patch = self.state().numbers().number(place);
            let reason = "the same vmlinux and modules with it and without it".to_owned();
            self.tell(QueueEvent::Impossible { patch, reason });
        }
    }

    fn flag_what_is_not_built(&self) {
        for (place, reason) in self.driver.kernels.not_built() {
            let known = self.state().impossible(place).is_some();
            if !known {
                let patch = self.state().numbers().number(place);
                self.tell(QueueEvent::Impossible { patch, reason });
            }
        }
    }

    /// A kernel, built if need be. That it does not build is remembered.
    pub fn kernel(&self, of: &KernelOf) -> Result<Arc<Kernel>, Failure> {
        if let Some(kernel) = self.here.lock().get(of) {
            return Ok(Arc::clone(kernel));
        }
        let (name, patches, known) = {
            let state = self.state();
            let known = state.kernel(of).cloned().unwrap_or_default();
            (state.numbers().name(of), state.patches_of(of), known)
        };
        if let Some(reason) = known.broken {
            return Err(Failure::Kernel(reason));
        }
        let start = Instant::now();
        let built = match self.driver.kernels.kernel(&name, &patches) {
            Ok(built) => built,
            Err(Failure::Kernel(reason) | Failure::Test(reason)) => {
                let seconds = rounded(start.elapsed().as_secs_f64());
                let (kernel, of, said) = (name, of.clone(), reason.clone());
                self.tell(QueueEvent::Broken { kernel, of, reason: said, seconds });
                return Err(Failure::Kernel(reason));
            }
            Err(other) => return Err(other),
        };
        let content = content::of(&built.kernel).map_err(|error| Failure::Host(error.to_string()))?;
        match known.record {
            Some(record) if record.content != content => {
                return Err(Failure::Host(format!(
                    "{name} is not what it was when the run began: the tree, its configuration or the compiler was \
                     changed, so that earlier attempts no longer say the same; begin a new run"
                )));
            }
            Some(_) => {}
            None => {
                self.tell(QueueEvent::Kernel(KernelRecord {
                    kernel: name,
                    of: of.clone(),
                    release: built.kernel.release.clone(),
                    content,
                    seconds: rounded(start.elapsed().as_secs_f64()),
                    compiled: built.compiled,
                    warnings: built.warnings,
                }));
                self.flag_what_changes_nothing(of);
            }
        }
        self.here.lock().insert(of.clone(), Arc::clone(&built.kernel));
        Ok(built.kernel)
    }

    /// Forgets the kernels of this process that have a patch which is no longer part of the queue.
    pub fn forget(&self, places: &BTreeSet<usize>) {
        self.here.lock().retain(|of, _| places.iter().all(|place| !of.holds(*place)));
    }
}

/// A figure that reads back as it was written.
fn rounded(figure: f64) -> f64 {
    (figure * 1e6).round() / 1e6
}
