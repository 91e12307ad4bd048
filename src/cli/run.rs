//! `kregress run`: tests × kernels, judged.

mod end;
mod reproduce;

use parking_lot::Mutex;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::config::{self, Effective, Layer};
use super::display::DisplayArgs;
use super::error::CliError;
use super::expectations::{self, Expectations, Histories};
use super::guests::{GuestArgs, ReportArgs, random_seed};
use super::interrupt::{self, Ending};
use super::paths::PathArgs;
use super::printing;
use super::selection::{EarlierRun, KernelArgs, TestArgs, check_rerun, earlier_run};
use super::split::SplitArgs;
use super::stress::StressArgs;
use super::supply::{Means, Supply, preview};
use crate::arch::GUEST;
use crate::atomic_file;
use crate::cancel::Cancel;
use crate::cli::word::words;
use crate::config::{Adjustments, ReportTarget, Tuning};
use crate::event::{CellId, Event, Split};
use crate::journal::{Journal, RunDir};
use crate::kernel::{Kernel, Library, NoProgress, RequestedKernel};
use crate::lab::vm::{KeepVmcore, VmLab};
use crate::machine::Machine;
use crate::plan::{CellChoice, PlacedTest};
use crate::plural::counted;
use crate::progress::{EventSink, Fetching, MessageFormat, RunDisplay, for_streams};
use crate::report::junit::JunitKnown;
use crate::report::{ExitStatus, RunSummary};
use crate::runner::durations::Durations;
use crate::runner::{self, Queue};
use crate::suite::Test;
use crate::verdict::Verdict;
use crate::vm::{accel, backend};

/// Run tests on kernels and judge them.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  kregress run                                every test on the default kernels
  kregress run cifs -k latest:6.12,6.17.8     one test on two kernels
  kregress run -s my-suite.yaml -k ./{image}  your own suite on your own kernel
  kregress run --attempts 20 rsi -k 6.12.117  more attempts at a flaky bug", image = GUEST.image.name))]
pub struct RunArgs {
    #[command(flatten)]
    tests: TestArgs,
    #[command(flatten)]
    kernels: KernelArgs,
    #[command(flatten)]
    guests: GuestArgs,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    stress: StressArgs,
    /// What the configuration says besides.
    #[arg(skip)]
    configured: Configured,
    /// Run again what did not pass in an earlier run, of its suites and on its kernels unless others are named: `latest`,
    /// its id, or the id's last four digits; several with commas between them count as one run
    #[arg(short = 'R', long, value_name = "RUN")]
    rerun: Option<String>,
    /// Of that run only what was lost or not run
    #[arg(long, requires = "rerun")]
    lost_only: bool,
    /// Write the exit code to this file in the end
    #[arg(long, value_name = "FILE")]
    pub(super) exit_file: Option<PathBuf>,
    /// The run that `verdict()` and `duration()` of filter expressions ask
    #[arg(long, value_name = "RUN", default_value = "latest", requires = "expressions")]
    earlier: String,
    /// Clean attempts that make a `good`, for every test [default: what its suite says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), env = "KREGRESS_ATTEMPTS")]
    attempts: Option<u32>,
    /// Begin no further test after the first failure
    #[arg(long, conflicts_with = "max_fail")]
    fail_fast: bool,
    /// Begin no further test after this many failures
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_fail: Option<u64>,
    /// Run everything whatever fails; this is the default
    #[arg(long, overrides_with_all = ["fail_fast", "max_fail"])]
    no_fail_fast: bool,
    /// Do not look at the suites' lists of known results: every failure fails the run
    #[arg(long)]
    ignore_known: bool,
    /// Exit as `git bisect run` wants it: 0 good, 1 bad, known or not, 125 for what could not be judged, 128 where
    /// nothing could be set up
    #[arg(long)]
    pub(super) bisect_exit: bool,
    /// How JUnit shows failures that the suites list as known
    #[arg(long, value_parser = words::<JunitKnown>(), value_name = "AS", default_value = "skipped")]
    junit_known: JunitKnown,
    /// A git repository of Linux, with mainline and the stable branches: which kernels contain the fixes that tests name
    #[arg(long, value_name = "REPOSITORY", env = "KREGRESS_TREE")]
    tree: Option<PathBuf>,
    /// Speak with the guests over a second serial port even where the kernel has the virtio driver
    #[arg(long)]
    serial_channel: bool,
    /// Print what would run, and run nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: ReportArgs,
    /// What standard output carries
    #[arg(long, value_parser = words::<MessageFormat>(), default_value = "human", value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Keep the memory of guests as `vmcore`, which crash and drgn open, beside the console; as large as the memory itself
    #[arg(long, value_parser = words::<KeepVmcore>(), value_name = "WHEN", default_value = "never")]
    keep_vmcore: KeepVmcore,
    /// Repeats the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    display: DisplayArgs,
}

