//! Questions about attempts that ended before the dose. What happens there says nothing about the test, and is tried
//! again, unless the test asked for something that this kernel refuses.

use super::super::detection;
use super::super::detectors::{Detectors, When};
use super::super::environment::Culprit;
use super::super::{Judgement, Verdict};
use super::{Evidence, crashes};
use crate::guest::LAST_WORDS;
use crate::observation::{Ending, Observation, SetupFailure, Stopped};
use crate::oops::ReportKind;

fn lost(reason: String) -> Option<Judgement> {
    Some(Judgement::new(Verdict::Lost, false).because(reason))
}

pub(super) fn emulators_fault(evidence: &Evidence<'_>) -> Option<Judgement> {
    let report = evidence.emulators_fault?;
    lost(format!("during {} {}", evidence.seen.phase.word(), super::emulators_fault(&report.title)))
}

pub(super) fn not_the_kernel(evidence: &Evidence<'_>) -> Option<Judgement> {
    let (report, blamed) = evidence.blamed.first()?;
    let (title, phase) = (&report.title, evidence.seen.phase.word());
    lost(match blamed {
        Culprit::Clock => super::ran_away(evidence.seen, title),
        Culprit::Host => format!("the host was too busy to emulate a timer in time: {title}"),
        Culprit::Memory => format!("the guest ran out of memory during {phase}: {title}"),
        Culprit::Init | Culprit::Emulator => {
            format!("the kernel had no init to run during {phase}: {title}")
        }
    })
}

pub(super) fn panicked_or_hung(evidence: &Evidence<'_>) -> Option<Judgement> {
    let mut sound = evidence.before.iter().filter(|report| !report.suppressed);
    let report = sound.find(|report| report.panicked || report.kind == ReportKind::Hang)?;
    Some(crashes::broken_before(report, evidence.seen))
}

pub(super) fn step_failed(evidence: &Evidence<'_>) -> Option<Judgement> {
    let failure = evidence.seen.setup_failure.as_ref()?;
    match failure {
        SetupFailure::Check { .. } | SetupFailure::Channel { .. } => lost(failure.to_string()),
        SetupFailure::Module { .. }
        | SetupFailure::Sysctl { .. }
        | SetupFailure::File { .. }
        | SetupFailure::Disk { .. }
        | SetupFailure::Userland { .. }
        | SetupFailure::Program { .. } => super::blind(failure.to_string()),
    }
}

/// The attempt was ended for that, so it is not tried again. A detector that this guest never had is an unmet need.
pub(super) fn undetectable(evidence: &Evidence<'_>) -> Option<Judgement> {
    let seen = evidence.seen;
    if seen.ending != Ending::Stopped(Stopped::Undetectable) {
        return None;
    }
    let detectors = Detectors::of(seen, &evidence.before);
    let off = detection::undetectable(&evidence.test.symptom, seen, &detectors)?;
    let verdict = if off.when == When::Never { Verdict::Skip } else { Verdict::Blind };
    super::dosed(verdict, off.reason)
}

pub(super) fn ended(evidence: &Evidence<'_>) -> Option<Judgement> {
    let seen = evidence.seen;
    let phase = seen.phase.word();
    lost(match &seen.ending {
        Ending::NotStarted { detail } | Ending::QemuDied { detail } => detail.clone(),
        Ending::Stopped(Stopped::BootTimeout { limit }) => {
            format!("no word from the agent within {limit:.0} s of boot{}", last_line(seen))
        }
        Ending::Stopped(Stopped::Silent { seconds }) => {
            format!("the agent fell silent for {seconds:.0} s during {phase}{}", last_line(seen))
        }
        Ending::GuestReset => match agents_last_words(seen) {
            Some(words) => format!("during {phase} {words}"),
            None => format!("the guest restarted during {phase} without a crash report{}", last_line(seen)),
        },
        Ending::Stopped(_) | Ending::Complete => {
            format!("the attempt ended during {phase}{}", last_line(seen))
        }
    })
}

/// What the agent said on the console when it gave up.
fn agents_last_words(seen: &Observation) -> Option<String> {
    let text = String::from_utf8_lossy(&seen.console.text);
    let words = &text[text.rfind(LAST_WORDS)?..];
    let words = words.lines().next()?.trim_start_matches("kregress: ");
    Some(words.trim().chars().take(300).collect())
}

/// The console's last line, for reasons.
fn last_line(seen: &Observation) -> String {
    let text = String::from_utf8_lossy(&seen.console.text[seen.console.text.len().saturating_sub(4096)..])
        .into_owned();
    let line =
        text.lines().map(str::trim).rfind(|l| !l.is_empty()).map(|l| l.chars().take(160).collect::<String>());
    match line {
        Some(line) => format!("; the console ends with {line:?}"),
        None => "; the console is empty".to_owned(),
    }
}
