//! Detectors that read the guest's kernel.

use std::fs;

use super::kmemleak::{Debugfs, Kmemleak};
use super::message::ProbeRequest;
use crate::observation::ProbeReading;

/// A detector between its reading before the dose and the one after it.
pub struct Probe {
    reading: ProbeReading,
    detector: Detector,
}

enum Detector {
    Slab {
        cache: String,
    },
    /// Absent: it does not work.
    Kmemleak(Option<Kmemleak<Debugfs>>),
}

impl Probe {
    /// Reads before the dose.
    pub fn start(request: &ProbeRequest) -> Probe {
        let mut reading = ProbeReading::default();
        let detector = match request {
            ProbeRequest::Slab { cache } => {
                reading.probe = "slab".into();
                reading.subject.clone_from(cache);
                match active(cache) {
                    Ok(objects) => reading.before = Some(objects),
                    Err(error) => reading.error = Some(error),
                }
                Detector::Slab { cache: cache.clone() }
            }
            ProbeRequest::Kmemleak => {
                reading.probe = "kmemleak".into();
                reading.subject = "leaked objects".into();
                let started = Kmemleak::start(Debugfs);
                match &started {
                    Ok(_) => reading.before = Some(0),
                    Err(error) => reading.error = Some(error.clone()),
                }
                Detector::Kmemleak(started.ok())
            }
        };
        Probe { reading, detector }
    }

    /// Reads after the dose.
    pub fn finish(mut self) -> ProbeReading {
        let after = match &mut self.detector {
            Detector::Slab { cache } => active(cache),
            Detector::Kmemleak(None) => return self.reading,
            Detector::Kmemleak(Some(kmemleak)) => kmemleak.finish().map(|leaked| {
                self.reading.leaks = leaked.origins;
                self.reading.leaks_cut = leaked.cut;
                leaked.objects as i64
            }),
        };
        match after {
            Ok(objects) => self.reading.after = Some(objects),
            Err(error) => self.reading.error = Some(error),
        }
        self.reading
    }
}

/// Active objects of the caches that match.
fn active(cache: &str) -> Result<i64, String> {
    shrink(cache);
    let text = fs::read_to_string("/proc/slabinfo").map_err(|e| format!("/proc/slabinfo: {e}"))?;
    active_objects(&text, cache).ok_or_else(|| format!("no slab cache named {cache} in /proc/slabinfo"))
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
