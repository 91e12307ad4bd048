//! One live virtual machine: its console, its agent's messages, its end.
//!
//! Everything that can happen is waited for in one `poll`; nothing is asked again and again.

mod memory;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::VmError;
use super::args::{self, Machine, Origin};
use super::console::Capture;
use super::guest_log::{ProcessMemory, VmCoreInfo};
use super::monitor::{DeviceEvent, Monitor, QmpEvent};
use super::process::spawn_bound;
use super::qemu::Qemu;
use crate::cancel::Cancel;
use crate::guest::message::{FromGuest, ToGuest};
use crate::guest::wire::{Decoder, Encoder, Kind, Tally};

/// What QEMU may say on standard error, bytes.
const STDERR_BOUND: usize = 16 * 1024;

/// What the console may be ahead of its reader, bytes.
const CONSOLE_AHEAD: usize = 1 << 20;

/// Read at once from any descriptor, bytes.
const CHUNK: usize = 256 * 1024;

/// What happened.
#[derive(Debug)]
pub enum VmEvent {
    /// The console printed this.
    Console(Vec<u8>),
    /// The agent said this.
    Message(FromGuest),
    /// The program wrote this.
    Output(Vec<u8>),
    /// A command wrote this to standard error.
    Errors(Vec<u8>),
    /// There is something to read on the descriptor of this place in what was given to [`Session::wait_with`].
    Readable(usize),
    /// Something about a device.
    Device(DeviceEvent),
    /// The guest runs, after its state was read.
    Resumed,
    /// The guest's state was written, or not.
    Saved(bool),
    /// The guest restarted or powered off, and is kept as it was ([`Session::stand_still_at_end`]).
    StandsStill,
    /// QEMU ended.
    Exited(ExitStatus),
    /// Nothing happened until the deadline.
    Deadline,
    /// The caller's token was set.
    Cancelled,
}

/// A running virtual machine. Dropping it ends it.
pub struct Session {
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

/// The files of a guest that is saved or restored.
#[derive(Debug)]
pub struct StateFiles {
    /// Its memory.
    pub memory: OwnedFd,
    /// Its devices, as QEMU writes them.
    pub state: OwnedFd,
}

impl Session {
    /// Boots a virtual machine.
    ///
    /// # Errors
    /// [`VmError::Start`] if QEMU cannot be started, [`VmError::Io`] if descriptors cannot be made.
    pub fn start(qemu: &Qemu, machine: &Machine) -> Result<Session, VmError> {
        Session::start_from(qemu, machine, Origin::Boot, None)
    }

    /// Starts a virtual machine; `files` are there unless it just boots.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub fn start_from(
        qemu: &Qemu,
        machine: &Machine,
        origin: Origin,
        files: Option<StateFiles>,
    ) -> Result<Session, VmError> {
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
        if let Some(StateFiles { memory, state }) = files {
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
        command.fd_mappings(mappings).map_err(|e| start(io::Error::other(e)))?;
        let child = spawn_bound(command).map_err(start)?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
            .map_err(io::Error::from)
            .map_err(VmError::io("a descriptor for QEMU's process"))?;
        Ok(Session {
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
            log_place: None,
            chunk: vec![0; CHUNK].into_boxed_slice(),
        })
    }

    /// Sends a request to the agent. It leaves while [`Session::wait`] waits.
    pub fn send(&mut self, message: &ToGuest) {
        let mut bytes = Vec::new();
        self.encoder.message(message, &mut bytes);
        self.outgoing.extend(bytes);
    }

    /// Sends bytes that belong to no message.
    pub fn send_noise(&mut self, bytes: &[u8]) {
        self.outgoing.extend(bytes);
    }

    /// Bytes that wait to be taken by the agent.
    pub fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    /// Frames of the agent's that did not come through.
    pub fn frames_missing(&self) -> u64 {
        self.ports.iter().map(|port| port.tally.missing()).sum()
    }

    /// Whether QEMU has not ended, as far as was seen.
    pub fn is_running(&self) -> bool {
        self.exited.is_none()
    }

    /// Sends a file to the agent.
    pub fn send_file(&mut self, path: &str, mode: u32, contents: &[u8]) {
        let mut bytes = Vec::with_capacity(contents.len() + 1024);
        let put = ToGuest::Put { path: path.to_owned(), mode, size: contents.len() as u64 };
        self.encoder.message(&put, &mut bytes);
        self.encoder.data(contents, &mut bytes);
        self.outgoing.extend(bytes);
    }

    /// Sends input to the agent's command.
    pub fn send_input(&mut self, input: &[u8]) {
        self.send(&ToGuest::Input { size: input.len() as u64 });
        let mut bytes = Vec::new();
        self.encoder.data(input, &mut bytes);
        self.outgoing.extend(bytes);
    }

    /// Sends a break on the console's line and then a key: on such a line the kernel takes that for a magic SysRq
    /// (kernel documentation `sysrq`), which it answers in the interrupt itself, whatever its tasks do.
    ///
    /// # Errors
    /// As [`Monitor::execute`]; [`VmError::Io`] if the console takes no input.
    pub fn console_sysrq(&mut self, key: u8) -> Result<(), VmError> {
        self.monitor.send_break("console")?;
        self.console_input.write_all(&[key]).map_err(VmError::io("the console"))
    }

    /// QEMU's monitor.
    pub fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }

    /// What QEMU wrote to standard error, cut to a bound.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr_text).trim().to_owned()
    }

    /// Waits for the next thing to happen, until the deadline.
    ///
    /// # Errors
    /// [`VmError::Io`] if waiting itself fails.
    pub fn wait(&mut self, deadline: Instant, cancel: &Cancel) -> Result<VmEvent, VmError> {
        self.wait_with(deadline, cancel, &[])
    }

    /// Waits for other descriptors too.
    ///
    /// # Errors
    /// As [`Session::wait`].
    pub fn wait_with(
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
                return Ok(VmEvent::Exited(status));
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
    fn turn(
        &mut self,
        left: std::time::Duration,
        cancel: &Cancel,
        others: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
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
            self.exited = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// Takes in what QEMU tells by itself.
    fn listen(&mut self, readable: bool) {
        let events = self.monitor.take_events(readable).into_iter().map(|event| match event {
            QmpEvent::Device(event) => VmEvent::Device(event),
            QmpEvent::Resumed => VmEvent::Resumed,
            QmpEvent::Saved(well) => VmEvent::Saved(well),
            QmpEvent::ShutDown => VmEvent::StandsStill,
        });
        self.events.extend(events);
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

    /// Ends the virtual machine at once and waits until it is gone.
    pub fn kill(&mut self) {
        if self.exited.is_none() {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
            self.exited = Some(self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(9)));
        }
    }

    /// Takes in what the console printed before the end, after [`Session::kill`].
    pub fn drain_console(&mut self, capture: &mut Capture) {
        while self.read_console() {}
        for event in self.events.drain(..) {
            if let VmEvent::Console(bytes) = event {
                capture.push(&bytes);
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
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
