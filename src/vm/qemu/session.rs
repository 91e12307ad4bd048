//! One live virtual machine: its console, its agent's messages, its end.
//!
//! Everything that can happen is waited for in one `poll`; nothing is asked again and again.

mod guest;
mod memory;
mod state;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::args::{self, Origin};
use super::device::{self, QemuDevice};
use super::memory::ProcessMemory;
use super::monitor::{Monitor, QmpEvent};
use super::privileges::lesser_user;
use super::{Qemu, QemuVersion};
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::guest::wire::{Decoder, Encoder, Kind, Tally};
use crate::vm::VmError;
use crate::vm::backend::{StartFrom, StateFiles};
use crate::vm::guest::{MachineExit, VmEvent};
use crate::vm::guest_log::VmCoreInfo;
use crate::vm::process::spawn_bound;
use crate::vm::processor_time::processor_time;
use crate::vm::spec::VmSpec;

/// What QEMU may say on standard error, bytes.
const STDERR_BOUND: usize = 16 * 1024;

/// What the console may be ahead of its reader, bytes.
const CONSOLE_AHEAD: usize = 1 << 20;

/// Read at once from any descriptor, bytes.
const CHUNK: usize = 256 * 1024;

/// A running virtual machine. Dropping it ends it.
pub struct Session {
    arch: &'static Arch,
    child: Child,
    pidfd: OwnedFd,
    console: Option<File>,
    /// The guest's end of the console's line reads this.
    console_input: File,
    ports: Vec<Port>,
    stderr: Option<File>,
    stderr_text: Vec<u8>,
    monitor: Monitor,
    outgoing: VecDeque<u8>,
    encoder: Encoder,
    events: VecDeque<VmEvent>,
    exited: Option<ExitStatus>,
    /// What it had taken of the host's processors when it ended.
    processor_time: Option<Duration>,
    version: QemuVersion,
    /// Where the devices' state is written, where the guest is to be saved.
    state: Option<OwnedFd>,
    devices: Vec<QemuDevice>,
    /// How often anything was plugged.
    pluggings: u32,
    /// Where the kernel's log is, once it was found.
    log_place: Option<(ProcessMemory, VmCoreInfo)>,
    chunk: Box<[u8]>,
}

/// A channel on which the agent may speak. The first one that it uses is the one it listens to.
struct Port {
    stream: UnixStream,
    decoder: Decoder,
    tally: Tally,
    open: bool,
    spoke: bool,
}

