//! Boots a guest to its agent's first word and saves it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use qapi::qmp::{self, MigrationCapability, MigrationCapabilityStatus};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::store::{Contents, Manifest};
use super::{CONSOLE, Key, MEMORY, STATE, STATE_NAME, memory, state_uri};
use crate::cancel::Cancel;
use crate::guest::message::FromGuest;
use crate::vm::VmError;
use crate::vm::args::{Machine, Origin};
use crate::vm::console::Capture;
use crate::vm::qemu::Qemu;
use crate::vm::session::{Session, StateFiles, VmEvent};

/// How long QEMU may take to write the devices' state: less than a megabyte.
const WRITING: Duration = Duration::from_secs(30);

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// QEMU cannot save this machine; it says why.
    #[error("{0}")]
    Refused(String),
    /// It ended while it booted.
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
    qemu: &Qemu,
    machine: &Machine,
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
    let mut boot = Boot {
        session: Session::start_from(qemu, machine, Origin::Template, Some(files))?,
        console: Capture::new("", None),
    };
    let release = boot.hello(Instant::now() + limit, cancel)?;
    refuse_written_disks(&mut boot.session)?;
    boot.write_state(qemu, &state, cancel)?;
    let console = boot.end()?;

    let target = File::create(folder.join(MEMORY)).map_err(failed("the memory's file"))?;
    let summary = memory::copy(&memory, &target).map_err(failed("the memory's file"))?;
    state.sync_all().map_err(failed("the state's file"))?;
    let written = fs::read(folder.join(STATE)).map_err(failed("the state's file"))?;
    let mut file = File::create(folder.join(CONSOLE)).map_err(failed("the console's file"))?;
    file.write_all(&console).and_then(|()| file.sync_all()).map_err(failed("the console's file"))?;
    Ok(Manifest {
        release,
        made_from: key.made_from.clone(),
        memory: summary,
        state: Contents::of(&written),
        console: Contents::of(&console),
    })
}

/// A disk that was written to would be as new after a restore, which the guest does not expect.
fn refuse_written_disks(session: &mut Session) -> Result<(), SaveError> {
    let disks = session.monitor().execute(&QueryBlockstats {})?;
    let disks = disks.as_array().map(Vec::as_slice).unwrap_or_default();
    // what is not understood is not believed to be unwritten
    match disks.iter().find(|disk| disk["stats"]["wr_operations"].as_u64() != Some(0)) {
        Some(disk) => {
            let name = disk["device"].as_str().unwrap_or_default();
            Err(SaveError::Refused(format!("the disk {name} was written to while the kernel booted")))
        }
        None => Ok(()),
    }
}

/// `query-blockstats`, whose answer differs from version to version in what is not asked for here.
#[derive(Debug, Serialize)]
struct QueryBlockstats {}

impl qmp::QmpCommand for QueryBlockstats {}

impl qapi::Command for QueryBlockstats {
    const NAME: &'static str = "query-blockstats";
    const ALLOW_OOB: bool = false;
    type Ok = serde_json::Value;
}

struct Boot {
    session: Session,
    console: Capture,
}

impl Boot {
    /// Waits for the agent's first word; answers with the kernel's release.
    fn hello(&mut self, deadline: Instant, cancel: &Cancel) -> Result<String, SaveError> {
        loop {
            match self.session.wait(deadline, cancel)? {
                VmEvent::Message(FromGuest::Hello(facts)) => return Ok(facts.release),
                VmEvent::Deadline => {
                    return Err(SaveError::Failed("the guest did not reach its agent in time".into()));
                }
                other => self.take(other).map_err(|error| match error {
                    SaveError::Failed(words) => SaveError::NoBoot(words),
                    other => other,
                })?,
            }
        }
    }

    /// Has QEMU stop the guest and write the state of its devices.
    fn write_state(&mut self, qemu: &Qemu, state: &File, cancel: &Cancel) -> Result<(), SaveError> {
        let monitor = self.session.monitor();
        monitor
            .execute(&capabilities(&[MigrationCapability::x_ignore_shared, MigrationCapability::events]))?;
        let (uri, by_name) = state_uri(qemu.version);
        if by_name {
            let descriptor = state.try_clone().map_err(VmError::io("the state's file"))?;
            monitor.give(STATE_NAME, &descriptor.into())?;
        }
        let order = qmp::migrate { channels: None, detach: None, resume: None, uri: Some(uri) };
        monitor.execute(&order).map_err(|refusal| match refusal {
            VmError::Monitor(words) => SaveError::Refused(words),
            other => other.into(),
        })?;
        let deadline = Instant::now() + WRITING;
        loop {
            match self.session.wait(deadline, cancel)? {
                VmEvent::Saved(true) => return Ok(()),
                VmEvent::Saved(false) => {
                    let info = self.session.monitor().execute(&qmp::query_migrate {})?;
                    let words = info.error_desc.unwrap_or_else(|| "QEMU could not write its state".into());
                    return Err(SaveError::Failed(words));
                }
                VmEvent::Deadline => {
                    return Err(SaveError::Failed("QEMU did not write its state in time".into()));
                }
                other => self.take(other)?,
            }
        }
    }

    /// Ends the guest and answers with its console.
    fn end(mut self) -> Result<Vec<u8>, SaveError> {
        self.session.kill();
        self.session.drain_console(&mut self.console);
        let (console, _) = self.console.finish();
        if console.left_out > 0 {
            return Err(SaveError::Refused(format!(
                "the kernel prints more than is kept while it boots: {} bytes",
                console.printed
            )));
        }
        Ok(console.text)
    }

    fn take(&mut self, event: VmEvent) -> Result<(), SaveError> {
        match event {
            VmEvent::Console(bytes) => self.console.push(&bytes),
            VmEvent::Exited(status) => return Err(SaveError::Failed(died(status, &self.session))),
            VmEvent::Cancelled => return Err(SaveError::Cancelled),
            _ => {}
        }
        Ok(())
    }
}

/// What QEMU's end says.
pub(super) fn died(status: ExitStatus, session: &Session) -> String {
    match session.stderr() {
        said if said.is_empty() => format!("QEMU ended ({status})"),
        said => format!("QEMU ended ({status}): {said}"),
    }
}

/// The order to set what both sides of a restore must agree on.
pub(super) fn capabilities(wanted: &[MigrationCapability]) -> qmp::migrate_set_capabilities {
    let on = |&capability| MigrationCapabilityStatus { capability, state: true };
    qmp::migrate_set_capabilities { capabilities: wanted.iter().map(on).collect() }
}

impl Contents {
    /// The summary of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Contents {
        let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        Contents { bytes: bytes.len() as u64, sha256 }
    }
}
