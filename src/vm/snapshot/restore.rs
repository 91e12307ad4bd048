//! Starts a guest from a snapshot.

use std::time::{Duration, Instant};

use super::Snapshot;
use crate::cancel::Cancel;
use crate::guest::message::{FromGuest, ToGuest};
use crate::observation::GuestFacts;
use crate::vm::VmError;
use crate::vm::backend::{Backend, StartFrom};
use crate::vm::conversation::{Interruption, await_event};
use crate::vm::guest::{Guest, VmEvent};
use crate::vm::spec::VmSpec;

/// When a guest that does not answer is asked again. Answers too many do no harm.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A restored guest whose agent answers.
pub struct Restored {
    /// The guest.
    pub guest: Box<dyn Guest>,
    /// What it said of itself.
    pub facts: GuestFacts,
    /// Its console from its boot on.
    pub console: Vec<u8>,
}

/// Restores a guest and waits until its agent answers; at most for `limit`.
///
/// # Errors
/// [`VmError::Restore`] says what the backend said, or that the agent was silent; others as in [`Backend::start`].
pub fn restore(
    backend: &dyn Backend,
    machine: &VmSpec,
    snapshot: &Snapshot,
    limit: Duration,
    cancel: &Cancel,
) -> Result<Restored, VmError> {
    let deadline = backend.now() + limit;
    let files = snapshot.open().map_err(VmError::io("the snapshot"))?;
    let guest = backend.start(machine, StartFrom::Snapshot(files))?;
    let mut restored = Restored { guest, facts: GuestFacts::default(), console: snapshot.console().to_vec() };
    restored.until(deadline, cancel, |event| matches!(event, VmEvent::Resumed).then_some(()))?;
    let hello = |event: &VmEvent| match event {
        VmEvent::Message(FromGuest::Hello(facts)) => Some(facts.clone()),
        _ => None,
    };
    loop {
        restored.guest.send_noise();
        restored.guest.send(&ToGuest::Ping);
        let again = deadline.min(restored.guest.now() + ASK_AGAIN);
        match restored.until(again, cancel, hello) {
            Ok(facts) => return Ok(Restored { facts, ..restored }),
            Err(_) if !cancel.is_set() && restored.guest.now() < deadline && restored.guest.is_running() => {}
            Err(error) => return Err(error),
        }
    }
}

impl Restored {
    /// Waits until a program that was sent has run to its end and its detectors were read.
    ///
    /// # Errors
    /// [`VmError::Restore`] with what failed; the guest must not be used then.
    pub fn wait_for_program(&mut self, limit: Duration, cancel: &Cancel) -> Result<(), VmError> {
        let failed = self.until(self.guest.now() + limit, cancel, |event| match event {
            VmEvent::Message(FromGuest::Probes { .. }) => Some(None),
            VmEvent::Message(FromGuest::Failed(failure)) => Some(Some(failure.to_string())),
            _ => None,
        })?;
        failed.map_or(Ok(()), |failure| Err(VmError::Restore(failure)))
    }

    /// Gives the guest a randomness and a time of its own: up to here it is the same as every other guest of its
    /// snapshot. It goes on after `pause`.
    ///
    /// # Errors
    /// [`VmError::Restore`] with what the guest's kernel refused; the guest must not be used then.
    pub fn refresh(
        &mut self,
        entropy: &[u8],
        pause: Duration,
        limit: Duration,
        cancel: &Cancel,
    ) -> Result<(), VmError> {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.guest.send(&ToGuest::Refresh {
            entropy: entropy.to_vec(),
            unix_ns: unix.as_nanos() as u64,
            pause_us: pause.as_micros() as u64,
        });
        let refused = self.until(self.guest.now() + limit, cancel, |event| match event {
            VmEvent::Message(FromGuest::Refreshed { error }) => Some(error.clone()),
            _ => None,
        })?;
        match refused {
            None => Ok(()),
            Some(error) => Err(VmError::Restore(format!("the guest took no fresh randomness: {error}"))),
        }
    }

    fn until<T>(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        found: impl FnMut(&VmEvent) -> Option<T>,
    ) -> Result<T, VmError> {
        let console = &mut self.console;
        let mut keep = |bytes: &[u8]| console.extend_from_slice(bytes);
        let found = await_event(&mut *self.guest, deadline, cancel, &mut keep, found)?;
        found.map_err(|interruption| match interruption {
            Interruption::Exited(exit) => VmError::Restore(exit.detail()),
            Interruption::Deadline => VmError::Restore("the restored guest did not answer in time".into()),
            Interruption::Cancelled => VmError::Restore("called off".into()),
        })
    }
}
