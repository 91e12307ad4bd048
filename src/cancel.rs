//! A request to stop, seen by everything that waits.

use parking_lot::Mutex;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

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
    /// Tokens that are set with this one.
    children: Mutex<Vec<Weak<Inner>>>,
}

impl Inner {
    fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        let children = std::mem::take(&mut *self.children());
        children.iter().filter_map(Weak::upgrade).for_each(|token| token.set());
    }

    fn children(&self) -> parking_lot::MutexGuard<'_, Vec<Weak<Inner>>> {
        self.children.lock()
    }
}

impl Cancel {
    /// A token that is not set.
    ///
    /// # Panics
    /// If the process is out of file descriptors.
    pub fn new() -> Cancel {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("an event descriptor");
        Cancel { inner: Arc::new(Inner { set: AtomicBool::new(false), fd, children: Mutex::default() }) }
    }

    /// A token that is set with this one, or alone.
    ///
    /// # Panics
    /// As [`Cancel::new`].
    pub fn child(&self) -> Cancel {
        let token = Cancel::new();
        {
            let mut children = self.inner.children();
            children.retain(|token| token.strong_count() > 0);
            children.push(Arc::downgrade(&token.inner));
        }
        // whoever set this one meanwhile may have missed the new one
        if self.is_set() {
            token.set();
        }
        token
    }

    /// Asks everything that holds this token to stop. Safe to call from a signal-handling thread.
    pub fn set(&self) {
        self.inner.set();
    }

    /// Whether both are the same token.
    pub fn is(&self, other: &Cancel) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
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

    #[test]
    fn a_child_token_is_set_with_its_parent_and_alone() {
        let run = Cancel::new();
        let (first, second) = (run.child(), run.child());
        first.set();
        assert_eq!((run.is_set(), first.is_set(), second.is_set()), (false, true, false));
        run.set();
        assert!(second.is_set() && run.child().is_set());
        let mut fds = [PollFd::new(&second, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&Timespec::default())).unwrap(), 1);
    }
}
