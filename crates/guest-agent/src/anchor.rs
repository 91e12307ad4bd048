//! A guest whose clock leaps over idle time must not be idle while it waits for the host: seconds would pass in every
//! millisecond that the host takes, and whoever waits would look hung. Until the answer is there a thread keeps a processor
//! busy. It pauses after each instruction, for which the emulator leaves its loop: so hardly any time passes for the guest.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use guest_protocol::message::{FromGuest, ToGuest};
use rustix::process::{Pid, setpriority_process};

/// The lowest priority: whatever else has something to do goes before it.
const LOWEST: i32 = 19;

/// Counts what the host owes, and holds time while that is anything.
#[derive(Clone, Default)]
pub struct Anchor(Arc<(Mutex<Owed>, Condvar)>);

#[derive(Default)]
struct Owed {
    answers: u64,
    /// Whether there is a thread that holds time.
    holds: bool,
}

impl Anchor {
    /// The clock leaps from now on.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn hold_when_owed(&self) -> io::Result<()> {
        let mut owed = self.lock();
        if !owed.holds {
            let anchor = self.clone();
            std::thread::Builder::new().name("anchor".into()).spawn(move || anchor.hold())?;
            owed.holds = true;
        }
        Ok(())
    }

    /// The agent is about to say this.
    pub fn told(&self, message: &FromGuest) {
        if matches!(message, FromGuest::Asks(_) | FromGuest::ModuleWanted(_) | FromGuest::Ready { .. }) {
            self.lock().answers += 1;
            self.0.1.notify_all();
        }
    }

    /// The host said this.
    pub fn heard(&self, message: &ToGuest) {
        if matches!(message, ToGuest::Answer { .. } | ToGuest::ModulesEnd { .. } | ToGuest::Begin) {
            let mut owed = self.lock();
            owed.answers = owed.answers.saturating_sub(1);
        }
    }

    fn hold(&self) {
        // a guest without priorities is held all the same
        let _ = setpriority_process(Pid::from_raw(rustix::thread::gettid().as_raw_nonzero().get()), LOWEST);
        let mut owed = self.lock();
        loop {
            while owed.answers == 0 {
                owed = self.0.1.wait(owed).unwrap_or_else(|e| e.into_inner());
            }
            drop(owed);
            for _ in 0..1000 {
                std::hint::spin_loop();
            }
            owed = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.0.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guest_protocol::message::HostRequest;

    #[test]
    fn answers_pay_for_requests() {
        let anchor = Anchor::default();
        let asks = FromGuest::Asks(HostRequest::Plug { device: "card0".into() });
        let owed = || anchor.lock().answers;
        anchor.told(&FromGuest::Bye);
        assert_eq!(owed(), 0);
        anchor.told(&asks);
        anchor.told(&asks);
        assert_eq!(owed(), 2);
        anchor.heard(&ToGuest::Blocked);
        anchor.heard(&ToGuest::Answer { error: None });
        assert_eq!(owed(), 1);
        anchor.heard(&ToGuest::Answer { error: None });
        // what was answered before anybody asked, as after a restore, is no credit
        anchor.heard(&ToGuest::Begin);
        anchor.told(&asks);
        assert_eq!(owed(), 1);
    }
}
