//! Runs a bisection: lab, journal, views, and the reports at its end.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::begin::{self, PreparedBisection};
use super::{BisectArgs, CliError, PathArgs};
use crate::arch::{Arch, GUEST};
use crate::bisection::report::{Report, text};
use crate::bisection::supply::{Commits, Packages, PlaceTest, Recipe};
use crate::bisection::{BisectionEnd, BisectionState, CandidateKernels, CandidateState, Driver, reuse};
use crate::cancel::Cancel;
use crate::cli::guests::random_seed;
use crate::cli::interrupt::{self, Ending};
use crate::cli::printing;
use crate::cli::run::placed;
use crate::event::{BisectionSource, CellRecord, Counts, Event, SCHEMA};
use crate::journal::{Journal, RunDir};
use crate::kernel::compile::Builder;
use crate::kernel::{FetchProgress, Kernel, Library, RequestedKernel};
use crate::plan::PlacedTest;
use crate::progress::{EventSink, Fetching, MessageFormat, RunDisplay, for_bisection};
use crate::render::{Run, Subject, write_files};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::shown_path;
use crate::report::{ExitStatus, HTML_FILE, ReportError, RunSummary};
use crate::suite::Test;
use crate::verdict::Verdict;
use crate::vm::backend;

/// Everything that a bisection runs on.
struct BisectContext<'a> {
    args: &'a BisectArgs,
    cache: PathBuf,
    library: Library,
    at: PlacedTest,
    kernels: Vec<RequestedKernel>,
    cancel: Cancel,
}

/// Begins a new one.
pub fn begin(args: &BisectArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let test = begin::test(args, paths, args.test.as_deref().unwrap_or_default())?;
    let (cache, library) = library(paths)?;
    let at = machine(&test, paths)?;
    let begun = begin::begin(args, &at, &library)?;
    let mut state = BisectionState::new(begun.record.clone()).map_err(CliError::usage)?;
    // what this host lacks is said before anything is written
    backend::find().map_err(CliError::setup)?;
    let earlier =
        if args.search.fresh { Vec::new() } else { reuse::earlier(&args.run.output.reports, &begun.record) };
    let dir = RunDir::create(&args.run.output.reports).map_err(CliError::setup)?;
    let journal = Journal::create(dir.path()).map_err(CliError::setup)?;
    let PreparedBisection { record, kernels, earlier: imported, notices } = begun;
    let first = [started(&dir, record.candidates.len()), Event::Bisection(Box::new(record))];
    let notices = notices.into_iter().map(|text| Event::Notice { text });
    let events: Vec<Event> = first.into_iter().chain(notices).chain(imported).chain(earlier).collect();
    // the record itself made the state
    events.iter().filter(|event| !matches!(event, Event::Bisection(_))).for_each(|event| state.apply(event));
    let scene = BisectContext { args, cache, library, at, kernels, cancel: Cancel::new() };
    scene.run(state, &dir, &journal, events)
}

/// Goes on with an earlier one.
pub fn go_on(
    args: &BisectArgs,
    paths: &PathArgs,
    dir: &RunDir,
    mut state: BisectionState,
) -> Result<ExitStatus, CliError> {
    let test = begin::test(args, paths, &state.record().test)?;
    let at = machine(&test, paths)?;
    if reuse::test_digest(&test, &at.machine) != state.record().test_digest {
        return Err(CliError::setup(format!(
            "{} was changed since run {} began, so that its attempts no longer say the same; begin a new bisection",
            test.id(),
            dir.id()
        )));
    }
    let journal = Journal::resume(dir.path()).map_err(CliError::setup)?;
    // what was appended before the journal was locked
    state = BisectionState::of(dir).map_err(CliError::setup)?.unwrap_or(state);
    let mut events = vec![started(dir, state.record().candidates.len())];
    let aims = args.search.changed(state.record().aims);
    if aims != state.record().aims {
        let record = crate::event::BisectionRecord { aims, ..state.record().clone() };
        events.push(Event::Bisection(Box::new(record)));
    }
    events.iter().for_each(|event| state.apply(event));
    let (cache, library) = library(paths)?;
    let kernels = begin::again(state.record(), &library)?;
    let scene = BisectContext { args, cache, library, at, kernels, cancel: Cancel::new() };
    scene.run(state, dir, &journal, events)
}