/// What a configuration says of a run and no option does.
#[derive(Debug, Default)]
struct Configured {
    /// What it makes of single tests.
    adjustments: Adjustments,
    /// The files that the end of the run leaves [default: those of the formats that have one].
    reports: Option<Vec<ReportTarget>>,
}

impl RunArgs {
    /// Lays a profile under these arguments. Answers every setting as it is in force.
    pub(super) fn configure(&mut self, layer: &Layer<'_>) -> Vec<Effective> {
        let tests = layer.tests(&mut self.tests);
        let kernels = layer.kernels(&mut self.kernels);
        let mut settings = vec![kernels, tests];
        let mut otherwise = Tuning::default();
        let attempts = layer.settle(&["attempts"], |p| &p.attempts, |n| otherwise.attempts = Some(n));
        let timeout = layer.settle(&["timeout"], |p| &p.timeout, |time| otherwise.timeout = Some(time));
        let fixed = Tuning {
            attempts: self.attempts,
            timeout: self.guests.timeout,
            retries: layer.given("retries").map(|_| self.guests.retries),
        };
        let said = |own: Option<String>| json!(own);
        settings.extend([
            Effective::new(
                "attempts",
                json!(self.attempts.or(otherwise.attempts)),
                attempts,
                "as each suite says",
            ),
            Effective::new(
                "timeout",
                said(self.guests.timeout.or(otherwise.timeout).map(config::time)),
                timeout,
                "as each suite says",
            ),
        ]);
        settings.extend(layer.guests(&mut self.guests));
        let stop = ["fail_fast", "max_fail", "no_fail_fast"];
        let stop = layer.settle(&stop, |p| &p.fail_fast, |most| self.max_fail = most.0);
        settings.push(Effective::new("fail-fast", json!(self.most_failures()), stop, "runs everything"));
        let known = layer.settle(&["junit_known"], |p| &p.junit_known, |known| self.junit_known = known);
        settings.push(Effective::new("junit-known", json!(config::word(self.junit_known)), known, ""));
        // -q says how much is shown, too
        let level = ["status_level", "quiet"];
        let level = layer.settle(&level, |p| &p.status_level, |level| self.display.status_level = level);
        let shown = config::word(self.display.status_level);
        settings.push(Effective::new("status-level", json!(shown), level, ""));
        let output = ["failure_output", "quiet"];
        let output = layer.settle(&output, |p| &p.failure_output, |when| self.display.failure_output = when);
        let shown = config::word(self.display.failure_output);
        settings.push(Effective::new("failure-output", json!(shown), output, ""));
        let reports = layer.settle(&[], |p| &p.reports, |reports| self.configured.reports = Some(reports));
        let names = self
            .configured
            .reports
            .as_ref()
            .map(|reports| reports.iter().map(ToString::to_string).collect::<Vec<_>>());
        settings.push(Effective::new("reports", json!(names), reports, "those of every run"));
        let (overrides, groups) = (layer.profile.overrides(), layer.profile.groups());
        settings.extend(config::shown_limits(&groups, &overrides, fixed));
        self.configured.adjustments = Adjustments::new(overrides, groups, otherwise, fixed);
        settings
    }

