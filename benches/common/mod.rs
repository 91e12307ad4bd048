//! What benches with guests share: a kernel, a lab, one test, and medians.

#![allow(dead_code, reason = "each bench uses a part of it")]

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kregress::cancel::Cancel;
use kregress::event::Event;
use kregress::journal::{Journal, RunDir};
use kregress::kernel::{Kernel, KernelSpec, Library, NoProgress, cache_folder};
use kregress::lab::timeouts::Timeouts;
use kregress::lab::vm::VmLab;
use kregress::lab::{Lab, Watch};
use kregress::machine::Machine;
use kregress::observation::Phase;
use kregress::plan::{Cell, PlacedTest};
use kregress::report::{Outline, RunSummary};
use kregress::runner::{self, Capacity, Config, Queue};
use kregress::suite::{self, Test};
use kregress::verdict::Verdict;
use kregress::vm::accel::AccelRequest;
use kregress::vm::backend;

/// A test whose program does nothing.
pub const NOTHING: &str = "
suite: bench
summary: a program that does nothing
tests:
  - name: nothing
    summary: nothing is done
    program: {shell: 'true'}
    symptom: {crash: {title: 'never'}}
";

/// The same with a guest whose clock leaps while it is idle.
pub const LEAPING: &str = "
suite: bench
summary: a program that does nothing
tests:
  - name: nothing
    summary: nothing is done
    machine: {clock: time-travel}
    program: {shell: 'true'}
    symptom: {crash: {title: 'never'}}
";

/// The beginning of a suite with a race in the guest's shell: two writers, each with so many rounds. What it says, its dose, and
/// what it shows come behind it.
pub const RACE: &str = include_str!("race.yaml");

/// How often something is tried before it counts as broken.
const TRIES: usize = 5;

/// Hears nothing.
pub struct Silent;

impl Watch for Silent {
    fn phase(&self, _: Phase) {}
    fn slow(&self, _: f64) {}
    fn trouble(&self, _: &str) {}
    fn notice(&self, text: &str) {
        eprintln!("{text}");
    }
}

/// The words of the command line that are no options, as cargo passes some.
pub fn words() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|a| !a.starts_with('-'))
}

/// A word that is a number.
pub fn number(word: Option<String>, default: usize) -> usize {
    word.map_or(default, |word| word.parse().unwrap_or_else(|_| panic!("{word} is no number")))
}

/// A kernel by its name, fetched if need be.
pub fn kernel(name: &str) -> Arc<Kernel> {
    find_kernel(name).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// As [`kernel`]; an error says why it is unavailable, in words.
pub fn find_kernel(name: &str) -> Result<Arc<Kernel>, String> {
    let library = Library::open(&cache_folder(), &[]).map_err(|e| e.to_string())?;
    let spec = name.parse::<KernelSpec>().map_err(|e| e.to_string())?;
    let resolution = library.resolve(&[spec], &NoProgress).map_err(|e| e.to_string())?;
    let wanted = resolution.wanted.first().ok_or("no such kernel is known")?;
    library.fetch(wanted, &NoProgress).map(Arc::new).map_err(|e| e.to_string())
}

/// A lab on the user's cache, its accelerator chosen.
pub fn lab(kernel: &Kernel) -> VmLab {
    let lab = VmLab::new(backend::find().expect("QEMU"), &cache_folder()).expect("a lab");
    lab.choose_accel(AccelRequest::Auto, kernel);
    lab.with_timeouts(timeouts())
}

/// The only test of a suite's text.
pub fn test(text: &str) -> Arc<Test> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.yaml");
    std::fs::write(&path, text).expect("a file");
    let suite = suite::load_file(&path).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
    Arc::clone(&suite.tests[0])
}

/// One cell through the runner into a journal, as `kregress run` does it.
pub struct Runs {
    folder: tempfile::TempDir,
    kernel: Arc<Kernel>,
    test: Arc<Test>,
    machine: Arc<Machine>,
    retries: u32,
}

impl Ran {
    /// Nothing, where its attempts were clean, and none had to be repeated; else what happened.
    pub fn clean(self) -> Result<(), String> {
        let clean =
            self.cell.verdict == Verdict::Good && self.attempts.iter().all(|a| a.verdict == Verdict::Good);
        if clean { Ok(()) } else { Err(format!("{:?}", self.cell)) }
    }
}

/// The result of a run of one cell.
pub struct Ran {
    /// From the request to the verdict in the journal, seconds.
    pub seconds: f64,
    /// The cell's record.
    pub cell: kregress::event::CellRecord,
    /// Its attempts.
    pub attempts: Vec<kregress::event::AttemptRecord>,
    /// When each phase was reached, seconds from the request.
    pub phases: Vec<(Phase, f64)>,
}

