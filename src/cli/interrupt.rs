//! Ctrl-C and its like: once ends the run in order, twice ends it at once.

use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::echo::{self, HiddenKeys};
use super::error::CliError;
use crate::cancel::Cancel;
use crate::report::ExitStatus;

/// What a command does that is to end.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// It runs guests.
    Guests,
    /// It builds kernels.
    Build,
    /// It fetches kernels.
    Fetch,
}

impl Ending {
    fn words(self) -> &'static str {
        match self {
            Ending::Guests => "ending the virtual machines and writing the reports",
            Ending::Build => "ending the compilers",
            Ending::Fetch => "ending the downloads",
        }
    }
}

/// Sets `cancel` at the first signal, calls `then`, and ends the process at the second one. Guests die with the
/// process in any case. What is said, and the key itself, does not displace `bars` as long as what is returned exists.
pub fn watch(
    what: Ending,
    bars: Option<MultiProgress>,
    cancel: &Cancel,
    then: impl Fn() + Send + 'static,
) -> Result<Option<HiddenKeys>, CliError> {
    let hidden = bars.is_some().then(HiddenKeys::new);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| CliError::setup(format!("signals cannot be watched: {e}")))?;
    let cancel = cancel.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for _ in signals.forever() {
                if cancel.is_set() {
                    if let Some(bars) = &bars {
                        let _ = bars.clear();
                    }
                    echo::show_again();
                    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
                }
                cancel.set();
                let text = format!("interrupted: {}; once more ends at once", what.words());
                beside(bars.as_ref(), || eprintln!("{text}"));
                then();
            }
        })
        .map_err(|e| CliError::setup(format!("signals cannot be watched: {e}")))?;
    Ok(hidden)
}

/// Prints something while bars may be shown.
pub fn beside(bars: Option<&MultiProgress>, print: impl FnOnce()) {
    match bars {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}
