//! What the host reads in a guest's memory, and keeps of it.

use std::path::Path;

use super::Session;
use crate::observation::LogExcerpt;
use crate::vm::VmError;
use crate::vm::guest_log;
use crate::vm::qemu::memory::ProcessMemory;
use crate::vm::qemu::vmcore;

impl Session {
    /// Reads the kernel's log. Only the first time all of the memory is looked through.
    pub(super) fn read_kernel_log(&mut self) -> Result<LogExcerpt, String> {
        let tables = self.arch.page_tables;
        let tables = tables.ok_or_else(|| format!("the page tables of {} are not read", self.arch.name))?;
        if let Some((memory, info)) = &self.log_place
            && let Ok(log) = guest_log::read_by(memory, info, tables)
        {
            return Ok(log);
        }
        let memory = ProcessMemory::open(self.arch, self.child.id(), &mut self.monitor);
        let memory = memory.map_err(|e| e.to_string())?;
        let (info, log) = guest_log::find(&memory, tables).map_err(|e| e.to_string())?;
        self.log_place = Some((memory, info));
        Ok(log)
    }

    /// Writes the guest's memory into a file; the guest stands still from then on.
    pub(super) fn write_memory(&mut self, path: &Path) -> Result<Option<String>, VmError> {
        self.monitor.execute(&qapi::qmp::stop {})?;
        let lacking = match self.log_place {
            Some(_) => None,
            None => self.read_kernel_log().err(),
        };
        let description = self.log_place.as_ref().map(|(_, info)| info.text().as_bytes());
        vmcore::dump(&mut self.monitor, path, description)?;
        Ok(lacking)
    }
}
