//! The one loop in which this program talks with guests: attempts, interactive sessions, saving and restoring take part
//! in it.

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::VmError;
use super::guest::{Guest, MachineExit, VmEvent};
use crate::cancel::Cancel;

/// The host's side of a conversation.
pub trait Party {
    /// What the conversation results in.
    type Outcome;

    /// When [`VmEvent::Deadline`] is due, whatever the guest does.
    fn deadline(&self) -> Instant;

    /// Descriptors that are waited for beside the guest ([`VmEvent::Readable`]).
    fn inputs(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Takes in what happened; a break ends the conversation.
    fn on_event(&mut self, guest: &mut dyn Guest, event: VmEvent) -> ControlFlow<Self::Outcome>;
}

/// Holds a conversation to its end.
///
/// # Errors
/// As [`Guest::wait`].
pub fn converse<P: Party>(
    guest: &mut dyn Guest,
    party: &mut P,
    cancel: &Cancel,
) -> Result<P::Outcome, VmError> {
    loop {
        let event = guest.wait(party.deadline(), cancel, &party.inputs())?;
        if let ControlFlow::Break(outcome) = party.on_event(guest, event) {
            return Ok(outcome);
        }
    }
}

/// Why what was awaited did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The machine ended.
    Exited(MachineExit),
    /// It did not happen in time.
    Deadline,
    /// The caller's token was set.
    Cancelled,
}

/// Waits for one event, while the console is passed on.
///
/// # Errors
/// As [`Guest::wait`].
pub fn await_event<T>(
    guest: &mut dyn Guest,
    deadline: Instant,
    cancel: &Cancel,
    console: &mut dyn FnMut(&[u8]),
    found: impl FnMut(&VmEvent) -> Option<T>,
) -> Result<Result<T, Interruption>, VmError> {
    converse(guest, &mut Waiting { deadline, console, found }, cancel)
}

struct Waiting<'a, F> {
    deadline: Instant,
    console: &'a mut dyn FnMut(&[u8]),
    found: F,
}

impl<T, F: FnMut(&VmEvent) -> Option<T>> Party for Waiting<'_, F> {
    type Outcome = Result<T, Interruption>;

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn on_event(&mut self, _: &mut dyn Guest, event: VmEvent) -> ControlFlow<Self::Outcome> {
        if let Some(found) = (self.found)(&event) {
            return ControlFlow::Break(Ok(found));
        }
        match event {
            VmEvent::Console(bytes) => (self.console)(&bytes),
            VmEvent::Exited(exit) => return ControlFlow::Break(Err(Interruption::Exited(exit))),
            VmEvent::Deadline => return ControlFlow::Break(Err(Interruption::Deadline)),
            VmEvent::Cancelled => return ControlFlow::Break(Err(Interruption::Cancelled)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
