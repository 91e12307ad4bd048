//! Reads the kernel's log while the dose runs and sends it to the host.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::channel::Sender;
use guest_protocol::kmsg::parse;
use guest_protocol::message::FromGuest;

/// Sent as they come, bytes of records. Of what is beyond it the last is kept, and the rest counted.
const HEAD: usize = 4 << 20;
/// The end that is kept beyond [`HEAD`], bytes.
const TAIL: usize = 256 << 10;
/// Sent at once, bytes of records: in JSON still less than a frame takes.
const BATCH: usize = 64 << 10;
/// A record with its properties (`PRINTKRB_RECORD_MAX`, `CONSOLE_EXT_LOG_MAX` in the kernel), bytes.
const LONGEST: usize = 16 << 10;
/// How long the reader waits after it was woken, so that it takes in a report at once. The kernel's log holds thousands
/// of records meanwhile.
const GATHER: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Follows the log from its making to [`Follower::finish`]. Its descriptor is open before the program runs: nothing that
/// is mounted over `/dev` takes it away.
pub struct Follower {
    thread: Option<JoinHandle<()>>,
    /// Closed to end the thread.
    stop: Option<OwnedFd>,
}

impl Follower {
    /// Begins behind everything that is in the log.
    ///
    /// # Errors
    /// The kernel has no log, or does not let it be read.
    pub fn start(sender: &Arc<Sender>) -> io::Result<Follower> {
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
            .open("/dev/kmsg")?;
        log.seek(SeekFrom::End(0))?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut reader = Reader { log, outbox: Outbox::default(), sender: Arc::clone(sender) };
        let thread = std::thread::Builder::new().name("kmsg".into()).spawn(move || {
            // a host that hears nothing of the log knows that it is not whole
            let _ = reader.follow(&stopped);
        })?;
        Ok(Follower { thread: Some(thread), stop: Some(stop) })
    }

    /// Sends what is in the log now, and ends.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

struct Reader {
    log: File,
    outbox: Outbox,
    sender: Arc<Sender>,
}

impl Reader {
    fn follow(&mut self, stopped: &OwnedFd) -> io::Result<()> {
        loop {
            let mut fds = [PollFd::new(stopped, PollFlags::IN), PollFd::new(&self.log, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let over = !fds[0].revents().is_empty();
            if !over {
                // more is likely to follow, unless this is the end
                let mut fds = [PollFd::new(stopped, PollFlags::IN)];
                let _ = poll(&mut fds, Some(&GATHER));
            }
            self.drain()?;
            if over {
                let last = self.outbox.finish();
                return last.into_iter().try_for_each(|message| self.sender.tell(&message));
            }
        }
    }

    /// Reads to the end of the log.
    fn drain(&mut self) -> io::Result<()> {
        let mut record = vec![0; LONGEST];
        loop {
            match self.log.read(&mut record) {
                Ok(0) => break,
                Ok(length) => {
                    self.outbox.take(&record[..length]);
                    if self.outbox.is_full() {
                        self.send()?;
                    }
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                    Some(Errno::INTR) => {}
                    // records were overwritten: the next one's number says how many
                    Some(Errno::PIPE) => {}
                    // one that is longer than any, which the kernel passes over: its number is missing
                    Some(Errno::INVAL) => {}
                    Some(Errno::AGAIN) => break,
                    _ => return Err(error),
                },
            }
        }
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        match self.outbox.batch(false) {
            Some(message) => self.sender.tell(&message),
            None => Ok(()),
        }
    }
}

/// What is to be sent, within bounds.
#[derive(Debug, Default)]
struct Outbox {
    next: Option<u64>,
    sent: usize,
    batch: String,
    lost: u64,
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: u64,
}

impl Outbox {
    /// Takes in a record as it was read.
    fn take(&mut self, record: &[u8]) {
        let line = record.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let Some(seq) = parse(line).map(|record| record.seq) else { return };
        self.lost += self.next.map_or(0, |next| seq.saturating_sub(next));
        self.next = Some(seq + 1);
        // whatever is not printable is escaped
        let line = String::from_utf8_lossy(line).into_owned();
        if self.sent < HEAD {
            self.sent += line.len() + 1;
            self.batch.push_str(&line);
            self.batch.push('\n');
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail_bytes > TAIL
            && let Some(first) = self.tail.pop_front()
        {
            self.tail_bytes -= first.len();
            self.left_out += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }

    fn batch(&mut self, ended: bool) -> Option<FromGuest> {
        if self.batch.is_empty() && self.lost == 0 && !ended {
            return None;
        }
        Some(FromGuest::KernelLog {
            records: std::mem::take(&mut self.batch),
            lost: std::mem::take(&mut self.lost),
            left_out: if ended { self.left_out } else { 0 },
            ended,
        })
    }

    /// The last messages.
    fn finish(&mut self) -> Vec<FromGuest> {
        let mut messages = Vec::new();
        while let Some(line) = self.tail.pop_front() {
            if self.is_full() {
                messages.extend(self.batch(false));
            }
            self.batch.push_str(&line);
            self.batch.push('\n');
        }
        messages.extend(self.batch(true));
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guest_protocol::wire::MAX_PAYLOAD;

    /// What came of records of these numbers: numbers that were sent, lost, left out, ended.
    fn sent(outbox: &mut Outbox, records: impl Iterator<Item = String>) -> (Vec<u64>, u64, u64, bool) {
        let mut messages = Vec::new();
        for record in records {
            outbox.take(record.as_bytes());
            if outbox.is_full() {
                messages.extend(outbox.batch(false));
            }
        }
        messages.extend(outbox.finish());
        let (mut numbers, mut all_lost, mut all_left_out, mut over) = (Vec::new(), 0, 0, false);
        for message in messages {
            assert!(!over, "nothing follows the end");
            assert!(serde_json::to_vec(&message).expect("plain data").len() <= MAX_PAYLOAD);
            let FromGuest::KernelLog { records, lost, left_out, ended } = message else {
                panic!("{message:?}")
            };
            numbers.extend(records.lines().map(|line| parse(line.as_bytes()).expect("a record").seq));
            (all_lost, all_left_out, over) = (all_lost + lost, all_left_out + left_out, ended);
        }
        (numbers, all_lost, all_left_out, over)
    }

    #[test]
    fn what_was_overwritten_is_counted() {
        let record = |n: u64| format!("6,{n},1,-;text {n}\n SUBSYSTEM=pci\n");
        assert_eq!(
            sent(&mut Outbox::default(), [7, 8, 12].into_iter().map(record)),
            (vec![7, 8, 12], 3, 0, true)
        );
        assert_eq!(sent(&mut Outbox::default(), std::iter::empty()), (vec![], 0, 0, true));
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end_within_bounds() {
        let text = "\\x22\"".repeat(160);
        let records = 20_000;
        let flood = (0..records).map(|n| format!("6,{n},1,-;{text}\n"));
        let (numbers, lost, left_out, ended) = sent(&mut Outbox::default(), flood);
        assert_eq!((lost, ended, numbers.len() as u64 + left_out), (0, true, records));
        assert_eq!((numbers.first(), numbers.last()), (Some(&0), Some(&(records - 1))));
        assert!(left_out > 0 && numbers.len() * text.len() < HEAD + TAIL + BATCH, "{left_out}");
    }
}
