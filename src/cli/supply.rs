//! Brings kernels while the virtual machines run: cells are pushed as soon as their kernel is there.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use crate::event::{CellRecord, Event};
use crate::kernel::{FetchProgress, Kernel, KernelError, LargerImage, Library, RequestedKernel};
use crate::plan::flavour::{self, NeedsLarger};
use crate::plan::{Cell, PlacedTest};
use crate::runner::Queue;
use crate::suite::Test;
use crate::verdict::Verdict;

/// Kernels that are fetched at the same time: while one is unpacked another one comes in.
const FETCH_JOBS: usize = 2;

/// What is needed to turn kernels into cells.
pub struct Supply<'a> {
    /// Where kernels come from; it stops when the queue has enough.
    pub library: &'a Library,
    /// Where cells go.
    pub queue: &'a Queue,
    /// Receives cells that have no kernel.
    pub sink: &'a (dyn Fn(Event) + Sync),
    /// Receives the progress of downloads.
    pub progress: &'a (dyn FetchProgress + Sync),
    /// Decides with the first kernel of an architecture that is there what this host can build, and so where each test stands.
    pub place: &'a (dyn Fn(&Kernel) -> Vec<PlacedTest> + Sync),
    /// Which cells are meant.
    pub means: &'a Means<'a>,
    /// A test as it is to be run on a kernel.
    pub adjust: &'a Adjust<'a>,
}

/// Whether a test is meant on a kernel.
pub type Means<'a> = dyn Fn(&Test, &RequestedKernel) -> bool + Sync + 'a;

/// What a test is on a kernel: itself, or what a configuration makes of it.
pub type Adjust<'a> = dyn Fn(&Arc<Test>, &RequestedKernel) -> Arc<Test> + Sync + 'a;

/// A kernel that has to be fetched, and for which tests.
enum Job {
    /// The image that a kernel's name stands for.
    First(RequestedKernel),
    /// The larger one, for the tests that the first one does not suffice for.
    LargerImage { wanted: RequestedKernel, needing: Vec<NeedsLarger> },
}

/// Where the tests stand, by the architecture of the guests.
type Placed = Mutex<HashMap<&'static str, Arc<OnceLock<Vec<PlacedTest>>>>>;

/// Closes the queue when it is dropped.
struct Closed<'q>(&'q Queue);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Supply<'_> {
    /// Fetches the kernels, those first that are stored already, and closes the queue, also where it panics: who takes
    /// cells out of it would wait for ever.
    pub fn run(&self, wanted: &[RequestedKernel], tests: &[Arc<Test>]) {
        let _closed = Closed(self.queue);
        let (here, to_fetch): (Vec<&RequestedKernel>, Vec<&RequestedKernel>) =
            wanted.iter().partition(|w| w.is_fetched());
        let jobs = here.into_iter().chain(to_fetch).cloned().map(Job::First).collect();
        let jobs: Mutex<VecDeque<Job>> = Mutex::new(jobs);
        let placed = Placed::default();
        std::thread::scope(|scope| {
            for _ in 0..FETCH_JOBS {
                scope.spawn(|| {
                    loop {
                        let job = jobs.lock().pop_front();
                        let Some(job) = job else { break };
                        let Some(later) = self.job(job, tests, &placed) else { continue };
                        let mut jobs = jobs.lock();
                        match &later {
                            // what is here already keeps the virtual machines busy while others come in
                            Job::LargerImage { wanted, .. } if wanted.is_fetched() => jobs.push_front(later),
                            _ => jobs.push_back(later),
                        }
                    }
                });
            }
        });
    }

    /// Does one job; gives the one that it leaves to do.
    fn job(&self, job: Job, tests: &[Arc<Test>], placed: &Placed) -> Option<Job> {
        match job {
            Job::First(wanted) => match self.fetch(&wanted) {
                Ok(kernel) => {
                    let placed = placed.lock().entry(kernel.arch.name).or_default().clone();
                    let placed = placed.get_or_init(|| (self.place)(&kernel));
                    let meant = placed.iter().filter(|p| (self.means)(&p.test, &wanted));
                    let adjusted =
                        |p: &PlacedTest| PlacedTest { test: (self.adjust)(&p.test, &wanted), ..p.clone() };
                    let meant: Vec<PlacedTest> = meant.map(adjusted).collect();
                    let larger = self.library.larger_image(&wanted);
                    let split = flavour::split_by_image(&meant, &kernel, &larger);
                    self.queue.push(split.cells);
                    let LargerImage::Known(larger) = larger else { return None };
                    let job = Job::LargerImage { wanted: *larger, needing: split.needs_larger };
                    matches!(&job, Job::LargerImage { needing, .. } if !needing.is_empty()).then_some(job)
                }
                Err(error) => {
                    let meant = tests.iter().filter(|test| (self.means)(test, &wanted));
                    let reasons = meant.map(|test| (test, error.to_string())).collect();
                    self.lose(&wanted, reasons);
                    None
                }
            },
            Job::LargerImage { wanted, needing } => {
                match self.fetch(&wanted) {
                    Ok(kernel) => self.queue.push(flavour::on_larger(&needing, &kernel)),
                    Err(error) => {
                        let reasons = needing.iter().map(|s| (s.test(), s.lost(&error))).collect();
                        self.lose(&wanted, reasons);
                    }
                }
                None
            }
        }
    }

    fn fetch(&self, wanted: &RequestedKernel) -> Result<Arc<Kernel>, KernelError> {
        if self.queue.enough().is_set() {
            return Err(KernelError::Packages(crate::kernel::SourceError::Interrupted));
        }
        self.library.fetch(wanted, self.progress).map(Arc::new)
    }

    /// The cells of a kernel that is unavailable: lost, with the reason. An interrupted download says nothing about the
    /// kernel, its cells are not run.
    fn lose(&self, wanted: &RequestedKernel, reasons: Vec<(&Arc<Test>, String)>) {
        if self.queue.enough().is_set() {
            self.queue.forgo(reasons.len() as u64);
            return;
        }
        self.queue.lose(reasons.len() as u64);
        for (test, reason) in reasons {
            (self.sink)(Event::Cell(Box::new(CellRecord {
                test: test.id(),
                kernel: wanted.name().to_owned(),
                release: Some(wanted.release().to_owned()).filter(|r| !r.is_empty()),
                verdict: Verdict::Lost,
                title: None,
                attempts: 0,
                seconds: 0.0,
                reason: Some(reason),
                miss_chance: None,
                known: None,
                arch: wanted.arch().to_tell(),
                package: wanted.debian_version().map(str::to_owned),
                expectation: None,
            })));
        }
    }
}

