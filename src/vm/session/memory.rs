//! What the host reads in a guest's memory, and keeps of it.

use std::path::Path;

use super::Session;
use crate::observation::LogExcerpt;
use crate::vm::VmError;
use crate::vm::guest_log::{self, ProcessMemory};
use crate::vm::vmcore;

impl Session {
    /// Reads the kernel's log out of the guest's memory. The guest stands still from then on.
    ///
    /// # Errors
    /// QEMU or the host refuses it, or the memory holds no log that can be read; in words.
    pub fn kernel_log(&mut self) -> Result<LogExcerpt, String> {
        // what is written meanwhile could not be distinguished from what is damaged
        self.monitor.execute(&qapi::qmp::stop {}).map_err(|e| e.to_string())?;
        self.kernel_log_so_far()
    }

    /// Reads the kernel's log out of the memory of a guest that runs on: records that it writes meanwhile may be missing.
    /// Only the first time all of the memory is looked through.
    ///
    /// # Errors
    /// As [`Session::kernel_log`].
    pub fn kernel_log_so_far(&mut self) -> Result<LogExcerpt, String> {
        if let Some((memory, info)) = &self.log_place
            && let Ok(log) = guest_log::read_by(memory, info)
        {
            return Ok(log);
        }
        let memory = ProcessMemory::open(self.child.id(), &mut self.monitor).map_err(|e| e.to_string())?;
        let (info, log) = guest_log::find(&memory).map_err(|e| e.to_string())?;
        self.log_place = Some((memory, info));
        Ok(log)
    }

    /// Has a guest that restarts or powers off stand still, so that its memory can be read: [`VmEvent::StandsStill`].
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn stand_still_at_end(&mut self) -> Result<(), VmError> {
        let shutdown = Some(qapi::qmp::ShutdownAction::pause);
        self.monitor
            .execute(&qapi::qmp::set_action { panic: None, reboot: None, shutdown, watchdog: None })
            .map(drop)
    }

    /// Writes the guest's memory into a file. Answers why that has no note by which tools find the kernel's structures,
    /// if it has none.
    ///
    /// # Errors
    /// As [`vmcore::dump`].
    pub fn dump_memory(&mut self, path: &Path) -> Result<Option<String>, VmError> {
        self.monitor.execute(&qapi::qmp::stop {})?;
        let lacking = match self.log_place {
            Some(_) => None,
            None => self.kernel_log_so_far().err(),
        };
        let description = self.log_place.as_ref().map(|(_, info)| info.text().as_bytes());
        vmcore::dump(&mut self.monitor, path, description)?;
        Ok(lacking)
    }
}
