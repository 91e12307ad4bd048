//! `kregress explain`: the diagnosis of any console log or dmesg.

mod compare;
mod container;
mod decode;
mod input;
mod json;
mod maintainership;
mod show;
mod tools;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::Date;

use super::error::CliError;
use super::paths::PathArgs;
use crate::kernel::{DebugError, DebugState, Kernel, KernelSpec, Library};
use crate::oops::{Palette, RuleError, SymbolError};
use crate::progress::Fetching;
use crate::report::ExitStatus;
use crate::suite::SuiteError;
use show::Defects;
use tools::Tools;

/// Reads kernel consoles and says what crashed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress explain console.log                every crash report of a console
  dmesg | kregress explain                    the same for this machine
  kregress explain --compare old.log new.log  whether two show one defect
  kregress explain --known known.yaml *.log   known messages apart
  kregress explain --vmlinux vmlinux oops.log file and line of each function
  kregress explain -k 6.12.117 --fetch-debug oops.log
                                              the same, with Debian's package
  kregress explain mail.eml dmesg.xz          mails and packed logs are decoded

Exit code: 0, whatever was found; with --fail 1 where a report was found; with --compare 1 unless both show the same
defect; 96 if a file is no log or cannot be read.")]
pub struct ExplainArgs {
    /// Console logs or output of dmesg; `-` is standard input
    #[arg(default_value = "-")]
    pub files: Vec<PathBuf>,

    /// How to show the reports
    #[arg(long, value_enum, default_value_t = ExplainFormat::Human)]
    pub format: ExplainFormat,

    /// Say whether the first reports of two files are the same defect, and why
    #[arg(long, requires = "files")]
    pub compare: bool,

    /// Rules to lay over the ones that come with the program
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// Known messages: reports that do no harm, and lines that count though they are no crash
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,

    /// The kernel that printed the console, as `kregress run -k` takes it; its symbols turn raw addresses into function
    /// names, and functions get file and line where the cache has its debug information: of one that was compiled here
    /// with the fragment `debuginfo`, or whose debug package was fetched
    #[arg(short, long, value_name = "KERNEL", conflicts_with_all = ["vmlinux", "system_map"])]
    pub kernel: Option<String>,

    /// Fetch the debug package of the kernel that -k names unless the cache has it: a few hundred megabytes, of
    /// which up to three times as many are kept (`kregress cache list`)
    #[arg(long, requires = "kernel", conflicts_with = "debug")]
    pub fetch_debug: bool,

    /// The kernel's uncompressed image; raw addresses become function names. If it was not stripped, functions get file
    /// and line, and so do those of the modules beside it
    #[arg(long, value_name = "FILE", conflicts_with = "system_map")]
    pub vmlinux: Option<PathBuf>,

    /// A folder with the kernel's debug information: vmlinux and modules, packed ones too, at any depth. Functions get
    /// file and line
    #[arg(long, value_name = "DIR")]
    pub debug: Option<PathBuf>,

    /// A kernel tree, whose MAINTAINERS says who looks after the file of the blamed function
    #[arg(long, value_name = "TREE")]
    pub maintainers: Option<PathBuf>,

    /// Exit with 1 where a report was found
    #[arg(long, conflicts_with = "compare")]
    pub fail: bool,

    /// The kernel's System.map; raw addresses become function names
    #[arg(long, value_name = "FILE")]
    pub system_map: Option<PathBuf>,
}

/// How reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExplainFormat {
    /// For a reader: the lines that matter, the blamed function marked
    Human,
    /// One JSON object a file
    Json,
    /// The title of each report, one a line
    Title,
    /// The log itself, with file and line behind each function of a trace where they are known
    Log,
}

