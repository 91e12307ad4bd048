//! `kregress backport`: does this patch fix its bug in these trees, and break nothing else?

mod applied;
mod choice;
mod input;
pub(super) mod onto;
mod output;

use parking_lot::Mutex;
use std::path::PathBuf;

use jiff::Timestamp;

use self::applied::{Applied, Applier, TreeKernels};
use self::choice::Chosen;
use self::input::InputPatches;
use super::error::CliError;
use super::format::{ReportFormat, parser};
use super::guests::{GuestArgs, ReportArgs, random_seed};
use super::interrupt::{self, Ending};
use super::paths::PathArgs;
use super::run::placed;
use super::selection::{load_suites, named_arch};
use super::word::person;
use crate::arch::Arch;
use crate::backport::{Subject, TreeOutcome, TreeResult, TreeVerdict, Validation};
use crate::cancel::Cancel;
use crate::event::Event;
use crate::journal::{Journal, RunDir};
use crate::kernel::{Kernel, Library};
use crate::patch::{GitTree, Options, Pick, queue, show};
use crate::plural::counted;
use crate::progress::{EventSink, Fetching, MessageFormat, RunDisplay, View, for_streams, printable};
use crate::render::Kind;
use crate::report::{ExitStatus, RunSummary};
use crate::runner;
use crate::scratch::Scratch;

/// Applies a patch to trees, builds each without and with it, and runs the tests of its bug and all others on both.
///
/// Nothing is written to a tree of yours. The exit code is 0 when the bug is gone in every tree and nothing got worse,
/// 100 when the patch does not apply, does not build, does not fix or breaks something in one, and 102 when a tree cannot
/// tell, also because the bug does not show there without the patch either.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress backport fix.mbox --onto ~/linux@linux-6.12.y --onto linux-source-6.1
      on a reference of a repository and on a source package
  kregress backport autosel.eml --onto auto --repair
      the lines that the subject names, as far as they are configured
  kregress backport ~/linux@9b25f381de6b --onto ~/stable
      a commit, on a folder as it is now
  kregress backport fix.patch --onto ~/linux --dry-run
      does it apply, and what would run?")]
pub struct BackportArgs {
    /// A patch file, a mail, an mbox, a saved page of a mail archive, a folder of patches, `-`, REPOSITORY@COMMIT or
    /// REPOSITORY@A..B
    input: String,
    /// Where it is to go: a source folder, REPOSITORY@REF, a tarball, linux-source-LINE[@VERSION], a kernel to compile
    /// of the catalogues, or auto: those of the catalogues whose lines the mail names
    #[arg(long, value_name = "TREE", required = true)]
    onto: Vec<String>,
    /// Build and test the trees for this architecture, such as arm64; `arm64:` in front of a tree means the same for one
    /// [default: a catalogue's own, else amd64]
    #[arg(long, value_name = "ARCH", value_parser = named_arch)]
    arch: Option<&'static Arch>,
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
    /// The configuration of all kernels, such as small+kasan [default: a catalogue's own, else small]
    #[arg(long, value_name = "CONFIG")]
    config: Option<String>,
    /// Which patches of several: 3, 3..7, 1,4.., or a version: v1, v1:3..7
    #[arg(long, value_name = "PATCHES")]
    pick: Option<Pick>,
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
    #[arg(long, value_name = "PERSON", value_parser = person)]
    tester: Option<String>,
    /// Compilers at a time [default: one per processor]
    #[arg(long, value_name = "N")]
    build_jobs: Option<usize>,
    #[command(flatten)]
    guests: GuestArgs,
    #[command(flatten)]
    output: ReportArgs,
    /// What standard output carries
    #[arg(long, value_parser = parser(Kind::Backport), default_value = "human", value_name = "FORMAT")]
    format: ReportFormat,
}

impl BackportArgs {
    /// How attempts are made.
    pub fn guests(&mut self) -> &mut GuestArgs {
        &mut self.guests
    }
}

