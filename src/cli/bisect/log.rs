//! `kregress bisect --log`: what git can replay.

use super::CliError;
use crate::bisection::{BisectionState, gitlog};
use crate::report::ExitStatus;

/// Prints the log of a bisection of commits.
pub fn print(state: &BisectionState) -> Result<ExitStatus, CliError> {
    let text = gitlog::export(state).map_err(CliError::setup)?;
    print!("{text}");
    Ok(ExitStatus::Success)
}
