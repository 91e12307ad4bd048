//! `kregress backport`: does this patch fix its bug in these trees, and break nothing else?

mod applied;
mod input;
mod onto;
mod output;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use self::applied::{Applied, Applier, TreeKernels};
use self::input::Handed;
use super::error::CliError;
use super::interrupt;
use super::paths::PathArgs;
use super::run::{free_memory_mib, host_cpus, parse_time, placed, random_seed};
use super::selection::load_suites;
use crate::backport::{Related, Subject, Tie, TreeOutcome, TreeResult, TreeVerdict, Validation, related};
use crate::cancel::Cancel;
use crate::event::Event;
use crate::journal::{Journal, RunDir};
use crate::kernel::{Kernel, Library, fetch_progress, progress_for_stderr};
use crate::lab::patience::Patience;
use crate::lab::qemu::QemuLab;
use crate::patch::{GitTree, Options, show};
use crate::plan::{Filter, Placed, select};
use crate::progress::{EventSink, MessageFormat, Shown, for_streams};
use crate::report::{ExitStatus, RunSummary};
use crate::runner::{self, Capacity};
use crate::scratch::Scratch;
use crate::suite::{Suite, Test};
use crate::vm::accel::Wish;
use crate::vm::qemu::Qemu;

/// Applies a patch to trees, builds each without and with it, and runs the tests of its bug and all others on both.
///
/// Nothing is written to a tree of yours. The exit code is 0 when the bug is gone in every tree and nothing got worse,
/// 100 when the patch does not apply, does not build, does not fix or breaks something in one, and 102 when a tree cannot
/// tell, also because the bug does not show there without the patch either.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress backport fix.mbox --onto ~/linux@linux-6.12.y --onto linux-source-6.1
  kregress backport autosel.eml --onto auto --repair      the lines that the subject names, as far as they are configured
  kregress backport ~/linux@9b25f381de6b --onto ~/stable  a commit, on a folder as it is now
  kregress backport fix.patch --onto ~/linux --dry-run    does it apply, and what would run?")]
pub struct BackportArgs {
    /// A patch file, a mail, an mbox, a saved page of a mail archive, `-`, or REPOSITORY@COMMIT
    input: String,
    /// Where it is to go: a source folder, REPOSITORY@REF, a tarball, linux-source-LINE[@VERSION], a kernel to compile
    /// of the catalogues, or auto: those of the catalogues whose lines the mail names
    #[arg(long, value_name = "TREE", required = true)]
    onto: Vec<String>,
    /// The tests of the bug: parts of names or globs [default: found by commit, link, syzbot's id, or touched files]
    #[arg(long, value_name = "FILTER")]
    tests: Vec<String>,
    /// The tests that must not get worse [default: every test]
    #[arg(long, value_name = "FILTER", conflicts_with = "no_check")]
    check: Vec<String>,
    /// Run the tests of the bug only
    #[arg(long)]
    no_check: bool,
    /// Only this suite: its name, or a file
    #[arg(short, long = "suite", value_name = "SUITE")]
    suite: Vec<String>,
    /// The configuration of all kernels, such as small+kasan [default: a catalogue's own, else small+pci]
    #[arg(long, value_name = "CONFIG")]
    config: Option<String>,
    /// Which patch of several, counted from 1
    #[arg(long, value_name = "NUMBER")]
    pick: Option<usize>,
    /// Undo damage of the mail where there is exactly one way, and say what was done
    #[arg(long)]
    repair: bool,
    /// Let hunks fit without their outermost N lines of context
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "2", value_parser = clap::value_parser!(u8).range(0..=3))]
    fuzz: u8,
    /// A git repository that has the files the patch was made for, for three-way merges into trees whose own history
    /// does not have them
    #[arg(long, value_name = "REPOSITORY")]
    history: Option<PathBuf>,
    /// Say whether it applies and what would run, and build nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the patch on the tree that was compiled, and say where that is
    #[arg(long)]
    keep: bool,
    /// Who tested, for the answer's Tested-by: 'Name <address>'
    #[arg(long, value_name = "PERSON")]
    tester: Option<String>,
    /// Virtual machines at once [default: as many as the host's processors and memory carry]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), env = "KREGRESS_JOBS")]
    jobs: Option<u32>,
    /// Compilers at a time [default: one per processor]
    #[arg(long, value_name = "N")]
    build_jobs: Option<usize>,
    /// How often an attempt that says nothing about the test is repeated
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,
    /// How long a guest may take from its start to its first word
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "120s")]
    boot_timeout: Duration,
    /// What executes the guests
    #[arg(long, value_enum, default_value_t, env = "KREGRESS_ACCEL")]
    accel: Wish,
    /// Boot a guest for every attempt instead of restoring one that was saved when it had booted
    #[arg(long)]
    no_snapshot: bool,
    /// The folder that runs are written to
    #[arg(
        short = 'o',
        long = "output",
        value_name = "DIR",
        env = "KREGRESS_REPORTS",
        hide_env_values = true,
        default_value = "reports"
    )]
    reports: PathBuf,
    /// What standard output carries
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: output::Format,
}