impl Runs {
    /// Runs of this test on this kernel.
    pub fn new(kernel: &Arc<Kernel>, test: &Arc<Test>) -> Runs {
        Runs {
            folder: tempfile::tempdir().expect("a folder"),
            kernel: Arc::clone(kernel),
            machine: Arc::new(Machine::built_in().for_test(&test.machine).expect("a machine")),
            test: Arc::clone(test),
            retries: 2,
        }
    }

    /// Runs the cell with so many attempts.
    pub fn run(&self, lab: &dyn Lab, attempts: u32) -> Ran {
        let placed =
            PlacedTest { test: Arc::clone(&self.test), machine: Arc::clone(&self.machine), lacking: None };
        let run_dir = RunDir::create(self.folder.path()).expect("a run's folder");
        let journal = Journal::create(run_dir.path()).expect("a journal");
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let capacity = Capacity { guests: u32::MAX, jobs: None, cpus, memory_mib: 1 << 20 };
        let config = Config {
            capacity,
            attempts: Some(attempts),
            retries: self.retries,
            max_fail: None,
            ignore_known: true,
            seed: Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()),
            run_dir: Some(run_dir.path().to_owned()),
            reproduce: None,
        };
        let told = Mutex::new((None, None, Vec::new()));
        let phases = Mutex::new(Vec::new());
        let start = Instant::now();
        let sink = |event: Event| {
            journal.append(&event).expect("the journal is written");
            let mut told = told.lock();
            match event {
                Event::Cell(record) => {
                    *told = (Some(start.elapsed()), Some(*record), std::mem::take(&mut told.2))
                }
                Event::Attempt { record, .. } => told.2.push(*record),
                Event::Phase { phase, .. } => {
                    phases.lock().push((phase, start.elapsed().as_secs_f64()));
                }
                Event::Notice { text } => eprintln!("{text}"),
                _ => {}
            }
        };
        let queue = Queue::new(capacity);
        queue.push([Cell::new(&placed, Arc::clone(&self.kernel))]);
        queue.close();
        runner::run(&queue, lab, &config, &sink, &Cancel::new());
        let (time, cell, attempts) = told.into_inner();
        let _ = std::fs::remove_dir_all(run_dir.path());
        let phases = phases.into_inner();
        let (seconds, cell) = (time.expect("a verdict").as_secs_f64(), cell.expect("a verdict"));
        Ran { seconds, cell, attempts, phases }
    }

    /// The test.
    pub fn test(&self) -> &Test {
        &self.test
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// A folder for whatever a bench needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// How long guests may take, generously: a bench waits rather than fails.
pub fn timeouts() -> Timeouts {
    Timeouts { boot: Duration::from_secs(600), ..Timeouts::default() }
}

/// Processor time of this process and of its children that have ended, seconds: in `stat` (`proc(5)`) in hundredths.
/// On a host that does other things besides it says more than the clock.
pub fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(4);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// What both clocks showed of a side's rounds.
#[derive(Default)]
pub struct Times {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

impl Times {
    /// Measures this. What does not work out does not count, and is tried again a few times: on a busy host a guest
    /// may fail to boot.
    ///
    /// # Panics
    /// It never works out.
    pub fn measure(&mut self, work: impl Fn() -> Result<(), String>) {
        for _ in 0..TRIES {
            let (start, before) = (Instant::now(), processor_time());
            match work() {
                Ok(()) => {
                    self.wall.push(start.elapsed().as_secs_f64());
                    self.processor.push(processor_time() - before);
                    return;
                }
                Err(why) => eprintln!("once more: {why}"),
            }
        }
        panic!("{TRIES} times in vain");
    }

    /// The median by the clock, seconds, without the first round, which reads files that later ones find in memory.
    pub fn wall(&self) -> f64 {
        median(&self.wall[1..])
    }

    /// The mean of the processors' time, seconds: its unit is too coarse for a median. Without the first round, too.
    pub fn processor(&self) -> f64 {
        let later = &self.processor[1..];
        later.iter().sum::<f64>() / later.len() as f64
    }
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a matrix with `kregress run` and answers how long it took, seconds, and what it said.
///
/// # Panics
/// It cannot be set up, or its journal not be read.
pub fn matrix(words: &[String], options: &[&str], reports: &Path) -> (f64, RunSummary) {
    let mut command = Command::new(program());
    command.arg("run").args(words).args(options).arg("-o").arg(reports);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("kregress starts");
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.code() != Some(96), "kregress run {words:?} {options:?} could not be set up");
    let run = RunDir::find(reports, "latest").expect("a run");
    (seconds, RunSummary::of(&run).expect("its journal"))
}

/// The verdict of each cell.
pub fn verdicts(run: &RunSummary) -> BTreeMap<String, String> {
    let told = |cell: Outline<'_>| cell.verdict().map_or("none", |v| v.word()).to_owned();
    run.cells().map(|cell| (cell.id().to_string(), told(cell))).collect()
}

/// `kregress` itself.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_kregress"))
}
