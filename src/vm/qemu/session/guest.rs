//! A live QEMU as the guest of a conversation.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Session;
use crate::arch::SysRq;
use crate::cancel::Cancel;
use crate::guest::message::ToGuest;
use crate::observation::LogExcerpt;
use crate::vm::VmError;
use crate::vm::guest::{Guest, VmEvent};
use crate::vm::processor_time::processor_time;
use crate::vm::snapshot::SaveError;

/// A serial line may lose the first bytes after a restore: these belong to no message.
const NOISE: &[u8] = &[b'\n'; 32];

/// What a console without breaks takes before a SysRq key.
const CONTROL_O: u8 = 0x0f;

impl Guest for Session {
    fn wait(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        inputs: &[BorrowedFd<'_>],
    ) -> Result<VmEvent, VmError> {
        self.wait_for(deadline, cancel, inputs)
    }

    fn send(&mut self, message: &ToGuest) {
        let mut bytes = Vec::new();
        self.encoder.message(message, &mut bytes);
        self.outgoing.extend(bytes);
    }

    fn send_file(&mut self, path: &str, mode: u32, contents: &[u8]) {
        let mut bytes = Vec::with_capacity(contents.len() + 1024);
        let put = ToGuest::Put { path: path.to_owned(), mode, size: contents.len() as u64 };
        self.encoder.message(&put, &mut bytes);
        self.encoder.data(contents, &mut bytes);
        self.outgoing.extend(bytes);
    }

    fn send_module(&mut self, message: &ToGuest, contents: &[u8]) {
        self.send(message);
        let mut bytes = Vec::new();
        self.encoder.data(contents, &mut bytes);
        self.outgoing.extend(bytes);
    }

    fn send_input(&mut self, input: &[u8]) {
        self.send(&ToGuest::Input { size: input.len() as u64 });
        let mut bytes = Vec::new();
        self.encoder.data(input, &mut bytes);
        self.outgoing.extend(bytes);
    }

    fn send_noise(&mut self) {
        self.outgoing.extend(NOISE);
    }

    fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    fn frames_missing(&self) -> u64 {
        self.ports.iter().map(|port| port.tally.missing()).sum()
    }

    fn is_running(&self) -> bool {
        self.exited.is_none()
    }

    fn processor_time(&self) -> Option<Duration> {
        self.exited.map_or_else(|| processor_time(self.child.id()), |_| self.processor_time)
    }

    fn console_sysrq(&mut self, key: u8) -> Result<(), VmError> {
        match self.arch.console.sysrq {
            SysRq::Break => {
                self.monitor.send_break("console")?;
                self.console_input.write_all(&[key])
            }
            SysRq::ControlO => self.console_input.write_all(&[CONTROL_O, key]),
        }
        .map_err(VmError::io("the console"))
    }

    fn nmi(&mut self) -> Result<(), VmError> {
        self.monitor.nmi()
    }

    fn plug(&mut self, device: &str) -> Result<(), VmError> {
        self.pluggings += 1;
        let known = self.devices.iter().find(|known| known.name == device);
        let device = known.ok_or_else(|| VmError::Monitor(format!("there is no device {device}")))?;
        let device = device.renewed(self.pluggings);
        if let Some(drive) = &device.drive {
            self.monitor.add_drive(drive)?;
        }
        let added = device.parts.iter().try_for_each(|part| self.monitor.add_device(part));
        if let (Err(_), Some(drive)) = (&added, &device.drive) {
            // the refusal is what the program must hear of
            let _ = self.monitor.delete_drive(drive);
        }
        added
    }

    fn unplug(&mut self, device: &str) -> Result<(), VmError> {
        self.monitor.delete_device(device)
    }

    fn pause_at_end(&mut self) -> Result<(), VmError> {
        let shutdown = Some(qapi::qmp::ShutdownAction::pause);
        self.monitor
            .execute(&qapi::qmp::set_action { panic: None, reboot: None, shutdown, watchdog: None })
            .map(drop)
    }

    fn pause(&mut self) -> Result<(), VmError> {
        self.monitor.execute(&qapi::qmp::stop {}).map(drop)
    }

    fn go_on(&mut self) -> Result<(), VmError> {
        self.monitor.execute(&qapi::qmp::cont {}).map(drop)
    }

    fn kernel_log(&mut self) -> Result<LogExcerpt, String> {
        self.read_kernel_log()
    }

    fn dump_memory(&mut self, path: &Path) -> Result<Option<String>, VmError> {
        self.write_memory(path)
    }

    fn save(&mut self) -> Result<(), SaveError> {
        self.write_state()
    }

    fn kill(&mut self) -> Vec<u8> {
        self.end();
        self.rest_of_console()
    }
}
