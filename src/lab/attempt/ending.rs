//! How the host brings a conversation to its end: deadlines, crashes on the console, and the evidence that is asked for
//! before a guest is ended.

use std::time::{Duration, Instant};

use super::{Attempt, Closing};
use crate::guest::message::ToGuest;
use crate::observation::{Ending, Phase, Stopped};
use crate::oops::{ReportKind, Sighting};
use crate::vm::guest::Guest;

/// The console has to be silent for this long before the agent is asked for blocked tasks.
const QUIET: Duration = Duration::from_millis(300);

/// A console that never falls silent delays that question no longer than this.
const QUIET_BOUND: Duration = Duration::from_secs(3);

/// A moment that moves on while the console speaks, up to a bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskAt {
    next: Instant,
    last: Instant,
}

impl AskAt {
    fn after(now: Instant) -> AskAt {
        AskAt { next: now + QUIET, last: now + QUIET_BOUND }
    }

    /// At once: the agent waits until the console is silent, whose clock leaps.
    fn at_once(now: Instant) -> AskAt {
        AskAt { next: now, last: now }
    }

    /// The console spoke just now.
    pub(super) fn move_on(&mut self, now: Instant) {
        self.next = (now + QUIET).min(self.last);
    }
}

impl Attempt<'_> {
    /// When the host has to look after the guest again, whatever it does.
    pub(super) fn next_deadline(&self) -> Instant {
        let mut next = self.deadline;
        if let Some(ask) = &self.ask_at {
            next = next.min(ask.next);
        }
        if let Some(start) = self.dose_start.filter(|_| !self.slow_reported && self.closing == Closing::No) {
            next = next.min(start + self.limits.slow);
        }
        if self.seen.guest.is_some() && self.closing == Closing::No {
            next = next.min(self.last_sign + self.timeouts.silence).min(self.looks.due(self.last_sign));
        }
        if let (Some(due), Closing::Stopping(_)) = (self.evidence.due(), &self.closing) {
            next = next.min(due);
        }
        next
    }

    /// The console shows the header of a crash report.
    pub(super) fn sighted(&mut self, sighting: &Sighting) {
        if self.closing != Closing::No {
            return;
        }
        if !sighting.goes_on {
            // the rest of the report comes by itself, then the guest restarts, which ends QEMU
            self.close(Stopped::CrashSeen, self.timeouts.crash);
        } else if is_hung_task(sighting) && self.seen.program.started {
            let leaps = self.guest_time.is_some();
            self.ask_at = Some(if leaps { AskAt::at_once(self.now) } else { AskAt::after(self.now) });
            self.close(Stopped::CrashSeen, QUIET_BOUND + self.timeouts.evidence);
        }
    }

    fn close(&mut self, stopped: Stopped, within: Duration) {
        self.closing = Closing::Stopping(stopped);
        self.deadline = self.now + within;
    }

    /// A deadline passed.
    pub(super) fn late(&mut self, guest: &mut dyn Guest) -> Option<Ending> {
        let now = self.now;
        if self.ask_at.take_if(|ask| now >= ask.next).is_some() {
            guest.send(&ToGuest::Blocked);
            self.evidence.asked(now, self.timeouts.answer);
            self.deadline = now + self.timeouts.evidence;
            return None;
        }
        match &self.closing {
            Closing::Bye => return Some(Ending::Complete),
            Closing::Stopping(stopped) if now >= self.deadline => {
                return Some(Ending::Stopped(stopped.clone()));
            }
            Closing::Stopping(_) => {
                if let Some(key) = self.evidence.key(now) {
                    // a QEMU that does not answer is ended all the same
                    let _ = guest.console_sysrq(key);
                }
                return None;
            }
            Closing::No => {}
        }
        if let Some(start) = self.dose_start
            && !self.slow_reported
            && now >= start + self.limits.slow
        {
            self.slow_reported = true;
            self.watch.slow((now - start).as_secs_f64());
        }
        if self.seen.guest.is_some() && now >= self.last_sign + self.timeouts.silence {
            let stopped = Stopped::Silent { seconds: (now - self.last_sign).as_secs_f64() };
            self.ask_for_evidence(guest, stopped);
            return None;
        }
        self.look(guest);
        if now < self.deadline || self.closing != Closing::No {
            return None;
        }
        match self.seen.phase {
            Phase::Prepare | Phase::Boot => {
                Some(Ending::Stopped(Stopped::BootTimeout { limit: self.timeouts.boot.as_secs_f64() }))
            }
            Phase::Dose => {
                let stopped = Stopped::Terminate { limit: self.limits.terminate.as_secs_f64() };
                self.ask_for_evidence(guest, stopped);
                None
            }
            Phase::Setup | Phase::Check | Phase::Settle | Phase::Stop => {
                let limit = if self.seen.phase == Phase::Stop {
                    self.timeouts.power_off
                } else {
                    self.timeouts.setup
                };
                self.ask_for_evidence(guest, Stopped::Terminate { limit: limit.as_secs_f64() });
                None
            }
        }
    }

    /// Before a guest that does not go on is ended, it is asked where its tasks are: through the agent, and where that
    /// does not answer over the console, and by an NMI.
    fn ask_for_evidence(&mut self, guest: &mut dyn Guest, stopped: Stopped) {
        guest.send(&ToGuest::Blocked);
        let silent = matches!(stopped, Stopped::Silent { .. });
        let answer = if silent { Duration::ZERO } else { self.timeouts.answer };
        self.evidence.asked(self.now, answer);
        if silent && !self.nmi_sent {
            self.nmi_sent = true;
            // a QEMU that does not answer is ended all the same
            let _ = guest.nmi();
        }
        self.close(stopped, self.timeouts.evidence);
    }
}

/// The line of `check_hung_task` in the kernel, as opposed to a processor that is stuck. Since 7.1 it says `blocked in
/// I/O wait for more than` of a task that waits for input or output.
fn is_hung_task(sighting: &Sighting) -> bool {
    let line = sighting.line.as_str();
    sighting.kind == ReportKind::Hang && line.contains(" blocked ") && line.contains(" for more than ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oops::Scanner;

    #[test]
    fn hung_tasks_differ_from_other_hangs() {
        let table = [
            ("INFO: task dd:7 blocked for more than 10 seconds.", true),
            ("INFO: task dd:7 blocked in I/O wait for more than 10 seconds.", true),
            ("INFO: task dd:7 is blocked on a mutex likely owned by task cp:8.", false),
            ("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [dd:7]", false),
            ("WARNING: CPU: 0 PID: 5 at mm/x.c:1 blocked+0x1/0x2", false),
        ];
        for (line, expected) in table {
            let sighting = Scanner::new().feed(format!("[   30.1] {line}\n").as_bytes());
            assert_eq!(sighting.is_some_and(|sighting| is_hung_task(&sighting)), expected, "{line}");
        }
    }
}
