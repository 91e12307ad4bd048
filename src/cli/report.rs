//! `kregress report`: makes the reports of an earlier run again from its journal.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::guests::ReportArgs;
use crate::bisection::{self, State};
use crate::journal::RunDir;
use crate::report::matrix::{MatrixStyle, matrix};
use crate::report::summary::{shown_path, summary};
use crate::report::{
    ExitStatus, HTML_FILE, ReportError, RunSummary, file, html, json, junit, kernels::kernels,
    markdown::markdown, write_all,
};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Counts, every cell that is not good, what absence is worth, and the matrix.
    Summary,
    /// Tests × kernels as text.
    Matrix,
    /// Each kernel's image, the time that it took to boot, and what its cells came to.
    Kernels,
    /// JUnit XML.
    Junit,
    /// One JSON document with every attempt.
    Json,
    /// The matrix and what failed, for a job summary or a mail.
    Markdown,
    /// The page of the run; its links lead to files in the run's folder.
    Html,
}

/// Makes the reports of a run again from its journal, also those of a run that was killed.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The run: `latest`, its id or the id's last four digits, or the path of its folder or journal
    #[arg(default_value = "latest")]
    pub run: String,
    /// Print this to standard output [default: summary, unless --junit or --write is given]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write JUnit XML to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the reports into the run's folder again, as the end of the run does
    #[arg(long)]
    pub write: bool,
    #[command(flatten)]
    output: ReportArgs,
}

/// Runs the command; what it prints goes to `out`, in the style of the stream that `out` is. A reader of `out` that
/// has gone is no error.
///
/// # Errors
/// There is no such run, its journal is damaged, or a report cannot be written.
pub fn run(args: &Args, out: &mut dyn Write, style: MatrixStyle) -> Result<ExitStatus, ReportError> {
    let mut out = BufWriter::new(out);
    match print(args, &mut out, style).and_then(|()| out.flush().map_err(ReportError::Output)) {
        Err(ReportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    Ok(ExitStatus::Success)
}

fn print(args: &Args, out: &mut dyn Write, style: MatrixStyle) -> Result<(), ReportError> {
    let dir = RunDir::find(&args.output.reports, &args.run)?;
    let run = RunSummary::of(&dir)?;
    let bisection = State::of(&dir)?.map(|state| bisection::report::Report::of(&state));
    if let (true, Some(report)) = (args.write, &bisection) {
        let path = dir.path().join(HTML_FILE);
        file::write(&path, bisection::report::html(report).as_bytes())?;
        say(out, &format!("{}\n", shown_path(&path)))?;
    } else if args.write {
        for name in write_all(&run, &dir)? {
            say(out, &format!("{}\n", shown_path(&dir.path().join(name))))?;
        }
    }
    match &args.junit {
        Some(path) if path.as_os_str() == "-" => of_run(Format::Junit, &run, &dir, style, out)?,
        Some(path) => file::write_pieces(path, junit::pieces(&run))?,
        None => {}
    }
    let silent = args.write || args.junit.is_some();
    match (args.format.or((!silent).then_some(Format::Summary)), &bisection) {
        (None, _) => Ok(()),
        (Some(Format::Summary), Some(report)) => say(out, &bisection::report::text(report, style)),
        (Some(Format::Json), Some(report)) => say(out, &(serde_json::to_string_pretty(report)? + "\n")),
        (Some(Format::Markdown), Some(report)) => say(out, &bisection::report::markdown(report)),
        (Some(Format::Html), Some(report)) => say(out, &bisection::report::html(report)),
        (Some(format), _) => of_run(format, &run, &dir, style, out),
    }
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), ReportError> {
    out.write_all(text.as_bytes()).map_err(ReportError::Output)
}

/// Prints the report of a run of cells.
fn of_run(
    format: Format,
    run: &RunSummary,
    dir: &RunDir,
    style: MatrixStyle,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    match format {
        Format::Summary => say(out, &summary(run, dir.path(), style)?),
        Format::Matrix => say(out, &matrix(run, style)),
        Format::Kernels => say(out, &kernels(run)?),
        Format::Junit => {
            junit::pieces(run).try_for_each(|piece| say(out, &piece?))?;
            say(out, "\n")
        }
        Format::Json => json::write(run, out),
        Format::Markdown => say(out, &markdown(run)?),
        Format::Html => html::pieces(run, dir).try_for_each(|piece| say(out, &piece?)),
    }
}