/// The tests that run, those of the bug first, and which those are.
struct Chosen {
    tests: Vec<Arc<Test>>,
    about: Vec<Related>,
}

/// Runs the command.
///
/// # Errors
/// The patch, a tree, a suite or the host cannot be used.
pub fn run(args: &BackportArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let handed = Handed::read(&args.input)?;
    let letters = handed.chosen(args.pick)?;
    let suites = load_suites(&args.suite, &paths.suites)?;
    let upstream = handed.commit.as_ref().map(|(_, id)| id.as_str());
    let chosen = choose(args, &suites, &related(&letters, upstream, &all(&suites)))?;
    let cache = paths.cache()?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, || ())?;
    let library = Library::open(&cache, std::slice::from_ref(&paths.catalogues)).map_err(CliError::setup)?;
    let library = library.with_build_jobs(args.build_jobs).with_copies().with_cancel(&cancel);
    let progress = progress_for_stderr();
    let tell = |text: String| eprintln!("{text}");
    let trees =
        onto::trees(&args.onto, &letters, &library, args.config.as_deref(), progress.as_ref(), &tell)?;

    let scratch = Scratch::new(&cache).folder();
    let scratch =
        scratch.map_err(|e| CliError::setup(format!("no folder can be made in {}: {e}", cache.display())))?;
    let history = history(args, &handed)?;
    let applier = Applier {
        letters: &letters,
        input: &args.input,
        upstream,
        options: Options { repair: args.repair, fuzz: usize::from(args.fuzz) },
        history: history.as_ref(),
        builder: library.builder(),
        progress: progress.as_ref(),
        cancel: &cancel,
        scratch: scratch.path(),
    };
    let said = args.format == output::Format::Human;
    if said {
        print!("{}", show::letters(&handed.input, &handed.letters));
    }
    let mut applied = Vec::new();
    for tree in trees {
        let name = tree.name.clone();
        let tried = applier.on(tree).map_err(|error| CliError::setup(format!("--onto {name}: {error}")))?;
        if said {
            print!("\n{}", show::application(&name, &tried.application));
            tried.lacking.iter().for_each(|commit| println!("  it may need first: {commit}"));
        }
        applied.push(tried);
    }
    drop(scratch);
    let plan = output::plan(&chosen.about, &chosen.tests);
    if args.dry_run {
        if said {
            print!("\n{plan}");
        }
        let applies = applied.iter().all(|tree| tree.patch.is_some());
        return Ok(if applies { ExitStatus::Success } else { ExitStatus::TestsFailed });
    }
    eprint!("\n{plan}");
    let work = Work { args, paths, handed: &handed, library: &library, cache, chosen, cancel };
    work.run(&applied)
}

fn all(suites: &[Suite]) -> Vec<Arc<Test>> {
    suites.iter().flat_map(|suite| &suite.tests).cloned().collect()
}