/// The test with its machine.
fn machine(test: &Arc<Test>, paths: &PathArgs) -> Result<PlacedTest, CliError> {
    let at = placed(std::slice::from_ref(test), paths)?.pop();
    at.ok_or_else(|| CliError::setup(format!("{} has no machine", test.id())))
}

fn library(paths: &PathArgs) -> Result<(PathBuf, Library), CliError> {
    let cache = paths.cache()?;
    let library = Library::open(&cache, &paths.catalogues()?).map_err(CliError::setup)?;
    Ok((cache, library))
}

fn started(dir: &RunDir, candidates: usize) -> Event {
    Event::RunStarted {
        schema: SCHEMA,
        run: dir.id().to_owned(),
        kregress: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
        command: std::env::args().collect(),
        cells: candidates as u64,
        split: Default::default(),
    }
}

impl BisectContext<'_> {
    /// Makes attempts until there is an answer, and reports it. `events` are those that the journal does not have yet.
    fn run(
        self,
        mut state: BisectionState,
        dir: &RunDir,
        journal: &Journal,
        events: Vec<Event>,
    ) -> Result<ExitStatus, CliError> {
        let start = std::time::Instant::now();
        let run = &self.args.run;
        let lab = run.guests.labs(&self.cache, &self.cancel, [], |lab| lab)?;
        let RunDisplay { sinks: show, bars } = for_bisection(run.message_format);
        let sink = |event: Event| {
            // what could not be written is reported at the end
            let _ = journal.append(&event);
            show.event(&event);
        };
        if !events.iter().any(|event| matches!(event, Event::Bisection(_))) {
            use crate::progress::EventSink;
            // the journal of one that is resumed has it already
            show.event(&Event::Bisection(Box::new(state.record().clone())));
        }
        events.into_iter().for_each(&sink);
        let _hidden = interrupt::watch(Ending::Guests, bars.clone(), &self.cancel, || ())?;
        let at = &self.at;
        let capacity = run.guests.capacity();
        let place = |kernel: &Kernel| {
            let placed = run.guests.place(&lab, kernel, capacity, std::slice::from_ref(at), &sink);
            placed.into_iter().next().unwrap_or_else(|| at.clone())
        };
        let library = self.library.with_cancel(&self.cancel);
        let progress = Fetching::among(bars);
        let kernels =
            supply(&state, self.kernels, &library, library.builder(), &progress, &place, &self.cancel);
        let driver = Driver {
            lab: &lab,
            kernels: kernels.as_ref(),
            capacity,
            retries: run.guests.retries,
            seed: run.seed.unwrap_or_else(random_seed),
            run_dir: Some(dir.path().to_owned()),
            sink: &sink,
            cancel: &self.cancel,
        };
        let ended = driver.run(&mut state);
        let mut counts = Counts::default();
        if matches!(ended, BisectionEnd::Answer(_)) {
            for record in cells(&state) {
                counts.add(record.verdict);
                sink(Event::Cell(Box::new(record)));
            }
        }
        let cancelled = !matches!(ended, BisectionEnd::Answer(_));
        let seconds = start.elapsed().as_secs_f64();
        sink(Event::RunFinished { at: Timestamp::now(), seconds, cancelled, counts });
        {
            use crate::progress::EventSink;
            show.close();
            if let Some(error) = show.failure() {
                printing::failed(error);
            }
        }
        finish(run.message_format, &state, dir, journal, &ended)
    }
}

