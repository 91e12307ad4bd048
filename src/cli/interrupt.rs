//! Ctrl-C and its like: once ends the run in order, twice ends it at once.

use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::error::CliError;
use crate::cancel::Cancel;
use crate::report::ExitStatus;

/// Sets `cancel` at the first signal, calls `then`, and ends the process at the second one. Guests die with the
/// process in any case.
pub fn watch(cancel: &Cancel, then: impl Fn() + Send + 'static) -> Result<(), CliError> {
    watch_saying(ENDING, None, cancel, then)
}

/// The same where bars are shown, which what is said must not displace.
pub fn watch_beside(bars: Option<MultiProgress>, cancel: &Cancel) -> Result<(), CliError> {
    watch_saying(ENDING, bars, cancel, || ())
}

const ENDING: &str = "ending the virtual machines and writing the reports";

/// The same for a command that builds kernels and runs none.
pub fn watch_build(cancel: &Cancel) -> Result<(), CliError> {
    watch_saying("ending the compilers", None, cancel, || ())
}

fn watch_saying(
    what: &'static str,
    bars: Option<MultiProgress>,
    cancel: &Cancel,
    then: impl Fn() + Send + 'static,
) -> Result<(), CliError> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| CliError::setup(format!("signals cannot be watched: {e}")))?;
    let cancel = cancel.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for _ in signals.forever() {
                if cancel.is_set() {
                    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
                }
                cancel.set();
                let text = format!("interrupted: {what}; once more ends at once");
                match &bars {
                    Some(bars) => bars.suspend(|| eprintln!("\r{text}")),
                    None => eprintln!("{text}"),
                }
                then();
            }
        })
        .map_err(|e| CliError::setup(format!("signals cannot be watched: {e}")))?;
    Ok(())
}
