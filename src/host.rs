//! What this host has at the moment.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plural::counted;

/// Memory that is available for new work, MiB (`MemAvailable` of `proc_meminfo(5)`); `None` where the system does not say.
pub fn available_memory_mib() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// As many open files as kregress asks for. Some programs close as many descriptors one by one when they start another.
const MOST_OPEN_FILES: u64 = 16_384;
/// What the command takes by itself.
const OWN_FILES: u64 = 32;
/// A guest, and the one that waits to be the next: channels, console, monitor, what is written of them.
const FILES_PER_GUEST: u64 = 16;
/// The locks of a kernel's images.
const FILES_PER_KERNEL: u64 = 2;
/// As many kernels as a large run has.
const SOME_KERNELS: u64 = 100;

/// Lets this process, and what it starts, have more open files (`RLIMIT_NOFILE`), where the hard limit permits that: the usual
/// 1024 are too few for a host with many processors.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(MOST_OPEN_FILES, |most| most.min(MOST_OPEN_FILES));
    if limit.current.is_some_and(|now| now < wanted) {
        // what is too little is said where it is known how much is needed
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

/// How many guests this process may have with the files that it may have open, if they are of not too many kernels.
pub fn most_guests() -> u32 {
    guests_with(getrlimit(Resource::Nofile).current)
}

fn guests_with(limit: Option<u64>) -> u32 {
    let left = |limit: u64| limit.saturating_sub(OWN_FILES + FILES_PER_KERNEL * SOME_KERNELS);
    limit.map_or(u32::MAX, |limit| u32::try_from(left(limit) / FILES_PER_GUEST).unwrap_or(u32::MAX))
}

/// Whether so many guests of so many kernels can be had with the files that this process may have open.
///
/// # Errors
/// They cannot; what the user can do.
pub fn open_files_suffice(guests: u32, kernels: usize) -> Result<(), String> {
    suffice(getrlimit(Resource::Nofile).current, guests, kernels)
}

fn suffice(limit: Option<u64>, guests: u32, kernels: usize) -> Result<(), String> {
    let needed = OWN_FILES + FILES_PER_GUEST * u64::from(guests) + FILES_PER_KERNEL * kernels as u64;
    match limit.filter(|limit| *limit < needed) {
        None => Ok(()),
        Some(limit) => Err(format!(
            "this process may have {limit} files open, and needs {needed} for {} at a time on {}: raise the limit (`ulimit -n \
             {needed}`), or take fewer at a time (-j)",
            counted(u64::from(guests), "guest"),
            counted(kernels as u64, "kernel"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_open_files_are_said_with_what_is_needed() {
        assert_eq!(suffice(None, 200, 400), Ok(()));
        assert_eq!(suffice(Some(50), 1, 1), Ok(()));
        let table = [(Some(49), 1, 1), (Some(1024), 64, 20)];
        let said: Vec<_> =
            table.map(|(limit, guests, kernels)| suffice(limit, guests, kernels).unwrap_err()).into();
        insta::assert_snapshot!(said.join("\n"), @r"
        this process may have 49 files open, and needs 50 for 1 guest at a time on 1 kernel: raise the limit (`ulimit -n 50`), or take fewer at a time (-j)
        this process may have 1024 files open, and needs 1096 for 64 guests at a time on 20 kernels: raise the limit (`ulimit -n 1096`), or take fewer at a time (-j)
        ");
    }

    #[test]
    fn as_many_guests_as_files_permit() {
        let table = [(None, u32::MAX), (Some(1024), 49), (Some(16_384), 1009), (Some(64), 0)];
        for (limit, guests) in table {
            assert_eq!(guests_with(limit), guests, "{limit:?}");
        }
    }

    #[test]
    fn reads_what_is_available() {
        let text = "MemTotal:       24607020 kB\nMemFree:         1048576 kB\nMemAvailable:   18000896 kB\n";
        assert_eq!(available(text), Some(17579));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
