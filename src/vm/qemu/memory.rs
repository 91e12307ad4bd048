//! The memory of a running QEMU, as `/proc/PID/mem` gives it to the process that started it. Whether it is a file, a
//! private copy of one or none at all makes no difference, and the guest does not notice.

use std::fs::File;
use std::os::unix::fs::FileExt;

use qapi::qmp;

use super::monitor::Monitor;
use crate::arch::Arch;
use crate::vm::VmError;
use crate::vm::guest_log::Memory;

/// So far behind its beginning a part of the memory is memory in every machine, and nothing else.
const ONE_MIB: u64 = 1 << 20;

/// A guest's memory in its QEMU's process.
#[derive(Debug)]
pub struct ProcessMemory {
    process: File,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    physical: u64,
    length: u64,
    /// Its address in QEMU.
    host: u64,
}

impl ProcessMemory {
    /// The memory of the QEMU of this architecture and process id, which its monitor says where to find.
    ///
    /// # Errors
    /// [`VmError::Monitor`]; [`VmError::Io`] where the host does not let a process read its child.
    pub fn open(arch: &Arch, pid: u32, monitor: &mut Monitor) -> Result<ProcessMemory, VmError> {
        let path = format!("/proc/{pid}/mem");
        let process = File::open(&path).map_err(VmError::io(path))?;
        let size = monitor.execute(&qmp::query_memory_size_summary {})?.base_memory;
        let parts = arch.memory.parts(size).into_iter().map(|(physical, length)| {
            let host = host_address(monitor, physical + ONE_MIB)?.wrapping_sub(ONE_MIB);
            Ok(Part { physical, length, host })
        });
        Ok(ProcessMemory { process, parts: parts.collect::<Result<_, VmError>>()? })
    }
}

fn host_address(monitor: &mut Monitor, physical: u64) -> Result<u64, VmError> {
    let answer = monitor.ask_for_people(format!("gpa2hva {physical:#x}"))?;
    parse_address(&answer).ok_or(VmError::Monitor(answer))
}

/// The last address of `Host virtual address for 0x100000 (ram) is 0x7f6e8be00000`.
fn parse_address(answer: &str) -> Option<u64> {
    let (_, address) = answer.trim().rsplit_once(" is 0x")?;
    u64::from_str_radix(address, 16).ok()
}

impl Memory for ProcessMemory {
    fn parts(&self) -> Vec<(u64, u64)> {
        self.parts.iter().map(|part| (part.physical, part.length)).collect()
    }

    fn read(&self, physical: u64, to: &mut [u8]) -> bool {
        let part = self.parts.iter().find_map(|part| {
            let inside = physical.checked_sub(part.physical)?;
            let end = inside.checked_add(to.len() as u64)?;
            (end <= part.length).then(|| part.host.wrapping_add(inside))
        });
        part.is_some_and(|host| self.process.read_exact_at(to, host).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_monitor_are_read() {
        let answer = "Host virtual address for 0x100000 (pc.ram) is 0x7f6e8be00000\r\n";
        assert_eq!(parse_address(answer), Some(0x7f6e_8be0_0000));
        for other in ["No memory is mapped at address 0x0", "Memory at address 0xfee00000is not RAM", ""] {
            assert_eq!(parse_address(other), None, "{other}");
        }
    }
}
