//! Suites as a libtest-mimic test harness: every (test, kernel) pair is a trial named `suite::test@kernel`, which
//! `cargo test` and `cargo nextest` list, filter and run.
//!
//! Another crate exposes its own suites with a test target (`harness = false` in its `Cargo.toml`) of five lines:
//!
//! ```no_run
//! // tests/kernel.rs
//! fn main() -> std::process::ExitCode {
//!     kregress::harness::Harness::new("kernel-suites").kernels(["6.12.117", "7.2.13"]).main()
//! }
//! ```
//!
//! | variable | meaning |
//! | --- | --- |
//! | `KREGRESS_TEST_KERNELS` | the kernels, divided by commas, instead of the harness's own |
//! | `KREGRESS_CACHE` | where kernels are kept |
//! | `KREGRESS_ACCEL` | `kvm` or `tcg` instead of what works |
//! | `KREGRESS_FETCH_QEMU` | set, and not to the empty text: a newer QEMU is unpacked for machines that the installed one cannot build |
//! | `KREGRESS_CI` | set, and not to the empty text: a trial that cannot run here (no QEMU, no busybox, no kernel) fails instead of being skipped |

use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cancel::Cancel;
use crate::event::{CellRecord, Event};
use crate::kernel::{Kernel, KernelSpec, LargerImage, Library, RequestedKernel, cache_folder};
use crate::lab::Lab;
use crate::lab::by_arch::Labs;
use crate::machine::Machines;
use crate::plan::{Cell, PlacedTest, flavour};
use crate::progress::Fetching;
use crate::runner::{self, Capacity, Queue};
use crate::suite::{self, Test};
use crate::verdict::Verdict;
use crate::vm::accel::AccelRequest;

/// Attempts that say nothing about the test are repeated this often, as `kregress run` does by default.
const RETRIES: u32 = 2;

/// A test program made of suites.
#[derive(Clone, Debug)]
pub struct Harness {
    suites: PathBuf,
    machines: PathBuf,
    kernels: Vec<String>,
    strict: bool,
}

/// What the trials share; made by the first one that runs, so that listing needs no QEMU.
struct Shared {
    library: Library,
    machines: Machines,
    labs: Labs,
    kernels: Mutex<HashMap<String, Arc<Kernel>>>,
    strict: bool,
}

impl Harness {
    /// The suites of a folder, on the newest 6.12 kernel.
    pub fn new(suites: impl Into<PathBuf>) -> Harness {
        Harness {
            suites: suites.into(),
            machines: "vm".into(),
            kernels: vec!["latest:6.12".into()],
            strict: false,
        }
    }

    /// The folder of the machines that the suites name; by default `vm`.
    pub fn machines(mut self, folder: impl Into<PathBuf>) -> Harness {
        self.machines = folder.into();
        self
    }

    /// The kernels, as `kregress run -k` takes them.
    pub fn kernels<K: Into<String>>(mut self, kernels: impl IntoIterator<Item = K>) -> Harness {
        self.kernels = kernels.into_iter().map(Into::into).collect();
        self
    }

    /// Holds the suites to their own `known` lists: a kernel that is listed as bad must come out bad. For the
    /// authors of suites; without it such a kernel may also be good.
    pub fn strict(mut self) -> Harness {
        self.strict = true;
        self
    }

