//! A request to stop, seen by everything that waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Set once, never unset. Its descriptor becomes readable and stays so, which wakes every `poll` that includes it.
#[derive(Clone, Debug)]
pub struct Cancel {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    set: AtomicBool,
    fd: OwnedFd,
}

impl Cancel {
    /// A token that is not set.
    ///
    /// # Panics
    /// If the process is out of file descriptors.
    pub fn new() -> Cancel {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("an event descriptor");
        Cancel { inner: Arc::new(Inner { set: AtomicBool::new(false), fd }) }
    }

    /// Asks everything that holds this token to stop. Safe to call from a signal-handling thread.
    pub fn set(&self) {
        self.inner.set.store(true, Ordering::SeqCst);
        let _ = rustix::io::write(&self.inner.fd, &1u64.to_ne_bytes());
    }

    /// Whether it was asked to stop.
    pub fn is_set(&self) -> bool {
        self.inner.set.load(Ordering::SeqCst)
    }
}

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel::new()
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[test]
    fn setting_wakes_every_waiter_for_good() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        assert!(!other.is_set());
        cancel.set();
        for _ in 0..2 {
            let mut fds = [PollFd::new(&other, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&Timespec::default())).unwrap(), 1);
        }
        assert!(other.is_set());
    }
}
