//! `kregress report`: makes the reports of an earlier run again from its journal.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::display::Annotate;
use super::format::{any_parser, print};
use super::guests::ReportArgs;
use super::merge::{self, MergeArgs};
use super::word::{person, words};
use crate::bisection::{self, BisectionState};
use crate::journal::{JournalError, RunDir};
use crate::queue::QueueState;
use crate::queue::report::QueueReport;
use crate::render::{FORMATS, Kind, Run, Subject, ToldQueue, by_name, write_file, write_files};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::shown_path;
use crate::report::{ExitStatus, ReportError, RunSummary};

/// Makes the reports of a run again from its journal, also those of a run that was killed.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// The run: `latest`, its id or the id's last four digits, or the path of its folder or journal; of several, or of a
    /// folder of runs, all together
    #[arg(value_name = "RUN", default_value = "latest")]
    pub runs: Vec<String>,
    /// Print this to standard output [default: summary, unless --junit or --write is given]
    #[arg(long, value_parser = any_parser([Kind::Run, Kind::Queue]))]
    format: Option<String>,
    /// Who tested, for the answer to a queue's mails: 'Name <address>'
    #[arg(long, value_name = "PERSON", value_parser = person)]
    tester: Option<String>,
    /// Write JUnit XML to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// How JUnit shows failures that the suites list as known
    #[arg(long, value_parser = words::<JunitKnown>(), value_name = "AS", default_value = "skipped")]
    junit_known: JunitKnown,
    /// Print annotations of what failed
    #[arg(long, value_parser = words::<Annotate>(), value_name = "FOR")]
    annotate: Option<Annotate>,
    /// Write the reports into the run's folder again, as the end of the run does
    #[arg(long)]
    pub write: bool,
    #[command(flatten)]
    output: ReportArgs,
    #[command(subcommand)]
    command: Option<ReportCommand>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ReportCommand {
    /// Make one run of several: the parts of a matrix, and what was run again
    Merge(MergeArgs),
}

/// Runs the command; what it prints goes to `out`, in the style of the stream that `out` is. A reader of `out` that
/// has gone is no error.
///
/// # Errors
/// There is no such run, its journal is damaged, or a report cannot be written.
pub fn run(args: &Args, out: &mut dyn Write, style: MatrixStyle) -> Result<ExitStatus, ReportError> {
    let made = match &args.command {
        // its exit code is that of the merged run, whoever reads the summary
        Some(ReportCommand::Merge(args)) => return merge::run(args, out, style),
        None => make(args, out, style).map(|()| ExitStatus::Success),
    };
    match made {
        Err(ReportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitStatus::Success)
        }
        made => made,
    }
}

/// The runs that these words name.
///
/// # Errors
/// There is no such run.
pub fn find(root: &Path, asked: &[String]) -> Result<Vec<RunDir>, JournalError> {
    let found = asked.iter().map(|asked| RunDir::find_all(root, asked));
    Ok(found.collect::<Result<Vec<_>, _>>()?.concat())
}

fn make(args: &Args, out: &mut dyn Write, style: MatrixStyle) -> Result<(), ReportError> {
    let dirs = find(&args.output.reports, &args.runs)?;
    let (run, dir) = RunSummary::of_runs(&dirs)?;
    let folder = match dirs.as_slice() {
        // a run from elsewhere has the runs beside it before it
        [dir] => dir.path().canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned)),
        _ => None,
    };
    let run = run.with_history(folder.as_deref().unwrap_or(&args.output.reports));
    let bisection = match run.is_bisection {
        true => BisectionState::of(&dir)?.map(|state| bisection::report::Report::of(&state)),
        false => None,
    };
    if run.parts().len() > 1 {
        merge::remark(&run);
        if args.write {
            return Err(ReportError::Several);
        }
    }
    let queue = match run.is_queue && run.parts().len() == 1 {
        true => told_queue(&dir, &run, args.tester.as_deref())?,
        false => None,
    };
    let of = Run { summary: &run, dir: &dir, junit_known: args.junit_known };
    let of_queue = queue.as_ref().map(ToldQueue::queue);
    let subject = match (&bisection, &of_queue) {
        (Some(report), _) => Subject::Bisection(report, of),
        (None, Some(queue)) => Subject::Queue(queue),
        (None, None) => Subject::Run(of),
    };
    if args.write {
        let mut written = write_files(&subject, &dir)?;
        if of_queue.is_some() {
            // its attempts as cells have files of their own
            written.splice(0..0, write_files(&Subject::Run(of), &dir)?);
        }
        for name in written {
            writeln!(out, "{}", shown_path(&dir.path().join(name))).map_err(ReportError::Output)?;
        }
    }
    let named = |name: &str| {
        by_name(name, subject.kind()).ok_or_else(|| ReportError::NoSuchFormat {
            asked: name.to_owned(),
            run: dir.id().to_owned(),
            formats: FORMATS.iter().filter_map(|format| format.name(subject.kind())).collect(),
        })
    };
    match &args.junit {
        Some(path) if path.as_os_str() == "-" => print(named("junit")?, &subject, style, out)?,
        Some(path) => write_file(named("junit")?, &subject, path)?,
        None => {}
    }
    if let Some(annotate) = args.annotate {
        annotate.print(&subject, out)?;
    }
    let silent = args.write || args.junit.is_some() || args.annotate.is_some();
    let usual = if of_queue.is_some() { "human" } else { "summary" };
    match args.format.as_deref().or((!silent).then_some(usual)) {
        Some(format) => print(named(format)?, &subject, style, out),
        None => Ok(()),
    }
}

/// What is told of a queue, ended or not. `None`: its record is not in the journal, which was cut.
pub fn told_queue(
    dir: &RunDir,
    run: &RunSummary,
    tester: Option<&str>,
) -> Result<Option<ToldQueue>, ReportError> {
    let told = QueueState::of(dir)?.map(|state| {
        let open =
            || format!("it did not come to its end; `kregress queue --resume {}` goes on with it", dir.id());
        let report = QueueReport::of(&state, (!state.is_ended()).then(open));
        ToldQueue::of(report, &state, tester, run.started.map_or(0, |at| at.as_second()))
    });
    Ok(told)
}
