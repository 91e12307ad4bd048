//! `kregress report merge`: one run of several.

use std::io::{self, Write};
use std::path::Path;

use super::guests::ReportArgs;
use super::report::find;
use super::word::words;
use crate::journal::RunDir;
use crate::plural::counted;
use crate::render::{Run, Subject, write_files};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::{summary, where_reports_are};
use crate::report::{ExitPolicy, ExitStatus, ReportError, RunSummary, outline};
use crate::runs;

/// Overlaps that are told on the way.
const OVERLAPS_TOLD: usize = 20;

/// Makes one run of several, with a folder of its own, and exits as that run would have.
///
/// No cell counts twice: a symptom that was seen goes before a crash of another kind, that before a clean run, any of them
/// before a run that judged nothing, and among equals the later run counts. Parts of a matrix that are missing are said, and
/// cells that no run judged: then the exit code is 102.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kregress report merge a1b2 c3d4             two runs of this folder
  kregress report merge part-*/reports        every run of these folders")]
pub struct MergeArgs {
    /// The runs: ids, their last four digits, paths of folders or journals, or folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    /// Do not look at the suites' lists of known results: every failure counts for the exit code
    #[arg(long)]
    ignore_known: bool,
    /// How JUnit shows failures that the suites list as known
    #[arg(long, value_parser = words::<JunitKnown>(), value_name = "AS", default_value = "skipped")]
    junit_known: JunitKnown,
    #[command(flatten)]
    output: ReportArgs,
}

/// Runs the command; the summary goes to `out`.
///
/// # Errors
/// There is no such run, one of them cannot be read, or the new one cannot be written.
pub fn run(args: &MergeArgs, out: &mut dyn Write, style: MatrixStyle) -> Result<ExitStatus, ReportError> {
    let root = &args.output.reports;
    let dirs = find(root, &args.runs)?;
    let merging = Merging { root, ignore_known: args.ignore_known, junit_known: args.junit_known };
    merging.merge(&dirs, out, style)
}

/// How runs are made one.
pub(super) struct Merging<'a> {
    /// The folder of runs that gets it.
    pub root: &'a Path,
    /// Whether known failures count for the exit code.
    pub ignore_known: bool,
    /// How JUnit shows them.
    pub junit_known: JunitKnown,
}

impl Merging<'_> {
    /// Makes it, with its reports; the summary goes to `out`.
    pub fn merge(
        &self,
        dirs: &[RunDir],
        out: &mut dyn Write,
        style: MatrixStyle,
    ) -> Result<ExitStatus, ReportError> {
        let root = self.root;
        let before = RunDir::find(root, "latest").ok();
        let (dir, found) = runs::merge(root, dirs, std::env::args().collect())
            .map_err(|error| ReportError::Merge(error.to_string()))?;
        remark(&found);
        let is_part = |run: &RunDir| found.split.merged.iter().any(|member| member.run == run.id());
        if before.is_none_or(|run| is_part(&run) || run.id() < dir.id())
            && let Err(error) = dir.make_latest()
        {
            eprintln!("warning: {error}");
        }
        drop(found);
        let merged = RunSummary::of(&dir)?.with_history(root);
        // without it the journal is read again when somebody asks
        let _ = outline::write(&merged, &dir);
        let subject = Subject::Run(Run { summary: &merged, dir: &dir, junit_known: self.junit_known });
        let files = write_files(&subject, &dir)?;
        let text = summary(&merged, dir.path(), style)?;
        let where_they_are = where_reports_are(&dir, &files, style);
        match write!(out, "{text}\n{where_they_are}") {
            // whoever closed the pipe has read enough, and the exit code still counts
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.map_err(ReportError::Output)?,
        }
        Ok(merged.exit_status(ExitPolicy { ignore_known: self.ignore_known, interrupted: false }))
    }
}

/// Says on standard error what was found when runs were put together.
pub fn remark(run: &RunSummary) {
    eprint!("{}", remarks(run));
}

/// What was found when runs were put together, a line each.
fn remarks(run: &RunSummary) -> String {
    let label = |word: &str| format!("{word:>12}");
    let members: Vec<String> = run
        .split
        .merged
        .iter()
        .map(|member| match &member.partition {
            Some(partition) => format!("{} ({partition})", member.run),
            None => member.run.clone(),
        })
        .collect();
    let mut lines =
        vec![format!("{} {}: {}", label("Merged"), counted(members.len(), "run"), members.join(", "))];
    let overlaps = run.overlaps_told(OVERLAPS_TOLD);
    lines.extend(overlaps.iter().map(|overlap| format!("{} {overlap}", label("Overlap"))));
    lines.join("\n") + "\n"
}
