//! `kregress report`: makes the reports of an earlier run again from its journal.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::guests::ReportArgs;
use crate::bisection::{self, State};
use crate::journal::RunDir;
use crate::report::matrix::{MatrixStyle, matrix};
use crate::report::summary::{shown_path, summary};
use crate::report::{
    ExitStatus, HTML_FILE, ReportError, RunSummary, file, html::html, json::json, junit::junit,
    kernels::kernels, markdown::markdown, write_all,
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
    let dir = RunDir::find(&args.output.reports, &args.run)?;
    let run = RunSummary::of(&dir)?;
    let bisection = State::of(&dir)?.map(|state| bisection::report::Report::of(&state));
    let mut text = String::new();
    if let (true, Some(report)) = (args.write, &bisection) {
        let path = dir.path().join(HTML_FILE);
        file::write(&path, bisection::report::html(report).as_bytes())?;
        text.push_str(&format!("{}\n", shown_path(&path)));
    } else if args.write {
        for name in write_all(&run, &dir)? {
            text.push_str(&format!("{}\n", shown_path(&dir.path().join(name))));
        }
    }
    match &args.junit {
        Some(path) if path.as_os_str() == "-" => text.push_str(&(junit(&run)? + "\n")),
        Some(path) => file::write(path, junit(&run)?.as_bytes())?,
        None => {}
    }
    let silent = args.write || args.junit.is_some();
    if let Some(format) = args.format.or((!silent).then_some(Format::Summary)) {
        text.push_str(&match (format, &bisection) {
            (Format::Summary, Some(report)) => bisection::report::text(report, style),
            (Format::Json, Some(report)) => serde_json::to_string_pretty(report)? + "\n",
            (Format::Markdown, Some(report)) => bisection::report::markdown(report),
            (Format::Html, Some(report)) => bisection::report::html(report),
            (format, _) => of_run(format, &run, &dir, style)?,
        });
    }
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ReportError::Output(error)),
        _ => Ok(ExitStatus::Success),
    }
}

/// The report of a run of cells.
fn of_run(format: Format, run: &RunSummary, dir: &RunDir, style: MatrixStyle) -> Result<String, ReportError> {
    Ok(match format {
        Format::Summary => summary(run, dir.path(), style),
        Format::Matrix => matrix(run, style),
        Format::Kernels => kernels(run),
        Format::Junit => junit(run)? + "\n",
        Format::Json => json(run)?,
        Format::Markdown => markdown(run),
        Format::Html => html(run, dir),
    })
}