impl Session {
    /// Starts a virtual machine.
    ///
    /// # Errors
    /// [`VmError::Start`] if QEMU cannot be started, [`VmError::Io`] if descriptors cannot be made,
    /// [`VmError::Restore`] if it does not take the state that it is to be restored from.
    pub fn start(qemu: &Qemu, machine: &VmSpec, from: StartFrom) -> Result<Session, VmError> {
        let (origin, files) = match from {
            StartFrom::Boot => (Origin::Boot, None),
            StartFrom::Template(files) => (Origin::Template, Some(files)),
            StartFrom::Snapshot(files) => (Origin::Restored, Some(files)),
        };
        let io = || VmError::io("sockets for QEMU");
        let (console, console_end) = pipe().map_err(io())?;
        let (input_end, console_input) = pipe().map_err(io())?;
        // more than a burst of reports; the system may allow less
        let _ = rustix::pipe::fcntl_setpipe_size(&console, CONSOLE_AHEAD);
        rustix::io::ioctl_fionbio(&console, true).map_err(io::Error::from).map_err(io())?;
        let (agent, agent_end) = UnixStream::pair().map_err(io())?;
        let (monitor, monitor_end) = UnixStream::pair().map_err(io())?;
        let mut mappings = vec![
            FdMapping { parent_fd: agent_end.into(), child_fd: args::fds::AGENT },
            FdMapping { parent_fd: monitor_end.into(), child_fd: args::fds::MONITOR },
        ];
        let mut ports = vec![Port::new(agent).map_err(io())?];
        if machine.serial_channel {
            let (serial, serial_end) = UnixStream::pair().map_err(io())?;
            mappings.push(FdMapping { parent_fd: serial_end.into(), child_fd: args::fds::AGENT_SERIAL });
            ports.push(Port::new(serial).map_err(io())?);
        }
        // gdb's socket is made by QEMU in a folder of this user's
        let user = match machine.gdb {
            Some(_) => None,
            None => lesser_user(&qemu.path, &qemu.extra, machine.accel).unwrap_or(None),
        };
        let lent = user.map(|user| user.lend(machine, &mut mappings)).transpose()?;
        let machine = lent.as_ref().unwrap_or(machine);
        let mut saved_to = None;
        if let Some(StateFiles { memory, state }) = files {
            saved_to = Some(state.try_clone().map_err(io())?);
            user.map_or(Ok(()), |user| user.own(&memory)).map_err(VmError::io("the guest's memory"))?;
            mappings.push(FdMapping { parent_fd: memory, child_fd: args::fds::MEMORY });
            mappings.push(FdMapping { parent_fd: state, child_fd: args::fds::STATE });
        }
        let (stderr, stderr_end) = pipe().map_err(io())?;
        rustix::io::ioctl_fionbio(&stderr, true).map_err(io::Error::from).map_err(io())?;

        let start = |source| VmError::Start { program: qemu.path.display().to_string(), source };
        let mut command = Command::new(&qemu.path);
        command.args(&qemu.extra).args(args::qemu_args_from(machine, origin));
        command.stdin(input_end).stdout(console_end).stderr(stderr_end);
        // a Ctrl-C of the terminal is for the runner alone, which ends its guests in its own order
        command.process_group(0);
        if let Some(user) = user {
            // this gives up groups and capabilities as well
            command.uid(user.uid).gid(user.gid);
            if !std::env::var_os("TMPDIR").is_none_or(|folder| user.may_write_in(Path::new(&folder))) {
                command.env_remove("TMPDIR");
            }
        }
        command.fd_mappings(mappings).map_err(|e| start(io::Error::other(e)))?;
        let child = spawn_bound(command).map_err(start)?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
            .map_err(io::Error::from)
            .map_err(VmError::io("a descriptor for QEMU's process"))?;
        let mut session = Session {
            arch: machine.arch,
            child,
            pidfd,
            console: Some(File::from(console)),
            console_input: File::from(console_input),
            ports,
            stderr: Some(File::from(stderr)),
            stderr_text: Vec::new(),
            monitor: Monitor::new(monitor),
            outgoing: VecDeque::new(),
            encoder: Encoder::default(),
            events: VecDeque::new(),
            exited: None,
            processor_time: None,
            version: qemu.version,
            state: saved_to,
            devices: machine.devices.iter().map(|device| device::fit(machine.arch, device)).collect(),
            pluggings: 0,
            log_place: None,
            chunk: vec![0; CHUNK].into_boxed_slice(),
        };
        if origin == Origin::Restored {
            session.read_state()?;
        }
        Ok(session)
    }

