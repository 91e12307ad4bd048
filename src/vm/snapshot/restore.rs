//! Starts a guest from a snapshot.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use qapi::qmp::{self, MigrationCapability};

use super::save::{capabilities, died};
use super::{STATE_NAME, Snapshot, state_uri};
use crate::cancel::Cancel;
use crate::guest::message::{FromGuest, ToGuest};
use crate::observation::GuestFacts;
use crate::vm::VmError;
use crate::vm::args::{Machine, Origin};
use crate::vm::qemu::Qemu;
use crate::vm::session::{Session, StateFiles, VmEvent};

/// A serial line may lose the first bytes after a restore: these belong to no message.
const NOISE: &[u8] = &[b'\n'; 32];

/// When a guest that does not answer is asked again. Answers too many do no harm.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A restored guest whose agent answers.
pub struct Restored {
    /// The guest.
    pub session: Session,
    /// What it said of itself.
    pub facts: GuestFacts,
    /// Its console from its boot on.
    pub console: Vec<u8>,
}

/// Restores a guest and waits until its agent answers; at most for `limit`.
///
/// # Errors
/// [`VmError::Restore`] says what QEMU said, or that the agent was silent; others as in [`Session::start`].
pub fn restore(
    qemu: &Qemu,
    machine: &Machine,
    snapshot: &Snapshot,
    limit: Duration,
    cancel: &Cancel,
) -> Result<Restored, VmError> {
    let deadline = Instant::now() + limit;
    let reopened = VmError::io("the snapshot");
    let files = snapshot.open().and_then(|files| {
        let state = files.state.try_clone()?;
        Ok((files, state))
    });
    let (files, state) = files.map_err(reopened)?;
    let files = StateFiles { memory: files.memory, state: files.state };
    let mut session = Session::start_from(qemu, machine, Origin::Restored, Some(files))?;
    let mut restored = Waiting { console: snapshot.console().to_vec(), deadline, cancel };
    if let Err(error) = restored.begin(qemu, &mut session, &state) {
        // QEMU's own words tell more than a monitor that fell silent
        return Err(match session.wait(Instant::now() + Duration::from_secs(1), cancel) {
            Ok(VmEvent::Exited(status)) => VmError::Restore(died(status, &session)),
            _ => error,
        });
    }
    restored.until(&mut session, |event| matches!(event, VmEvent::Resumed).then_some(()))?;
    let hello = |event: &VmEvent| match event {
        VmEvent::Message(FromGuest::Hello(facts)) => Some(facts.clone()),
        _ => None,
    };
    loop {
        session.send_noise(NOISE);
        session.send(&ToGuest::Ping);
        restored.deadline = deadline.min(Instant::now() + ASK_AGAIN);
        match restored.until(&mut session, hello) {
            Ok(facts) => return Ok(Restored { session, facts, console: restored.console }),
            Err(_) if !cancel.is_set() && Instant::now() < deadline && session.is_running() => {}
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
        let failed = self.answer(limit, cancel, |event| match event {
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
        self.session.send(&ToGuest::Refresh {
            entropy: entropy.to_vec(),
            unix_ns: unix.as_nanos() as u64,
            pause_us: pause.as_micros() as u64,
        });
        let refused = self.answer(limit, cancel, |event| match event {
            VmEvent::Message(FromGuest::Refreshed { error }) => Some(error.clone()),
            _ => None,
        })?;
        match refused {
            None => Ok(()),
            Some(error) => Err(VmError::Restore(format!("the guest took no fresh randomness: {error}"))),
        }
    }

    fn answer<T>(
        &mut self,
        limit: Duration,
        cancel: &Cancel,
        found: impl Fn(&VmEvent) -> Option<T>,
    ) -> Result<T, VmError> {
        let console = std::mem::take(&mut self.console);
        let mut waiting = Waiting { console, deadline: Instant::now() + limit, cancel };
        let answer = waiting.until(&mut self.session, found);
        self.console = waiting.console;
        answer
    }
}

struct Waiting<'a> {
    console: Vec<u8>,
    deadline: Instant,
    cancel: &'a Cancel,
}

impl Waiting<'_> {
    /// Has QEMU read the devices' state.
    fn begin(&mut self, qemu: &Qemu, session: &mut Session, state: &OwnedFd) -> Result<(), VmError> {
        let monitor = session.monitor();
        monitor.execute(&capabilities(&[MigrationCapability::x_ignore_shared]))?;
        let (uri, by_name) = state_uri(qemu.version);
        if by_name {
            monitor.give(STATE_NAME, state)?;
        }
        monitor
            .execute(&qmp::migrate_incoming { channels: None, exit_on_error: None, uri: Some(uri) })
            .map(drop)
    }

    /// Waits for something, while the console is kept.
    fn until<T>(
        &mut self,
        session: &mut Session,
        found: impl Fn(&VmEvent) -> Option<T>,
    ) -> Result<T, VmError> {
        loop {
            let event = session.wait(self.deadline, self.cancel)?;
            if let Some(found) = found(&event) {
                return Ok(found);
            }
            match event {
                VmEvent::Console(bytes) => self.console.extend_from_slice(&bytes),
                VmEvent::Exited(status) => return Err(VmError::Restore(died(status, session))),
                VmEvent::Deadline => {
                    return Err(VmError::Restore("the restored guest did not answer in time".into()));
                }
                VmEvent::Cancelled => return Err(VmError::Restore("called off".into())),
                _ => {}
            }
        }
    }
}