fn choose(args: &BackportArgs, suites: &[Suite], found: &[Related]) -> Result<Chosen, CliError> {
    let named = |words: &[String]| -> Result<Vec<Arc<Test>>, CliError> {
        let filter = Filter::new(words).map_err(CliError::filter)?;
        let tests = select(suites, &filter);
        if tests.is_empty() {
            let text = format!("no test fits {:?}; `kregress list` shows the tests", words.join(" "));
            return Err(CliError::nothing(text));
        }
        Ok(tests)
    };
    let about = match args.tests.as_slice() {
        [] => found.to_vec(),
        words => named(words)?.iter().map(|test| Related { test: test.id(), tie: Tie::Named }).collect(),
    };
    let is_about = |test: &Arc<Test>| about.iter().any(|one| one.test == test.id());
    let mut tests: Vec<Arc<Test>> = all(suites).into_iter().filter(is_about).collect();
    if !args.no_check {
        let rest = named(&args.check)?;
        tests.extend(rest.into_iter().filter(|test| !is_about(test)));
    }
    if tests.is_empty() {
        let text = "no test of the suites is about this patch; name the tests of its bug with --tests";
        return Err(CliError::nothing(text));
    }
    Ok(Chosen { tests, about })
}

fn history(args: &BackportArgs, handed: &Handed) -> Result<Option<GitTree>, CliError> {
    match (&args.history, &handed.commit) {
        (Some(repository), _) => match GitTree::new(repository, "HEAD") {
            Some(tree) => Ok(Some(tree)),
            None => Err(CliError::setup(format!(
                "--history {}: no git repository with a commit",
                repository.display()
            ))),
        },
        (None, Some((repository, commit))) => Ok(GitTree::new(repository, commit)),
        (None, None) => Ok(None),
    }
}

/// Everything that building and running needs.
struct Work<'a> {
    args: &'a BackportArgs,
    paths: &'a PathArgs,
    handed: &'a Handed,
    library: &'a Library,
    cache: PathBuf,
    chosen: Chosen,
    cancel: Cancel,
}

