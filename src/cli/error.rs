//! What ends a subcommand early.

use std::fmt;

use crate::report::ExitStatus;
use crate::yaml::problem::LoadError;

/// Columns of what is no terminal.
const WIDTH: usize = 80;

/// An error for the user, with the exit code that says what kind it is.
#[derive(Debug)]
pub struct CliError {
    status: ExitStatus,
    /// A located error shows its file; the others are one paragraph.
    text: Text,
}

#[derive(Debug)]
enum Text {
    Plain(String),
    Located(miette::Report),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Text::Plain(text) => f.write_str(text),
            Text::Located(report) => write!(f, "{report}"),
        }
    }
}

impl CliError {
    /// The run, or the command, could not be set up.
    pub fn setup(text: impl std::fmt::Display) -> CliError {
        CliError { status: ExitStatus::SetupFailed, text: Text::Plain(text.to_string()) }
    }

    /// The arguments do not fit together.
    pub fn usage(text: impl std::fmt::Display) -> CliError {
        CliError { status: ExitStatus::Usage, text: Text::Plain(text.to_string()) }
    }

    /// A filter makes no sense.
    pub fn filter(text: impl std::fmt::Display) -> CliError {
        CliError { status: ExitStatus::BadFilter, text: Text::Plain(text.to_string()) }
    }

    /// There is nothing to do.
    pub fn nothing(text: impl std::fmt::Display) -> CliError {
        CliError { status: ExitStatus::NothingToRun, text: Text::Plain(text.to_string()) }
    }

    /// An error that shows where in a file it is.
    pub fn located(error: impl Into<miette::Report>) -> CliError {
        CliError { status: ExitStatus::SetupFailed, text: Text::Located(error.into()) }
    }

    /// The exit code.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// Prints the error on standard error and answers the exit code.
    pub fn print(self) -> ExitStatus {
        match self.text {
            Text::Plain(text) => {
                let label = console::style("error").for_stderr().red().bold();
                // it may quote what others wrote
                eprintln!("{label}: {}", terminal_text::lines(&text));
            }
            Text::Located(report) => match report.downcast_ref::<LoadError>() {
                // whose headline would stand there twice
                Some(error) if error.problems().len() == 1 => {
                    let terminal = console::Term::stderr();
                    let width = terminal.size_checked().map_or(WIDTH, |(_, columns)| columns.into());
                    eprintln!("Error: {}", error.render(console::colors_enabled_stderr(), width));
                }
                _ => eprintln!("{report:?}"),
            },
        }
        self.status
    }
}
