//! `kregress known`: the failures that suites list as known, and what is to be done about each.

use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::json;

use super::error::CliError;
use super::guests::ReportArgs;
use super::paths::PathArgs;
use super::selection::TestArgs;
use crate::journal::RunDir;
use crate::known::{OUTLIVED, Standing, State, standings};
use crate::report::{ExitStatus, RunSummary};
use crate::suite::{Expiry, Test};

/// List the failures that suites call known: their age, and what each hides.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress known                 every entry, those to look at first
  kregress known ext4 --runs 30  outlived after 30 good runs in a row
  kregress known --check         exit 100 where one expired or is outlived")]
pub struct KnownArgs {
    #[command(flatten)]
    tests: TestArgs,
    /// Runs in a row in which an entry is good everywhere before it is called outlived
    #[arg(long, value_name = "N", default_value_t = OUTLIVED, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Exit with 100 where an entry has expired or is outlived
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: ReportArgs,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: KnownFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum KnownFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

/// Prints the entries.
pub fn run(args: &KnownArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let tests = args.tests.tests(paths)?;
    let dirs = RunDir::all(&args.output.reports).into_iter().rev();
    let mut entries = standings(&tests, dirs, args.runs).map_err(CliError::setup)?;
    let today = jiff::Zoned::now().date();
    let state = |standing: &Standing| standing.state(today, args.runs);
    entries.sort_by_key(|standing| state(standing) as u8);
    let texts = entries.iter().map(|standing| match args.format {
        KnownFormat::Human => human(standing, state(standing), today),
        KnownFormat::Json => format!("{}\n", machine(standing, state(standing), today)),
    });
    print!("{}", texts.collect::<String>());
    if entries.is_empty() {
        eprintln!("no suite lists a failure as known");
    }
    let overdue = entries.iter().any(|standing| matches!(state(standing), State::Expired | State::Outlived));
    Ok(if args.check && overdue { ExitStatus::TestsFailed } else { ExitStatus::Success })
}

/// The notices for entries of these tests that are outlived, where a run has found one of them good again. Runs before
/// it are only read then.
pub fn outlived_notices(tests: &[Arc<Test>], run: &RunSummary, reports: &Path) -> Vec<String> {
    let fixed: Vec<&str> =
        run.cells().filter(|cell| cell.known() == Some("fixed")).map(|cell| cell.test()).collect();
    let concerned: Vec<Arc<Test>> =
        tests.iter().filter(|test| fixed.contains(&test.id().as_str())).cloned().collect();
    if concerned.is_empty() {
        return Vec::new();
    }
    let dirs = RunDir::all(reports).into_iter().rev();
    // what cannot be read is told where it is asked for
    let standings = standings(&concerned, dirs, OUTLIVED).unwrap_or_default();
    let outlived = standings.iter().filter(|standing| standing.good_in_a_row >= OUTLIVED);
    outlived.map(Standing::outlived_notice).collect()
}

fn human(standing: &Standing, state: State, today: Date) -> String {
    let Standing { test, entry, last, good_in_a_row } = standing;
    let name = console::style(test.id()).bold();
    let mut text = format!("{name} {} on {}\n", entry.verdict.word(), entry.versions);
    let mut line = |label: &str, value: String| text.push_str(&format!("    {label:7} {value}\n"));
    let expiry = match entry.expires {
        Expiry::On(day) => format!("expires on {day}"),
        Expiry::Never => "never expires".to_owned(),
        Expiry::Unsaid => "has no end".to_owned(),
    };
    match state {
        State::Expired => line("EXPIRED", "it counts as a failure again: remove it, or renew it".to_owned()),
        State::Outlived => {
            line(
                "OUTLIVED",
                format!("good in {good_in_a_row} runs in a row: remove it, or narrow its versions"),
            );
        }
        State::WithoutEnd => {
            line("NO END", "give it `since: DAY`, `expires: DAY` or `expires: never`".to_owned());
        }
        State::Holds => {}
    }
    if let Some(reason) = &entry.note {
        line("reason", reason.clone());
    }
    if let Some(link) = &entry.link {
        line("link", link.clone());
    }
    line(
        "age",
        match standing.age(today) {
            Some(1) => format!("1 day, {expiry}"),
            Some(days) => format!("{days} days, {expiry}"),
            None => format!("unknown, {expiry}"),
        },
    );
    match last {
        Some((run, seen)) => {
            for seen in seen {
                let title = seen.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
                line("hides", format!("{} on {} (run {run}){title}", seen.verdict, seen.kernel));
            }
        }
        None => line("hides", "no run that is kept has judged it".to_owned()),
    }
    line("at", entry.span.to_string());
    text
}

fn machine(standing: &Standing, state: State, today: Date) -> serde_json::Value {
    let Standing { test, entry, last, good_in_a_row } = standing;
    json!({
        "test": test.id(),
        "state": state,
        "versions": entry.versions.as_str(),
        "verdict": entry.verdict,
        "reason": entry.note,
        "link": entry.link,
        "since": entry.since,
        "expires": (!entry.expires.is_unsaid()).then_some(entry.expires),
        "age_days": standing.age(today),
        "good_in_a_row": good_in_a_row,
        "last_run": last.as_ref().map(|(run, _)| run),
        "hides": last.as_ref().map(|(_, seen)| seen),
        "at": entry.span,
    })
}
