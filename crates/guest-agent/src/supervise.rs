//! Runs the test's program: its output and report lines go to the host, the host's answers to it, its end is reported.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::blocked;
use super::channel::Sender;
use super::detectors::Detectors;
use super::follow::Follower;
use super::grace::grace_periods;
use super::leftovers::Processes;
use super::probe::{Dose, Probe};
use guest_protocol::facts::{Phase, SetupFailure};
use guest_protocol::message::{FromGuest, HostRequest, ProgramRequest};
use guest_protocol::program::{Exit, ProgramReport};

/// Output sent as it comes, bytes; beyond it the output is counted and its end kept.
const STREAMED: u64 = 1 << 20;
/// The end of the output that is kept beyond [`STREAMED`], bytes.
const TAIL: usize = 16 * 1024;
/// How often the detectors are looked at while the program runs. None of them takes less time to see what it is for.
const ONCE_IN_A_WHILE: Duration = Duration::from_secs(1);
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

/// Runs the program to its end. Where it asks for leave it begins when that is `granted`.
pub fn run(
    request: &ProgramRequest,
    sender: &Arc<Sender>,
    answers: &Answers,
    granted: &Receiver<()>,
) -> io::Result<()> {
    let probes: Vec<Probe> = request.probes.iter().map(Probe::start).collect();
    let processes = if probes.is_empty() { None } else { Processes::open().ok() };
    let mut detectors = Detectors::start(&request.settings);
    if request.asks_leave {
        let readings = probes.iter().map(|probe| probe.reading().clone()).collect();
        sender.tell(&FromGuest::Ready { states: detectors.states(), readings })?;
        if granted.recv().is_err() {
            return Ok(());
        }
    }
    // before the mark, which is then the first that it reads
    let log = match Follower::start(sender) {
        Ok(log) => Some(log),
        Err(error) => {
            sender.tell(&FromGuest::NoKernelLog { error: error.to_string() })?;
            None
        }
    };
    mark(&format!("dose starts {}", request.nonce));
    sender.tell(&FromGuest::Reached { phase: Phase::Dose })?;
    let start = Instant::now();
    let mut running = match spawn(request) {
        Ok((running, pipe)) => {
            answers.set(Some(pipe));
            running
        }
        Err(error) => {
            return sender.tell(&FromGuest::Failed(SetupFailure::Program { error: error.to_string() }));
        }
    };
    let exit = running.until_it_ends(sender, || detectors.look())?;
    let over = Instant::now();
    sender.tell(&running.exited(exit, over - start))?;
    sender.tell(&FromGuest::Reached { phase: Phase::Settle })?;
    let before = blocked::tasks();
    grace_periods();
    running.listen_until(over + request.settle.after(over - start), sender)?;
    // a task that the program left blocked may hang: the kernel says so only after its own time, which is longer
    if !before.is_empty() {
        let mut tasks = blocked::tasks();
        tasks.retain(|task| before.contains(task));
        sender.tell(&FromGuest::BlockedTasks { tasks })?;
    }
    let left_running = processes.map_or(0, |processes| processes.end_all());
    let dose = Dose { over, iterations: running.lines.iterations, left_running };
    let readings = probes.into_iter().map(|probe| probe.finish(dose)).collect();
    running.hear(sender)?;
    running.lines.finish(sender)?;
    answers.set(None);
    sender.tell(&FromGuest::Detectors { states: detectors.finish() })?;
    // before the last message: the host answers it with the order to power off
    mark(&format!("dose ends {}", request.nonce));
    if let Some(log) = log {
        log.finish();
    }
    sender.tell(&FromGuest::Probes { readings })
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
    output: Pipe,
    report: Pipe,
    said: Output,
    lines: Lines,
}

/// The agent's end of a pipe that the program and its children write to.
struct Pipe {
    end: File,
    /// Whether somebody may still write to it.
    open: bool,
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
    let (said, lines) = (Output::default(), Lines::default());
    Ok((Running { child, pidfd, output, report, said, lines }, File::from(answer)))
}

fn pipe() -> io::Result<(Pipe, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    Ok((Pipe { end: File::from(reader), open: true }, writer))
}

impl Running {
    /// Forwards what the program says until it ends. Once in a while there is time for something else.
    fn until_it_ends(&mut self, sender: &Sender, mut meanwhile: impl FnMut()) -> io::Result<Exit> {
        let mut last = Instant::now();
        loop {
            let ended = self.wait(true, Some(ONCE_IN_A_WHILE.saturating_sub(last.elapsed())))?;
            if last.elapsed() >= ONCE_IN_A_WHILE {
                meanwhile();
                last = Instant::now();
            }
            self.hear(sender)?;
            if ended {
                // a line without an end is one all the same; a child may write the rest of it later, as a line of its own
                self.lines.finish(sender)?;
                let status = self.child.wait()?;
                return Ok(match (status.code(), status.signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, signal) => Exit::Signal(signal.unwrap_or_default()),
                });
            }
        }
    }

    fn exited(&self, exit: Exit, ran: Duration) -> FromGuest {
        FromGuest::Exited {
            exit,
            output_bytes: self.said.total,
            output_tail: String::from_utf8_lossy(&self.said.tail).into_owned(),
            ran_ms: ran.as_millis() as u64,
        }
    }

    /// Forwards what the program's children say while the kernel is still watched: what was deferred belongs to the dose.
    fn listen_until(&mut self, end: Instant, sender: &Sender) -> io::Result<()> {
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
        let Running { output, report, said, lines, .. } = self;
        if output.open {
            output.open = drain(&mut output.end, |bytes| said.take(bytes, sender))?;
        }
        if report.open {
            report.open = drain(&mut report.end, |bytes| lines.take(bytes, sender))?;
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
