//! `kregress replay`: what a run printed, again, from its journal.

use std::io::stdout;

use super::display::{self, DisplayArgs};
use super::error::CliError;
use super::guests::ReportArgs;
use super::printing;
use super::report::{find, told_queue};
use super::word::words;
use crate::bisection::{self, BisectionState};
use crate::event::Event;
use crate::journal::{JournalError, RunDir};
use crate::progress::{Bisecting, EventSink, JsonLines, MessageFormat, Paint, Plain, Queueing};
use crate::queue;
use crate::render::{FORMATS, Kind, Run, Subject};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::where_reports_are;
use crate::report::{ExitStatus, RunSummary};

/// Prints on standard output what a run printed: the lines of its cells in the order in which they ended, the summary and
/// the matrix. What is only shown while a run goes on is in no journal: phases, and programs that take long.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The run: `latest`, its id or the id's last four digits, or a path; several are printed one after the other, with one
    /// summary
    #[arg(value_name = "RUN", default_value = "latest")]
    runs: Vec<String>,
    /// What is printed
    #[arg(long, value_parser = words::<MessageFormat>(), default_value = "human", value_name = "FORMAT")]
    message_format: MessageFormat,
    #[command(flatten)]
    output: ReportArgs,
    #[command(flatten)]
    display: DisplayArgs,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or its journal is damaged.
pub fn run(args: &ReplayArgs) -> Result<ExitStatus, CliError> {
    let dirs = find(&args.output.reports, &args.runs).map_err(CliError::setup)?;
    let (mut run, dir) = RunSummary::of_runs(&dirs).map_err(CliError::setup)?;
    let show: Box<dyn EventSink> = match (args.message_format, run.is_bisection) {
        (MessageFormat::Json, _) => Box::new(JsonLines::new(stdout())),
        (MessageFormat::Human, true) => Box::new(Bisecting::new(None, stdout(), Paint::for_stdout())),
        (MessageFormat::Human, _) if run.is_queue => {
            Box::new(Queueing::new(None, stdout(), Paint::for_stdout()))
        }
        (MessageFormat::Human, _) => Box::new(Plain::new(stdout(), Paint::for_stdout(), args.display.view())),
    };
    for part in run.parts() {
        let tell = |event: Event, _: &[u8]| {
            show.event(&event);
            Ok::<(), JournalError>(())
        };
        part.events(tell).map_err(CliError::setup)?;
    }
    show.close();
    if let Some(error) = show.failure() {
        printing::failed(error);
    }
    if args.message_format == MessageFormat::Json {
        return Ok(ExitStatus::Success);
    }
    let style = MatrixStyle::for_stdout();
    if run.is_bisection {
        let state = BisectionState::of(&dir).map_err(CliError::setup)?;
        if let Some(state) = state {
            print!("{}", bisection::report::text(&bisection::report::Report::of(&state), style));
        }
        return Ok(ExitStatus::Success);
    }
    if run.is_queue {
        let told = told_queue(&dir, &run, None).map_err(CliError::setup)?;
        if let Some(told) = told {
            print!("{}", queue::report::text(&told.report));
        }
        return Ok(ExitStatus::Success);
    }
    run.ask(&args.output.reports);
    print!("{}", display::summary(&args.display, &run, dir.path(), style).map_err(CliError::setup)?);
    let files = files(&dir);
    if !files.is_empty() {
        print!("\n{}", where_reports_are(&dir, &files, style));
    }
    let subject = Subject::Run(Run { summary: &run, dir: &dir, junit_known: JunitKnown::Skipped });
    args.display.annotate(&subject).map_err(CliError::setup)?;
    Ok(ExitStatus::Success)
}

/// The reports that are in a run's folder.
fn files(dir: &RunDir) -> Vec<&'static str> {
    let names = FORMATS.iter().filter_map(|format| format.file(Kind::Run));
    names.filter(|name| dir.path().join(name).is_file()).collect()
}