/// Runs the command.
///
/// # Errors
/// The patch, a tree, a suite or the host cannot be used.
pub fn run(args: &BackportArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let handed = InputPatches::read(&args.input, &args.pick.clone().unwrap_or_default())?;
    let patches = handed.patches();
    let suites = load_suites(&args.suite, &paths.suites()?)?;
    let upstream = handed.commit.as_ref().map(|(_, id)| id.as_str());
    let chosen = Chosen::new(args, &suites, &patches, upstream)?;
    let cache = paths.cache()?;
    let cancel = Cancel::new();
    let shown = for_streams(MessageFormat::Human, View::default());
    let _hidden = interrupt::watch(Ending::Guests, shown.bars.clone(), &cancel, || ())?;
    let library = Library::open(&cache, &paths.catalogues()?).map_err(CliError::setup)?;
    let library = library.with_build_jobs(args.build_jobs).for_patches().with_cancel(&cancel);
    let progress = Fetching::among(shown.bars.clone());
    let tell = |text: String| eprintln!("{text}");
    let wanted = onto::Wanted { arch: args.arch, config: args.config.as_deref() };
    let trees = onto::trees(&args.onto, &patches, &library, wanted, &progress, &tell)?;

    let scratch = Scratch::new(&cache).folder();
    let scratch =
        scratch.map_err(|e| CliError::setup(format!("no folder can be made in {}: {e}", cache.display())))?;
    let history = history(args, &handed)?;
    let applier = Applier {
        patches: &patches,
        input: &args.input,
        upstream,
        options: Options { repair: args.repair, fuzz: usize::from(args.fuzz) },
        history: history.as_ref(),
        builder: library.builder(),
        progress: &progress,
        cancel: &cancel,
        scratch: scratch.path(),
    };
    let said = args.format.0.name(Kind::Backport) == Some("human");
    if said {
        print!("{}", queue::queue(&handed.queue));
    }
    let mut applied = Vec::new();
    for tree in trees {
        let name = tree.name.clone();
        let tried = applier.on(tree).map_err(|error| CliError::setup(format!("--onto {name}: {error}")))?;
        if said {
            print!("\n{}", show::application(&name, &tried.application));
            let lacking = tried.lacking.iter().map(|commit| printable(&commit.to_string()));
            lacking.for_each(|commit| println!("  it may need first: {commit}"));
        }
        applied.push(tried);
    }
    drop(scratch);
    if args.keep {
        one_place_each(&applied, &library)?;
    }
    let plan = output::plan(&chosen.about, &chosen.tests);
    if args.dry_run {
        if said {
            print!("\n{plan}");
        }
        let applies = applied.iter().all(|tree| tree.patch.is_some());
        return Ok(if applies { ExitStatus::Success } else { ExitStatus::TestsFailed });
    }
    eprint!("\n{plan}");
    let work = BackportContext { args, paths, handed: &handed, library: &library, cache, chosen, cancel };
    // what was prepared is no longer in work
    drop(progress);
    work.run(&applied, shown)
}

/// Refuses to keep the patch on two trees that are compiled in one place, where the second one replaces the first.
fn one_place_each(applied: &[Applied], library: &Library) -> Result<(), CliError> {
    let mut places: Vec<(PathBuf, &str)> = Vec::new();
    for tree in applied.iter().filter(|tree| tree.patch.is_some()) {
        let name = tree.baseline.name.as_str();
        let place = library.builder().tree_of(&tree.baseline.source).map_err(CliError::setup)?;
        if let Some((_, other)) = places.iter().find(|(taken, _)| *taken == place) {
            return Err(CliError::setup(format!(
                "--keep: {other} and {name} are compiled in one tree, {}, which can keep the patch on one of them; \
                 name one at a time",
                place.display()
            )));
        }
        places.push((place, name));
    }
    Ok(())
}