    /// After how many failures no further test is begun.
    fn most_failures(&self) -> Option<u64> {
        if self.no_fail_fast { None } else { self.max_fail.or(self.fail_fast.then_some(1)) }
    }
}

/// Does the run, whose settings were `configured`.
pub fn run(args: &RunArgs, paths: &PathArgs, configured: Result<(), CliError>) -> Result<ExitCode, CliError> {
    let unwritable = |file: &Path, error| CliError::setup(format!("--exit-file {}: {error}", file.display()));
    if let Some(file) = &args.exit_file {
        // not only when hours of work are done
        atomic_file::check(file).map_err(|error| unwritable(file, error))?;
    }
    let ended = configured.and_then(|()| judge(args, paths));
    if let Some(file) = &args.exit_file {
        let code = ended.as_ref().map_or_else(|error| error.status().code(), |code| *code);
        let written = atomic_file::write(file, format!("{code}\n").as_bytes());
        written.map_err(|error| unwritable(file, error))?;
    }
    ended.map(ExitCode::from)
}

/// Does it, and answers the exit code.
fn judge(args: &RunArgs, paths: &PathArgs) -> Result<u8, CliError> {
    let (choice, earlier) = choice(args)?;
    let suites = match &earlier {
        Some(earlier) if args.tests.suite.is_empty() => &earlier.suites,
        _ => &args.tests.suite,
    };
    let tests = args.tests.tests_of(suites, paths)?;
    let placed = placed(&tests, paths)?;
    let cache = paths.cache()?;
    let library = Library::open(&cache, &paths.catalogues()?).map_err(CliError::setup)?;
    if choice.all_have_passed() && args.lost_only {
        let run = args.rerun.as_deref().unwrap_or("latest");
        return Err(CliError::nothing(format!("no cell of the run {run} was lost, or not run")));
    }
    if choice.all_have_passed() {
        eprintln!(
            "every cell of the run {} has passed, there is nothing to run again",
            args.rerun.as_deref().unwrap_or("latest")
        );
        return Ok(ExitStatus::Success.code());
    }
    let mut wanted = match &earlier {
        Some(earlier) => args.kernels.wanted_of(&library, &earlier.kernels)?,
        None => args.kernels.wanted(&library)?,
    };
    let means =
        |test: &Test, kernel: &RequestedKernel| choice.means(test, kernel.name(), kernel.version().as_ref());
    wanted.retain(|kernel| tests.iter().any(|test| means(test, kernel)));
    if wanted.is_empty() {
        let text = "no cell is meant: the filter leaves none of the kernels to any of the tests";
        return Err(CliError::nothing(text));
    }
    let part = args.split.part(&args.output.reports, &wanted, &tests, &means)?;
    let in_part = |test: &Test, kernel: &RequestedKernel| {
        let cell = || CellId { test: test.id(), kernel: kernel.name().to_owned() };
        part.as_ref().is_none_or(|part| part.has(&cell()))
    };
    let means = |test: &Test, kernel: &RequestedKernel| means(test, kernel) && in_part(test, kernel);
    wanted.retain(|kernel| tests.iter().any(|test| means(test, kernel)));
    if args.dry_run {
        print_plan(&library, &placed, &wanted, &means);
        return Ok(ExitStatus::Success.code());
    }
    if let Some(tree) = &args.tree {
        expectations::check_tree(tree).map_err(|error| CliError::setup(format!("--tree {error}")))?;
    }
    args.guests.check_open_files(wanted.len())?;
    let cancel = Cancel::new();
    let (serial, vmcore) = (args.serial_channel, args.keep_vmcore);
    let adjust = move |lab: VmLab| lab.with_serial_only(serial).with_vmcore(vmcore);
    let lab = args.guests.labs(&cache, &cancel, wanted.iter().map(RequestedKernel::arch), adjust)?;

    let run_dir = RunDir::create(&args.output.reports).map_err(CliError::setup)?;
    let journal = Journal::create(run_dir.path()).map_err(CliError::setup)?;
    // from the beginning: where this run is killed, `latest` must not be an older one that passed
    if let Err(error) = run_dir.make_latest() {
        eprintln!("warning: {error}");
    }
    let RunDisplay { sinks: show, bars } = for_streams(args.message_format, args.display.view());
    // the summary is folded in memory too, so that a full disk costs the reports and not the answer
    let outcome = Mutex::new(RunSummary::over(journal.lookup().map_err(CliError::setup)?));
    let expectations = Expectations::default();
    let sink = |mut event: Event| {
        if matches!(event, Event::RunFinished { .. }) {
            expectations.finish(&cancel);
        }
        expectations.attach(&mut event);
        // what could not be written is reported at the end, and held until then
        let at = journal.append(&event).ok().flatten();
        show.event(&event);
        outcome.lock().apply_at(event, at);
    };
    let capacity = args.guests.capacity();
    let durations = Durations::load(&cache);
    let queue = Arc::new(
        Queue::new(capacity).with_durations(durations, args.attempts).with_stress(args.stress.stress()),
    );
    let woken = Arc::clone(&queue);
    let _hidden = interrupt::watch(Ending::Guests, bars.clone(), &cancel, move || woken.wake())?;

    let partition = part.as_ref().map(|part| Box::new(part.record.clone()));
    let split = Split { partition, ..Split::default() };
    announce(&sink, &run_dir, &tests, &wanted, &means, split);
    for text in expired_entries(&tests, jiff::Zoned::now().date()) {
        sink(Event::Notice { text });
    }
    let library = library.with_cancel(queue.enough());
    let place = |kernel: &Kernel| args.guests.place(&lab, kernel, capacity, &placed, &sink);
    let config = runner::Config {
        capacity,
        attempts: args.attempts,
        retries: args.guests.retries,
        max_fail: args.most_failures(),
        ignore_known: args.ignore_known,
        seed: args.seed.unwrap_or_else(random_seed),
        run_dir: Some(run_dir.path().to_owned()),
        reproduce: Some(reproduce::scripts(args, paths, &wanted)),
    };
    let progress = Fetching::among(bars);
    let supply = Supply {
        library: &library,
        queue: &queue,
        sink: &sink,
        progress: &progress,
        place: &place,
        means: &means,
        adjust: &|test, kernel| {
            args.configured.adjustments.of(test, kernel.name(), kernel.version().as_ref())
        },
    };
    let histories = Histories { library: &library, tree: args.tree.as_deref(), means: &means };
    std::thread::scope(|scope| {
        scope.spawn(|| expectations.look_up(&histories, &wanted, &tests, &sink));
        scope.spawn(|| supply.run(&wanted, &tests));
        runner::run(&queue, &lab, &config, &sink, &cancel);
    });
    // without them the next run only orders its cells worse
    let _ = queue.durations().save(&cache);
    show.close();
    if let Some(error) = show.failure() {
        printing::failed(error);
    }
    let outcome = outcome.into_inner();
    // a trial with a kernel that boots nowhere has shown nothing about KVM
    if outcome.no_guest_came_up() {
        accel::forget(&cache);
    }
    Ok(end::of(args, outcome, &run_dir, &journal, &tests, cancel.is_set()))
}

