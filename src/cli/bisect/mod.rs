//! `kregress bisect`: the kernel or commit that brought a bug, or removed it.

mod begin;
mod drive;
mod log;
mod simulate;

use std::path::PathBuf;

use super::error::CliError;
use super::guests::{GuestArgs, ReportArgs};
use super::paths::PathArgs;
use super::selection::{TestArgs, named_arch};
use crate::arch::Arch;
use crate::bisect::{Aims, Find};
use crate::bisection::{BisectionState, reuse};
use crate::cli::word::words;
use crate::journal::RunDir;
use crate::kernel::Flavour;
use crate::progress::MessageFormat;
use crate::report::ExitStatus;
use crate::suite::Test;

/// Find what brought a bug, or removed it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress bisect elevator --good 6.12.57 --bad 6.17.13
      the first bad package between two versions
  kregress bisect cifs --find fix --bad 6.12.57 --good 6.12.117
      the first one without the bug
  kregress bisect rsi --find fix --kernels 6.12.57,6.12.69,6.12.90 \\
      --bad 6.12.57 --good 6.12.90
      between kernels of a list, in its order
  kregress bisect ext4 --tree ~/linux --good v7.1 --bad v7.2 -- fs/ext4
      the commit, among those that touch fs/ext4
  kregress bisect ext4 --arch arm64 --find fix --bad 6.19.6 --good 7.2.13
      on another architecture: arm64:6.19.6 means the same
  kregress bisect --resume
      resume the last one that did not end
  kregress bisect --log > log; git bisect replay log
      hand over to git
  kregress bisect --simulate 1024,0.3,5
      what a search among 1024 candidates would take

A bisection is a run: its folder has the journal, every console, index.html and bisection.json, and \
`kregress report` prints it again.

Exit codes: 0 one change is named, 2 the ends make no sense, 96 the set-up or the host failed (go on with \
--resume), 103 no single change could be named, 130 interrupted.")]
pub struct BisectArgs {
    /// The test: its name or a part of it that no other test has
    #[arg(value_name = "TEST", required_unless_present_any = ["simulate", "resume", "log"])]
    test: Option<String>,
    /// A kernel without the bug; with --tree a commit
    #[arg(long, value_name = "KERNEL", required_unless_present_any = ["simulate", "resume", "log", "import"])]
    good: Option<String>,
    /// A kernel with the bug; with --tree a commit
    #[arg(long, value_name = "KERNEL", required_unless_present_any = ["simulate", "resume", "log", "import"])]
    bad: Option<String>,
    /// What is looked for; the fix is after the bad end, the cause before it
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    find: FindArg,
    /// The candidates in their order, as `run -k` takes kernels [default: all versions between the ends]
    #[arg(long, value_name = "KERNEL", value_delimiter = ',', conflicts_with = "tree")]
    kernels: Vec<String>,
    /// The image of every kernel [default: the smallest that has what the test needs]
    #[arg(long, value_parser = words::<Flavour>(), value_name = "FLAVOUR", conflicts_with = "tree")]
    flavour: Option<Flavour>,
    /// Kernels for this architecture, such as arm64 or s390x, where none is named before a kernel; commits are compiled
    /// for it [default: amd64]
    #[arg(long, value_name = "ARCH", value_parser = named_arch)]
    arch: Option<&'static Arch>,
    #[command(flatten)]
    tree: TreeArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    other: OtherArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Commits")]
struct TreeArgs {
    /// Search the commits of this git repository; it is only read
    #[arg(long, value_name = "PATH")]
    tree: Option<PathBuf>,
    /// How they are compiled: names of fragments in kernels/configs, joined by `+`
    #[arg(long, value_name = "NAMES", default_value = "small", requires = "tree")]
    config: String,
    /// The compiler [default: gcc]
    #[arg(long, value_name = "PROGRAM", requires = "tree")]
    compiler: Option<String>,
    /// Take every merge as one change
    #[arg(long, requires = "tree")]
    first_parent: bool,
    /// What `git bisect log` printed: its ends, and its verdicts as one attempt each
    #[arg(long, value_name = "FILE", requires = "tree")]
    import: Option<PathBuf>,
    /// Only commits that touch these paths
    #[arg(last = true, value_name = "PATHS", requires = "tree")]
    paths: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Search")]
struct SearchArgs {
    /// How sure the answer must be [default: 0.99]
    #[arg(long, value_name = "CHANCE", value_parser = parse_confidence)]
    confidence: Option<f64>,
    /// End without an answer after this many attempts [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    max_attempts: Option<u32>,
    /// Attempts at the bad end before it is given up for clean [default: 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    end_attempts: Option<u32>,
    /// The chance that one attempt on a bad kernel shows the bug [default: what the suite says, or nothing]
    #[arg(long, value_name = "CHANCE", value_parser = parse_chance)]
    chance: Option<f64>,
    /// Do not use what earlier bisections saw of the same kernels
    #[arg(long)]
    fresh: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Instead of a new search")]
struct OtherArgs {
    /// Go on with a bisection that was ended or killed, with its own ends and aims
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest", conflicts_with_all = ["test", "good", "bad", "tree"])]
    resume: Option<String>,
    /// Print a bisection of commits as `git bisect log` does
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest", conflicts_with_all = ["test", "good", "bad", "tree", "resume"])]
    log: Option<String>,
    /// Say what a search would take: candidates, chance per attempt, and what a kernel costs in attempts
    #[arg(long, value_name = "N,CHANCE[,COST]", value_parser = simulate::parse, conflicts_with_all = ["test", "good", "bad", "tree", "resume", "log"])]
    simulate: Option<simulate::SimulationRequest>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Only this suite: its name, or a file
    #[arg(short, long = "suite", value_name = "SUITE")]
    suite: Vec<String>,
    /// Known messages besides the suites' own
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    #[command(flatten)]
    guests: GuestArgs,
    #[command(flatten)]
    output: ReportArgs,
    /// What standard output carries
    #[arg(long, value_parser = words::<MessageFormat>(), default_value = "human", value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Repeats the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// What is looked for, as the command line has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FindArg {
    /// What brought the bug
    #[default]
    Cause,
    /// What removed the bug
    Fix,
}

impl From<FindArg> for Find {
    fn from(wanted: FindArg) -> Find {
        match wanted {
            FindArg::Cause => Find::Cause,
            FindArg::Fix => Find::Fix,
        }
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    let chance: f64 = text.trim_end_matches('%').parse().map_err(|_| "a number, such as 0.99".to_owned())?;
    let chance = if text.ends_with('%') { chance / 100.0 } else { chance };
    match (0.5..=0.9999).contains(&chance) {
        true => Ok(chance),
        false => Err("from 0.5 to 0.9999: no search is ever certain".to_owned()),
    }
}

fn parse_chance(text: &str) -> Result<f64, String> {
    let chance: f64 = text.trim_end_matches('%').parse().map_err(|_| "a number, such as 0.3".to_owned())?;
    let chance = if text.ends_with('%') { chance / 100.0 } else { chance };
    match chance > 0.0 && chance <= 1.0 {
        true => Ok(chance),
        false => Err("above 0, at most 1".to_owned()),
    }
}

impl SearchArgs {
    /// The aims of a new search.
    fn aims(&self, test: Option<&Test>) -> Aims {
        let default = Aims::default();
        Aims {
            confidence: self.confidence.unwrap_or(default.confidence),
            most_attempts: self.max_attempts.unwrap_or(default.most_attempts),
            end_attempts: self.end_attempts.unwrap_or(default.end_attempts),
            measured: self.chance.or(test.and_then(|test| test.dose.chance)),
        }
    }

