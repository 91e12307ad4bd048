//! A process of a build, with all that it starts: it holds the lock of its place and ends when it is asked to.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::cancel::Cancel;

/// How long the processes have to end after they were asked to.
const GRACE: Duration = Duration::from_secs(10);

/// The descriptor by which they hold the lock of the place.
const LOCK_FD: i32 = 9;

/// Why a process did not end by itself.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It was asked to stop.
    Cancelled,
    /// It could not be run or listened to, or what it said could not be kept.
    Io(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Stopped::Io(error)
    }
}

/// Runs `command` to its end and gives `hear` everything that it and its children say; an error of `hear` ends them.
///
/// They keep `lock` open, so that nobody else comes in before the last one is gone, even if this process is killed. They
/// are a group of their own: a Ctrl-C reaches this process alone, which ends them in order.
pub(super) fn run(
    mut command: Command,
    lock: &File,
    cancel: &Cancel,
    hear: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<ExitStatus, Stopped> {
    if cancel.is_set() {
        return Err(Stopped::Cancelled);
    }
    let (mut reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let lock = FdMapping { parent_fd: OwnedFd::from(lock.try_clone()?), child_fd: LOCK_FD };
    command.fd_mappings(vec![lock]).map_err(io::Error::other)?;
    let mut child = command.spawn()?;
    // it holds the pipe's other end
    drop(command);
    let group = Pid::from_child(&child);
    let mut asked: Option<Instant> = None;
    let mut buffer = vec![0; 1 << 16];
    let mut failure = None;
    // the pipe ends when every process of the group has ended
    loop {
        match asked {
            None if cancel.is_set() || failure.is_some() => {
                let _ = kill_process_group(group, Signal::TERM);
                asked = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GRACE => {
                let _ = kill_process_group(group, Signal::KILL);
            }
            _ => {}
        }
        let mut waited = vec![PollFd::new(&reader, PollFlags::IN)];
        if asked.is_none() {
            waited.push(PollFd::new(cancel, PollFlags::IN));
        }
        let timeout = asked.map(|_| Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut waited, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => failure = Some(error.into()),
        }
        if waited[0].revents().is_empty() {
            continue;
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                if let Err(error) = hear(&buffer[..n]) {
                    failure.get_or_insert(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                failure.get_or_insert(error);
                let _ = kill_process_group(group, Signal::KILL);
                break;
            }
        }
    }
    let status = child.wait()?;
    match failure {
        Some(error) => Err(Stopped::Io(error)),
        None if cancel.is_set() && !status.success() => Err(Stopped::Cancelled),
        None => Ok(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FlockOperation, flock};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn whoever_asks_need_not_wait_and_nobody_is_left() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let lock = file.reopen().expect("it is there");
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("nobody has it");
        let cancel = Cancel::new();
        let mut heard = Vec::new();
        let ended = run(shell("echo ready; sleep 1000 & sleep 1000"), &lock, &cancel, &mut |bytes| {
            heard.extend_from_slice(bytes);
            cancel.set();
            Ok(())
        });
        assert!(matches!(ended, Err(Stopped::Cancelled)), "{ended:?}");
        assert_eq!(heard, b"ready\n");
        drop(lock);
        let again = file.reopen().expect("it is there");
        // the system closes the descriptors of a process that ends one after the other, the lock's behind its output's
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(flock(&again, FlockOperation::LockExclusive)));
        let locked = heard.recv_timeout(Duration::from_secs(60)).expect("no process holds the lock any more");
        locked.expect("it can be locked");
    }

    #[test]
    fn ends_are_told_apart() {
        let file = tempfile::tempfile().expect("a file");
        let cancel = Cancel::new();
        let status = run(shell("exit 3"), &file, &cancel, &mut |_| Ok(())).expect("it ended by itself");
        assert_eq!(status.code(), Some(3));
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let ended = run(shell("echo much; sleep 1000"), &file, &cancel, &mut |_| Err(full()));
        assert!(matches!(ended, Err(Stopped::Io(error)) if error.kind() == io::ErrorKind::StorageFull));
        cancel.set();
        let ended = run(shell("exit 0"), &file, &cancel, &mut |_| Ok(()));
        assert!(matches!(ended, Err(Stopped::Cancelled)));
    }
}
