//! What is shown of a run, and in which colours.

use std::io::Write;
use std::path::Path;

use super::format::{named, print};
use super::word::{Words, words};
use crate::journal::JournalError;
use crate::progress::{FailureOutput, StatusLevel, View};
use crate::render::{Kind, Subject};
use crate::report::matrix::MatrixStyle;
use crate::report::{ReportError, RunSummary, summary};

/// What is shown of a run.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Display")]
pub struct DisplayArgs {
    /// When the excerpt of a new failure is shown
    #[arg(long, value_parser = words::<FailureOutput>(), value_name = "WHEN", default_value = "immediate")]
    pub failure_output: FailureOutput,
    /// Which results get a line, each level those before it as well
    #[arg(long, value_parser = words::<StatusLevel>(), value_name = "LEVEL", default_value = "all")]
    pub status_level: StatusLevel,
    /// Show new failures and the result alone
    #[arg(short, long, conflicts_with_all = ["verbose", "status_level"])]
    pub quiet: bool,
    /// Show every attempt
    #[arg(short, long)]
    verbose: bool,
    /// Print annotations of what failed on standard output
    #[arg(long, value_parser = words::<Annotate>(), value_name = "FOR", conflicts_with = "message_format")]
    pub annotate: Option<Annotate>,
}

impl DisplayArgs {
    /// Prints the annotations of a run on standard output, where they are wanted.
    ///
    /// # Errors
    /// The journal cannot be read any more, or standard output cannot be written to.
    pub fn annotate(&self, subject: &Subject<'_>) -> Result<(), ReportError> {
        self.annotate.map_or(Ok(()), |to| to.print(subject, &mut std::io::stdout()))
    }

    /// What is shown while the run goes on.
    pub fn view(&self) -> View {
        View {
            status: if self.quiet { StatusLevel::Fail } else { self.status_level },
            failures: if self.quiet { FailureOutput::Never } else { self.failure_output },
            quiet: self.quiet,
            verbose: self.verbose,
        }
    }
}

/// The last lines of a run.
///
/// # Errors
/// The journal cannot be read any more.
pub fn summary(
    args: &DisplayArgs,
    run: &RunSummary,
    dir: &Path,
    style: MatrixStyle,
) -> Result<String, JournalError> {
    if args.quiet {
        return summary::brief(run, dir, style);
    }
    let excerpts = match args.failure_output {
        FailureOutput::Final => summary::excerpts(run, style)?,
        FailureOutput::Immediate | FailureOutput::Never => String::new(),
    };
    Ok(excerpts + &summary::summary(run, dir, style)?)
}

/// Whose annotations are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotate {
    /// GitHub Actions.
    Github,
}

impl Annotate {
    /// Prints them.
    ///
    /// # Errors
    /// The journal cannot be read any more, or `out` cannot be written to.
    pub fn print(self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ReportError> {
        let Annotate::Github = self;
        print(named("github", Kind::Run).0, subject, MatrixStyle::PLAIN, out)
    }
}

impl Words for Annotate {
    const ALL: &'static [(Self, &'static str, &'static str)] =
        &[(Annotate::Github, "github", "GitHub Actions, at the line of the suite where the test begins")];
}

impl Words for FailureOutput {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (FailureOutput::Immediate, "immediate", "Below the line of its cell"),
        (FailureOutput::Final, "final", "At the end of the run"),
        (FailureOutput::Never, "never", "In the reports alone"),
    ];
}

impl Words for StatusLevel {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (StatusLevel::None, "none", "None"),
        (StatusLevel::Fail, "fail", "New failures"),
        (StatusLevel::Retry, "retry", "Attempts that are made again, and cells that could not be judged"),
        (StatusLevel::Slow, "slow", "Programs that take long"),
        (StatusLevel::Pass, "pass", "Good cells, and known failures"),
        (StatusLevel::All, "all", "Cells that were skipped, too"),
    ];
}

/// Colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Words for Colour {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Colour::Auto, "auto", "On a terminal that has them, unless NO_COLOR is set"),
        (Colour::Always, "always", "Everywhere"),
        (Colour::Never, "never", "Nowhere"),
    ];
}

/// Colours, the same for every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct ColourArgs {
    /// Whether text is coloured
    #[arg(long, global = true, value_parser = words::<Colour>(), value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

impl ColourArgs {
    /// Applies to everything that is printed from now on.
    pub fn apply(&self) {
        let enabled = match self.color {
            Colour::Auto => return,
            Colour::Always => true,
            Colour::Never => false,
        };
        console::set_colors_enabled(enabled);
        console::set_colors_enabled_stderr(enabled);
    }
}
