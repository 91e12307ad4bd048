//! Looks into the memory of a guest whose agent is silent: what its kernel says may not reach the console, as on kernels
//! from 6.18 on while every processor is busy.

use std::time::{Duration, Instant};

use super::{Attempt, Closing};
use crate::observation::{LogExcerpt, LogRecord};
use crate::oops::{Scanner, Sighting};
use crate::vm::guest::Guest;

/// The agent gives a sign every second; a host that is busy may delay some.
const SILENCE: Duration = Duration::from_secs(5);
/// From one look to the next. The first takes a tenth of a second for 512 MiB, later ones a few milliseconds.
const EVERY: Duration = Duration::from_secs(3);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Option<Instant>,
    /// The number of the next record that is new.
    next: u64,
    scanner: Option<Scanner>,
    /// Whether there is nothing to look at.
    blind: bool,
}

impl Looks {
    /// When the next look is due, given the agent's last sign.
    pub fn due(&self, last_sign: Instant) -> Instant {
        let first = last_sign + SILENCE;
        self.last.map_or(first, |last| first.max(last + EVERY))
    }

    /// Reads what is new in the log.
    fn scan(&mut self, log: &LogExcerpt) -> Vec<Sighting> {
        let scanner = self.scanner.get_or_insert_with(Scanner::new);
        let new = log.records.iter().filter(|record| record.seq >= self.next && record.is_kernels());
        let mut text = Vec::new();
        let feed = |record: &LogRecord| {
            text.clear();
            record.print(&mut text, |_| {});
            scanner.feed(&text)
        };
        let found = new.filter_map(feed).collect();
        self.next = log.records.last().map_or(self.next, |last| self.next.max(last.seq + 1));
        found
    }
}

impl Attempt<'_> {
    /// Looks into the memory where that is due. A crash report there ends the attempt as one on the console does. A
    /// processor that is stuck may go on, on a slow host even after long: the agent's silence ends that.
    pub(super) fn look(&mut self, guest: &mut dyn Guest) {
        let now = self.now;
        if self.closing != Closing::No || self.seen.guest.is_none() || now < self.looks.due(self.last_sign) {
            return;
        }
        self.looks.last = Some(now);
        if self.looks.blind {
            return;
        }
        match guest.kernel_log() {
            Ok(log) => {
                for sighting in self.looks.scan(&log) {
                    self.sighted(&sighting);
                }
            }
            Err(_) => self.looks.blind = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, facility: u32, text: &str) -> LogRecord {
        LogRecord { seq, micros: seq * 1_000_000, facility, level: 0, text: text.into() }
    }

    #[test]
    fn each_record_of_the_kernels_is_read_once() {
        let lockup = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [dd:7]";
        let mut log =
            LogExcerpt { records: vec![record(0, 0, "Linux version 7.3.4")], ..LogExcerpt::default() };
        let mut looks = Looks::default();
        assert!(looks.scan(&log).is_empty());
        // a program's is no report
        log.records.push(record(1, 1, lockup));
        assert!(looks.scan(&log).is_empty());
        log.records.push(record(2, 0, lockup));
        let found = looks.scan(&log);
        assert_eq!(found.iter().map(|s| s.line.as_str()).collect::<Vec<_>>(), [lockup]);
        assert!(looks.scan(&log).is_empty());
    }

    #[test]
    fn looks_are_due_in_silence_only() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut looks = Looks::default();
        assert_eq!(looks.due(at(0)), at(5));
        looks.last = Some(at(5));
        assert_eq!((looks.due(at(0)), looks.due(at(4))), (at(8), at(9)));
    }
}
