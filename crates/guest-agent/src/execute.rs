//! A command that a person runs in the guest: its streams go to the host as they are, its end is reported.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::channel::Sender;
use guest_protocol::facts::Phase;
use guest_protocol::layout;
use guest_protocol::message::{ExecuteRequest, FromGuest, WindowSize};
use guest_protocol::program::Exit;

/// Read at once from a stream, bytes.
const CHUNK: usize = 64 * 1024;

/// Reads after the command's end at the most; a pipe is empty long before.
const AFTER_END: usize = 32;

/// A running command, as the agent sees it.
pub struct Handle {
    /// Input on its way to the command, in a thread of its own: a command that does not read must not keep the agent
    /// from its other work.
    input: Option<mpsc::Sender<Vec<u8>>>,
    terminal: Option<File>,
}

impl Handle {
    /// Passes input on.
    pub fn input(&mut self, bytes: Vec<u8>) {
        if let Some(input) = &self.input {
            let _ = input.send(bytes);
        }
    }

    /// Closes the command's input once it has what was passed before.
    pub fn input_ends(&mut self) {
        self.input = None;
    }

    /// Gives its terminal another size, which the kernel tells the command by a signal.
    pub fn resize(&mut self, size: WindowSize) {
        if let Some(terminal) = &self.terminal {
            let _ = tcsetwinsize(terminal, winsize(size));
        }
    }
}

/// The streams of a command, of which a terminal has only one.
struct Streams {
    output: Option<File>,
    errors: Option<File>,
}

/// Starts the command.
///
/// # Errors
/// It cannot be started.
pub fn start(request: &ExecuteRequest, sender: &Arc<Sender>) -> io::Result<Handle> {
    let (child, streams, input, terminal) = match request.terminal {
        Some(size) => {
            let (child, terminal) = with_terminal(request, size)?;
            let streams = Streams { output: Some(terminal.try_clone()?), errors: None };
            (child, streams, Some(terminal.try_clone()?), Some(terminal))
        }
        None => {
            let mut child = with_pipes(request)?;
            let input = child.stdin.take().map(|pipe| File::from(OwnedFd::from(pipe)));
            let output = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
            let errors = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
            (child, Streams { output, errors }, input, None)
        }
    };
    sender.tell(&FromGuest::Reached { phase: Phase::Dose })?;
    let input = input.map(|file| feed(file, Arc::clone(sender))).transpose()?;
    let sender = Arc::clone(sender);
    std::thread::Builder::new().name("command".into()).spawn(move || {
        // without a channel there is nobody left to tell
        let _ = forward(child, streams, &sender);
    })?;
    Ok(Handle { input, terminal })
}

fn command(request: &ExecuteRequest, words: &[String]) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
        .env("HOME", "/root")
        .envs(&request.environment)
        .current_dir(&request.folder);
    Ok(command)
}

fn with_pipes(request: &ExecuteRequest) -> io::Result<Child> {
    let mut command = command(request, &request.command)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    named(command.spawn(), &request.command)
}

/// The command at a terminal of its own, through busybox: taking a controlling terminal has to happen between fork and
/// exec.
fn with_terminal(request: &ExecuteRequest, size: WindowSize) -> io::Result<(Child, File)> {
    let host_end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&host_end)?;
    unlockpt(&host_end)?;
    tcsetwinsize(&host_end, winsize(size))?;
    let name = ptsname(&host_end, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    let words: Vec<String> = [layout::BUSYBOX, "setsid", "-c"]
        .iter()
        .map(|word| (*word).to_owned())
        .chain(request.command.iter().cloned())
        .collect();
    let mut command = command(request, &words)?;
    command.stdin(end.try_clone()?).stdout(end.try_clone()?).stderr(end);
    Ok((named(command.spawn(), &request.command)?, File::from(host_end)))
}

fn named(spawned: io::Result<Child>, command: &[String]) -> io::Result<Child> {
    let name = command.first().map_or("", String::as_str);
    spawned.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

fn winsize(size: WindowSize) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Takes input and writes it to the command; dropping the other end closes the file.
fn feed(mut file: File, sender: Arc<Sender>) -> io::Result<mpsc::Sender<Vec<u8>>> {
    let (input, queue) = mpsc::channel::<Vec<u8>>();
    std::thread::Builder::new().name("input".into()).spawn(move || {
        for bytes in queue {
            // a command that has closed its input loses the rest of it
            let _ = file.write_all(&bytes);
            if sender.tell(&FromGuest::Consumed { bytes: bytes.len() as u64 }).is_err() {
                return;
            }
        }
    })?;
    Ok(input)
}

/// Sends what the command writes until it ends. What its own children write after that is not waited for.
fn forward(mut child: Child, mut streams: Streams, sender: &Sender) -> io::Result<()> {
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let mut total = 0;
    loop {
        let ended = streams.turn(Some(&process), sender, &mut total)?;
        if ended {
            // what it wrote before its end is there, and is all that is read: its children may write on and on
            for _ in 0..AFTER_END {
                if streams.turn(None, sender, &mut total)? {
                    break;
                }
            }
            let status = child.wait()?;
            let exit = match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            };
            return sender.tell(&FromGuest::Exited {
                exit,
                output_bytes: total,
                output_tail: String::new(),
                ran_ms: 0,
                runs: None,
            });
        }
    }
}

impl Streams {
    /// Waits for output, or takes what is there where there is no process to wait for. Whether the process ended, or
    /// nothing more was there.
    fn turn(&mut self, process: Option<&OwnedFd>, sender: &Sender, total: &mut u64) -> io::Result<bool> {
        let mut fds = Vec::new();
        for file in self.output.iter().chain(&self.errors) {
            fds.push(PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN));
        }
        fds.extend(process.map(|process| PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)));
        let timeout = process.is_none().then(Timespec::default);
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let mut ready = ready.into_iter();
        let output_ready = self.output.is_some() && ready.next().unwrap_or_default();
        let errors_ready = self.errors.is_some() && ready.next().unwrap_or_default();
        if output_ready {
            pass(&mut self.output, total, |bytes| sender.data(bytes))?;
        }
        if errors_ready {
            pass(&mut self.errors, total, |bytes| sender.errors(bytes))?;
        }
        Ok(match process {
            Some(_) => ready.next().unwrap_or_default(),
            None => !output_ready && !errors_ready,
        })
    }
}

/// Reads once and passes on what was read; a stream that ended is closed.
fn pass(
    stream: &mut Option<File>,
    total: &mut u64,
    send: impl FnOnce(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let Some(file) = stream else { return Ok(()) };
    let mut chunk = [0u8; CHUNK];
    match file.read(&mut chunk) {
        Ok(n) if n > 0 => {
            *total += n as u64;
            send(&chunk[..n])
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        // a terminal says EIO where a pipe says that it ended
        Ok(_) | Err(_) => {
            *stream = None;
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "execute/tests.rs"]
mod tests;
