//! The seam between a conversation and the virtual machine that it is held with: what a conversation needs of a
//! running guest. QEMU's is in [`super::qemu`]; the tests' plays a script in virtual time.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::VmError;
use super::snapshot::SaveError;
use crate::cancel::Cancel;
use crate::guest::message::{FromGuest, ToGuest};
use crate::observation::LogExcerpt;

/// The name of the file with a guest's memory in an attempt's folder.
pub const VMCORE: &str = "vmcore";

/// What happened in a guest, or to it.
#[derive(Clone, Debug, PartialEq)]
pub enum VmEvent {
    /// The console printed this.
    Console(Vec<u8>),
    /// The agent said this.
    Message(FromGuest),
    /// The program wrote this.
    Output(Vec<u8>),
    /// A command wrote this to standard error.
    Errors(Vec<u8>),
    /// There is something to read on the descriptor of this place in what was given to [`Guest::wait`].
    Readable(usize),
    /// Something about a device.
    Device(DeviceEvent),
    /// The guest runs, after its state was read.
    Resumed,
    /// The guest's state was written ([`Guest::save`]), or why it was not.
    Saved(Result<(), String>),
    /// The guest restarted or powered off, and is kept as it was ([`Guest::pause_at_end`]).
    Paused,
    /// The virtual machine ended by itself.
    Exited(MachineExit),
    /// Nothing happened until the deadline.
    Deadline,
    /// The caller's token was set.
    Cancelled,
}

/// An event about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The guest has let go of the device of this name, and it is gone.
    Deleted(String),
    /// The guest refuses to let go of it.
    Refused(String),
}

/// How a virtual machine ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineExit {
    /// Whether it ended as it does when its guest powers off or restarts.
    pub by_guest: bool,
    /// What its end looks like from the host, such as `QEMU ended with exit code 1`.
    pub how: String,
    /// What it wrote to standard error, within a bound.
    pub stderr: String,
}

impl MachineExit {
    /// All that is known of it.
    pub fn detail(&self) -> String {
        if self.stderr.is_empty() { self.how.clone() } else { format!("{}: {}", self.how, self.stderr) }
    }
}

/// One running virtual machine with an agent in it. Dropping it ends it.
pub trait Guest: Send {
    /// The time by the clock that [`Guest::wait`]'s deadlines are meant in.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits for the next thing to happen, until the deadline; `inputs` are awaited, too.
    ///
    /// # Errors
    /// [`VmError::Io`] if waiting itself fails.
    fn wait(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        inputs: &[BorrowedFd<'_>],
    ) -> Result<VmEvent, VmError>;

    /// Time of the host's processors that the machine has taken, where that can be measured.
    fn processor_time(&self) -> Option<Duration> {
        None
    }

    /// Sends a request to the agent. It leaves while [`Guest::wait`] waits.
    fn send(&mut self, message: &ToGuest);

    /// Sends a file to the agent.
    fn send_file(&mut self, path: &str, mode: u32, contents: &[u8]);

    /// Sends a module that the guest asked for: [`ToGuest::ModuleFile`] with its bytes.
    fn send_module(&mut self, message: &ToGuest, contents: &[u8]);

    /// Sends input to the agent's command.
    fn send_input(&mut self, input: &[u8]);

    /// Sends bytes that belong to no message, where the line to the agent may lose the first ones after a restore.
    fn send_noise(&mut self) {}

    /// Bytes that wait to be taken by the agent.
    fn unsent(&self) -> usize;

    /// Frames of the agent's that did not come through.
    fn frames_missing(&self) -> u64;

    /// Whether the machine has not ended, as far as was seen.
    fn is_running(&self) -> bool;

    /// Presses a magic SysRq key on the console's line, which the kernel answers in the interrupt itself, whatever its
    /// tasks do (kernel documentation `admin-guide/sysrq`).
    ///
    /// # Errors
    /// The machine refuses it.
    fn console_sysrq(&mut self, key: u8) -> Result<(), VmError>;

    /// Raises a non-maskable interrupt, on which a kernel prints where its processors are.
    ///
    /// # Errors
    /// The machine refuses it.
    fn nmi(&mut self) -> Result<(), VmError>;

    /// Plugs the machine's device of this name. It is there when this returns; the guest may not have noticed it yet.
    ///
    /// # Errors
    /// The machine's refusal.
    fn plug(&mut self, device: &str) -> Result<(), VmError>;

    /// Asks the guest to let go of a device; [`DeviceEvent`] says what came of it.
    ///
    /// # Errors
    /// The machine's refusal.
    fn unplug(&mut self, device: &str) -> Result<(), VmError>;

    /// Has a guest that restarts or powers off stand still, so that its memory can be read: [`VmEvent::Paused`].
    ///
    /// # Errors
    /// The machine refuses it.
    fn pause_at_end(&mut self) -> Result<(), VmError>;

    /// Stops the guest, and its clock with it.
    ///
    /// # Errors
    /// The machine refuses it.
    fn pause(&mut self) -> Result<(), VmError>;

    /// Lets a guest that was stopped go on.
    ///
    /// # Errors
    /// The machine refuses it.
    fn go_on(&mut self) -> Result<(), VmError>;

    /// Reads the kernel's log out of the guest's memory. Of a guest that runs on, records that it writes meanwhile may be
    /// missing.
    ///
    /// # Errors
    /// The host refuses it, or the memory holds no log that can be read; in words.
    fn kernel_log(&mut self) -> Result<LogExcerpt, String>;

    /// Writes the guest's memory into a file. The result is why that has no note by which tools find the kernel's
    /// structures, if it has none.
    ///
    /// # Errors
    /// The file cannot be written, or the machine refuses it.
    fn dump_memory(&mut self, path: &Path) -> Result<Option<String>, VmError>;

    /// Stops the guest and begins to write its state into the files that it was started with: [`VmEvent::Saved`].
    ///
    /// # Errors
    /// [`SaveError::Refused`]: this machine cannot be saved.
    fn save(&mut self) -> Result<(), SaveError>;

    /// Ends the machine at once and waits until it is gone. The result is what its console printed and no event reported.
    fn kill(&mut self) -> Vec<u8>;
}
