//! What a process has taken of the host's processors.

use std::time::Duration;

/// The time of all threads of a process, in user mode and in the kernel; also of one that has ended, until it is waited for.
/// `None`: there is no such process.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    ticks(&stat).map(|ticks| Duration::from_secs_f64(ticks as f64 / ticks_per_second as f64))
}

/// `utime` and `stime` of a line of `/proc/PID/stat` (proc(5): fields 14 and 15). The second field is the program's name in
/// parentheses, which may have spaces and parentheses itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_stand_behind_the_name() {
        let stat = "77 (a (b) c) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 3 0 12345 1000 10";
        assert_eq!(ticks(stat), Some(300));
        for damaged in ["", "77 (a", "77 (a) S 1 2 3", "77 (a) S 1 77 77 0 -1 4194560 100 0 0 0 x 50"] {
            assert_eq!(ticks(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn a_process_that_works_has_taken_some() {
        let own = std::process::id();
        while processor_time(own).expect("this process").is_zero() {
            std::hint::black_box((0..1_000_000_u64).sum::<u64>());
        }
        assert_eq!(processor_time(u32::MAX), None);
    }
}
