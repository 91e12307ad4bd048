//! Guests that play a script, in virtual time: no process, no file, no sleep. What is under test is the host's side of a
//! conversation, and what it did is a list of lines ([`ScriptedGuest::take_actions`]), each with its second.

mod backend;
mod guest;
mod script;

pub(crate) use backend::ScriptedBackend;
pub(crate) use guest::ScriptedGuest;
pub(crate) use script::Script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A clock that moves only when somebody waits. Guests of one backend share it.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    gone: Arc<Mutex<Duration>>,
}

impl Clock {
    fn new() -> Clock {
        Clock { start: Instant::now(), gone: Arc::default() }
    }

    fn now(&self) -> Instant {
        self.start + self.gone()
    }

    /// The time since the beginning.
    fn gone(&self) -> Duration {
        *self.gone.lock()
    }

    fn move_to(&self, instant: Instant) {
        let mut gone = self.gone.lock();
        *gone = (*gone).max(instant.saturating_duration_since(self.start));
    }
}
