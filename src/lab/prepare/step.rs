//! One `prepare` step: a script on the host that ends with everything that it started, in bounded time and with bounded
//! output.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::PrepareError;
use crate::cancel::Cancel;
use crate::suite::PrepareStep;
use crate::vm::process::spawn_bound;

/// How long the processes have to end after they were asked to.
const GRACE: Duration = Duration::from_secs(2);

/// What is kept of the output, bytes of its beginning and of its end each.
const KEPT: usize = 16 * 1024;

/// The most lines of it in an error, of its beginning and of its end each.
const SHOWN_LINES: usize = 15;

/// The descriptor by which the step's group hears that kregress is gone.
const LEASH_FD: i32 = 9;

/// Runs the step's script in the place of this shell, and beside it one that kills the whole group when the other end of
/// the leash is closed, however kregress ended. The system itself would only kill the script's shell.
const ON_A_LEASH: &str = r#"
    (trap '' HUP INT TERM; read -r _ <&9; kill -KILL 0) > /dev/null 2>&1 &
    exec 9<&-
    exec /bin/sh -eu -c "$1"
"#;

/// Why a step that was started gave no status.
#[derive(Debug)]
enum Ended {
    ByItself(ExitStatus),
    TooLate,
    Cancelled,
}

/// Runs the step to its end. What its shell left running is ended with it.
pub(super) fn run(
    step: &PrepareStep,
    folder: &Path,
    path: &OsStr,
    cancel: &Cancel,
) -> Result<(), PrepareError> {
    let output = || step.output.clone();
    let mut said = Said::default();
    let failed = |e: io::Error| PrepareError::Io(format!("/bin/sh: {e}"));
    match shell(step, folder, path, cancel, &mut said).map_err(failed)? {
        Ended::Cancelled => Err(PrepareError::Cancelled { output: output() }),
        Ended::TooLate => {
            Err(PrepareError::Timeout { output: output(), limit: step.timeout, text: said.shown() })
        }
        Ended::ByItself(status) if !status.success() => {
            Err(PrepareError::Step { output: output(), status: status.to_string(), text: said.shown() })
        }
        Ended::ByItself(_) if !folder.join(&step.output).is_file() => {
            Err(PrepareError::NoOutput { output: output() })
        }
        Ended::ByItself(_) => Ok(()),
    }
}

fn shell(
    step: &PrepareStep,
    folder: &Path,
    path: &OsStr,
    cancel: &Cancel,
    said: &mut Said,
) -> io::Result<Ended> {
    if cancel.is_set() {
        return Ok(Ended::Cancelled);
    }
    let (reader, writer) = io::pipe()?;
    let (leash_end, _leash) = io::pipe()?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", ON_A_LEASH, "sh", &step.shell])
        .current_dir(folder)
        .env("PATH", path)
        .env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let leash_end = FdMapping { parent_fd: OwnedFd::from(leash_end), child_fd: LEASH_FD };
    command.fd_mappings(vec![leash_end]).map_err(io::Error::other)?;
    let mut child = spawn_bound(command)?;
    let ended = watch(&child, reader, step.timeout, cancel, said);
    // while the shell is not waited for its number stands for this group and no other
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let status = child.wait()?;
    Ok(match ended? {
        Some(early) => early,
        None => Ended::ByItself(status),
    })
}

/// Waits until the shell has ended by itself or was asked to; then the answer says why.
fn watch(
    child: &Child,
    mut reader: PipeReader,
    timeout: Duration,
    cancel: &Cancel,
    said: &mut Said,
) -> io::Result<Option<Ended>> {
    rustix::io::ioctl_fionbio(&reader, true)?;
    let group = Pid::from_child(child);
    let process = pidfd_open(group, PidfdFlags::empty())?;
    let mut deadline = Instant::now() + timeout;
    let (mut early, mut output_open) = (None, true);
    loop {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        let mut waited = vec![PollFd::new(&process, PollFlags::IN)];
        if early.is_none() {
            waited.push(PollFd::new(cancel, PollFlags::IN));
        }
        if output_open {
            waited.push(PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN));
        }
        match poll(&mut waited, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = !waited[0].revents().is_empty();
        output_open = output_open && said.take(&mut reader)?;
        if ended {
            return Ok(early);
        }
        let late = Instant::now() >= deadline;
        match early {
            // asked in vain: the caller kills it
            Some(_) if late => return Ok(early),
            None if cancel.is_set() || late => {
                early = Some(if cancel.is_set() { Ended::Cancelled } else { Ended::TooLate });
                let _ = kill_process_group(group, Signal::TERM);
                deadline = Instant::now() + GRACE;
            }
            _ => {}
        }
    }
}

/// The beginning and the end of what a step said.
#[derive(Debug, Default)]
struct Said {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

impl Said {
    /// Reads what is there, at most 1 MiB so that a flood keeps nobody from a deadline. `false`: nobody can write any more.
    fn take(&mut self, reader: &mut PipeReader) -> io::Result<bool> {
        let mut chunk = [0; 64 * 1024];
        for _ in 0..16 {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(n) => self.push(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * KEPT {
            self.tail.drain(..self.tail.len() - KEPT);
        }
    }

    /// For an error.
    fn shown(&self) -> String {
        let left_out = self.total - (self.head.len() + self.tail.len()) as u64;
        let mut text = self.head.clone();
        if left_out > 0 {
            text.extend_from_slice(format!("\n… {left_out} bytes left out\n").as_bytes());
        }
        text.extend_from_slice(&self.tail);
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() <= 2 * SHOWN_LINES {
            return lines.join("\n");
        }
        let (head, tail) = (&lines[..SHOWN_LINES], &lines[lines.len() - SHOWN_LINES..]);
        [head, &["…"], tail].concat().join("\n")
    }
}

#[cfg(test)]
mod tests;
