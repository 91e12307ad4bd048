//! Runs the test's program: its output and report lines go to the host, the host's answers to it, its end is told.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::MembarrierCommand;

use super::blocked;
use super::channel::Sender;
use super::message::{FromGuest, HostRequest, ProgramRequest};
use super::probe::Probe;
use crate::observation::{Exit, Phase, SetupFailure};

/// Output sent as it comes, bytes; beyond it the output is counted and its end kept.
const STREAMED: u64 = 1 << 20;
/// The end of the output that is kept beyond [`STREAMED`], bytes.
const TAIL: usize = 16 * 1024;
/// The longest report line, bytes.
const LONGEST_LINE: usize = 4096;

/// Where a running program reads the host's answers to its requests; empty while none runs.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Option<File>>>);

impl Answers {
    /// Writes one answer as a line. A program that does not read its answers, or is gone, misses it.
    pub fn give(&self, error: Option<&str>) {
        let line = match error {
            None => "ok\n".to_owned(),
            Some(error) => format!("error {}\n", error.replace('\n', " ")),
        };
        if let Some(pipe) = &mut *self.0.lock().unwrap_or_else(|e| e.into_inner()) {
            let _ = pipe.write_all(line.as_bytes());
        }
    }

    fn set(&self, pipe: Option<File>) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = pipe;
    }
}

/// Runs the program to its end.
pub fn run(request: &ProgramRequest, sender: &Sender, answers: &Answers) -> io::Result<()> {
    let probes: Vec<Probe> = request.probes.iter().map(Probe::start).collect();
    mark(&format!("dose starts {}", request.nonce));
    sender.tell(&FromGuest::Reached { phase: Phase::Dose })?;
    let start = Instant::now();
    let exited = match spawn(request) {
        Ok((running, pipe)) => {
            answers.set(Some(pipe));
            let exited = running.supervise(sender)?;
            answers.set(None);
            exited
        }
        Err(error) => {
            return sender.tell(&FromGuest::Failed(SetupFailure::Program { error: error.to_string() }));
        }
    };
    let over = Instant::now();
    sender.tell(&exited)?;
    sender.tell(&FromGuest::Reached { phase: Phase::Settle })?;
    let before = blocked::tasks();
    grace_periods();
    std::thread::sleep((over + request.settle.after(over - start)).saturating_duration_since(Instant::now()));
    // a task that the program left blocked may hang: the kernel says so only after its own time, which is longer
    if !before.is_empty() {
        let mut tasks = blocked::tasks();
        tasks.retain(|task| before.contains(task));
        sender.tell(&FromGuest::BlockedTasks { tasks })?;
    }
    let readings = probes.into_iter().map(Probe::finish).collect();
    // before the last message: the host answers it with the order to power off
    mark(&format!("dose ends {}", request.nonce));
    sender.tell(&FromGuest::Probes { readings })
}

/// Waits until what the program had freed by RCU is freed: one grace period ends for what was deferred, another for
/// what that deferred in turn (`membarrier(2)`: its global command waits for one). Where the kernel has no such
/// command the time alone has to do.
fn grace_periods() {
    for _ in 0..2 {
        let _ = rustix::thread::membarrier(MembarrierCommand::Global);
    }
}

/// Writes a line to the kernel log, and so to the console, where it divides what happened before from what happened
/// during the dose.
fn mark(text: &str) {
    if let Ok(mut log) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = log.write_all(format!("<5>kregress: {text}\n").as_bytes());
    }
}

struct Running {
    child: std::process::Child,
    pidfd: OwnedFd,
    output: File,
    report: File,
}

/// Starts the program; the second part of the answer is the pipe by which it gets answers.
fn spawn(request: &ProgramRequest) -> io::Result<(Running, File)> {
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
        .current_dir(super::layout::INBOX)
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
    Ok((Running { child, pidfd, output, report }, File::from(answer)))
}

fn pipe() -> io::Result<(File, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((File::from(reader), writer))
}

impl Running {
    /// Forwards what the program says until it ends. What its own children say after that is not waited for.
    fn supervise(mut self, sender: &Sender) -> io::Result<FromGuest> {
        let mut output = Output::default();
        let mut lines = Lines::default();
        let (mut output_open, mut report_open) = (true, true);
        loop {
            let mut fds = vec![PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
            if output_open {
                fds.push(PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN));
            }
            if report_open {
                fds.push(PollFd::from_borrowed_fd(self.report.as_fd(), PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ended = !fds[0].revents().is_empty();
            drop(fds);
            if output_open {
                output_open = drain(&mut self.output, |bytes| output.take(bytes, sender))?;
            }
            if report_open {
                report_open = drain(&mut self.report, |bytes| lines.take(bytes, sender))?;
            }
            if ended {
                lines.finish(sender)?;
                let status = self.child.wait()?;
                let exit = match (status.code(), status.signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, signal) => Exit::Signal(signal.unwrap_or_default()),
                };
                return Ok(FromGuest::Exited {
                    exit,
                    output_bytes: output.total,
                    output_tail: String::from_utf8_lossy(&output.tail).into_owned(),
                });
            }
        }
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
            None => FromGuest::Report { line },
        })
    }
}
