//! `kregress queue`: which patch of a queue breaks what, and do its fixes fix?

mod input;
mod judge;
mod kernels;
mod output;
mod plan;
mod resume;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use self::input::{Handed, QueueInput};
use self::judge::Judging;
use super::backport::onto;
use super::error::CliError;
use super::format::{ReportFormat, parser};
use super::guests::{GuestArgs, ReportArgs, parse_time};
use super::paths::PathArgs;
use super::selection::{load_suites, named_arch};
use super::word::person;
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::event::queue::{Each, HowRead};
use crate::kernel::Library;
use crate::kernel::compile::BuildRequest;
use crate::progress::{Fetching, for_queue};
use crate::render::Kind;
use crate::report::ExitStatus;

/// Says which patch of a queue breaks what, whether its fixes fix, and what does not apply or build.
///
/// Every patch is tried in its place; what does not apply is set aside and said. The tip is built and runs all tests. What
/// fails there is repeated, on the tip and without the queue, until it is sure whether the queue is to blame; then its patch
/// is searched on kernels with a part of the queue, and taken out to see that all is good again. Fixes whose tests there are
/// must show their bug without the queue and not with it. Nothing is written to a tree of yours.
///
/// The exit code is 0 when nothing got worse, 100 when a patch does not apply, does not build, does not fix or breaks
/// something, 102 when not all of it could be judged, and 96 when the queue or the tree cannot be used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress queue review.mbox --onto ~/linux@linux-6.12.y --dry-run
      what is in it, what applies in its place, and which tests would run
  kregress queue stable-queue/queue-6.12 --onto linux-source-6.12 --budget 2h
      a quilt series on a source package, for two hours
  kregress queue ~/linux@v6.12.57..topic --onto ~/linux@v6.12.57 --each
      commits, each of which is built and booted in its place as well
  kregress queue --resume latest
      go on where a run was ended, by whatever
  kregress queue --resume latest --withdraw 12 --not 'a comment only'
      patch 12 is not to blame: search on without it
  kregress queue - --onto ~/linux@master --format b4 < mail
      the answer that b4 takes from the checks of a review")]
pub struct QueueArgs {
    /// An mbox, a folder with quilt's `series` or of numbered patches, a mail, `-`, or REPOSITORY@A..B
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    input: Option<String>,
    /// What it goes on: a source folder, REPOSITORY@REF, a tarball, linux-source-LINE[@VERSION], or a kernel to compile of
    /// the catalogues
    #[arg(long, value_name = "TREE", required_unless_present = "resume", conflicts_with = "resume")]
    onto: Option<String>,
    /// Compile as this kernel of the catalogues is: its configuration, compiler and architecture
    #[arg(short, long, value_name = "KERNEL", conflicts_with = "resume")]
    kernel: Option<String>,
    /// Build for this architecture, such as arm64 [default: that of the tree or of -k, else amd64]
    #[arg(long, value_name = "ARCH", value_parser = named_arch, conflicts_with = "resume")]
    arch: Option<&'static Arch>,
    /// The configuration of all kernels, such as small+kasan [default: that of the tree or of -k, else small]
    #[arg(long, value_name = "CONFIG", conflicts_with = "resume")]
    config: Option<String>,
    /// The tests: parts of names or globs [default: every test, first those that are about what the queue touches]
    #[arg(long, value_name = "FILTER", conflicts_with = "resume")]
    tests: Vec<String>,
    /// Only this suite: its name, or a file
    #[arg(short, long = "suite", value_name = "SUITE")]
    suite: Vec<String>,
    /// Which patches: 3..7, 1,4.., or a version: v1, v1:3..7
    #[arg(long, value_name = "PATCHES", conflicts_with = "resume")]
    pick: Option<String>,
    /// Undo damage of mails where there is exactly one way, and say what was done
    #[arg(long, conflicts_with = "resume")]
    repair: bool,
    /// Let hunks fit without their outermost N lines of context
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "2", value_parser = clap::value_parser!(u8).range(0..=3), conflicts_with = "resume")]
    fuzz: u8,
    /// Say what is in the queue, what applies and what would run, and build nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Build every patch in its place, too, and boot that kernel, or run every test once there
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "boot", value_enum, conflicts_with = "resume")]
    each: Option<EachArg>,
    /// Stop when builds and attempts took so long, such as 2h, and say what is known
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    budget: Option<Duration>,
    /// Good attempts on the tip that make a test pass of which no chance was measured. One that fails every other time is
    /// missed with a chance of 0.5 to the power of this
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    worth: u32,
    /// Name what this repository has and neither the tree nor the queue: repairs and reverts of what is queued, and what
    /// patches that do not apply may need first. A branch may follow: REPOSITORY@master
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "resume")]
    upstream: Option<String>,
    /// Go on with an earlier run: its id, its folder, or latest
    #[arg(long, value_name = "RUN")]
    resume: Option<String>,
    /// Take a culprit back: the search goes on without it. May be given several times, each with its --not
    #[arg(long, value_name = "PATCH", requires_all = ["resume", "reasons"])]
    withdraw: Vec<usize>,
    /// Why it is not the culprit
    #[arg(long = "not", id = "reasons", value_name = "REASON", requires = "withdraw")]
    reasons: Vec<String>,
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
    #[arg(long, value_parser = parser(Kind::Queue), default_value = "human", value_name = "FORMAT")]
    format: ReportFormat,
}

