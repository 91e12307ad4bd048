//! `kregress bisect --log`: what git can replay.

use super::CliError;
use crate::bisection::{State, gitlog};
use crate::report::ExitStatus;

/// Prints the log of a bisection of commits.
pub fn print(state: &State) -> Result<ExitStatus, CliError> {
    let text = gitlog::export(state).map_err(CliError::setup)?;
    print!("{text}");
    Ok(ExitStatus::Success)
}