fn history(args: &BackportArgs, handed: &InputPatches) -> Result<Option<GitTree>, CliError> {
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
struct BackportContext<'a> {
    args: &'a BackportArgs,
    paths: &'a PathArgs,
    handed: &'a InputPatches,
    library: &'a Library,
    cache: PathBuf,
    chosen: Chosen,
    cancel: Cancel,
}

impl BackportContext<'_> {
    fn run(&self, applied: &[Applied], shown: RunDisplay) -> Result<ExitStatus, CliError> {
        let BackportContext { args, chosen, cancel, .. } = self;
        let places = placed(&chosen.tests, self.paths)?;
        let lab = args.guests.labs(&self.cache, cancel, [], |lab| lab)?;
        let run_dir = RunDir::create(&args.output.reports).map_err(CliError::setup)?;
        let journal = Journal::create(run_dir.path()).map_err(CliError::setup)?;
        let RunDisplay { sinks: show, bars } = shown;
        let sink = |event: Event| {
            // what could not be written is reported at the end
            let _ = journal.append(&event);
            show.event(&event);
        };
        let capacity = args.guests.capacity();
        let host = Mutex::new(None);
        // the host is the same for all kernels
        let told = |event: Event| {
            let mut first = host.lock();
            if first.is_none() {
                sink(event.clone());
                *first = Some(event);
            }
        };
        let place = |kernel: &Kernel| args.guests.place(&lab, kernel, capacity, &places, &told);
        let validation = Validation {
            tests: &chosen.tests,
            about: &chosen.about,
            place: &place,
            lab: &lab,
            config: runner::Config {
                capacity,
                attempts: None,
                retries: args.guests.retries,
                max_fail: None,
                ignore_known: true,
                seed: random_seed(),
                run_dir: Some(run_dir.path().to_owned()),
                reproduce: None,
            },
            sink: &sink,
            cancel,
            seen: Mutex::default(),
        };
        let tell = |event: Event| {
            validation.seen.lock().apply(event.clone());
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
            split: Default::default(),
        });
        let progress = Fetching::among(bars);
        let mut outcomes: Vec<TreeOutcome> = Vec::new();
        for tree in applied {
            let kernels =
                TreeKernels { applied: tree, builder: self.library.builder(), progress: &progress, cancel };
            outcomes.push(match &tree.patch {
                Some(_) => validation.tree(&subject(tree), &kernels),
                None => refused(tree),
            });
            if tree.patch.is_some() {
                self.give_back(tree, &progress);
            }
        }
        let told = host.lock().take();
        if let Some(event) = told {
            validation.seen.lock().apply(event);
        }
        let counts = validation.seen.lock().counts();
        let seconds = Timestamp::now().duration_since(started).as_secs_f64();
        tell(Event::RunFinished { at: Timestamp::now(), seconds, cancelled: cancel.is_set(), counts });
        show.close();
        let run = validation.seen.into_inner();
        self.finish(&run, &run_dir, &journal, applied, &outcomes)
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
        let patches = self.handed.patches();
        let reports = output::Reports {
            title: patches.first().map(|patch| self.handed.subject(patch)).unwrap_or_default(),
            reply: output::reply_to(self.handed, &patches, outcomes, self.args.tester.as_deref()),
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
        reports.print(self.args.format).map_err(CliError::setup)?;
        if let Err(error) = run_dir.make_latest() {
            eprintln!("warning: {error}");
        }
        if let Some(trouble) = journal.trouble() {
            eprintln!(
                "error: {} {} missing from the journal: {}",
                counted(trouble.missing, "event"),
                if trouble.missing == 1 { "is" } else { "are" },
                trouble.first
            );
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
        failing: 0,
        unjudged: Vec::new(),
    };
    TreeOutcome { result, steps: Vec::new(), comparison: None }
}

fn version(tree: &Applied) -> String {
    tree.baseline.source.version().map(|version| version.to_string()).unwrap_or_default()
}
