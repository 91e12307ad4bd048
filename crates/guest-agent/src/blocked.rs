//! Evidence of a hang: which tasks are blocked, and where.

use std::fs::{self, File};
use std::io::Read;

use guest_protocol::blocked::BlockedTask;

/// The most tasks that are reported; a storm of blocked tasks repeats itself.
const MOST: usize = 64;

/// The longest line of `/proc/PID/stat` that is read, bytes. It has some fifty numbers and a name of at most 64 bytes.
const LONGEST: usize = 2048;

/// Tasks in uninterruptible sleep with their kernel stacks, from `/proc/PID/stat` and `/proc/PID/stack`.
/// Kernel threads that idle in that state (`I` in newer kernels) are not among them.
pub fn tasks() -> Vec<BlockedTask> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    // every attempt does this twice: each file is one read, and the folder of threads is left alone where there is one
    let mut line = [0; LONGEST];
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Some(stat) = read(&format!("/proc/{pid}/stat"), &mut line) else { continue };
        if is_single(stat) {
            found.extend(blocked(pid, stat, &format!("/proc/{pid}/stack")));
        } else {
            for thread in fs::read_dir(entry.path().join("task")).into_iter().flatten().flatten() {
                let Some(stat) = read(&thread.path().join("stat").to_string_lossy(), &mut line) else {
                    continue;
                };
                let tid = thread.file_name().to_str().and_then(|n| n.parse().ok()).unwrap_or(pid);
                found.extend(blocked(tid, stat, &thread.path().join("stack").to_string_lossy()));
            }
        }
        if found.len() >= MOST {
            found.truncate(MOST);
            return found;
        }
    }
    found
}

/// The line that a file of `/proc` holds.
fn read<'a>(path: &str, line: &'a mut [u8]) -> Option<&'a str> {
    let length = File::open(path).ok()?.read(line).ok()?;
    str::from_utf8(&line[..length]).ok()
}

/// The task of this `/proc/PID/stat` line, if it is blocked.
fn blocked(pid: u32, stat: &str, stack: &str) -> Option<BlockedTask> {
    let (comm, 'D') = comm_and_state(stat)? else { return None };
    let stack = fs::read_to_string(stack).unwrap_or_default();
    Some(BlockedTask { pid, comm: comm.to_owned(), stack: functions(&stack) })
}

/// Whether a `/proc/PID/stat` line is of a process with one thread, whose state is then that of the process. Field 20
/// (`num_threads`) of `proc(5)`.
fn is_single(stat: &str) -> bool {
    const BEHIND_THE_NAME: usize = 20 - 3;
    let numbers = stat.rfind(')').map_or("", |close| &stat[close + 1..]);
    numbers.split_whitespace().nth(BEHIND_THE_NAME) == Some("1")
}

/// Has the kernel print the stacks of blocked tasks on the console (sysrq `w`, kernel documentation `sysrq`).
pub fn print_on_console() {
    let _ = fs::write("/proc/sys/kernel/sysrq", "1");
    let _ = fs::write("/proc/sysrq-trigger", "w");
}

/// Name and state from a `/proc/PID/stat` line; the name may hold blanks and parentheses. Format: `proc(5)`.
fn comm_and_state(stat: &str) -> Option<(&str, char)> {
    let open = stat.find('(')?;
    let close = stat.rfind(')')?;
    let state = stat.get(close + 1..)?.trim_start().chars().next()?;
    Some((stat.get(open + 1..close)?, state))
}

/// Function names of a `/proc/PID/stack` text: `[<0>] msleep+0x2d/0x40`.
fn functions(stack: &str) -> Vec<String> {
    stack
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(|f| f.split('+').next().unwrap_or(f).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_names_may_hold_anything() {
        assert_eq!(comm_and_state("12 (kworker/0:1) D 2 0"), Some(("kworker/0:1", 'D')));
        assert_eq!(comm_and_state("12 (a) D (b) S 2 0"), Some(("a) D (b", 'S')));
        assert_eq!(comm_and_state("garbage"), None);
    }

    #[test]
    fn a_single_thread_is_known_by_its_count() {
        let line = |threads: u32| {
            format!(
                "12 (a b) c) S 1 12 12 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 {threads} 0 24 0 0 18446744073709551615"
            )
        };
        assert!(is_single(&line(1)));
        assert!(!is_single(&line(12)));
        assert!(!is_single("garbage"));
    }

    #[test]
    fn a_task_of_this_process_is_read() {
        let line = &mut [0; LONGEST];
        let stat = read(&format!("/proc/{}/stat", std::process::id()), line).expect("the line");
        assert!(
            stat.starts_with(&std::process::id().to_string()) && comm_and_state(stat).is_some(),
            "{stat}"
        );
    }

    #[test]
    fn stacks_are_reduced_to_functions() {
        assert_eq!(
            functions("[<0>] rsi_mac80211_stop+0x2d/0x40 [rsi_91x]\n[<0>] drv_stop+0x1/0x2\n"),
            ["rsi_mac80211_stop", "drv_stop"]
        );
    }
}