/// Which cells are meant, and the run that is run again.
fn choice(args: &RunArgs) -> Result<(CellChoice, Option<EarlierRun>), CliError> {
    let mut choice = args.tests.choice()?;
    if choice.needs_earlier_run() {
        choice = choice.with_earlier(earlier_run(&args.output.reports, &args.earlier)?.cells);
    }
    let Some(asked) = &args.rerun else { return Ok((choice, None)) };
    check_rerun(&args.output.reports, asked)?;
    let mut earlier = earlier_run(&args.output.reports, asked)?;
    let cells = &mut earlier.cells;
    if args.ignore_known || args.bisect_exit {
        // what is known counts as a failure then
        for cell in cells.values_mut() {
            cell.passed &= !matches!(cell.verdict, Some(Verdict::Bad | Verdict::Other));
        }
    }
    if args.lost_only {
        // whatever was judged stays as it is
        for cell in cells.values_mut() {
            cell.passed = !matches!(cell.verdict, None | Some(Verdict::Lost));
        }
    }
    let choice = choice.with_rerun(std::mem::take(&mut earlier.cells));
    Ok((choice, Some(earlier)))
}

/// What the user learns of known messages and known failures that have expired, each once.
fn expired_entries(tests: &[Arc<Test>], today: jiff::civil::Date) -> Vec<String> {
    let mut told = Vec::new();
    for entry in tests.iter().flat_map(|test| test.messages.expired(today)) {
        let notice = entry.expiry_notice();
        if !told.contains(&notice) {
            told.push(notice);
        }
    }
    for test in tests {
        let expired = test.known.iter().filter(|entry| entry.hides_failures() && entry.is_expired(today));
        told.extend(expired.map(|entry| entry.expiry_notice(&test.id())));
    }
    told
}