/// What `--dry-run` prints of one kernel: its cells with the image that each gets, as far as that is known without a
/// download.
pub fn preview(
    library: &Library,
    wanted: &RequestedKernel,
    placed: &[PlacedTest],
    progress: &dyn FetchProgress,
) -> String {
    let larger = library.larger_image(wanted);
    let state = |wanted: &RequestedKernel| match (wanted.is_fetched(), wanted.is_to_build()) {
        (true, _) => "",
        (false, true) => " (to be built)",
        (false, false) => " (to be fetched)",
    };
    let mut text = String::new();
    let mut line = |test: &Test, image: &str| {
        text.push_str(format!("{}@{}  {image}", test.id(), wanted.name()).trim_end());
        text.push('\n');
    };
    let kernel = wanted.is_fetched().then(|| library.fetch(wanted, progress).ok()).flatten();
    let Some(kernel) = kernel.map(Arc::new) else {
        let or = match &larger {
            LargerImage::Known(_) => ", or its plain image for what that lacks",
            LargerImage::None | LargerImage::Missing(_) => "",
        };
        placed.iter().for_each(|p| line(&p.test, &format!("{}{}{or}", wanted.release(), state(wanted))));
        return text;
    };
    let split = flavour::split_by_image(placed, &kernel, &larger);
    let cell_line = |cell: &Cell, state: &str| match &cell.unmet {
        Some(reason) => format!("skip: {reason}"),
        None => format!("{}{state}", cell.kernel.release),
    };
    let mut shown: Vec<(String, String)> =
        split.cells.iter().map(|cell| (cell.test.id(), cell_line(cell, ""))).collect();
    if let LargerImage::Known(large) = &larger {
        let here = large.is_fetched().then(|| library.fetch(large, progress).ok()).flatten().map(Arc::new);
        match here {
            Some(kernel) => shown.extend(
                flavour::on_larger(&split.needs_larger, &kernel)
                    .iter()
                    .map(|c| (c.test.id(), cell_line(c, ""))),
            ),
            None => shown.extend(
                split
                    .needs_larger
                    .iter()
                    .map(|s| (s.test().id(), format!("{}{}", large.release(), state(large)))),
            ),
        }
    }
    for placed in placed {
        if let Some((_, image)) = shown.iter().find(|(id, _)| *id == placed.test.id()) {
            line(&placed.test, image);
        }
    }
    text
}

#[cfg(test)]
mod tests;