/// What `--each` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EachArg {
    /// Build it
    Build,
    /// Build and boot it
    Boot,
    /// Build and boot it, and run every test once
    Tests,
}

impl QueueArgs {
    fn each(&self) -> Each {
        match self.each {
            None => Each::Nothing,
            Some(EachArg::Build) => Each::Build,
            Some(EachArg::Boot) => Each::Boot,
            Some(EachArg::Tests) => Each::Tests,
        }
    }

    fn how_read(&self) -> HowRead {
        HowRead { pick: self.pick.clone(), repair: self.repair, fuzz: self.fuzz }
    }

    /// Whether standard output is for people.
    fn is_human(&self) -> bool {
        self.format_name() == "human"
    }

    fn format_name(&self) -> &'static str {
        self.format.0.name(Kind::Queue).unwrap_or_default()
    }
}

impl QueueArgs {
    /// How attempts are made.
    pub fn guests(&mut self) -> &mut GuestArgs {
        &mut self.guests
    }
}

/// Runs the command.
///
/// # Errors
/// The queue, the tree, a suite or the host cannot be used.
pub fn run(args: &QueueArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    if let Some(run) = &args.resume {
        return resume::go_on(args, paths, run);
    }
    let how = args.how_read();
    let handed = Handed::read(args.input.as_deref().unwrap_or_default(), &how)
        .inspect_err(|error| output::refused(args, error))?;
    let cache = paths.cache()?;
    let cancel = Cancel::new();
    let shown = for_queue();
    let library = library(args, paths, &cache, &cancel)?;
    let progress = Fetching::among(shown.bars.clone());
    let tree = tree(args, &handed, &library, &progress)?;
    let input = QueueInput::on(handed, tree, &how, args.upstream.as_deref(), &library, &progress, &cancel)
        .inspect_err(|error| output::refused(args, error))?;
    if args.is_human() {
        print!("{}", input.text());
    }
    let suites = load_suites(&args.suite, &paths.suites()?)?;
    let chosen = plan::tests(args, &suites, &input.reading)?;
    if args.dry_run {
        output::read_only(args, &input, &chosen);
        return Ok(ExitStatus::Success);
    }
    if input.reading.patches.is_empty() {
        output::read_only(args, &input, &[]);
        return Err(CliError::nothing(format!("{}: no patch is left to test", input.handed.queue.name)));
    }
    let config_digest = library.builder().config_digest(&input.tree.config, input.tree.arch);
    let config_digest = config_digest.map_err(CliError::setup)?;
    eprint!("\n{}", plan::text(&chosen));
    drop(progress);
    let judging = Judging { args, paths, cache, library: &library, input: &input, cancel };
    judging.begin(&chosen, config_digest, shown)
}

fn library(
    args: &QueueArgs,
    paths: &PathArgs,
    cache: &std::path::Path,
    cancel: &Cancel,
) -> Result<Library, CliError> {
    let library = Library::open(cache, &paths.catalogues()?).map_err(CliError::setup)?;
    Ok(library.with_build_jobs(args.build_jobs).for_patches().with_cancel(cancel))
}

/// The kernel without any patch.
fn tree(
    args: &QueueArgs,
    handed: &Handed,
    library: &Library,
    progress: &Fetching,
) -> Result<BuildRequest, CliError> {
    let named = args.onto.as_deref().unwrap_or_default();
    let template = match &args.kernel {
        None => None,
        Some(name) => {
            let configured = library.to_compile().map_err(CliError::setup)?;
            let names: Vec<String> = configured.iter().map(|one| one.name.clone()).collect();
            let found = configured.into_iter().find(|one| one.name == *name);
            Some(found.ok_or_else(|| {
                CliError::setup(format!(
                    "-k {name}: no kernel to compile of the catalogues has this name; they have {}",
                    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                ))
            })?)
        }
    };
    let config = args.config.as_deref().or(template.as_ref().map(|template| template.config.as_str()));
    let arch = args.arch.or(template.as_ref().map(|template| template.arch));
    let mut tree = one_tree(named, handed, library, onto::Wanted { arch, config }, progress)?;
    if let Some(template) = template {
        tree.compiler = tree.compiler.or(template.compiler);
    }
    Ok(tree)
}

/// The one tree that is named.
fn one_tree(
    named: &str,
    handed: &Handed,
    library: &Library,
    wanted: onto::Wanted<'_>,
    progress: &Fetching,
) -> Result<BuildRequest, CliError> {
    let patches = handed.queue.mails();
    let tell = |text: String| eprintln!("{text}");
    let mut trees = onto::trees(&[named.to_owned()], &patches, library, wanted, progress, &tell)?;
    match trees.as_slice() {
        [_] => Ok(trees.remove(0)),
        several => {
            let names: Vec<&str> = several.iter().map(|tree| tree.name.as_str()).collect();
            Err(CliError::usage(format!(
                "--onto {named}: a queue is tested on one tree, and these fit: {}; name one of them",
                names.join(", ")
            )))
        }
    }
}

/// A path that means the same from everywhere; what is no path stays.
fn absolute(text: &str) -> String {
    let (path, rest) = match crate::patch::queue::at_commit(text) {
        Some((folder, commit)) => (folder, format!("@{commit}")),
        None => (PathBuf::from(text), String::new()),
    };
    match path.exists() {
        true => path.canonicalize().map_or(text.to_owned(), |path| format!("{}{rest}", path.display())),
        false => text.to_owned(),
    }
}