/// The tests with their machines; whether the host can build those is not known yet.
pub(super) fn placed(tests: &[Arc<Test>], paths: &PathArgs) -> Result<Vec<PlacedTest>, CliError> {
    let machines = paths.machines()?;
    let place = |test: &Arc<Test>| {
        let machine = machines
            .of(test)
            .map_err(|error| CliError::setup(format!("{}: {}: {error}", test.span, test.id())))?;
        Ok(PlacedTest { test: Arc::clone(test), machine: Arc::new(machine), lacking: None })
    };
    tests.iter().map(place).collect()
}

fn announce(
    sink: &dyn Fn(Event),
    run_dir: &RunDir,
    tests: &[Arc<Test>],
    wanted: &[RequestedKernel],
    means: &Means<'_>,
    split: Split,
) {
    let cells =
        wanted.iter().map(|kernel| tests.iter().filter(|test| means(test, kernel)).count()).sum::<usize>();
    sink(Event::RunStarted {
        schema: crate::event::SCHEMA,
        run: run_dir.id().to_owned(),
        kregress: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
        command: std::env::args().collect(),
        cells: cells as u64,
        split,
    });
    let mut described = HashSet::new();
    for kernel in wanted {
        for test in tests.iter().filter(|test| means(test, kernel)) {
            let event = expectations::planned(test, kernel, None);
            sink(if described.insert(test.id()) { event.with_about(test) } else { event });
        }
    }
}

fn print_plan(library: &Library, placed: &[PlacedTest], wanted: &[RequestedKernel], means: &Means<'_>) {
    use std::io::Write;
    // on a host that has nothing to run guests with, nothing is said of what is missing for a machine
    let backend = backend::find().ok();
    let missing = |machine: &Machine| backend.as_ref().and_then(|backend| backend.missing(machine, None));
    let placed: Vec<PlacedTest> =
        placed.iter().map(|p| PlacedTest { lacking: missing(&p.machine), ..p.clone() }).collect();
    let (mut text, mut cells) = (String::new(), 0);
    for kernel in wanted {
        let mut placed: Vec<PlacedTest> = placed.iter().filter(|p| means(&p.test, kernel)).cloned().collect();
        if kernel.arch() != GUEST {
            // what emulates it may not be here yet
            placed.iter_mut().for_each(|p| p.lacking = None);
        }
        cells += placed.len();
        text.push_str(&preview(library, kernel, &placed, &NoProgress));
    }
    // a closed pipe is the reader's choice
    let _ = std::io::stdout().write_all(text.as_bytes());
    let (tests, kernels) = (placed.len(), wanted.len());
    let cells = counted(cells, "cell");
    eprintln!("{cells}: {} on {}", counted(tests, "test"), counted(kernels, "kernel"));
}
