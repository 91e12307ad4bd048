//! The command line: one file per subcommand.

#[macro_use]
mod printing;

mod backport;
mod bisect;
mod cache;
mod compare;
mod completions;
mod config;
mod display;
mod doctor;
mod echo;
mod error;
#[cfg(test)]
mod examples;
mod expectations;
pub mod explain;
mod format;
pub mod guests;
mod import;
mod interrupt;
mod kernels;
mod known;
mod list;
mod matrix;
mod merge;
mod patch;
mod paths;
mod prepare;
mod queue;
mod replay;
pub mod report;
mod run;
mod runs;
mod schema;
mod selection;
mod show_config;
mod split;
mod stress;
mod submit;
mod supply;
mod vm;
mod word;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};

use crate::report::matrix::MatrixStyle;
use crate::report::{ExitStatus, GitBisectStatus};
use error::CliError;

/// Runs reproducers of Linux kernel bugs on many kernel builds in virtual machines.
///
/// Each (test, kernel) pair gets a verdict: bad (the bug was seen), good (the whole dose ran and nothing was seen),
/// other (the kernel broke in another way), skip (a need is not met), blind (the test could not judge) or lost (the
/// infrastructure failed).
#[derive(Debug, Parser)]
#[command(name = "kregress", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "\
Examples:
  kregress run                                the default tests and kernels
  kregress run elevator -k 6.17.13 -k 7.2.13  one test on two kernels
  kregress run -k latest:6.12 -k 6.16..6.18   the newest of a line, and a range
  kregress kernels list --available           what can be fetched
  kregress bisect elevator --good 6.12.57 --bad 6.17.13
                                              the first bad kernel between two
  kregress vm shell 6.17.13                   a root shell in a kernel
  kregress doctor                             what is missing on this host

Exit codes: 0 all judged and nothing new found, 2 the command line cannot be read, 4 nothing to run, \
94 bad filter, 96 set-up failed, 100 tests failed, 102 some cells could not be judged, 103 a bisection named no single change, \
130 interrupted.")]
struct Cli {
    #[command(flatten)]
    colours: display::ColourArgs,
    #[command(flatten)]
    config: config::ConfigArgs,
    #[command(flatten)]
    paths: paths::PathArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run tests on kernels and judge them
    Run(Box<run::RunArgs>),
    /// Find what brought a bug, or removed it, also where it shows only sometimes
    ///
    /// Every attempt is a piece of evidence: one that shows the test's own symptom speaks against the kernel, a whole
    /// dose without it speaks for it, as strongly as the chance to see the bug allows. What is learnt of that chance on
    /// the way is used. The next kernel is the one whose attempts tell the most for what they cost, and the search ends
    /// when one candidate is as likely as --confidence asks, and it and its neighbour differ by themselves. Both ends are
    /// tried first. Kernels that do not compile, boot or run the test are passed over.
    Bisect(Box<bisect::BisectArgs>),
    /// Write suites for the tests of another collection
    Import(import::ImportArgs),
    /// List suites, tests and what they need
    List(list::ListArgs),
    /// List the failures that suites call known: their age, and what each hides
    Known(known::KnownArgs),
    /// List, fetch and build kernels
    Kernels(kernels::KernelsArgs),
    /// Look after the store of kernels
    Cache(cache::CacheArgs),
    /// Print a plan as the jobs of a CI system, each a run of its own
    Matrix(Box<matrix::MatrixArgs>),
    /// Make reports of an earlier run again, also of one that was killed
    Report(report::Args),
    /// Print again what a run printed
    Replay(replay::ReplayArgs),
    /// List, remove, export and import runs, and learn from them how often a bug shows
    Runs(runs::RunsArgs),
    /// Print the diagnosis of a console log or dmesg
    Explain(explain::ExplainArgs),
    /// Say what changed between two runs, or two kernels of a run
    Compare(compare::CompareArgs),
    /// Say whether a patch fixes its bug in trees, and breaks nothing else
    Backport(Box<backport::BackportArgs>),
    /// Say which patch of a queue breaks what, and whether its fixes fix
    Queue(Box<queue::QueueArgs>),
    /// Read a patch or mail, find what damaged it, and try it on sources
    Patch(patch::PatchArgs),
    /// Run a plan in parts on other hosts, by a queue such as Slurm's
    Submit(submit::SubmitArgs),
    /// Boot one kernel, for a command or a shell in it
    Vm(Box<vm::VmArgs>),
    /// Check what this host has, and print the command that installs what is missing
    Doctor(doctor::DoctorArgs),
    /// Print the settings of a run, and where each comes from
    ShowConfig(Box<show_config::ShowConfigArgs>),
    /// Print the JSON Schema of suites, catalogues, machines or configurations
    Schema(schema::SchemaArgs),
    /// Print a shell's completion script
    Completions(completions::CompletionsArgs),
}

