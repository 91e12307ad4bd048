//! `kregress explain`: the diagnosis of any console log or dmesg.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::oops::{
    Engine, FileDiagnosis, Judged, KnownError, KnownMessages, Palette, Report, RuleError, SymbolError,
    Symbols, heading, render_report,
};

/// Reads kernel consoles and says what crashed.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// Console logs or output of dmesg; `-` is standard input
    #[arg(default_value = "-")]
    pub files: Vec<PathBuf>,

    /// How to show the reports
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,

    /// Rules to lay over the ones that come with the program
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// Known messages: an allow and a deny list
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,

    /// The kernel's uncompressed image; raw addresses become function names
    #[arg(long, value_name = "FILE", conflicts_with = "system_map")]
    pub vmlinux: Option<PathBuf>,

    /// The kernel's System.map; raw addresses become function names
    #[arg(long, value_name = "FILE")]
    pub system_map: Option<PathBuf>,
}

/// How reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a reader: the lines that matter, the blamed function marked
    Human,
    /// One JSON object a file
    Json,
    /// The title of each report, one a line
    Title,
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
    #[error("{file}: {source}")]
    Known {
        /// The file as it was given.
        file: String,
        /// What is wrong with it.
        source: KnownError,
    },
    /// There are no symbols to be had.
    #[error("{file}: {source}")]
    Symbols {
        /// The file as it was given.
        file: String,
        /// What is wrong with it.
        source: SymbolError,
    },
}

/// Explains the files in order on standard output.
///
/// # Errors
/// If a file cannot be read, or the rules, known messages or symbols are unusable. A log without a report is no error.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, ExplainError> {
    let coloured = console::colors_enabled();
    explain(args, jiff::Zoned::now().date(), coloured, &mut io::stdout().lock())
}

/// The same with everything from outside passed in: the day that decides which known messages hold, colours, and
/// where to write.
///
/// # Errors
/// As [`run`].
pub fn explain(
    args: &ExplainArgs,
    today: jiff::civil::Date,
    coloured: bool,
    out: &mut impl Write,
) -> Result<ExitCode, ExplainError> {
    let tools = Tools::load(args)?;
    let palette = if coloured { Palette::coloured() } else { Palette::plain() };
    for (index, file) in args.files.iter().enumerate() {
        let (source, judged) = tools.diagnose(file, args.format, today)?;
        let name = file.to_string_lossy();
        let text = match args.format {
            Format::Json => json_line(&name, judged.reports)?,
            Format::Title => judged.reports.iter().map(|report| format!("{}\n", report.title)).collect(),
            Format::Human => {
                let gap = if index > 0 { "\n" } else { "" };
                format!("{gap}{}", human(&name, &source, &judged, &palette)?)
            }
        };
        out.write_all(text.as_bytes()).map_err(ExplainError::Write)?;
    }
    out.flush().map_err(ExplainError::Write)?;
    Ok(ExitCode::SUCCESS)
}

fn json_line(name: &str, reports: Vec<Report>) -> Result<String, ExplainError> {
    let diagnosis = FileDiagnosis { file: name.to_owned(), reports };
    let line = diagnosis.to_line().map_err(|error| ExplainError::Write(io::Error::other(error)))?;
    Ok(line + "\n")
}

fn human(name: &str, source: &Source, judged: &Judged, palette: &Palette) -> Result<String, ExplainError> {
    let mut text = heading(name, judged.reports.len());
    for report in &judged.reports {
        let region = source.region(report).map_err(|source| read_error(Path::new(name), source))?;
        text.push('\n');
        text.push_str(&render_report(name, &region, report, palette));
    }
    for (report, entry) in &judged.allowed {
        let link = entry.link.as_deref().map(|link| format!(", see {link}")).unwrap_or_default();
        text.push_str(&format!(
            "\nknown: {} (line {}): {}{link}\n",
            report.title, report.start_line, entry.reason
        ));
    }
    for entry in &judged.expired {
        let day = entry.expires.map(|day| day.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "\nexpired on {day}: `{}` ({}); remove the entry or renew it\n",
            entry.pattern, entry.reason
        ));
    }
    Ok(text)
}

