//! Boots a guest to its agent's first word and saves it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use sha2::{Digest, Sha256};

use super::store::{Contents, Manifest};
use super::{CONSOLE, Key, MEMORY, STATE, memory};
use crate::cancel::Cancel;
use crate::guest::message::FromGuest;
use crate::observation::{ClockPair, GuestFacts};
use crate::vm::VmError;
use crate::vm::backend::{Backend, StartFrom, StateFiles};
use crate::vm::console::Capture;
use crate::vm::conversation::{Interruption, await_event};
use crate::vm::guest::{Guest, VmEvent};
use crate::vm::spec::VmSpec;

/// How long the devices' state may take to be written: it is less than a megabyte.
const WRITING: Duration = Duration::from_secs(30);

/// A kernel whose clock ran this many times as fast as the host's until it was to be saved has measured it wrong.
const FASTEST: u32 = 2;

/// By fewer seconds than these a clock may be ahead: the host's rounding, and firmware's.
const LEAST_GAIN: f64 = 1.0;

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// This machine cannot be saved; why.
    #[error("{0}")]
    Refused(String),
    /// It ended while it booted, or took too long, as on a busy host.
    #[error("{0}")]
    NoBoot(String),
    /// It was not possible this time.
    #[error("{0}")]
    Failed(String),
    /// Another process is about to save it.
    #[error("another process is saving it")]
    Busy,
    /// It was called off.
    #[error("called off")]
    Cancelled,
}

impl From<VmError> for SaveError {
    fn from(error: VmError) -> SaveError {
        SaveError::Failed(error.to_string())
    }
}

/// Boots the machine and writes a snapshot's files into an empty folder. `limit` is for the boot.
///
/// # Errors
/// [`SaveError`].
pub fn save(
    backend: &dyn Backend,
    machine: &VmSpec,
    key: &Key,
    folder: &Path,
    limit: Duration,
    cancel: &Cancel,
) -> Result<Manifest, SaveError> {
    let failed = |what: &'static str| move |e: io::Error| SaveError::Failed(format!("{what}: {e}"));
    let memory = memfd_create("kregress-memory", MemfdFlags::CLOEXEC)
        .map(File::from)
        .and_then(|file| rustix::fs::ftruncate(&file, u64::from(machine.memory_mib) << 20).map(|()| file))
        .map_err(|e| failed("a memory to save")(e.into()))?;
    let state = File::create(folder.join(STATE)).map_err(failed("the state's file"))?;
    let files = StateFiles {
        memory: memory.try_clone().map_err(failed("the memory"))?.into(),
        state: state.try_clone().map_err(failed("the state's file"))?.into(),
    };
    let start = backend.now();
    let mut guest = backend.start(machine, StartFrom::Template(files))?;
    let mut console = Capture::new("", None);
    let facts = first_word(&mut *guest, &mut console, limit, cancel)?;
    if machine.clock.is_real() {
        believe_clock(&facts, guest.now() - start)?;
    }
    guest.save()?;
    state_written(&mut *guest, &mut console, cancel)?;
    let console = end(&mut *guest, console)?;

    let target = File::create(folder.join(MEMORY)).map_err(failed("the memory's file"))?;
    let summary = memory::copy(&memory, &target).map_err(failed("the memory's file"))?;
    state.sync_all().map_err(failed("the state's file"))?;
    let written = fs::read(folder.join(STATE)).map_err(failed("the state's file"))?;
    let mut file = File::create(folder.join(CONSOLE)).map_err(failed("the console's file"))?;
    file.write_all(&console).and_then(|()| file.sync_all()).map_err(failed("the console's file"))?;
    Ok(Manifest {
        release: facts.release,
        made_from: key.made_from.clone(),
        memory: summary,
        state: Contents::of(&written),
        console: Contents::of(&console),
    })
}

/// All guests that are restored from a snapshot go on with its clock. `booted` is how long the boot took by the host's.
fn believe_clock(facts: &GuestFacts, booted: Duration) -> Result<(), SaveError> {
    let Some(uptime_ms) = facts.uptime_ms else { return Ok(()) };
    let guest = Duration::from_millis(uptime_ms);
    let clock = ClockPair { guest: guest.as_secs_f64(), host: booted.as_secs_f64() };
    match guest > booted * FASTEST && clock.gain() >= LEAST_GAIN {
        true => Err(SaveError::NoBoot(format!("while it booted {clock}"))),
        false => Ok(()),
    }
}

/// Waits for the agent's first word, which is the result.
fn first_word(
    guest: &mut dyn Guest,
    console: &mut Capture,
    limit: Duration,
    cancel: &Cancel,
) -> Result<GuestFacts, SaveError> {
    let deadline = guest.now() + limit;
    let hello = |event: &VmEvent| match event {
        VmEvent::Message(FromGuest::Hello(facts)) => Some(facts.clone()),
        _ => None,
    };
    let heard = await_event(guest, deadline, cancel, &mut |bytes| console.push(bytes), hello)?;
    heard.map_err(|interruption| match interruption {
        Interruption::Exited(exit) => SaveError::NoBoot(exit.detail()),
        Interruption::Deadline => SaveError::NoBoot("the guest did not reach its agent in time".into()),
        Interruption::Cancelled => SaveError::Cancelled,
    })
}

/// Waits until the state of the devices was written.
fn state_written(guest: &mut dyn Guest, console: &mut Capture, cancel: &Cancel) -> Result<(), SaveError> {
    let deadline = guest.now() + WRITING;
    let saved = |event: &VmEvent| match event {
        VmEvent::Saved(result) => Some(result.clone()),
        _ => None,
    };
    match await_event(guest, deadline, cancel, &mut |bytes| console.push(bytes), saved)? {
        Ok(saved) => saved.map_err(SaveError::Failed),
        Err(Interruption::Exited(exit)) => Err(SaveError::Failed(exit.detail())),
        Err(Interruption::Deadline) => {
            Err(SaveError::Failed("the state of the devices was not written in time".into()))
        }
        Err(Interruption::Cancelled) => Err(SaveError::Cancelled),
    }
}

/// Ends the guest; the result is its console.
fn end(guest: &mut dyn Guest, mut console: Capture) -> Result<Vec<u8>, SaveError> {
    console.push(&guest.kill());
    let (console, _) = console.finish();
    if console.left_out > 0 {
        return Err(SaveError::Refused(format!(
            "the kernel prints more than is kept while it boots: {} bytes",
            console.printed
        )));
    }
    Ok(console.text)
}

impl Contents {
    /// The summary of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Contents {
        let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        Contents { bytes: bytes.len() as u64, sha256 }
    }
}
