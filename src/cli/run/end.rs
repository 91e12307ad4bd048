//! The end of a run: what is written, printed and returned after its last cell.

use std::sync::Arc;

use super::RunArgs;
use crate::cli::{display, known};
use crate::config::write_targets;
use crate::journal::{Journal, RunDir};
use crate::plural::counted;
use crate::render::{Run, Subject};
use crate::report::matrix::{MatrixStyle, matrix};
use crate::report::summary::{shown_path, where_reports_are};
use crate::report::{ExitPolicy, ExitStatus, Outline, RunSummary, outline};
use crate::suite::Test;
use crate::verdict::Verdict;

/// Writes the reports, prints the summary, answers the exit code.
pub(super) fn of(
    args: &RunArgs,
    mut outcome: RunSummary,
    run_dir: &RunDir,
    journal: &Journal,
    tests: &[Arc<Test>],
    interrupted: bool,
) -> u8 {
    outcome.ask(&args.output.reports);
    // without it the journal is read again when somebody asks
    let _ = outline::write(&outcome, run_dir);
    let written = written(args, &outcome, run_dir, journal);
    for notice in known::outlived_notices(tests, &outcome, &args.output.reports) {
        eprintln!("warning: {notice}");
    }
    if args.bisect_exit {
        return outcome.git_bisect_status(interrupted) as u8;
    }
    if outcome.split.partition.is_some() && outcome.planned() == 0 && !interrupted {
        // more hosts than cells
        return ExitStatus::Success.code();
    }
    let status = outcome.exit_status(ExitPolicy { ignore_known: args.ignore_known, interrupted });
    if !written && status == ExitStatus::Success { ExitStatus::NotJudged.code() } else { status.code() }
}

/// Writes and prints it. The answer is whether all of it could be made.
fn written(args: &RunArgs, outcome: &RunSummary, run_dir: &RunDir, journal: &Journal) -> bool {
    let style = MatrixStyle::for_stderr();
    let mut failed = false;
    match display::summary(&args.display, outcome, run_dir.path(), style) {
        Ok(text) => eprint!("{text}"),
        Err(error) => {
            failed = true;
            eprint!("{}", matrix(outcome, style));
            eprintln!("error: the summary could not be made: {error}");
        }
    }
    let subject = Subject::Run(Run { summary: outcome, dir: run_dir, junit_known: args.junit_known });
    match write_targets(&subject, run_dir, args.configured.reports.as_deref()) {
        Ok(files) => {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            eprint!("\n{}", where_reports_are(run_dir, &files, style));
        }
        Err(error) => {
            failed = true;
            eprintln!(
                "error: the reports could not be written: {error}; once there is room, run `kregress report {} --write`",
                shown_path(run_dir.path())
            );
        }
    }
    if let Err(error) = args.display.annotate(&subject) {
        failed = true;
        eprintln!("error: the annotations could not be made: {error}");
    }
    let skipped = |cell: Outline<'_>| cell.verdict() == Some(Verdict::Skip);
    if outcome.cells().len() > 0 && outcome.cells().all(skipped) {
        eprintln!("warning: nothing was judged: every cell was skipped, for the reasons above");
    }
    if let Some(trouble) = journal.trouble() {
        failed = true;
        eprintln!(
            "error: {} {} missing from the journal: {}",
            counted(trouble.missing, "event"),
            if trouble.missing == 1 { "is" } else { "are" },
            trouble.first
        );
    }
    !failed
}