    /// Those of a search that is resumed; what is not named stays.
    fn changed(&self, aims: Aims) -> Aims {
        Aims {
            confidence: self.confidence.unwrap_or(aims.confidence),
            most_attempts: self.max_attempts.unwrap_or(aims.most_attempts),
            end_attempts: self.end_attempts.unwrap_or(aims.end_attempts),
            measured: self.chance.or(aims.measured),
        }
    }
}

impl BisectArgs {
    /// How attempts are made.
    pub fn guests(&mut self) -> &mut GuestArgs {
        &mut self.run.guests
    }
}

impl RunArgs {
    fn tests(&self, filters: Vec<String>) -> TestArgs {
        TestArgs { filters, suite: self.suite.clone(), known: self.known.clone(), ..TestArgs::default() }
    }
}

/// Does what the arguments say.
///
/// # Errors
/// The arguments make no sense, or the run cannot be set up.
pub fn run(args: &BisectArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    if let Some(asked) = &args.other.simulate {
        simulate::print(asked, args.search.aims(None));
        return Ok(ExitStatus::Success);
    }
    if let Some(asked) = &args.other.log {
        return log::print(&find(args, asked)?.1);
    }
    if let Some(asked) = &args.other.resume {
        let (dir, state) = find(args, asked)?;
        return drive::go_on(args, paths, &dir, state);
    }
    drive::begin(args, paths)
}

/// An earlier bisection.
fn find(args: &BisectArgs, asked: &str) -> Result<(RunDir, BisectionState), CliError> {
    let root = &args.run.output.reports;
    let dir = match asked {
        "latest" => reuse::latest(root).ok_or_else(|| {
            CliError::setup(format!(
                "there is no bisection in {}; `kregress bisect --help` says how to begin one",
                root.display()
            ))
        })?,
        asked => RunDir::find(root, asked).map_err(CliError::setup)?,
    };
    match BisectionState::of(&dir).map_err(CliError::setup)? {
        Some(state) => Ok((dir, state)),
        None => Err(CliError::setup(format!(
            "run {} is no bisection; `kregress report {0}` shows what it is",
            dir.id()
        ))),
    }
}
