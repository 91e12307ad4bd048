//! Evidence of a hang before a guest is ended: the agent is asked for blocked tasks first, and where it does not answer
//! the host asks the kernel itself, over the console. When which of them is asked; who asks is [`super::attempt`].

use std::time::{Duration, Instant};

/// SysRq keys in the order in which the host sends them: `w` shows blocked tasks, `l` where the processors are.
const KEYS: &[u8] = b"wl";

/// From one key to the next. A serial line has one sign of a break for all that it holds: the kernel must have taken in
/// the one before.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is still to be asked.
#[derive(Debug, Default)]
pub struct Evidence {
    /// When the host sends the next key; absent: it need not.
    due: Option<Instant>,
    /// How many keys it has sent.
    sent: usize,
}

impl Evidence {
    /// The agent was asked now. It is given so much time, and none where it was silent before.
    pub fn asked(&mut self, now: Instant, within: Duration) {
        if self.sent == 0 {
            self.due = Some(now + within);
        }
    }

    /// The agent answered: the kernel need not be asked.
    pub fn answered(&mut self) {
        self.due = None;
    }

    /// When [`Evidence::key`] has something to send.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The key that is to be sent now.
    pub fn key(&mut self, now: Instant) -> Option<u8> {
        self.due.filter(|due| *due <= now)?;
        let key = KEYS.get(self.sent).copied()?;
        self.sent += 1;
        self.due = (self.sent < KEYS.len()).then_some(now + BETWEEN);
        Some(key)
    }

    /// Whether the kernel was asked.
    pub fn was_asked_by_host(&self) -> bool {
        self.sent > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_where_the_agent_does_not_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut evidence = Evidence::default();
        assert_eq!((evidence.due(), evidence.key(at(100))), (None, None));
        evidence.asked(start, Duration::from_secs(3));
        assert_eq!((evidence.due(), evidence.key(at(2))), (Some(at(3)), None));
        assert_eq!(evidence.key(at(3)), Some(b'w'));
        assert_eq!((evidence.due(), evidence.key(at(3))), (Some(at(4)), None));
        assert_eq!(evidence.key(at(5)), Some(b'l'));
        assert_eq!((evidence.due(), evidence.key(at(9))), (None, None));
        assert!(evidence.was_asked_by_host());
    }

    #[test]
    fn an_answer_in_time_spares_the_kernel() {
        let start = Instant::now();
        let mut evidence = Evidence::default();
        evidence.asked(start, Duration::ZERO);
        evidence.answered();
        assert_eq!((evidence.due(), evidence.key(start)), (None, None));
        assert!(!evidence.was_asked_by_host());
    }
}