/// Where the lines of reports are taken from.
enum Source {
    Whole(Vec<u8>),
    File(PathBuf),
}

impl Source {
    fn region(&self, report: &Report) -> io::Result<Vec<u8>> {
        let length = report.end.saturating_sub(report.start);
        match self {
            Source::Whole(console) => {
                let start = report.start.min(console.len());
                Ok(console[start..report.end.clamp(start, console.len())].to_vec())
            }
            Source::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(report.start as u64))?;
                let mut region = Vec::new();
                file.take(length as u64).read_to_end(&mut region)?;
                Ok(region)
            }
        }
    }
}

/// What is loaded once for all files.
struct Tools {
    overlay: Option<Engine>,
    known: Option<KnownMessages>,
    symbols: Option<Symbols>,
}

impl Tools {
    fn load(args: &ExplainArgs) -> Result<Tools, ExplainError> {
        let overlay = match &args.rules {
            None => None,
            Some(file) => Some(
                Engine::with_overlay(&read_text(file)?)
                    .map_err(|source| ExplainError::Rules { file: file.display().to_string(), source })?,
            ),
        };
        let known = match &args.known {
            None => None,
            Some(file) => Some(
                KnownMessages::parse(&read_text(file)?)
                    .map_err(|source| ExplainError::Known { file: file.display().to_string(), source })?,
            ),
        };
        let load_symbols = |file: &PathBuf, parse: fn(&[u8]) -> Result<Symbols, SymbolError>| {
            let bytes = std::fs::read(file).map_err(|source| read_error(file, source))?;
            parse(&bytes).map_err(|source| ExplainError::Symbols { file: file.display().to_string(), source })
        };
        let symbols = match (&args.vmlinux, &args.system_map) {
            (Some(file), _) => Some(load_symbols(file, Symbols::from_vmlinux)?),
            (None, Some(file)) => Some(load_symbols(file, Symbols::from_system_map)?),
            (None, None) => None,
        };
        Ok(Tools { overlay, known, symbols })
    }

    /// Reads one file. Only what needs the whole console has it in memory: standard input that is to be shown, names
    /// for addresses, and known messages.
    fn diagnose(
        &self,
        file: &Path,
        format: Format,
        today: jiff::civil::Date,
    ) -> Result<(Source, Judged), ExplainError> {
        let engine = self.overlay.as_ref().unwrap_or_else(|| Engine::embedded());
        let stdin = file == Path::new("-");
        let fail = |source| read_error(file, source);
        if self.symbols.is_none() && self.known.is_none() && !(stdin && format == Format::Human) {
            let reports = if stdin {
                engine.diagnose_reader(io::stdin().lock())
            } else {
                File::open(file).and_then(|file| engine.diagnose_reader(file))
            };
            let reports = reports.map_err(fail)?;
            return Ok((Source::File(file.to_owned()), Judged { reports, ..Judged::default() }));
        }
        let mut console = Vec::new();
        if stdin {
            io::stdin().lock().read_to_end(&mut console).map_err(fail)?;
        } else {
            console = std::fs::read(file).map_err(fail)?;
        }
        if let Some(symbols) = &self.symbols {
            console = symbols.name_addresses(&console);
        }
        let reports = engine.diagnose(&console);
        let judged = match &self.known {
            Some(known) => known.judge(&console, reports, today),
            None => Judged { reports, ..Judged::default() },
        };
        Ok((Source::Whole(console), judged))
    }
}

fn read_text(file: &Path) -> Result<String, ExplainError> {
    std::fs::read_to_string(file).map_err(|source| read_error(file, source))
}

fn read_error(file: &Path, source: io::Error) -> ExplainError {
    ExplainError::Read { file: file.display().to_string(), source }
}
