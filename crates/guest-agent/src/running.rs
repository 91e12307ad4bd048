//! A running program: what it says goes to the host as it comes, its end is waited for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::channel::Sender;
use guest_protocol::message::{FromGuest, HostRequest, ProgramRequest};
use guest_protocol::program::{Exit, ProgramReport, Runs};

/// Output sent as it comes, bytes; beyond it the output is counted and its end kept.
const STREAMED: u64 = 1 << 20;
/// The end of the output that is kept beyond [`STREAMED`], bytes.
const TAIL: usize = 16 * 1024;
/// How often the detectors are looked at while the program runs. None of them takes less time to see what it is for.
const ONCE_IN_A_WHILE: Duration = Duration::from_secs(1);
/// The longest report line, bytes.
const LONGEST_LINE: usize = 4096;

/// A program that was started, and the agent's ends of its pipes.
pub struct Running {
    child: std::process::Child,
    pidfd: OwnedFd,
    output: Pipe,
    report: Pipe,
    said: Said,
}

/// What a program said so far; one that is started again goes on with it.
#[derive(Default)]
pub struct Said {
    output: Output,
    lines: Lines,
}

/// Something that is done about once a second while others have the time.
pub struct OnceInAWhile<F> {
    last: Instant,
    task: F,
}

impl<F: FnMut()> OnceInAWhile<F> {
    /// A second from now for the first time.
    pub fn new(task: F) -> OnceInAWhile<F> {
        OnceInAWhile { last: Instant::now(), task }
    }

    fn due(&self) -> Duration {
        ONCE_IN_A_WHILE.saturating_sub(self.last.elapsed())
    }

    /// Does it, if it is time.
    pub fn look(&mut self) {
        if self.due().is_zero() {
            (self.task)();
            self.last = Instant::now();
        }
    }
}

/// The agent's end of a pipe that the program and its children write to.
struct Pipe {
    end: File,
    /// Whether somebody may still write to it.
    open: bool,
}

/// Starts the program; the second part of the answer is the pipe by which it gets answers.
///
/// # Errors
/// The kernel's answer.
pub fn spawn(request: &ProgramRequest) -> io::Result<(Running, File)> {
    let (program, arguments) =
        request.command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let (output, output_end) = pipe()?;
    let (report, report_end) = pipe()?;
    let (answer_end, answer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&answer, true)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
        .env("HOME", "/tmp")
        .envs(&request.environment)
        .current_dir(guest_protocol::layout::INBOX)
        .stdin(Stdio::null())
        .stdout(output_end.try_clone()?)
        .stderr(output_end)
        .process_group(0)
        .fd_mappings(vec![
            FdMapping { parent_fd: report_end, child_fd: 3 },
            FdMapping { parent_fd: answer_end, child_fd: 4 },
        ])
        .map_err(io::Error::other)?;
    let child = command.spawn()?;
    drop(command);
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    Ok((Running { child, pidfd, output, report, said: Said::default() }, File::from(answer)))
}

fn pipe() -> io::Result<(Pipe, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((Pipe { end: File::from(reader), open: true }, writer))
}