/// Why nothing could be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// A file could not be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file as it was given.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the diagnosis: {0}")]
    Write(#[source] io::Error),
    /// The overlay is no rule file.
    #[error("{file}: {source}")]
    Rules {
        /// The file as it was given.
        file: String,
        /// What is wrong with it.
        source: RuleError,
    },
    /// The list of known messages is faulty.
    #[error(transparent)]
    Known(#[from] SuiteError),
    /// No symbols are available.
    #[error("{file}: {source}")]
    Symbols {
        /// The file as it was given.
        file: String,
        /// What is wrong with it.
        source: SymbolError,
    },
    /// A kernel comes without symbols.
    #[error(
        "kernel {kernel} has no symbols: its package has no System.map with addresses, and its image is stripped. Its own \
         consoles need none, because it prints names. For a console with raw addresses give --vmlinux or --system-map of \
         the build that printed it"
    )]
    NoSymbols {
        /// The kernel's name.
        kernel: String,
    },
    /// There is no debug information.
    #[error(transparent)]
    Debug(#[from] DebugError),
    /// A tree's list of maintainers has no sections.
    #[error("{file}: no section of the form `NAME`, `M: …`, `F: …`; name the root of a kernel tree")]
    NoMaintainers {
        /// The file.
        file: String,
    },
    /// A file that is to be compared is no log.
    #[error("{file}: {what}")]
    NoLog {
        /// The file as it was given.
        file: String,
        /// What it is, and what to do.
        what: String,
    },
    /// Two files are compared, no more and no less.
    #[error(
        "--compare takes two files, {found} given; name the two consoles: kregress explain --compare A B"
    )]
    NotTwo {
        /// How many were given.
        found: usize,
    },
    /// A file that is to be compared has no report.
    #[error("{file} has no crash report that could be compared")]
    NothingToCompare {
        /// The file as it was given.
        file: String,
    },
}

/// Explains the files in order on standard output.
///
/// # Errors
/// If a file cannot be read, or the rules, known messages, symbols or debug information are unusable. A log without a
/// report is no error.
pub(super) fn run(args: &ExplainArgs, paths: &PathArgs) -> Result<ExitCode, CliError> {
    // as long as the library is there nobody removes what is read
    let fetched = args.kernel.as_deref().map(|spec| fetched(spec, paths)).transpose()?;
    let debug = match &fetched {
        Some((library, kernel)) if args.debug.is_none() => debug_of(args, library, kernel)?,
        _ => Debug::default(),
    };
    let around = ExplainContext {
        today: jiff::Zoned::now().date(),
        coloured: console::colors_enabled(),
        kernel: fetched.as_ref().map(|(_, kernel)| kernel),
        debug: debug.folder.as_deref(),
        no_debug: debug.hint.as_deref(),
    };
    match explain(args, &around, &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(code) => Ok(code),
        // who reads no further has read enough
        Err(ExplainError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(ExplainError::Known(error)) => Err(CliError::located(error)),
        Err(error) => Err(CliError::setup(error)),
    }
}

/// The kernel that is meant, which must be a single one.
fn fetched(spec: &str, paths: &PathArgs) -> Result<(Library, Kernel), CliError> {
    let library = Library::open(&paths.cache()?, &paths.catalogues()?).map_err(CliError::setup)?;
    let progress = Fetching::on_stderr();
    let specs = [spec.parse::<KernelSpec>().map_err(CliError::setup)?];
    let wanted = library.resolve(&specs, &progress).map_err(CliError::setup)?.wanted;
    match wanted.as_slice() {
        [kernel] => {
            let kernel = library.fetch(kernel, &progress).map_err(CliError::setup)?;
            Ok((library, kernel))
        }
        kernels => {
            let found = kernels.len();
            Err(CliError::setup(format!(
                "`{spec}` names {found} kernels; a console was printed by one, such as 6.17.13"
            )))
        }
    }
}

/// What there is of a kernel's debug information, or why there is none.
#[derive(Default)]
struct Debug {
    folder: Option<PathBuf>,
    hint: Option<String>,
}

fn debug_of(args: &ExplainArgs, library: &Library, kernel: &Kernel) -> Result<Debug, CliError> {
    if args.fetch_debug {
        let fetched = library.fetch_debug(kernel, &Fetching::on_stderr());
        return Ok(Debug { folder: Some(fetched.map_err(CliError::setup)?), hint: None });
    }
    Ok(match library.debug_of(kernel) {
        DebugState::Here(folder) => Debug { folder: Some(folder), hint: None },
        DebugState::Package { name, .. } => {
            let hint = format!("the cache does not have {name}; --fetch-debug fetches it");
            Debug { folder: None, hint: Some(hint) }
        }
        DebugState::Nowhere(reason) => Debug { folder: None, hint: Some(reason) },
    })
}

/// What comes from outside besides the arguments.
#[derive(Clone, Copy, Debug)]
pub struct ExplainContext<'a> {
    /// The day that decides which known messages hold.
    pub today: Date,
    /// Whether the reader sees colours.
    pub coloured: bool,
    /// The kernel that `--kernel` names.
    pub kernel: Option<&'a Kernel>,
    /// The folder with the debug information of that kernel, where it is here.
    pub debug: Option<&'a Path>,
    /// Why it is not here, and what to do.
    pub no_debug: Option<&'a str>,
}

