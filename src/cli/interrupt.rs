//! Ctrl-C and its like: once ends the run in order, once more a second later ends it at once.

use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::echo::{self, HiddenKeys};
use super::error::CliError;
use crate::cancel::Cancel;
use crate::report::ExitStatus;

/// Signals within this time of the first one are one request to end.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// What a command does that is to end.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// It runs guests.
    Guests,
    /// It builds kernels.
    Build,
    /// It fetches kernels.
    Fetch,
    /// It waits for jobs of a queue.
    Jobs,
}

impl Ending {
    fn words(self) -> &'static str {
        match self {
            Ending::Guests => "ending the virtual machines and writing the reports",
            Ending::Build => "ending the compilers",
            Ending::Fetch => "ending the downloads",
            Ending::Jobs => "ending the jobs, which write their reports",
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
            let mut first = None;
            for _ in signals.forever() {
                if is_repeated(&mut first, Instant::now()) {
                    continue;
                }
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

/// Whether a signal that comes now is the same request as the `first` one: `timeout -s INT` signals the process and then its
/// whole group, and a terminal's shell may pass on what the terminal sent.
fn is_repeated(first: &mut Option<Instant>, now: Instant) -> bool {
    let is_first = first.is_none();
    let first = *first.get_or_insert(now);
    !is_first && now.saturating_duration_since(first) < SAME_REQUEST
}

/// Prints something while bars may be shown.
pub fn beside(bars: Option<&MultiProgress>, print: impl FnOnce()) {
    match bars {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_within_a_second_of_the_first_are_one_request() {
        let start = Instant::now();
        let repeated = |times: &[u64]| {
            let mut first = None;
            let at = |ms: &u64| is_repeated(&mut first, start + Duration::from_millis(*ms));
            times.iter().map(at).collect::<Vec<_>>()
        };
        assert_eq!(repeated(&[0, 0, 999]), [false, true, true]);
        // a person who insists is heard, however often the keys were pressed meanwhile
        assert_eq!(repeated(&[0, 600, 1000, 1100]), [false, true, false, false]);
    }
}