/// Reads the process's arguments and does what they say.
pub fn main() -> ExitCode {
    let parsed = definition().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition()))?;
        Ok((cli, matches))
    });
    let (mut cli, matches) = parsed.unwrap_or_else(|error: clap::Error| {
        // git takes clap's 2 for a bad commit
        if error.use_stderr() && std::env::args_os().any(|word| word == "--bisect-exit") {
            let _ = error.print();
            std::process::exit(GitBisectStatus::Broken as i32);
        }
        error.exit()
    });
    cli.colours.apply();
    crate::host::raise_open_files();
    let bisect_exit = matches!(&cli.command, Command::Run(args) if args.bisect_exit);
    let code = |status: ExitStatus| match bisect_exit {
        true => GitBisectStatus::from(status).into(),
        false => status.into(),
    };
    let whole = || dispatch(&mut cli, &matches);
    let status = or_broken(bisect_exit, whole).unwrap_or_else(|error| code(error.print()));
    cli.paths.sweep();
    match printing::failure() {
        Some(error) if status == ExitCode::SUCCESS => {
            code(CliError::setup(format!("standard output could not be written: {error}")).print())
        }
        _ => status,
    }
}

/// A fault of this program is no bad commit, which git would take a panic's 101 for.
fn or_broken(
    bisect_exit: bool,
    whole: impl FnOnce() -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    if !bisect_exit {
        return whole();
    }
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(whole))
        .unwrap_or_else(|_| Ok(GitBisectStatus::Broken.into()))
}

/// Does what the subcommand says, over the project's configuration where it has such settings.
fn dispatch(cli: &mut Cli, matches: &ArgMatches) -> Result<ExitCode, CliError> {
    cli.config.check(matches)?;
    let paths = &cli.paths;
    let definition = definition();
    let layered = |with: &mut dyn FnMut(&config::Layer<'_>)| {
        let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
        let command = definition.find_subcommand(name).unwrap_or(&definition);
        with(&config::Layer { profile: &cli.config.active()?, matches, command });
        Ok(())
    };
    let status = match &mut cli.command {
        Command::Run(args) => {
            let configured = layered(&mut |layer| drop(args.configure(layer)));
            return run::run(args, paths, configured);
        }
        Command::Bisect(args) => {
            layered(&mut |layer| drop(layer.guests_of_all(args.guests())))?;
            bisect::run(args, paths)?
        }
        Command::Import(args) => import::run(args, paths)?,
        Command::Known(args) => known::run(args, paths)?,
        Command::List(args) => list::run(args, paths)?,
        Command::Kernels(args) => {
            return kernels::run(args, &paths.cache()?, &paths.catalogues()?).map_err(CliError::setup);
        }
        Command::Cache(args) => return cache::run(args, &paths.cache()?).map_err(CliError::setup),
        Command::Matrix(args) => {
            let mut status = Ok(ExitStatus::Success);
            layered(&mut |layer| status = matrix::run(args, paths, layer))?;
            status?
        }
        Command::Report(args) => {
            let mut out = std::io::stdout();
            report::run(args, &mut out, MatrixStyle::for_stdout()).map_err(CliError::setup)?
        }
        Command::Replay(args) => replay::run(args)?,
        Command::Runs(args) => runs::run(args, paths)?,
        Command::Compare(args) => compare::run(args)?,
        Command::Queue(args) => {
            layered(&mut |layer| drop(layer.guests_of_all(args.guests())))?;
            queue::run(args, paths)?
        }
        Command::Backport(args) => {
            layered(&mut |layer| drop(layer.guests_of_all(args.guests())))?;
            backport::run(args, paths)?
        }
        Command::Patch(args) => patch::run(args)?,
        Command::Explain(args) => return explain::run(args, paths),
        Command::Submit(args) => submit::run(args, [paths.words(), cli.config.words()].concat())?,
        Command::Vm(args) => return vm::run(args, paths),
        Command::Doctor(args) => doctor::run(args, paths)?,
        Command::ShowConfig(args) => {
            layered(&mut |layer| show_config::run(args, layer))?;
            ExitStatus::Success
        }
        Command::Schema(args) => schema::run(args)?,
        Command::Completions(args) => completions::run(args)?,
    };
    Ok(status.into())
}

/// The parsed command's definition, for completion scripts and tests.
fn definition() -> clap::Command {
    let of_run = |argument: clap::Arg| match argument.get_id() == "format" {
        true => argument,
        false => argument.hide(true),
    };
    // it takes every option of run, whose help has them
    <Cli as clap::CommandFactory>::command().mut_subcommand("show-config", |command| command.mut_args(of_run))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_is_sound() {
        super::definition().debug_assert();
    }

    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        fn check(command: &clap::Command) {
            let text = command.get_after_help().map(|text| text.to_string()).unwrap_or_default();
            let examples = text.lines().filter(|line| line.starts_with(' '));
            for line in examples {
                assert!(line.chars().count() <= 80, "kregress {}: {line}", command.get_name());
            }
            command.get_subcommands().filter(|command| command.get_name() != "vm").for_each(check);
        }
        check(&super::definition());
    }
}