fn supply<'a>(
    state: &BisectionState,
    kernels: Vec<RequestedKernel>,
    library: &'a Library,
    builder: &'a Builder,
    progress: &'a (dyn FetchProgress + Send),
    place: &'a PlaceTest<'a>,
    cancel: &'a Cancel,
) -> Box<dyn CandidateKernels + 'a> {
    match &state.record().source {
        BisectionSource::Series { .. } => Box::new(Packages::new(library, kernels, progress, place)),
        BisectionSource::Tree { path, config, compiler, arch, .. } => {
            let of =
                |candidate: &crate::event::CandidateRecord| (candidate.name.clone(), candidate.id.clone());
            let commits = state.record().candidates.iter().map(of).collect();
            let recipe = Recipe {
                repository: PathBuf::from(path),
                config: config.clone(),
                compiler: compiler.clone(),
                arch: arch.as_deref().and_then(Arch::named).unwrap_or(GUEST),
            };
            Box::new(Commits::new(builder, recipe, commits, progress, cancel, place))
        }
    }
}

/// The architecture of a candidate's kernel, where that has to be told.
fn arch_of(state: &BisectionState, node: usize) -> Option<String> {
    match &state.record().source {
        BisectionSource::Tree { arch, .. } => arch.clone(),
        BisectionSource::Series { .. } => {
            let (word, _) = state.candidate(node).name.split_once(':')?;
            Arch::named(word)?.to_tell()
        }
    }
}

/// The kernels that were tried as cells, so that the matrix and JUnit show them too.
fn cells(state: &BisectionState) -> Vec<CellRecord> {
    let cell = |(node, tried): (usize, &CandidateState)| {
        let seen = tried.attempts.iter().filter_map(|made| made.seen());
        let (symptoms, clean) =
            seen.fold((0, 0), |(bad, good), one| (bad + one.symptoms, good + one.clean()));
        let last = tried.attempts.last();
        let verdict = match (symptoms, clean) {
            (0, 0) => last.map(|made| made.verdict).or(tried.closed.is_some().then_some(Verdict::Skip))?,
            (0, _) => Verdict::Good,
            _ => Verdict::Bad,
        };
        Some(CellRecord {
            test: state.record().test.clone(),
            kernel: state.candidate(node).name.clone(),
            release: tried.release.clone(),
            verdict,
            title: tried.symptom().map(str::to_owned),
            attempts: tried.attempts.len() as u32,
            seconds: tried.attempts.iter().map(|made| made.seconds).sum(),
            reason: tried.closed.clone(),
            miss_chance: None,
            known: None,
            arch: arch_of(state, node),
            package: None,
            expectation: None,
        })
    };
    state.all_tried().filter_map(cell).collect()
}

/// Prints the report, writes it into the run's folder, answers the exit code.
fn finish(
    format: MessageFormat,
    state: &BisectionState,
    dir: &RunDir,
    journal: &Journal,
    ended: &BisectionEnd,
) -> Result<ExitStatus, CliError> {
    let report = Report::of(state);
    match format {
        MessageFormat::Human => print!("{}", text(&report, MatrixStyle::for_stdout())),
        MessageFormat::Json => eprint!("{}", text(&report, MatrixStyle::for_stderr())),
    }
    let written = RunSummary::of(dir).map_err(ReportError::from).and_then(|summary| {
        write_files(
            &Subject::Bisection(&report, Run { summary: &summary, dir, junit_known: JunitKnown::default() }),
            dir,
        )
    });
    if let Err(error) = &written {
        eprintln!("error: {error}; once there is room, run `kregress report {} --write`", dir.id());
    }
    if written.is_ok() {
        eprintln!("\nThe report is {}", shown_path(&dir.path().join(HTML_FILE)));
    }
    if let Err(error) = dir.make_latest() {
        eprintln!("warning: {error}");
    }
    if let Some(trouble) = journal.trouble() {
        eprintln!("error: {trouble}");
    }
    let again = format!("`kregress bisect --resume {}` resumes it", dir.id());
    match ended {
        BisectionEnd::Answer(_) => Ok(report.exit_status()),
        BisectionEnd::Interrupted => {
            eprintln!("interrupted; {again}");
            Ok(ExitStatus::Interrupted)
        }
        BisectionEnd::Host(reason) => Err(CliError::setup(format!("{reason}\n{again}"))),
    }
}
