//! What one attempt gave, sorted once for all questions.

use super::detection::{Detection, evaluate};
use super::detectors::Detectors;
use super::environment::{Culprit, blamed};
use super::questions::is_exhaustion;
use crate::observation::{Observation, ProgramRun};
use crate::oops::Report;
use crate::suite::Test;

/// The evidence of one attempt.
pub(super) struct Evidence<'a> {
    pub test: &'a Test,
    pub seen: &'a Observation,
    /// Whether the dose was begun, by the agent's word or by its mark on the console.
    pub begun: bool,
    /// The kernel's own reports before the dose; all of them where the console does not show its beginning, because
    /// then nothing tells which of them the dose caused.
    pub before: Vec<&'a Report>,
    /// The kernel's own reports of the dose.
    pub during: Vec<&'a Report>,
    /// Reports of the dose that say that the machine is not sound.
    pub unsound: Vec<&'a Report>,
    /// Reports that are not the kernel's, because its init ended or the host was too busy.
    pub blamed: Vec<(&'a Report, Culprit)>,
    /// The first report that QEMU is to blame for. Its kernel was made to crash: what it printed from then on is in
    /// none of these lists.
    pub emulators_fault: Option<&'a Report>,
    /// Reports of the dose that are known to do no harm, and are in none of these lists.
    pub allowed: usize,
    /// Whether the symptom was seen, in reports of the dose and everything else.
    pub detection: Detection,
}

impl<'a> Evidence<'a> {
    /// Sorts the evidence; `reports` are those of the console.
    pub fn of(test: &'a Test, seen: &'a Observation, reports: &'a [Report], allowed: usize) -> Evidence<'a> {
        let dose_start = seen.console.dose_start.unwrap_or(usize::MAX);
        let mut evidence = Evidence {
            test,
            seen,
            begun: seen.program.started || seen.console.dose_start.is_some(),
            before: Vec::new(),
            during: Vec::new(),
            unsound: Vec::new(),
            blamed: Vec::new(),
            emulators_fault: None,
            allowed,
            detection: Detection::NotSeen,
        };
        for report in reports {
            let before = report.start < dose_start;
            match blamed(report, seen) {
                Some(Culprit::Emulator) => {
                    evidence.emulators_fault = Some(report);
                    break;
                }
                Some(other) => evidence.blamed.push((report, other)),
                None if before && is_exhaustion(report) => evidence.blamed.push((report, Culprit::Memory)),
                None if before => evidence.before.push(report),
                None if report.suppressed => evidence.unsound.push(report),
                None => evidence.during.push(report),
            }
        }
        let detectors = Detectors::of(seen, &evidence.before);
        let hurried = seen.runaway_clock().map(|_| without_readings(seen));
        let seen = hurried.as_ref().unwrap_or(seen);
        evidence.detection = evaluate(&test.symptom, seen, &evidence.during, &detectors);
        evidence
    }
}

/// What remains of an attempt whose guest's clock ran away: crash reports. What a program says and what is read twice may come of
/// time that was none.
fn without_readings(seen: &Observation) -> Observation {
    let program = ProgramRun { started: seen.program.started, ..ProgramRun::default() };
    Observation { program, probes: Vec::new(), blocked: Vec::new(), ..seen.clone() }
}
