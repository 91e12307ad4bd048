//! How a guest's clock went beside the host's. Emulated on a busy host it may run away: a kernel that measures its processor's
//! speed while the host takes that processor away counts too many seconds from then on, or for some time.

use serde::{Deserialize, Serialize};

/// The least that a clock gained which ran away, seconds, whatever the kernel waits for: soft lockups and RCU stalls are told of
/// after about twenty.
const GAIN: f64 = 10.0;

/// A clock that gains less than this share of the host's time is only inexact.
const SHARE: f64 = 0.1;

/// The same time by both clocks. It began on the host first and ended there last, so that delays on the way make the gain
/// too small, never too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockPair {
    /// By the guest's clock, seconds.
    pub guest: f64,
    /// By the host's, seconds.
    pub host: f64,
}

impl ClockPair {
    /// By how much the guest's clock is ahead at least, seconds.
    pub fn gain(self) -> f64 {
        self.guest - self.host
    }

    /// Whether what the guest's kernel says of time is not to be believed: it told a task hung that had waited for half of what it
    /// thinks, or less. `hung_task_timeout` is after how many seconds it calls one hung.
    pub fn ran_away(self, hung_task_timeout: Option<u64>) -> bool {
        // 0 switches that detector off
        let hung = hung_task_timeout.filter(|seconds| *seconds > 0);
        let most = hung.map_or(GAIN, |seconds| GAIN.min(seconds as f64 / 2.0));
        self.gain() >= most && self.gain() >= SHARE * self.host
    }
}

impl std::fmt::Display for ClockPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its clock counted {:.0} s in {:.1} s of the host's", self.guest, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_runs_away_by_half_of_what_the_kernel_waits_for() {
        let table = [
            ((30.0, 30.2), Some(20), false),
            ((21.0, 11.1), Some(20), false),
            ((21.0, 10.9), Some(20), true),
            ((12.0, 6.5), Some(10), true),
            ((12.0, 8.0), Some(10), false),
            // a long dose of a clock that is some hundredths too fast
            ((630.0, 600.0), Some(20), false),
            ((670.0, 600.0), Some(20), true),
            // without a detector of hung tasks, and with one that is off, or slow
            ((40.0, 31.0), None, false),
            ((40.0, 29.0), None, true),
            ((12.0, 1.5), Some(0), true),
            ((40.0, 29.0), Some(120), true),
            // a guest that is slower than its host
            ((10.0, 60.0), Some(20), false),
        ];
        for ((guest, host), timeout, expected) in table {
            assert_eq!(ClockPair { guest, host }.ran_away(timeout), expected, "{guest} {host} {timeout:?}");
        }
    }
}