impl Running {
    /// Forwards what the program says until it ends, or that moment has come, which answers `None`. Once in a while there
    /// is time for something else.
    ///
    /// # Errors
    /// The host cannot be told.
    pub fn until_it_ends(
        &mut self,
        end: Option<Instant>,
        sender: &Sender,
        meanwhile: &mut OnceInAWhile<impl FnMut()>,
    ) -> io::Result<Option<Exit>> {
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let time = left.map_or(meanwhile.due(), |left| left.min(meanwhile.due()));
            let ended = self.wait(true, Some(time))?;
            meanwhile.look();
            self.hear(sender)?;
            if ended {
                // a line without an end is one all the same; a child may write the rest of it later, as a line of its own
                self.said.lines.finish(sender)?;
                let status = self.child.wait()?;
                return Ok(Some(match (status.code(), status.signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, signal) => Exit::Signal(signal.unwrap_or_default()),
                }));
            }
        }
    }

    /// The message that it ended.
    pub fn exited(&self, exit: Exit, ran: Duration, runs: Option<Runs>) -> FromGuest {
        FromGuest::Exited {
            exit,
            output_bytes: self.said.output.total,
            output_tail: String::from_utf8_lossy(&self.said.output.tail).into_owned(),
            ran_ms: ran.as_millis() as u64,
            runs,
        }
    }

    /// What was said so far, for a program that goes on with it.
    pub fn into_said(self) -> Said {
        self.said
    }

    /// Goes on with what another one said.
    pub fn goes_on(self, said: Said) -> Running {
        Running { said, ..self }
    }

    /// The rounds that were reported last.
    pub fn iterations(&self) -> Option<u64> {
        self.said.lines.iterations
    }

    /// Sends a last line that has no end.
    ///
    /// # Errors
    /// The host cannot be told.
    pub fn finish(&mut self, sender: &Sender) -> io::Result<()> {
        self.hear(sender)?;
        self.said.lines.finish(sender)
    }

    /// Forwards what the program's children say while the kernel is still watched: what was deferred belongs to the dose.
    ///
    /// # Errors
    /// The host cannot be told.
    pub fn listen_until(&mut self, end: Instant, sender: &Sender) -> io::Result<()> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if !self.output.open && !self.report.open {
                std::thread::sleep(left);
                return Ok(());
            }
            self.wait(false, Some(left))?;
            self.hear(sender)?;
        }
    }

    /// Waits until something was said; where that is asked, until the program ended, which the answer tells.
    fn wait(&self, for_its_end: bool, time: Option<Duration>) -> io::Result<bool> {
        let watched = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        fds.extend(for_its_end.then(|| watched(self.pidfd.as_fd())));
        fds.extend(
            [&self.output, &self.report].into_iter().filter(|p| p.open).map(|p| watched(p.end.as_fd())),
        );
        let time = time.and_then(|time| rustix::time::Timespec::try_from(time).ok());
        match poll(&mut fds, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(for_its_end && !fds[0].revents().is_empty()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forwards what was said so far.
    fn hear(&mut self, sender: &Sender) -> io::Result<()> {
        let Running { output, report, said, .. } = self;
        if output.open {
            output.open = drain(&mut output.end, |bytes| said.output.take(bytes, sender))?;
        }
        if report.open {
            report.open = drain(&mut report.end, |bytes| said.lines.take(bytes, sender))?;
        }
        Ok(())
    }
}

/// Reads what is there, at most 1 MiB so that a flood cannot keep the agent from its other work. `false`: the other
/// end is closed.
fn drain(file: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
    let mut chunk = [0u8; 64 * 1024];
    for _ in 0..16 {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(n) => take(&chunk[..n])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[derive(Default)]
struct Output {
    total: u64,
    tail: Vec<u8>,
}

impl Output {
    fn take(&mut self, bytes: &[u8], sender: &Sender) -> io::Result<()> {
        let streamed = STREAMED.saturating_sub(self.total).min(bytes.len() as u64) as usize;
        self.total += bytes.len() as u64;
        if streamed > 0 {
            sender.data(&bytes[..streamed])?;
        }
        self.tail.extend_from_slice(&bytes[streamed..]);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    /// What was reported last.
    iterations: Option<u64>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], sender: &Sender) -> io::Result<()> {
        for &byte in bytes {
            if byte == b'\n' {
                self.finish(sender)?;
            } else if self.partial.len() < LONGEST_LINE {
                self.partial.push(byte);
            }
        }
        Ok(())
    }

    fn finish(&mut self, sender: &Sender) -> io::Result<()> {
        if self.partial.is_empty() {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        sender.tell(&match HostRequest::parse(&line) {
            Some(request) => FromGuest::Asks(request),
            None => {
                if let ProgramReport::Iterations(iterations) = ProgramReport::parse(&line) {
                    self.iterations = Some(iterations);
                }
                FromGuest::Report { line }
            }
        })
    }
}
