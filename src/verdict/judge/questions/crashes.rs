//! Questions about the symptom and the kernel's reports.

use super::super::detection::{self, Detection, part_in_reports};
use super::super::{Judgement, Verdict, shows_symptom};
use super::memory::is_exhaustion;
use super::{Evidence, blind, dosed};
use crate::observation::Observation;
use crate::oops::{Report, ReportKind};

/// What lockdep says where one of its tables is full (`kernel/locking/lockdep.c`): it looks no more, and the kernel is as
/// good as before. More locks held at once than it has room for may be a defect.
const LOCKDEP_IS_FULL: &[&str] = &[
    "BUG: MAX_LOCKDEP_ENTRIES too low",
    "BUG: MAX_LOCKDEP_CHAINS too low",
    "BUG: MAX_LOCKDEP_CHAIN_HLOCKS too low",
    "BUG: MAX_LOCKDEP_KEYS too low",
    "BUG: MAX_STACK_TRACE_ENTRIES too low",
];

pub(super) fn broke_before(evidence: &Evidence<'_>) -> Option<Judgement> {
    let mut sound = evidence.before.iter().filter(|report| !report.suppressed);
    Some(broken_before(sound.find(|report| breaks_the_kernel(report))?, evidence.seen))
}

pub(super) fn symptom(evidence: &Evidence<'_>) -> Option<Judgement> {
    match &evidence.detection {
        Detection::Seen(title) => Some(Judgement::new(Verdict::Bad, true).title(title)),
        Detection::NotSeen | Detection::Unknown(_) => None,
    }
}

pub(super) fn symptom_before(evidence: &Evidence<'_>) -> Option<Judgement> {
    let title = part_in_reports(&evidence.test.symptom, &evidence.before)?;
    let place = match evidence.seen.console.dose_start {
        Some(_) => "before the dose began",
        None => "at an unknown moment, the dose's beginning is not on it",
    };
    blind(format!("the symptom was on the console {place} ({title})"))
}

pub(super) fn other_report(evidence: &Evidence<'_>) -> Option<Judgement> {
    // of a symptom with several signs the others were not looked at where the guest's clock ran away
    let is_part = |report: &Report| {
        evidence.seen.runaway_clock().is_some()
            && part_in_reports(&evidence.test.symptom, &[report]).is_some()
    };
    let is_other =
        |report: &&&Report| is_defect(report) && open(evidence, report).is_none() && !is_part(report);
    let report = evidence.during.iter().find(is_other)?;
    let damaged = if report.corrupted { "; the report is damaged" } else { "" };
    let judgement = Judgement::new(Verdict::Other, true).title(&report.title);
    Some(judgement.because(format!("not this test's symptom{damaged}")))
}

/// Whether a report speaks of a defect of the kernel, and not of a guest without memory or of a table that is full.
pub(in crate::verdict::judge) fn is_defect(report: &Report) -> bool {
    let is_full = LOCKDEP_IS_FULL.iter().any(|start| report.title.starts_with(start));
    !is_exhaustion(report) && !is_full
}

pub(super) fn left_open(evidence: &Evidence<'_>) -> Option<Judgement> {
    blind(evidence.during.iter().find_map(|report| open(evidence, report))?)
}

fn open(evidence: &Evidence<'_>, report: &Report) -> Option<String> {
    detection::left_open(&evidence.test.symptom, evidence.seen, report)
}

pub(super) fn emulators_fault(evidence: &Evidence<'_>) -> Option<Judgement> {
    let report = evidence.emulators_fault?;
    // where this fault looks like the symptom, another attempt may miss what this one could not tell
    let verdict = match shows_symptom(evidence.test, report) {
        true => Verdict::Blind,
        false => Verdict::Lost,
    };
    dosed(verdict, super::emulators_fault(&report.title))
}

pub(super) fn unsound(evidence: &Evidence<'_>) -> Option<Judgement> {
    let report = evidence.unsound.first()?;
    blind(format!("the machine was not sound, so this proves nothing: {}", report.title))
}

pub(super) fn detector_unsure(evidence: &Evidence<'_>) -> Option<Judgement> {
    match &evidence.detection {
        Detection::Unknown(reason) => blind(reason),
        Detection::Seen(_) | Detection::NotSeen => None,
    }
}

/// A kernel that broke before the dose says nothing about the test, whatever came after.
pub(super) fn broken_before(report: &Report, seen: &Observation) -> Judgement {
    let reason = match (seen.program.started, seen.console.dose_start) {
        (true, None) => "the dose's beginning is not on the console, so this may have come before it",
        _ => "before the test started",
    };
    Judgement::new(Verdict::Other, false).title(&report.title).because(reason)
}

/// Whether a kernel is not to be trusted after this report, even where it goes on.
fn breaks_the_kernel(report: &Report) -> bool {
    matches!(
        report.kind,
        ReportKind::Bug
            | ReportKind::DoS
            | ReportKind::NullDeref
            | ReportKind::MemorySafetyBug
            | ReportKind::Reboot
    )
}
