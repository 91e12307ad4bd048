//! What this host has at the moment.

/// Memory that is available for new work, MiB (`MemAvailable` of `proc_meminfo(5)`); `None` where the system does not say.
pub fn available_memory_mib() -> Option<u64> {
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_available() {
        let text = "MemTotal:       24607020 kB\nMemFree:         1048576 kB\nMemAvailable:   18000896 kB\n";
        assert_eq!(available(text), Some(17579));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
