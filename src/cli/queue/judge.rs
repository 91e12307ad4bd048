//! Runs a queue: lab, journal, views, and the reports at its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::input::{QueueInput, options};
use super::kernels::TreeKernels;
use super::{QueueArgs, absolute, output};
use crate::cancel::Cancel;
use crate::cli::error::CliError;
use crate::cli::guests::random_seed;
use crate::cli::interrupt::{self, Ending};
use crate::cli::paths::PathArgs;
use crate::cli::run::placed;
use crate::event::queue::{QueueEvent, QueueRecord, QueueTree};
use crate::event::{Counts, Event, SCHEMA};
use crate::journal::{Journal, RunDir};
use crate::kernel::{Kernel, Library};
use crate::plan::PlacedTest;
use crate::progress::{EventSink, Fetching, RunDisplay};
use crate::queue::{ChosenTest, QueueDriver, QueueEnd, QueueState, digest, mail};
use crate::report::ExitStatus;
use crate::suite::Test;
use crate::triage::{Aims, Budget, Costs};
use crate::vm::backend;

/// What a kernel and an attempt cost before any was made, seconds.
const COSTS: Costs = Costs { kernel: 240.0, attempt: 15.0 };

/// The file in the run's folder that keeps what came on standard input.
pub const STDIN_FILE: &str = "queue.mbox";

/// Everything that a queue is judged with.
pub struct Judging<'a> {
    /// The arguments.
    pub args: &'a QueueArgs,
    /// Where things lie.
    pub paths: &'a PathArgs,
    /// The cache.
    pub cache: PathBuf,
    /// What builds.
    pub library: &'a Library,
    /// The queue on its tree.
    pub input: &'a QueueInput,
    /// Ends it.
    pub cancel: Cancel,
}

impl Judging<'_> {
    /// Begins a run.
    pub fn begin(
        self,
        chosen: &[ChosenTest],
        config_digest: String,
        shown: RunDisplay,
    ) -> Result<ExitStatus, CliError> {
        let tests: Vec<Arc<Test>> = chosen.iter().map(|one| Arc::clone(&one.test)).collect();
        let places = placed(&tests, self.paths)?;
        let record = self.record(chosen, &places, config_digest);
        let state = QueueState::new(record.clone()).map_err(CliError::setup)?;
        // what this host lacks is said before anything is written
        backend::find().map_err(CliError::setup)?;
        let dir = RunDir::create(&self.args.output.reports).map_err(CliError::setup)?;
        if let Some(bytes) = &self.input.handed.stdin {
            let path = dir.path().join(STDIN_FILE);
            std::fs::write(&path, bytes)
                .map_err(|error| CliError::setup(format!("{}: {error}", path.display())))?;
        }
        let journal = Journal::create(dir.path()).map_err(CliError::setup)?;
        output::point_latest_at(&dir);
        let begun = Event::Queue(Box::new(QueueEvent::Begun(Box::new(record))));
        let events = vec![started(&dir, tests.len()), begun];
        self.run(state, places, &dir, &journal, events, shown)
    }

    fn record(&self, chosen: &[ChosenTest], places: &[PlacedTest], config_digest: String) -> QueueRecord {
        let QueueInput { handed, tree, commit, version, reading, missing, notes } = self.input;
        let worth = self.args.worth;
        let (input, onto) = (self.args.input.as_deref(), self.args.onto.as_deref());
        QueueRecord {
            input: absolute(input.unwrap_or_default()),
            kind: handed.queue.kind.words().to_owned(),
            mail: mail(&handed.queue),
            digest: digest(&reading.kept),
            tree: QueueTree {
                named: absolute(onto.unwrap_or_default()),
                commit: commit.clone(),
                version: version.clone(),
                config: tree.config.clone(),
                config_digest,
                compiler: tree.compiler.clone(),
                arch: tree.arch.to_tell(),
            },
            patches: reading.patches.clone(),
            set_aside: reading.set_aside.clone(),
            missing: missing.clone(),
            reading: self.args.how_read(),
            notes: notes.clone(),
            tests: chosen.iter().zip(places).map(|(one, at)| one.record(&at.machine, worth)).collect(),
            aims: Aims { worth, ..Aims::default() },
            budget: self.budget(),
            costs: COSTS,
            each: self.args.each(),
        }
    }

    /// What may be spent, as it is asked for.
    pub fn budget(&self) -> Budget {
        Budget { attempts: None, cost: self.args.budget.map(|budget| budget.as_secs_f64()) }
    }

    /// Builds and makes attempts until there is an answer, and reports it. `events` are those that the journal does not have
    /// yet.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        self,
        mut state: QueueState,
        places: Vec<PlacedTest>,
        dir: &RunDir,
        journal: &Journal,
        events: Vec<Event>,
        shown: RunDisplay,
    ) -> Result<ExitStatus, CliError> {
        let start = Instant::now();
        let Judging { args, cache, library, input, cancel, .. } = &self;
        let lab = args.guests.labs(cache, cancel, [], |lab| lab)?;
        let RunDisplay { sinks: show, bars } = shown;
        let sink = |event: Event| {
            // what could not be written is reported at the end
            let _ = journal.append(&event);
            show.event(&event);
        };
        for event in events {
            // the record itself made the state
            if !matches!(&event, Event::Queue(queue) if matches!(queue.as_ref(), QueueEvent::Begun(_))) {
                state.apply(&event);
            }
            sink(event);
        }
        let _hidden = interrupt::watch(Ending::Guests, bars.clone(), cancel, || ())?;
        let capacity = args.guests.capacity();
        // the host is the same for all kernels
        let told = Mutex::new(false);
        let tell_once = |event: Event| {
            if !std::mem::replace(&mut *told.lock(), true) {
                sink(event);
            }
        };
        let place = |kernel: &Kernel| args.guests.place(&lab, kernel, capacity, &places, &tell_once);
        let progress = Fetching::among(bars);
        let kernels = TreeKernels {
            input,
            options: options(&state.record().reading),
            builder: library.builder(),
            progress: &progress,
            cancel,
            place: &place,
            last: Mutex::default(),
        };
        let driver = QueueDriver {
            lab: &lab,
            kernels: &kernels,
            capacity,
            seed: random_seed(),
            run_dir: Some(dir.path().to_owned()),
            sink: &sink,
            cancel,
        };
        let end = driver.run(&mut state);
        let mut counts = Counts::default();
        for record in output::cells(&state) {
            counts.add(record.verdict);
            sink(Event::Cell(Box::new(record)));
        }
        let cancelled = end != QueueEnd::Answered;
        let seconds = start.elapsed().as_secs_f64();
        sink(Event::RunFinished { at: Timestamp::now(), seconds, cancelled, counts });
        show.close();
        output::finish(args, &state, dir, journal, &end)
    }
}

/// The run's first event.
pub fn started(dir: &RunDir, tests: usize) -> Event {
    Event::RunStarted {
        schema: SCHEMA,
        run: dir.id().to_owned(),
        kregress: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
        command: std::env::args().collect(),
        cells: tests as u64,
        split: Default::default(),
    }
}