/// Explains the files in order on `out`. What has no place in its format is reported on `err`.
///
/// # Errors
/// If a file cannot be read, or the rules, known messages, symbols or debug information are unusable. A log without a
/// report is no error; a file that is no log is reported, and makes the exit code one of failure.
pub fn explain(
    args: &ExplainArgs,
    around: &ExplainContext<'_>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<ExitCode, ExplainError> {
    let tools = Tools::load(args, around)?;
    if args.compare {
        return compare::compare(args, &tools, out);
    }
    let palette = if around.coloured { Palette::coloured() } else { Palette::plain() };
    let mut defects = Defects::default();
    let (mut found, mut unreadable) = (false, false);
    for (index, file) in args.files.iter().enumerate() {
        let diagnosed = tools.diagnose(file, args.format)?;
        found |= !diagnosed.sorted.reports.is_empty() || !diagnosed.sorted.denied.is_empty();
        unreadable |= diagnosed.unreadable.is_some();
        let read_error = |source| read_error(file, source);
        let text = match args.format {
            ExplainFormat::Json => json_line(show::json(&tools, &diagnosed).map_err(read_error)?)?,
            ExplainFormat::Title => show::titles(&diagnosed),
            ExplainFormat::Human => {
                let gap = if index > 0 { "\n" } else { "" };
                let text = show::human(&tools, &diagnosed, &palette).map_err(read_error)?;
                format!("{gap}{text}")
            }
            ExplainFormat::Log => {
                show::log(&tools, &diagnosed, out)?;
                String::new()
            }
        };
        out.write_all(text.as_bytes()).map_err(ExplainError::Write)?;
        if matches!(args.format, ExplainFormat::Title | ExplainFormat::Log) {
            err.write_all(show::remarks(&diagnosed).as_bytes()).map_err(ExplainError::Write)?;
        }
        if args.format == ExplainFormat::Human {
            defects.take(&diagnosed.name, diagnosed.sorted.reports);
        }
    }
    if args.format == ExplainFormat::Human {
        let text = defects.told() + &tools.expired();
        out.write_all(text.as_bytes()).map_err(ExplainError::Write)?;
    }
    out.flush().map_err(ExplainError::Write)?;
    let complaints = tools.complaints().into_iter().map(|text| format!("warning: {text}\n"));
    err.write_all(complaints.collect::<String>().as_bytes()).map_err(ExplainError::Write)?;
    Ok(match (unreadable, args.fail && found) {
        (true, _) => ExitStatus::SetupFailed.into(),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn json_line(value: impl serde::Serialize) -> Result<String, ExplainError> {
    let line = serde_json::to_string(&value).map_err(|error| ExplainError::Write(io::Error::other(error)))?;
    Ok(line + "\n")
}

fn read_error(file: &Path, source: io::Error) -> ExplainError {
    ExplainError::Read { file: file.display().to_string(), source }
}
