//! `kregress runs`: the runs of a folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use super::cache::Size;
use super::error::CliError;
use super::guests::ReportArgs;
use super::paths::PathArgs;
use super::selection::TestArgs;
use crate::journal::RunDir;
use crate::kernel::megabytes;
use crate::plural::counted;
use crate::progress::{clock, printable, tally};
use crate::report::learned::learned;
use crate::report::summary::shown_path;
use crate::report::{ExitStatus, OutlineFile, RunHead};
use crate::runs::{DEFAULT_LIMIT, Policy, begun, export, import, prunable, remove, sweep};
use crate::suite::Test;

/// Looks after the folder of runs.
#[derive(Debug, clap::Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RunsCommand {
    /// List the runs, the newest last
    List {
        /// One JSON object a line, with what the run's outline says
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Say what one run is
    Show {
        /// The run: `latest`, its id or the id's last four digits, or a path
        #[arg(default_value = "latest")]
        run: String,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Say how often each test shows its bug where the bug is, by all runs, and what its suite could say as `chance`
    Chance {
        #[command(flatten)]
        tests: TestArgs,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Remove old runs, never the newest, the one that `latest` names, or one that still goes on
    Prune(PruneArgs),
    /// Write a run to one file, for another host
    Export {
        /// The run: `latest`, its id or the id's last four digits, or a path
        run: String,
        /// The file, a .tar.gz
        file: PathBuf,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Take a run out of such a file
    Import {
        /// The file
        file: PathBuf,
        /// How much it may hold, like 500M or 20G [default: 16 GiB]
        #[arg(long, value_name = "SIZE")]
        max_size: Option<Size>,
        #[command(flatten)]
        output: ReportArgs,
    },
}

/// Which runs go.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true, args = ["keep", "older_than"])]
struct PruneArgs {
    /// Keep so many of the newest
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Remove only what is older, such as 30d or 12h
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    older_than: Option<Duration>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: ReportArgs,
}

/// Reads an age such as `30d`.
fn parse_age(text: &str) -> Result<Duration, String> {
    let expected = || format!("found `{text}`, expected an age such as `30d`, `2w` or `12h`");
    let span: Span = text.parse().map_err(|_| expected())?;
    let age: SignedDuration =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| expected())?;
    Duration::try_from(age).map_err(|_| expected())
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or a file cannot be read, written or removed.
pub fn run(args: &RunsArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    match &args.command {
        RunsCommand::List { json, output } => list(&output.reports, *json),
        RunsCommand::Show { run, output } => {
            let run = RunDir::find(&output.reports, run).map_err(CliError::setup)?;
            show(&run)?;
        }
        RunsCommand::Chance { tests, output } => {
            for line in chances(&output.reports, &tests.tests(paths)?) {
                println!("{line}");
            }
        }
        RunsCommand::Prune(args) => return prune(args),
        RunsCommand::Export { run, file, output } => {
            let run = RunDir::find(&output.reports, run).map_err(CliError::setup)?;
            export(&run, file).map_err(CliError::setup)?;
            let bytes = std::fs::metadata(file).map_or(0, |meta| meta.len());
            println!("{}: run {}, {}", shown_path(file), run.id(), megabytes(bytes));
        }
        RunsCommand::Import { file, max_size, output } => {
            let limit = max_size.map_or(DEFAULT_LIMIT, Size::bytes);
            let run = import(file, &output.reports, limit).map_err(CliError::setup)?;
            println!("{}", shown_path(run.path()));
        }
    }
    Ok(ExitStatus::Success)
}

fn list(root: &Path, json: bool) {
    let mut out = std::io::stdout().lock();
    for run in RunDir::all(root) {
        let text = match OutlineFile::of(&run) {
            Ok(outline) if json => serde_json::to_string(&outline.head).unwrap_or_default(),
            Ok(outline) => line(&run, &outline.head),
            Err(error) => {
                eprintln!("warning: {error}");
                continue;
            }
        };
        super::printing::line(&mut out, format_args!("{text}"));
    }
    let _ = out.flush();
}

/// What a run is, in words: counts, what it is a part of, how it ended.
fn words(head: &RunHead) -> String {
    let mut words = tally(&head.counts, head.known, 0);
    if head.bisection {
        words = vec![format!("a bisection of {}", counted(head.cells, "kernel"))];
    }
    let also = [
        head.partition.as_ref().map(|partition| partition.to_string()),
        (!head.merged.is_empty()).then(|| format!("merged of {}", head.merged.len())),
        (head.ended != "finished").then(|| head.ended.clone()),
    ];
    let also: Vec<String> = also.into_iter().flatten().collect();
    let also = if also.is_empty() { String::new() } else { format!("  ({})", also.join(", ")) };
    let words = if words.is_empty() { "nothing to run".to_owned() } else { words.join(", ") };
    printable(&format!("{words}{also}"))
}

fn line(run: &RunDir, head: &RunHead) -> String {
    let cells = if head.cells == 1 { "cell" } else { "cells" };
    format!("{:24}  {:>7} {cells:5}  {:>8}  {}", run.id(), head.cells, clock(head.seconds), words(head))
}

fn show(run: &RunDir) -> Result<(), CliError> {
    let head = OutlineFile::of(run).map_err(CliError::setup)?.head;
    let (files, bytes) = size(run.path());
    let rows = [
        ("run", Some(head.run.clone())),
        ("folder", Some(shown_path(run.path()))),
        ("started", head.at.or_else(|| begun(run)).map(|at| format!("{at:.0}"))),
        ("took", Some(clock(head.seconds))),
        ("ended", Some(head.ended.clone())),
        ("cells", Some(format!("{}: {}", head.cells, words(&head)))),
        ("part", head.partition.clone()),
        ("merged", (!head.merged.is_empty()).then(|| head.merged.join(", "))),
        ("command", (!head.command.is_empty()).then(|| head.command.join(" "))),
        ("size", Some(format!("{} in {}", megabytes(bytes), counted(files, "file")))),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            println!("{name:8} {}", printable(&value));
        }
    }
    Ok(())
}

/// What runs say of the chances of these tests, a line each.
fn chances(root: &Path, tests: &[Arc<Test>]) -> Vec<String> {
    let learned = learned(root);
    let width = tests.iter().map(|test| test.id().len()).max().unwrap_or(0);
    let line = |test: &Arc<Test>| {
        let id = test.id();
        let Some(seen) = learned.get(&id) else { return format!("{id:width$}  never seen") };
        let range = seen.range();
        let percent = |chance: f64| format!("{:.0}%", chance * 100.0);
        // of a chance that is said too high a good result is worth less than it says
        let safe = (range.low * 100.0).floor() / 100.0;
        let advice = match test.dose.chance {
            None if safe > 0.0 => format!("the suite says none; `chance: {safe}` is safe"),
            None => "the suite says none, and this is too little to say one".to_owned(),
            Some(said) if said > range.high => {
                format!("the suite says {said}, which is too high; `chance: {safe}` is safe")
            }
            Some(said) if said < range.low => format!("the suite says {said}, which is less than was seen"),
            Some(said) => format!("the suite says {said}"),
        };
        let kernels = counted(seen.kernels, "kernel");
        format!(
            "{id:width$}  {} of {} attempts on {kernels}: {} ({} to {}); {advice}",
            seen.symptoms,
            seen.attempts,
            percent(range.mean),
            percent(range.low),
            percent(range.high)
        )
    };
    tests.iter().map(line).collect()
}

/// Files below a folder, and their bytes.
fn size(folder: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (files, bytes) = match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => (1, meta.len()),
            Err(_) => (0, 0),
        };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}

fn prune(args: &PruneArgs) -> Result<ExitStatus, CliError> {
    let root = &args.output.reports;
    let policy = Policy { keep: args.keep, older_than: args.older_than };
    if !args.dry_run {
        sweep(root);
    }
    let (mut removed, mut freed) = (0, 0);
    for old in prunable(root, policy, Timestamp::now()) {
        let id = old.run.id();
        let (_, bytes) = size(old.run.path());
        match old.kept {
            Some(kept) => println!("kept     {id}  {}", kept.words()),
            None if args.dry_run || remove(&old.run).map_err(CliError::setup)? => {
                println!(
                    "{:8} {id}  {}",
                    if args.dry_run { "would go" } else { "removed" },
                    megabytes(bytes)
                );
                (removed, freed) = (removed + 1, freed + bytes);
            }
            None => println!("kept     {id}  it still goes on"),
        }
    }
    let (runs, verb) = (counted(removed, "run"), if args.dry_run { "would go" } else { "removed" });
    println!("{runs} {verb}, {}", megabytes(freed));
    Ok(ExitStatus::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_with_their_unit() {
        let table = [
            ("30d", Some(30 * 86_400)),
            ("2w", Some(14 * 86_400)),
            ("12h", Some(43_200)),
            ("1d12h", Some(129_600)),
            ("-3d", None),
            ("30", None),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_age(text).ok().map(|age| age.as_secs()), seconds, "{text}");
        }
        insta::assert_snapshot!(parse_age("30").unwrap_err(), @"found `30`, expected an age such as `30d`, `2w` or `12h`");
    }
}
