//! The guest's clock beside the host's: what it gained while it booted, and in the dose.

use std::time::{Duration, Instant};

use super::Attempt;
use crate::observation::{ClockPair, GuestFacts, Phase, Start};

/// What is less is not kept, seconds.
const WORTH_KEEPING: f64 = 1.0;

/// The beginning of the dose by both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClockCheck {
    /// When the guest was last sent what its dose waits for.
    sent: Option<Instant>,
    /// The agent's first sign in the dose, milliseconds since its start. It came after that was sent.
    first: Option<u64>,
}

impl ClockCheck {
    /// The guest is sent what its dose waits for.
    pub fn sent(&mut self, now: Instant) {
        (self.sent, self.first) = (Some(now), None);
    }

    /// The agent gives a sign in the dose, or after it.
    fn beat(&mut self, uptime_ms: u64, now: Instant) -> Option<ClockPair> {
        let first = *self.first.get_or_insert(uptime_ms);
        let guest = Duration::from_millis(uptime_ms.saturating_sub(first)).as_secs_f64();
        Some(ClockPair { guest, host: now.saturating_duration_since(self.sent?).as_secs_f64() })
    }
}

impl Attempt<'_> {
    /// The agent of a guest that was booted for this attempt speaks for the first time.
    pub(super) fn compare_boot(&mut self, facts: &GuestFacts) {
        let Some(uptime_ms) = facts.uptime_ms.filter(|_| self.seen.start == Start::Booted) else { return };
        let guest = Duration::from_millis(uptime_ms).as_secs_f64();
        self.keep_clock(ClockPair { guest, host: (self.now - self.start).as_secs_f64() });
    }

    /// The agent says how late it is.
    pub(super) fn compare_dose(&mut self, uptime_ms: u64) {
        if self.seen.phase >= Phase::Dose
            && let Some(pair) = self.clock_check.beat(uptime_ms, self.now)
        {
            self.keep_clock(pair);
        }
    }

    fn keep_clock(&mut self, pair: ClockPair) {
        let before = self.seen.clock.map_or(WORTH_KEEPING, ClockPair::gain);
        // one that leaps is ahead by what it is for
        if self.guest_time.is_none() && pair.gain() >= before {
            self.seen.clock = Some(pair);
        }
    }
}
