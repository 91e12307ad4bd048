//! The user's terminal while a guest's shell has it. However the command ends, the terminal gets its settings back.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use parking_lot::Mutex;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use super::super::error::CliError;
use crate::cancel::Cancel;
use crate::guest::message::WindowSize;
use crate::report::ExitStatus;

/// The settings of the terminal before it was made raw. Whoever ends the process at once needs them too.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal of which every key goes to the guest. Dropping it gives it its settings back.
#[derive(Debug)]
pub struct RawTerminal {
    resized: UnixStream,
}

/// Whether a shell can have the user's terminal: both what is typed and what is shown.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The size of the user's terminal; one that knows none gets the usual one.
pub fn size() -> WindowSize {
    let found = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    match found {
        Some(size) => WindowSize { rows: size.ws_row, columns: size.ws_col },
        None => WindowSize { rows: 24, columns: 80 },
    }
}

impl RawTerminal {
    /// Makes the terminal raw.
    ///
    /// # Errors
    /// What the system says.
    pub fn take() -> io::Result<RawTerminal> {
        let (resized, end) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGWINCH, end)?;
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock() = Some(before);
        let taken = RawTerminal { resized };
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(taken)
    }

    /// Readable when the size changed.
    pub fn resize_source(&self) -> BorrowedFd<'_> {
        self.resized.as_fd()
    }

    /// The size after such a change.
    pub fn resized(&mut self) -> WindowSize {
        use std::io::Read;
        let mut signals = [0u8; 64];
        while self.resized.read(&mut signals).is_ok_and(|n| n > 0) {}
        size()
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal its settings back, if they were changed.
fn restore() {
    if let Some(before) = BEFORE.lock().take() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}

/// Sets `cancel` at the first signal that asks for the end, and ends the process at the second one. The guest dies with
/// the process in any case.
pub fn watch_signals(cancel: &Cancel) -> Result<(), CliError> {
    let failed = |e: io::Error| CliError::setup(format!("signals cannot be watched: {e}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).map_err(failed)?;
    let cancel = cancel.clone();
    let watch = move || {
        for _ in signals.forever() {
            if cancel.is_set() {
                restore();
                std::process::exit(i32::from(ExitStatus::Interrupted.code()));
            }
            cancel.set();
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(failed)?;
    Ok(())
}
