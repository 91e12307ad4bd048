//! Detectors that read the guest's kernel.

use std::fs;

use super::message::ProbeRequest;
use crate::observation::ProbeReading;

/// Takes one reading; an error says why there is none.
pub fn read(request: &ProbeRequest) -> Result<i64, String> {
    match request {
        ProbeRequest::Slab { cache } => {
            shrink(cache);
            let text = fs::read_to_string("/proc/slabinfo").map_err(|e| format!("/proc/slabinfo: {e}"))?;
            active_objects(&text, cache)
                .ok_or_else(|| format!("no slab cache named {cache} in /proc/slabinfo"))
        }
    }
}

/// A reading to which nothing was compared yet.
pub fn start(request: &ProbeRequest) -> ProbeReading {
    let (probe, subject) = match request {
        ProbeRequest::Slab { cache } => ("slab", cache),
    };
    let mut reading = ProbeReading {
        probe: probe.into(),
        subject: subject.clone(),
        before: None,
        after: None,
        error: None,
    };
    match read(request) {
        Ok(value) => reading.before = Some(value),
        Err(error) => reading.error = Some(error),
    }
    reading
}

/// Completes a reading after the dose.
pub fn finish(request: &ProbeRequest, reading: &mut ProbeReading) {
    match read(request) {
        Ok(value) => reading.after = Some(value),
        Err(error) => reading.error = Some(error),
    }
}

/// Gives free objects of partial slabs back first, so that they are not counted as active
/// (`/sys/kernel/slab/CACHE/shrink`, kernel documentation `ABI/testing/sysfs-kernel-slab`).
fn shrink(pattern: &str) {
    let Ok(entries) = fs::read_dir("/sys/kernel/slab") else { return };
    for entry in entries.flatten() {
        if matches(pattern, &entry.file_name().to_string_lossy()) {
            let _ = fs::write(entry.path().join("shrink"), "1");
        }
    }
}

/// Sums the second column (active objects) of the caches that match. Format: `slabinfo(5)`.
fn active_objects(slabinfo: &str, pattern: &str) -> Option<i64> {
    let mut found = None;
    for line in slabinfo.lines() {
        let mut columns = line.split_whitespace();
        let (Some(name), Some(active)) = (columns.next(), columns.next()) else { continue };
        if matches(pattern, name)
            && let Ok(active) = active.parse::<i64>()
        {
            *found.get_or_insert(0) += active;
        }
    }
    found
}

fn matches(pattern: &str, name: &str) -> bool {
    globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLABINFO: &str = "slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
kmalloc-rnd-01-192   40    42    192   21    1 : tunables    0    0    0 : slabdata      2      2      0
kmalloc-192        1035   1050    192   21    1 : tunables    0    0    0 : slabdata     50     50      0
kmalloc-1k          384    384   1024    8    2 : tunables    0    0    0 : slabdata     48     48      0
";

    #[test]
    fn active_objects_are_summed_over_the_pattern() {
        assert_eq!(active_objects(SLABINFO, "kmalloc-192"), Some(1035));
        assert_eq!(active_objects(SLABINFO, "kmalloc*-192"), Some(1075));
        assert_eq!(active_objects(SLABINFO, "kmalloc-96"), None);
    }
}