    /// What QEMU wrote to standard error, cut to a bound.
    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr_text).trim().to_owned()
    }

    fn wait_for(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        others: &[BorrowedFd<'_>],
    ) -> Result<VmEvent, VmError> {
        loop {
            self.listen(false);
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Some(status) = self.exited {
                return Ok(VmEvent::Exited(self.exit(status)));
            }
            if cancel.is_set() {
                return Ok(VmEvent::Cancelled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(VmEvent::Deadline);
            }
            self.turn(left, cancel, others).map_err(VmError::io("waiting for QEMU"))?;
        }
    }

    /// One `poll` and what it brings.
    fn turn(&mut self, left: Duration, cancel: &Cancel, others: &[BorrowedFd<'_>]) -> io::Result<()> {
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let writer = self.writer();
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(cancel.as_fd(), PollFlags::IN),
        ];
        fds.extend(others.iter().map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)));
        if let Some(console) = &self.console {
            fds.push(PollFd::from_borrowed_fd(console.as_fd(), PollFlags::IN));
        }
        if let Some(stderr) = &self.stderr {
            fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
        }
        for (n, port) in self.ports.iter().enumerate().filter(|(_, p)| p.open) {
            let mut flags = PollFlags::IN;
            if n == writer && !self.outgoing.is_empty() {
                flags |= PollFlags::OUT;
            }
            fds.push(PollFd::from_borrowed_fd(port.stream.as_fd(), flags));
        }
        let listening = self.monitor.listening().map(|monitor| {
            fds.push(PollFd::from_borrowed_fd(monitor, PollFlags::IN));
            fds.len() - 1
        });
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = !fds[0].revents().is_empty();
        let has_events = listening.is_some_and(|n| !fds[n].revents().is_empty());
        let readable = (0..others.len()).filter(|n| !fds[2 + n].revents().is_empty());
        self.events.extend(readable.map(VmEvent::Readable));
        drop(fds);
        self.listen(has_events && !ended);
        self.read_console();
        self.read_stderr();
        for n in 0..self.ports.len() {
            self.read_port(n);
        }
        self.write_port(writer);
        if ended {
            // what was written before the end is still in the sockets, and was read just now unless it was much
            while self.read_console() || self.read_stderr() {}
            // the system forgets it with the process
            self.processor_time = processor_time(self.child.id());
            self.exited = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// Takes in what QEMU tells by itself.
    fn listen(&mut self, readable: bool) {
        for event in self.monitor.take_events(readable) {
            let event = match event {
                QmpEvent::Device(event) => VmEvent::Device(event),
                QmpEvent::Resumed => VmEvent::Resumed,
                QmpEvent::Saved(true) => VmEvent::Saved(Ok(())),
                QmpEvent::Saved(false) => VmEvent::Saved(Err(self.save_failure())),
                QmpEvent::ShutDown => VmEvent::Paused,
            };
            self.events.push_back(event);
        }
    }

    /// The port that the agent listens to: the one it spoke on, before that the first.
    fn writer(&self) -> usize {
        self.ports.iter().position(|p| p.spoke).unwrap_or(0)
    }

    fn read_console(&mut self) -> bool {
        let Some(console) = &mut self.console else { return false };
        match console.read(&mut self.chunk) {
            Ok(0) => self.console = None,
            Ok(n) => {
                self.events.push_back(VmEvent::Console(self.chunk[..n].to_vec()));
                return true;
            }
            Err(error) if would_block(&error) => {}
            Err(_) => self.console = None,
        }
        false
    }

    fn read_stderr(&mut self) -> bool {
        let Some(stderr) = &mut self.stderr else { return false };
        match stderr.read(&mut self.chunk) {
            Ok(0) => self.stderr = None,
            Ok(n) => {
                let room = STDERR_BOUND - self.stderr_text.len();
                self.stderr_text.extend_from_slice(&self.chunk[..n.min(room)]);
                return true;
            }
            Err(error) if would_block(&error) => {}
            Err(_) => self.stderr = None,
        }
        false
    }

    fn read_port(&mut self, n: usize) {
        let port = &mut self.ports[n];
        if !port.open {
            return;
        }
        match port.stream.read(&mut self.chunk) {
            Ok(0) => port.open = false,
            Ok(read) => {
                port.decoder.push(&self.chunk[..read]);
                while let Some(frame) = port.decoder.next_frame() {
                    port.spoke = true;
                    port.tally.take(frame.number);
                    match frame.kind {
                        Kind::Data => self.events.push_back(VmEvent::Output(frame.payload)),
                        Kind::Errors => self.events.push_back(VmEvent::Errors(frame.payload)),
                        Kind::Message => {
                            if let Ok(message) = serde_json::from_slice(&frame.payload) {
                                self.events.push_back(VmEvent::Message(message));
                            }
                        }
                    }
                }
            }
            Err(error) if would_block(&error) => {}
            Err(_) => port.open = false,
        }
    }

    fn write_port(&mut self, n: usize) {
        let port = &mut self.ports[n];
        while port.open && !self.outgoing.is_empty() {
            match port.stream.write(self.outgoing.as_slices().0) {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if would_block(&error) => return,
                Err(_) => port.open = false,
            }
        }
    }

    /// What QEMU's end says.
    fn exit(&self, status: ExitStatus) -> MachineExit {
        let stderr = self.stderr();
        // QEMU ends well also when somebody on the host asks it to by a signal, and says so
        let by_host = stderr.contains("terminating on signal");
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("QEMU ended with exit code {code}"),
            (None, Some(signal)) => format!("QEMU was ended by signal {signal}"),
            (None, None) => "QEMU ended".to_owned(),
        };
        MachineExit { by_guest: status.success() && !by_host, how, stderr }
    }

    fn end(&mut self) {
        if self.exited.is_none() {
            self.processor_time = processor_time(self.child.id());
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
            self.exited = Some(self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(9)));
        }
    }

    /// What the console printed that was not reported.
    fn rest_of_console(&mut self) -> Vec<u8> {
        while self.read_console() {}
        let mut rest = Vec::new();
        for event in self.events.drain(..) {
            if let VmEvent::Console(bytes) = event {
                rest.extend(bytes);
            }
        }
        rest
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

impl Port {
    fn new(stream: UnixStream) -> io::Result<Port> {
        stream.set_nonblocking(true)?;
        Ok(Port { stream, decoder: Decoder::new(), tally: Tally::default(), open: true, spoke: false })
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
