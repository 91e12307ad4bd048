//! Detectors that read the guest's kernel.

use std::time::Instant;

use super::kmemleak::{Debugfs, Kmemleak};
use super::slab::{Kernel, Slab};
use guest_protocol::probe::{ProbeReading, ProbeRequest};
use guest_protocol::slab::SlabCaches;

/// What a detector has to know of the dose that is over.
#[derive(Clone, Copy, Debug)]
pub struct Dose {
    /// When the program ended.
    pub over: Instant,
    /// What it reported.
    pub iterations: Option<u64>,
    /// Processes that it left behind and that do not end: they may hold what is counted.
    pub left_running: usize,
}

/// A detector between its reading before the dose and the one after it.
pub struct Probe {
    reading: ProbeReading,
    detector: Detector,
}

/// Absent: it does not work.
enum Detector {
    Slab { slab: Option<Slab<Kernel>>, leak_per_1000: u64 },
    Kmemleak(Option<Kmemleak<Debugfs>>),
}

impl Probe {
    /// Reads before the dose.
    pub fn start(request: &ProbeRequest) -> Probe {
        let mut reading = ProbeReading::default();
        let detector = match request {
            ProbeRequest::Slab { caches, leak_per_1000 } => {
                reading.probe = "slab".into();
                reading.subject = caches.to_string();
                let slab = keep(&mut reading, Slab::start(Kernel::open(), caches));
                Detector::Slab { slab, leak_per_1000: *leak_per_1000 }
            }
            ProbeRequest::Kmemleak => {
                reading.probe = "kmemleak".into();
                reading.subject = "leaked objects".into();
                let started = Debugfs::open().and_then(Kmemleak::start);
                Detector::Kmemleak(keep(&mut reading, started.map(|started| (started, 0))))
            }
        };
        Probe { reading, detector }
    }

    /// What was read before the dose.
    pub fn reading(&self) -> &ProbeReading {
        &self.reading
    }

    /// Reads after the dose.
    pub fn finish(mut self, dose: Dose) -> ProbeReading {
        if dose.left_running > 0 {
            self.reading.error = Some(format!(
                "{} processes of the program do not end, and may hold what is counted",
                dose.left_running
            ));
            return self.reading;
        }
        let after = match &mut self.detector {
            Detector::Slab { slab: None, .. } | Detector::Kmemleak(None) => return self.reading,
            Detector::Slab { slab: Some(slab), leak_per_1000 } => {
                slab.dose_is_over(dose.over);
                let per_iteration = *leak_per_1000 as f64 / 1000.0;
                let doubtful = SlabCaches::doubtful_growth(per_iteration, dose.iterations);
                slab.finish(doubtful).map(|(objects, rows)| {
                    self.reading.slab = rows;
                    objects
                })
            }
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

/// Keeps what a detector read before the dose, or why it could not.
fn keep<D>(reading: &mut ProbeReading, started: Result<(D, i64), String>) -> Option<D> {
    match started {
        Ok((detector, objects)) => {
            reading.before = Some(objects);
            Some(detector)
        }
        Err(error) => {
            reading.error = Some(error);
            None
        }
    }
}
