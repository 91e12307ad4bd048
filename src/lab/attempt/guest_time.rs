//! Guests whose clock leaps over idle time: what a test says of time is meant in theirs, and what they say last comes
//! before the agent's answer.

use std::time::Duration;

use super::{Attempt, Closing};
use crate::observation::Phase;

/// By the host's clock a dose is ended after this many times its time. A guest that is never idle on a host that is busy is
/// that much slower than its own clock; one that is slower still does not get there.
const SLOWEST: u32 = 10;

/// The last lines of a guest whose clock is the host's: the kernel prints its blocked tasks while the agent answers.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What is known of a guest's own time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GuestTime {
    /// The agent's first sign in the dose, milliseconds since its start.
    dose: Option<u64>,
}

impl GuestTime {
    /// How long the dose has lasted for the guest, at least.
    fn in_dose(&mut self, uptime_ms: u64) -> Duration {
        let began = *self.dose.get_or_insert(uptime_ms);
        Duration::from_millis(uptime_ms.saturating_sub(began))
    }
}

impl Attempt<'_> {
    /// How long the dose may last by the host's clock.
    pub(super) fn longest_dose(&self) -> Duration {
        self.limits.terminate * self.guest_time.map_or(1, |_| SLOWEST)
    }

    /// The agent says how late it is for the guest: a dose that lasted too long is over.
    pub(super) fn time_passed(&mut self, uptime_ms: u64) {
        let in_dose = self.seen.phase == Phase::Dose && self.closing == Closing::No;
        let Some(time) = self.guest_time.as_mut().filter(|_| in_dose) else { return };
        if time.in_dose(uptime_ms) >= self.limits.terminate {
            self.deadline = self.deadline.min(self.now);
        }
    }

    /// How long the console is listened to after the agent has told which tasks are blocked. Where time leaps the agent has
    /// waited for that.
    pub(super) fn last_lines(&self) -> Duration {
        self.guest_time.map_or(LAST_LINES, |_| Duration::ZERO)
    }
}
