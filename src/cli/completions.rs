//! `kregress completions`: scripts for shells.

use clap_complete::Shell;

use super::error::CliError;
use crate::report::ExitStatus;

/// Print a shell's completion script.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kregress completions bash > \\\n      ~/.local/share/bash-completion/completions/kregress"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::definition(), "kregress", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(ExitStatus::Success)
}