    /// Runs as a test program: reads the arguments of `cargo test`, runs the trials, answers the exit code.
    pub fn main(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        // a guest has two processors: more trials at once than that allows would slow each other down
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
        arguments.test_threads.get_or_insert((cpus / 2).max(1));
        match self.trials() {
            Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    /// The trials, in the suites' order.
    ///
    /// # Errors
    /// A suite or a kernel's name makes no sense, or the package lists are unavailable; in words.
    pub fn trials(&self) -> Result<Vec<Trial>, String> {
        let shown = |error| format!("{:?}", miette::Report::new(error));
        let suites = suite::load_dir(&self.suites).map_err(shown)?;
        let machines = Machines::load(&self.machines).map_err(shown)?;
        let named = std::env::var("KREGRESS_TEST_KERNELS").ok().filter(|s| !s.is_empty());
        let kernels = match &named {
            Some(list) => list.split(',').map(|k| k.trim().to_owned()).collect(),
            None => self.kernels.clone(),
        };
        let cache = cache_folder();
        let library = Library::open(&cache, &[]).map_err(|e| e.to_string())?;
        let specs = kernels
            .iter()
            .map(|k| k.parse::<KernelSpec>().map_err(|e| e.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let wanted = match library.resolve(&specs, &Fetching::on_stderr()) {
            Ok(resolution) => resolution.wanted,
            Err(error) => return unavailable(&error.to_string()),
        };
        let shared = Arc::new(Shared {
            library,
            machines,
            labs: Labs::on_host(&cache, is_set("KREGRESS_FETCH_QEMU"), |text| eprintln!("{text}"), |lab| lab),
            kernels: Mutex::default(),
            strict: self.strict,
        });
        let mut trials = Vec::new();
        for kernel in wanted.into_iter().map(Arc::new) {
            for test in suites.iter().flat_map(|s| &s.tests) {
                let (shared, kernel, test) = (Arc::clone(&shared), Arc::clone(&kernel), Arc::clone(test));
                let name = format!("{}@{}", test.id(), kernel.name());
                trials.push(Trial::test(name, move || shared.trial(&test, &kernel)));
            }
        }
        Ok(trials)
    }
}

/// Without kernels there is one trial, which says so: a run of no trials would look like success.
fn unavailable(reason: &str) -> Result<Vec<Trial>, String> {
    let reason = reason.to_owned();
    Ok(vec![Trial::test("kernels-are-available", move || not_here(&reason))])
}

/// What cannot run here is skipped loudly, and fails where nothing may be skipped.
fn not_here(reason: &str) -> Result<(), Failed> {
    Ok(loud_skip::attempt(reason)?)
}

impl Shared {
    fn trial(&self, test: &Arc<Test>, wanted: &RequestedKernel) -> Result<(), Failed> {
        let kernel = match self.kernel(wanted) {
            Ok(kernel) => kernel,
            Err(reason) => return not_here(&reason),
        };
        let machine = self.machines.of(test).map_err(|e| e.to_string())?;
        let lab = match self.labs.place(kernel.arch, &machine) {
            Ok(Ok(lab)) => lab,
            Ok(Err(reason)) => return not_here(&reason),
            Err(error) => return not_here(&error.to_string()),
        };
        // of one lab the first decision counts
        lab.choose_accel(accel_request()?, &kernel);
        // what the machine needs may be this accelerator
        let lacking = lab.missing(&machine);
        let placed = PlacedTest { test: Arc::clone(test), machine: Arc::new(machine), lacking };
        match self.cell(placed, wanted, &kernel) {
            Ok(cell) => judge(&run_cell(cell, &*lab)?, self.strict),
            Err(reason) => not_here(&reason),
        }
    }

    /// The cell on the smallest image that suffices.
    fn cell(
        &self,
        placed: PlacedTest,
        wanted: &RequestedKernel,
        kernel: &Arc<Kernel>,
    ) -> Result<Cell, String> {
        let larger = self.library.larger_image(wanted);
        let split = flavour::split_by_image(&[placed], kernel, &larger);
        let mut cells = split.cells;
        if let (LargerImage::Known(large), Some(test)) = (&larger, split.needs_larger.first()) {
            let large = self.kernel(large).map_err(|e| test.lost(&e))?;
            cells.extend(flavour::on_larger(&split.needs_larger, &large));
        }
        cells.pop().ok_or_else(|| "no cell came out of the plan".to_owned())
    }

    fn kernel(&self, wanted: &RequestedKernel) -> Result<Arc<Kernel>, String> {
        let mut kernels = self.kernels.lock();
        let key = format!("{} {}", wanted.name(), wanted.release());
        if let Some(kernel) = kernels.get(&key) {
            return Ok(Arc::clone(kernel));
        }
        let fetched = self.library.fetch(wanted, &Fetching::on_stderr());
        let kernel = Arc::new(fetched.map_err(|e| format!("{}: {e}", wanted.name()))?);
        kernels.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }
}

fn accel_request() -> Result<AccelRequest, String> {
    match std::env::var("KREGRESS_ACCEL") {
        Ok(text) => text.parse().map_err(|e| format!("KREGRESS_ACCEL={text}: {e}")),
        Err(_) => Ok(AccelRequest::Auto),
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn run_cell(cell: Cell, lab: &dyn Lab) -> Result<CellRecord, Failed> {
    let capacity = Capacity { guests: u32::MAX, jobs: Some(1), cpus: 1, memory_mib: 0 };
    let queue = Queue::new(capacity);
    let id = cell.id();
    queue.push([cell]);
    queue.close();
    let config = runner::Config {
        capacity,
        attempts: None,
        retries: RETRIES,
        max_fail: None,
        ignore_known: false,
        seed: std::process::id().into(),
        run_dir: None,
        reproduce: None,
    };
    let found = Mutex::new(None);
    let sink = |event| match event {
        Event::Cell(record) => *found.lock() = Some(*record),
        Event::Attempt { cell, record } => {
            for diagnosis in &record.diagnoses {
                eprintln!("{cell} attempt {}: {}\n{}", record.attempt, diagnosis.title, diagnosis.text);
            }
        }
        _ => {}
    };
    runner::run(&queue, lab, &config, &sink, &Cancel::new());
    let record = found.into_inner();
    record.ok_or_else(|| Failed::from(format!("{id} got no verdict")))
}

/// Whether a trial passes: it was good or skipped, or the suite says that this kernel has the bug.
fn judge(record: &CellRecord, strict: bool) -> Result<(), Failed> {
    let why = record.title.as_deref().or(record.reason.as_deref()).unwrap_or("no reason given");
    let known = record.known.as_deref();
    match record.verdict {
        Verdict::Good if strict && known == Some("fixed") => {
            Err(Failed::from("good, on a kernel that the suite lists as bad"))
        }
        Verdict::Good => Ok(()),
        Verdict::Skip => {
            eprintln!("SKIPPED by its verdict: {why}");
            Ok(())
        }
        verdict if known == Some("known") => {
            eprintln!("{verdict}, as the suite says: {why}");
            Ok(())
        }
        verdict => Err(Failed::from(format!("{verdict}: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: Verdict, known: Option<&str>) -> CellRecord {
        CellRecord {
            test: "s::t".into(),
            kernel: "6.12".into(),
            release: None,
            verdict,
            title: None,
            attempts: 1,
            seconds: 0.0,
            reason: Some("why".into()),
            miss_chance: None,
            known: known.map(str::to_owned),
            arch: None,
            package: None,
            expectation: None,
        }
    }

    #[test]
    fn trials_pass_and_fail_as_documented() {
        let table = [
            (Verdict::Good, None, false, true),
            (Verdict::Good, Some("fixed"), false, true),
            (Verdict::Good, Some("fixed"), true, false),
            (Verdict::Bad, Some("known"), true, true),
            (Verdict::Bad, None, false, false),
            (Verdict::Other, None, false, false),
            (Verdict::Skip, None, true, true),
            (Verdict::Blind, None, false, false),
            (Verdict::Lost, None, false, false),
        ];
        for (verdict, known, strict, passes) in table {
            assert_eq!(
                judge(&record(verdict, known), strict).is_ok(),
                passes,
                "{verdict} {known:?} {strict}"
            );
        }
    }
}
