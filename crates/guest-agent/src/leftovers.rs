//! Ends what a program left running, before leaks are counted: what a process holds is not lost.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags, open, openat};
use rustix::process::{Pid, Signal, kill_process};

/// How long processes may take to end. One that waits in the kernel may never.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often they are looked for.
const EVERY: Duration = Duration::from_millis(10);

/// `/proc`, opened before the program runs.
pub struct Processes(OwnedFd);

impl Processes {
    /// Opens it.
    ///
    /// # Errors
    /// There is none.
    pub fn open() -> io::Result<Processes> {
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Processes(open("/proc", directory, Mode::empty())?))
    }

    /// Ends all processes but this one and the kernel's own; answers how many are still there.
    pub fn end_all(&self) -> usize {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = self.running();
            if left.is_empty() || Instant::now() >= end {
                return left.len();
            }
            for process in left {
                let _ = kill_process(process, Signal::KILL);
            }
            std::thread::sleep(EVERY);
        }
    }

    /// Whether there are processes besides this one and the kernel's own.
    pub fn any(&self) -> bool {
        !self.running().is_empty()
    }

    fn running(&self) -> Vec<Pid> {
        let own = rustix::process::getpid();
        let entries = Dir::read_from(&self.0).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| {
            let pid = entry.file_name().to_str().ok()?.parse().ok()?;
            Pid::from_raw(pid).filter(|pid| *pid != own)
        });
        pids.filter(|pid| self.stat(*pid).is_some_and(|stat| runs(&stat))).collect()
    }

    fn stat(&self, pid: Pid) -> Option<String> {
        let path = format!("{}/stat", pid.as_raw_nonzero());
        let file = openat(&self.0, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = Vec::new();
        File::from(file).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Whether `/proc/PID/stat` is of a program that has not ended (`proc_pid_stat(5)`: state and flags are the third and the
/// ninth field, behind a name that may hold anything).
fn runs(stat: &str) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let mut fields = fields.split_whitespace();
    let ended = fields.next().is_none_or(|state| matches!(state, "Z" | "X"));
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok()).unwrap_or(PF_KTHREAD);
    !ended && flags & PF_KTHREAD == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_threads_of_the_kernel() {
        let table = [
            ("77 (sh) S 1 77 77 0 -1 4194560 109 0", true),
            ("77 (a) b) R 1 77 77 0 -1 4194560 109 0", true),
            ("77 (sh) D 1 77 77 0 -1 4194560 109 0", true),
            ("77 (sh) Z 1 77 77 0 -1 4194564 109 0", false),
            ("12 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0", false),
            ("77 (sh) S 1", false),
            ("", false),
        ];
        for (stat, expected) in table {
            assert_eq!(runs(stat), expected, "{stat}");
        }
        // this process is not ended by itself
        let processes = Processes::open().expect("a /proc");
        let own = processes.stat(rustix::process::getpid()).expect("a process");
        assert!(runs(&own), "{own}");
        assert!(!processes.running().contains(&rustix::process::getpid()));
    }
}
