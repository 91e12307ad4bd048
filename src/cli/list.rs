//! `kregress list`: suites, tests and what they need.

use serde::Serialize;

use super::error::CliError;
use super::paths::PathArgs;
use super::selection::TestArgs;
use crate::report::ExitStatus;
use crate::suite::Test;

/// List suites, tests and what they need.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    tests: TestArgs,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ListFormat {
    /// For people
    #[default]
    Human,
    /// One name a line
    Names,
    /// One JSON object a line, with everything that the suite says
    Json,
}

#[derive(Serialize)]
struct ListedTest<'a> {
    name: String,
    #[serde(flatten)]
    test: &'a Test,
}

/// Prints the tests.
pub fn run(args: &ListArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let tests = args.tests.tests(paths)?;
    let mut out = String::new();
    for test in &tests {
        match args.format {
            ListFormat::Human => out.push_str(&human(test)),
            ListFormat::Names => out.push_str(&format!("{}\n", test.id())),
            ListFormat::Json => {
                // the id replaces the name within the suite
                let mut value =
                    serde_json::to_value(ListedTest { name: test.id(), test }).map_err(CliError::setup)?;
                value["name"] = test.id().into();
                out.push_str(&format!("{value}\n"));
            }
        }
    }
    print!("{out}");
    Ok(ExitStatus::Success)
}

fn human(test: &Test) -> String {
    let name = console::style(test.id()).bold();
    let mut text = format!("{name}\n    {}\n", test.summary);
    let mut needs = Vec::new();
    if !test.needs.modules.is_empty() {
        needs.push(format!("modules {}", test.needs.modules.join(" ")));
    }
    if !test.needs.config.is_empty() {
        needs.push(format!("config {}", test.needs.config.join(" ")));
    }
    if let Some(range) = &test.needs.kernel {
        needs.push(format!("kernel {}", range.as_str()));
    }
    if !needs.is_empty() {
        text.push_str(&format!("    needs {}\n", needs.join(", ")));
    }
    let dose = match (test.dose.seconds, test.dose.rounds) {
        (Some(seconds), _) => format!("{seconds} s"),
        (None, Some(rounds)) => format!("{rounds} rounds"),
        (None, None) => "the program's own".to_owned(),
    };
    let attempts = test.dose.attempts;
    let plural = if attempts == 1 { "" } else { "s" };
    text.push_str(&format!("    dose {dose}, {attempts} attempt{plural} for a good\n"));
    text.push_str(&format!("    {}\n", test.span));
    text
}
