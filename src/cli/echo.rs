//! Control keys that a terminal shows as `^C`: not while there are bars. The key would be shown behind the last bar, which
//! is as wide as the terminal, and so move everything by a line that nobody takes back.

use parking_lot::Mutex;
use std::io;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};

/// Whether the terminal is to show them again.
static HIDDEN: Mutex<bool> = Mutex::new(false);

/// Hides control keys until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct HiddenKeys(());

impl HiddenKeys {
    /// Hides them, where standard error is a terminal that shows them.
    pub fn new() -> HiddenKeys {
        *HIDDEN.lock() = show(false);
        HiddenKeys(())
    }
}

impl Drop for HiddenKeys {
    fn drop(&mut self) {
        show_again();
    }
}

/// Shows them again, if they were hidden. Whoever ends the process at once calls it too.
pub fn show_again() {
    if std::mem::take(&mut *HIDDEN.lock()) {
        show(true);
    }
}

/// Says whether anything was changed.
fn show(shown: bool) -> bool {
    let terminal = io::stderr();
    // whoever changes the terminal from the background is stopped
    if tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
        && let Ok(mut settings) = tcgetattr(&terminal)
        && settings.local_modes.contains(LocalModes::ECHOCTL) != shown
    {
        settings.local_modes.set(LocalModes::ECHOCTL, shown);
        return tcsetattr(&terminal, OptionalActions::Now, &settings).is_ok();
    }
    false
}
