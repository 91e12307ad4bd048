//! How QEMU writes the state of a guest's devices, and reads it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use qapi::qmp::{self, MigrationCapability, MigrationCapabilityStatus};
use serde::Serialize;

use super::Session;
use crate::cancel::Cancel;
use crate::vm::VmError;
use crate::vm::guest::VmEvent;
use crate::vm::qemu::QemuVersion;
use crate::vm::qemu::args::fds;
use crate::vm::snapshot::SaveError;

/// The name under which QEMU is handed the state's file where it has no better way.
const STATE_NAME: &str = "state";

/// From here on QEMU writes to and reads from files as such (`file:`); before, a descriptor is all that it takes.
const FILE_SINCE: QemuVersion = QemuVersion { major: 8, minor: 2, micro: 0 };

/// How long QEMU may take to end after it has refused to read a state.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Session {
    /// Has QEMU stop the guest and begin to write the state of its devices. The memory is a file already, and is left out
    /// (`x-ignore-shared`), which every version from 4.0 on can.
    pub(super) fn write_state(&mut self) -> Result<(), SaveError> {
        self.refuse_written_disks()?;
        let wanted = [MigrationCapability::x_ignore_shared, MigrationCapability::events];
        self.monitor.execute(&capabilities(&wanted))?;
        let uri = self.state_uri()?;
        let order = qmp::migrate { channels: None, detach: None, resume: None, uri: Some(uri) };
        self.monitor.execute(&order).map(drop).map_err(|refusal| match refusal {
            VmError::Monitor(words) => SaveError::Refused(words),
            other => other.into(),
        })
    }

    /// Has QEMU read the devices' state; [`VmEvent::Resumed`] follows.
    pub(super) fn read_state(&mut self) -> Result<(), VmError> {
        let Err(error) = self.begin_to_read_state() else { return Ok(()) };
        // QEMU's own words tell more than a monitor that fell silent
        Err(match self.wait_for(Instant::now() + LAST_WORDS, &Cancel::new(), &[]) {
            Ok(VmEvent::Exited(exit)) => VmError::Restore(exit.detail()),
            _ => error,
        })
    }

    fn begin_to_read_state(&mut self) -> Result<(), VmError> {
        self.monitor.execute(&capabilities(&[MigrationCapability::x_ignore_shared]))?;
        let uri = self.state_uri()?;
        self.monitor
            .execute(&qmp::migrate_incoming { channels: None, exit_on_error: None, uri: Some(uri) })
            .map(drop)
    }

    /// Why the state could not be written.
    pub(super) fn save_failure(&mut self) -> String {
        let info = self.monitor.execute(&qmp::query_migrate {});
        let words = info.map_or_else(|error| Some(error.to_string()), |info| info.error_desc);
        words.unwrap_or_else(|| "QEMU could not write its state".to_owned())
    }

    /// Where QEMU finds the state's file.
    fn state_uri(&mut self) -> Result<String, VmError> {
        if self.version >= FILE_SINCE {
            return Ok(format!("file:/dev/fdset/{}", fds::STATE_SET));
        }
        let no_file = || VmError::Monitor("the guest was not started with files for its state".to_owned());
        let state: &OwnedFd = self.state.as_ref().ok_or_else(no_file)?;
        self.monitor.give(STATE_NAME, state)?;
        Ok(format!("fd:{STATE_NAME}"))
    }

    /// A disk that was written to would be as new after a restore, which the guest does not expect.
    fn refuse_written_disks(&mut self) -> Result<(), SaveError> {
        let disks = self.monitor.execute(&QueryBlockstats {})?;
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

/// The order to set what both sides of a restore must agree on.
fn capabilities(wanted: &[MigrationCapability]) -> qmp::migrate_set_capabilities {
    let on = |&capability| MigrationCapabilityStatus { capability, state: true };
    qmp::migrate_set_capabilities { capabilities: wanted.iter().map(on).collect() }
}
