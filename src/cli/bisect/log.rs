//! `kregress bisect --log`: what git can replay.

use std::io::Write;

use super::CliError;
use crate::bisection::{State, gitlog};
use crate::report::ExitStatus;

/// Prints the log of a bisection of commits.
pub fn print(state: &State) -> Result<ExitStatus, CliError> {
    let text = gitlog::export(state).map_err(CliError::setup)?;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::setup(format!("standard output: {error}")))
        }
        _ => Ok(ExitStatus::Success),
    }
}
