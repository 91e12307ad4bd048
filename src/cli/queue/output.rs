//! What `kregress queue` prints at the end, and the files that it leaves in the run's folder.

use serde_json::json;

use super::input::QueueInput;
use super::{QueueArgs, plan};
use crate::arch::Arch;
use crate::cli::error::CliError;
use crate::cli::format::print;
use crate::event::CellRecord;
use crate::journal::{Journal, RunDir};
use crate::queue::report::{QueueReport, reading_checks, refusal};
use crate::queue::{ChosenTest, QueueEnd, QueueState};
use crate::render::{Run, Subject, ToldQueue, write_files};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::shown_path;
use crate::report::{ExitStatus, ReportError, RunSummary};
use crate::triage::Outcome;
use crate::verdict::Verdict;

/// Prints what is said of a queue that is only read, besides the text for people.
pub fn read_only(args: &QueueArgs, input: &QueueInput, chosen: &[ChosenTest]) {
    let reading = &input.reading;
    match args.format_name() {
        "human" => print!("{}", plan::text(chosen)),
        "b4" => println!("{:#}", json!(reading_checks(reading))),
        "json" => {
            let tests = chosen.iter().map(|one| {
                json!({"test": one.test.id(), "expect": one.expect, "tie": one.tie, "patches": one.patches})
            });
            let document = json!({
                "input": input.handed.queue.name,
                "tree": {"named": input.tree.name, "commit": input.commit, "version": input.version},
                "patches": reading.patches,
                "set_aside": reading.set_aside,
                "missing": input.missing,
                "notes": input.notes,
                "tests": tests.collect::<Vec<_>>(),
            });
            println!("{document:#}");
        }
        other => eprintln!("warning: nothing was run, so that there is nothing to say in the format {other}"),
    }
}

/// Tells a program that reads checks what cannot be used.
pub fn refused(args: &QueueArgs, error: &CliError) {
    if args.format_name() == "b4" {
        println!("{:#}", json!(refusal(&error.to_string())));
    }
}

/// Points `latest` at a run that begins or goes on: where it is killed, `latest` must not be an older one.
pub fn point_latest_at(dir: &RunDir) {
    if let Err(error) = dir.make_latest() {
        eprintln!("warning: {error}");
    }
}

/// Everything that was run as cells, so that the matrix and JUnit show it, too.
pub fn cells(state: &QueueState) -> Vec<CellRecord> {
    let arch = state.record().tree.arch.as_deref().and_then(Arch::named).and_then(Arch::to_tell);
    let all = state.all_attempts().filter_map(|(kernel, test, attempts)| {
        let last = attempts.last()?;
        let bad = attempts.iter().find(|attempt| attempt.outcome == Outcome::Bad);
        let good = attempts.iter().any(|attempt| attempt.outcome == Outcome::Good);
        let verdict = match (bad, good) {
            (Some(bad), _) => bad.verdict,
            (None, true) => Verdict::Good,
            (None, false) => last.verdict,
        };
        let shown = bad.or((!good).then_some(last));
        Some(CellRecord {
            test: state.record().tests[test].test.clone(),
            kernel: state.numbers().name(kernel),
            release: state.kernel(kernel)?.record.as_ref().map(|record| record.release.clone()),
            verdict,
            title: shown.and_then(|attempt| attempt.title.clone()),
            attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
            seconds: attempts.iter().map(|attempt| attempt.seconds).sum(),
            reason: None,
            miss_chance: None,
            known: None,
            arch: arch.clone(),
            package: None,
            expectation: None,
        })
    });
    all.collect()
}

/// Prints the report, writes it into the run's folder, answers the exit code.
pub fn finish(
    args: &QueueArgs,
    state: &QueueState,
    dir: &RunDir,
    journal: &Journal,
    end: &QueueEnd,
) -> Result<ExitStatus, CliError> {
    let again = format!("`kregress queue --resume {}` goes on with it", dir.id());
    let open = match end {
        QueueEnd::Answered => None,
        QueueEnd::Budget => Some(format!("the budget is spent; {again}")),
        QueueEnd::Interrupted => Some(format!("it was interrupted; {again}")),
        QueueEnd::Host(reason) => Some(format!("{reason}; {again}")),
        QueueEnd::Baseline(reason) => {
            return Err(CliError::setup(format!(
                "{} does not build without the queue either, so nothing can be said of it: {reason}",
                state.record().tree.named
            )));
        }
        QueueEnd::Nothing => Some("no patch is left that builds".to_owned()),
    };
    let mut report = QueueReport::of(state, open);
    report.budget_spent = *end == QueueEnd::Budget;
    let run = RunSummary::of(dir).map_err(ReportError::from);
    let started = run.as_ref().ok().and_then(|run| run.started).map_or(0, |at| at.as_second());
    let told = ToldQueue::of(report, state, args.tester.as_deref(), started);
    let (report, queue) = (&told.report, told.queue());
    let subject = Subject::Queue(&queue);
    let written = run.and_then(|summary| {
        let run = Run { summary: &summary, dir, junit_known: JunitKnown::default() };
        write_files(&Subject::Run(run), dir)?;
        write_files(&subject, dir)
    });
    print(args.format.0, &subject, MatrixStyle::for_stdout(), &mut std::io::stdout())
        .map_err(CliError::setup)?;
    let mut status = report.exit_status();
    match &written {
        Ok(_) => eprintln!("\nreports: {}", shown_path(&dir.path().join("queue.html"))),
        Err(error) => {
            eprintln!("error: the reports could not be written: {error}; {again}");
            status = if status == ExitStatus::Success { ExitStatus::NotJudged } else { status };
        }
    }
    if let Some(trouble) = journal.trouble() {
        eprintln!("error: {trouble}");
    }
    match end {
        QueueEnd::Interrupted => Ok(ExitStatus::Interrupted),
        QueueEnd::Host(reason) => Err(CliError::setup(format!("{reason}\n{again}"))),
        _ => Ok(status),
    }
}