impl Work<'_> {
    fn run(&self, applied: &[Applied]) -> Result<ExitStatus, CliError> {
        let Work { args, chosen, cancel, .. } = self;
        let places = placed(&chosen.tests, self.paths)?;
        let qemu = Qemu::find().map_err(CliError::setup)?;
        let lab = QemuLab::new(qemu, &self.cache).map_err(CliError::setup)?;
        let lab = lab.with_patience(Patience { boot: args.boot_timeout, ..Patience::default() });
        let lab = if args.no_snapshot { lab.without_snapshots() } else { lab };
        let run_dir = RunDir::create(&args.reports).map_err(CliError::setup)?;
        let journal = Journal::create(run_dir.path()).map_err(CliError::setup)?;
        let Shown { sinks: show, bars } = for_streams(MessageFormat::Human);
        let sink = |event: Event| {
            // what could not be written is told at the end
            let _ = journal.append(&event);
            show.event(&event);
        };
        let capacity = Capacity { jobs: args.jobs, cpus: host_cpus(), memory_mib: free_memory_mib() };
        let host = Mutex::new(None);
        let place = |kernel: &Kernel| self.placed(kernel, &lab, &places, capacity, &host, &sink);
        let validation = Validation {
            tests: &chosen.tests,
            about: &chosen.about,
            place: &place,
            lab: &lab,
            config: runner::Config {
                capacity,
                attempts: None,
                retries: args.retries,
                max_fail: None,
                ignore_known: true,
                seed: random_seed(),
                run_dir: Some(run_dir.path().to_owned()),
            },
            sink: &sink,
            cancel,
            seen: Mutex::default(),
        };
        let tell = |event: Event| {
            validation.seen.lock().unwrap_or_else(|e| e.into_inner()).apply(event.clone());
            sink(event);
        };
        let started = Timestamp::now();
        let applies = applied.iter().filter(|tree| tree.patch.is_some()).count();
        tell(Event::RunStarted {
            schema: crate::event::SCHEMA,
            run: run_dir.id().to_owned(),
            kregress: env!("CARGO_PKG_VERSION").to_owned(),
            at: started,
            command: std::env::args().collect(),
            cells: (chosen.tests.len() * applies * 2) as u64,
        });
        let progress = fetch_progress(bars);
        let mut outcomes: Vec<TreeOutcome> = Vec::new();
        for tree in applied {
            let kernels = TreeKernels {
                applied: tree,
                builder: self.library.builder(),
                progress: progress.as_ref(),
                cancel,
            };
            outcomes.push(match &tree.patch {
                Some(_) => validation.tree(&subject(tree), &kernels),
                None => refused(tree),
            });
            if tree.patch.is_some() {
                self.give_back(tree, progress.as_ref());
            }
        }
        let told = host.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(event) = told {
            validation.seen.lock().unwrap_or_else(|e| e.into_inner()).apply(event);
        }
        let counts = validation.seen.lock().unwrap_or_else(|e| e.into_inner()).counts();
        let seconds = Timestamp::now().duration_since(started).as_secs_f64();
        tell(Event::RunFinished { at: Timestamp::now(), seconds, cancelled: cancel.is_set(), counts });
        show.close();
        let run = validation.seen.into_inner().unwrap_or_else(|e| e.into_inner());
        self.finish(&run, &run_dir, &journal, applied, &outcomes)
    }

    /// The tests with their machines, and whether this host can build those.
    fn placed(
        &self,
        kernel: &Kernel,
        lab: &QemuLab,
        places: &[Placed],
        capacity: Capacity,
        told: &Mutex<Option<Event>>,
        sink: &dyn Fn(Event),
    ) -> Vec<Placed> {
        let choice = lab.choose_accel(self.args.accel, kernel);
        let mut told = told.lock().unwrap_or_else(|e| e.into_inner());
        if told.is_none() {
            let event = Event::Host {
                qemu: lab.qemu().version.to_string(),
                accel: choice.accel.to_string(),
                accel_reason: choice.reason,
                cpus: capacity.cpus,
                memory_mib: capacity.memory_mib,
            };
            sink(event.clone());
            *told = Some(event);
        }
        let offer = lab.offer();
        let place = |p: &Placed| Placed { lacking: offer.lacks(&p.machine, lab.accel()), ..p.clone() };
        places.iter().map(place).collect()
    }

    /// Takes the patch off the tree that was compiled, or says where it is.
    fn give_back(&self, tree: &Applied, progress: &dyn crate::kernel::FetchProgress) {
        let (builder, source) = (self.library.builder(), &tree.baseline.source);
        let result = match self.args.keep {
            true => builder.kept_tree(source).map(|folder| {
                if let Some(folder) = folder {
                    eprintln!("kept: {} with the patch: {}", tree.baseline.name, folder.display());
                }
            }),
            false => builder.take_patches_off(source, progress).map(|_| ()),
        };
        if let Err(error) = result {
            eprintln!("warning: {error}");
        }
    }

    fn finish(
        &self,
        run: &RunSummary,
        run_dir: &RunDir,
        journal: &Journal,
        applied: &[Applied],
        outcomes: &[TreeOutcome],
    ) -> Result<ExitStatus, CliError> {
        let letters = self.handed.chosen(self.args.pick)?;
        let reports = output::Reports {
            title: letters.first().map(|letter| self.handed.subject(letter)).unwrap_or_default(),
            reply: output::reply_to(self.handed, &letters, outcomes, self.args.tester.as_deref()),
            trees: outcomes,
            patches: applied
                .iter()
                .filter_map(|tree| Some((tree.baseline.name.as_str(), tree.patch.as_ref()?)))
                .collect(),
        };
        let mut status = crate::backport::exit_status(outcomes);
        if let Err(error) = reports.write(run, run_dir) {
            eprintln!("error: the reports could not be written: {error}");
            status = if status == ExitStatus::Success { ExitStatus::NotJudged } else { status };
        }
        reports.print(self.args.format);
        if let Err(error) = run_dir.make_latest() {
            eprintln!("warning: {error}");
        }
        if let Some(trouble) = journal.trouble() {
            eprintln!("error: {} events are missing from the journal: {}", trouble.missing, trouble.first);
        }
        Ok(if self.cancel.is_set() { ExitStatus::Interrupted } else { status })
    }
}

fn subject(tree: &Applied) -> Subject {
    Subject {
        name: tree.baseline.name.clone(),
        version: version(tree),
        applied: tree.application.outcome.words().to_owned(),
    }
}

fn refused(tree: &Applied) -> TreeOutcome {
    let result = TreeResult {
        tree: tree.baseline.name.clone(),
        version: version(tree),
        applied: String::new(),
        verdict: TreeVerdict::DoesNotApply { why: tree.why_not() },
        unchanged: 0,
    };
    TreeOutcome { result, steps: Vec::new(), comparison: None }
}

fn version(tree: &Applied) -> String {
    tree.baseline.source.version().map(|version| version.to_string()).unwrap_or_default()
}
