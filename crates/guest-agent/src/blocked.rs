//! Evidence of a hang: which tasks are blocked, and where.

use std::fs;

use guest_protocol::blocked::BlockedTask;

/// The most tasks that are reported; a storm of blocked tasks repeats itself.
const MOST: usize = 64;

/// Tasks in uninterruptible sleep with their kernel stacks, from `/proc/PID/stat` and `/proc/PID/stack`.
/// Kernel threads that idle in that state (`I` in newer kernels) are not among them.
pub fn tasks() -> Vec<BlockedTask> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(threads) = fs::read_dir(entry.path().join("task")) else { continue };
        for thread in threads.flatten() {
            let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { continue };
            let Some((comm, 'D')) = comm_and_state(&stat) else { continue };
            let stack = fs::read_to_string(thread.path().join("stack")).unwrap_or_default();
            let tid = thread.file_name().to_str().and_then(|n| n.parse().ok()).unwrap_or(pid);
            found.push(BlockedTask { pid: tid, comm: comm.to_owned(), stack: functions(&stack) });
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
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
    fn stacks_are_reduced_to_functions() {
        assert_eq!(
            functions("[<0>] rsi_mac80211_stop+0x2d/0x40 [rsi_91x]\n[<0>] drv_stop+0x1/0x2\n"),
            ["rsi_mac80211_stop", "drv_stop"]
        );
    }
}
