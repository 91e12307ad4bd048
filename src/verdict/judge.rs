//! What one attempt means.

mod environment;
mod leaks;
mod sight;
#[cfg(test)]
mod tests;

use super::Verdict;
use crate::guest::agent::MARK_PARTS;
use crate::observation::{Ending, Exit, Observation, Phase, ProgramReport, SetupFailure, Stopped};
use crate::oops::{Report, ReportKind};
use crate::suite::{Symptom, Test};
use environment::{Blamed, before_emulators_fault, blamed, emulators_fault};
use sight::{Sight, look, part_in_reports};

pub use leaks::unrelated_leaks;
pub use sight::likeness_told;

/// The exit code by which a program says that a need is not met (`suites/README.md`, as automake's).
const EXIT_SKIP: i32 = 77;

/// What the kernel prints in place of messages that were written over before the console could take them
/// (`console_prepend_dropped()`).
const DROPPED: &[u8] = b" printk messages dropped **";

/// What one attempt alone says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The symptom's or the other crash's title.
    pub title: Option<String>,
    /// Why, where a title does not say it.
    pub reason: Option<String>,
    /// Whether the dose was begun: what happened before says nothing about the test and is worth another attempt.
    pub dosed: bool,
}

impl Judgement {
    fn new(verdict: Verdict, dosed: bool) -> Judgement {
        Judgement { verdict, title: None, reason: None, dosed }
    }

    fn title(mut self, title: impl Into<String>) -> Judgement {
        self.title = Some(title.into());
        self
    }

    fn because(mut self, reason: impl Into<String>) -> Judgement {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what was found out about the cause to the reason. The verdict does not depend on it.
    pub fn explain(&mut self, findings: &[String]) {
        let reasons = self.reason.take().into_iter().chain(findings.iter().cloned());
        self.reason = Some(reasons.collect::<Vec<_>>().join("; ")).filter(|reason| !reason.is_empty());
    }

    /// A judgement about an attempt that could not even be asked for.
    pub fn unprepared(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Blind, true).because(reason)
    }

    /// A judgement about an attempt that the host could not make ready for.
    pub fn not_ready(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Lost, false).because(reason)
    }

    /// A judgement about a kernel that lacks what the test needs.
    pub fn skipped(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Skip, true).because(reason)
    }
}

/// Judges one attempt by what was observed and by the crash reports of its console.
pub fn judge(test: &Test, seen: &Observation, reports: &[Report]) -> Judgement {
    if seen.ending == Ending::Stopped(Stopped::Cancelled) {
        return Judgement::new(Verdict::Lost, false).because("interrupted");
    }
    if !seen.program.started && seen.console.dose_start.is_none() {
        return before_the_dose(seen, reports);
    }
    let (sound, fault) = before_emulators_fault(reports, seen);
    // without the mark nothing tells which report the dose caused: none is taken for the test's
    let dose_start = seen.console.dose_start.unwrap_or(usize::MAX);
    let (before, during): (Vec<&Report>, Vec<&Report>) =
        sound.iter().filter(|r| blamed(r, seen).is_none()).partition(|r| r.start < dose_start);
    let (unsound, during): (Vec<&Report>, Vec<&Report>) = during.into_iter().partition(|r| r.suppressed);

    if let Some(report) = before.iter().find(|r| !r.suppressed && breaks_the_kernel(r)) {
        return broken_before(report, seen);
    }
    let sight = look(&test.symptom, seen, &during);
    if let Sight::Seen(title) = sight {
        return Judgement::new(Verdict::Bad, true).title(title);
    }
    if let Some(title) = part_in_reports(&test.symptom, &before) {
        let place = match seen.console.dose_start {
            Some(_) => "before the dose began",
            None => "at an unknown moment, the dose's beginning is not on it",
        };
        let reason = format!("the symptom was on the console {place} ({title})");
        return Judgement::new(Verdict::Blind, true).because(reason);
    }
    if let Some(report) = during.first() {
        let reason = format!(
            "not this test's symptom{}",
            if report.corrupted { "; the report is damaged" } else { "" }
        );
        return Judgement::new(Verdict::Other, true).title(&report.title).because(reason);
    }
    if let Some(fault) = fault {
        // where this fault looks like the symptom, another attempt may miss what this one could not tell
        let verdict = match shows_symptom(test, fault) {
            true => Verdict::Blind,
            false => Verdict::Lost,
        };
        return Judgement::new(verdict, true).because(emulators_fault(fault));
    }
    let judged = match unsound.first() {
        Some(report) => Err((
            Verdict::Blind,
            format!("the machine was not sound, so this proves nothing: {}", report.title),
        )),
        None => without_crash(test, seen, reports, &sight),
    };
    match judged {
        Ok(()) => Judgement::new(Verdict::Good, true),
        Err((verdict, reason)) => Judgement::new(verdict, true).because(reason),
    }
}

/// Whether a crash report shows the symptom or any part of it, or may be a damaged remnant that does.
pub fn shows_symptom(test: &Test, report: &Report) -> bool {
    part_in_reports(&test.symptom, &[report]).is_some()
}

/// A kernel that broke before the dose says nothing about the test, whatever came after.
fn broken_before(report: &Report, seen: &Observation) -> Judgement {
    let reason = match (seen.program.started, seen.console.dose_start) {
        (true, None) => "the dose's beginning is not on the console, so this may have come before it",
        _ => "before the test started",
    };
    Judgement::new(Verdict::Other, false).title(&report.title).because(reason)
}

fn before_the_dose(seen: &Observation, reports: &[Report]) -> Judgement {
    let (sound, fault) = before_emulators_fault(reports, seen);
    let counted = || sound.iter().filter(|r| !r.suppressed && blamed(r, seen).is_none());
    if let Some(report) = counted().find(|r| breaks_the_kernel(r)) {
        return broken_before(report, seen);
    }
    let phase = seen.phase.word();
    let lost = |reason: String| Judgement::new(Verdict::Lost, false).because(reason);
    if let Some(fault) = fault {
        return lost(format!("during {phase} {}", emulators_fault(fault)));
    }
    if let Some((report, blamed)) = sound.iter().find_map(|r| Some((r, blamed(r, seen)?))) {
        let title = &report.title;
        return lost(match blamed {
            Blamed::Host => format!("the host was too busy to emulate a timer in time: {title}"),
            _ => format!("the kernel had no init to go on with during {phase}: {title}"),
        });
    }
    if let Some(report) = counted().find(|r| r.panicked || r.kind == ReportKind::Hang) {
        return broken_before(report, seen);
    }
    if let Some(failure) = &seen.setup_failure {
        let verdict = match failure {
            SetupFailure::Check { .. } | SetupFailure::Channel { .. } => Verdict::Lost,
            _ => Verdict::Blind,
        };
        let dosed = verdict == Verdict::Blind;
        return Judgement::new(verdict, dosed).because(failure.to_string());
    }
    let reason = match &seen.ending {
        Ending::NotStarted { detail } => detail.clone(),
        Ending::QemuDied { detail } => detail.clone(),
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
    };
    lost(reason)
}

/// What the agent said on the console when it gave up.
fn agents_last_words(seen: &Observation) -> Option<String> {
    let text = String::from_utf8_lossy(&seen.console.text);
    let words = &text[text.rfind(&MARK_PARTS.concat())?..];
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

/// What an attempt without symptom and without crash report means: `Ok` only if the whole dose ran under working
/// detectors.
fn without_crash(
    test: &Test,
    seen: &Observation,
    reports: &[Report],
    sight: &Sight,
) -> Result<(), (Verdict, String)> {
    let blind = |reason: String| Err((Verdict::Blind, reason));
    if let Some(failure) = &seen.setup_failure {
        return blind(failure.to_string());
    }
    for report in &seen.program.reports {
        match report {
            ProgramReport::Skip(reason) => return Err((Verdict::Skip, reason.clone())),
            ProgramReport::Blind(reason) => return blind(format!("the program could not judge: {reason}")),
            _ => {}
        }
    }
    match &seen.ending {
        Ending::Complete => {}
        Ending::QemuDied { detail } | Ending::NotStarted { detail } => {
            return Err((Verdict::Lost, detail.clone()));
        }
        Ending::GuestReset => {
            return blind(match reports.iter().find(|r| blamed(r, seen).is_some()) {
                Some(report) => {
                    format!("the guest's init was ended during {}: {}", seen.phase.word(), report.title)
                }
                None => format!(
                    "the guest restarted or powered off during {}, and its console shows no crash",
                    seen.phase.word()
                ),
            });
        }
        Ending::Stopped(Stopped::Terminate { limit }) => {
            let what = if seen.phase > Phase::Dose {
                "the guest did not finish after the program's end"
            } else {
                "the program did not end"
            };
            return blind(format!("{what} within {limit:.0} s{}", blocked(seen)));
        }
        Ending::Stopped(Stopped::Silent { seconds }) => {
            return blind(format!(
                "the agent fell silent for {seconds:.0} s during {}, and the console shows no crash{}",
                seen.phase.word(),
                blocked(seen)
            ));
        }
        Ending::Stopped(Stopped::CrashSeen) => {
            return blind("the console looked like a crash, but no report could be read from it".into());
        }
        Ending::Stopped(Stopped::BootTimeout { .. } | Stopped::Cancelled) => {
            return blind("the attempt was ended before the dose was done".into());
        }
    }
    match seen.program.exit {
        Some(Exit::Code(0)) => {}
        Some(Exit::Code(EXIT_SKIP)) => {
            return Err((
                Verdict::Skip,
                format!("the program skipped without a reason{}", last_output(seen)),
            ));
        }
        Some(exit) if !has_exit_symptom(&test.symptom) || matches!(exit, Exit::Signal(_)) => {
            return blind(format!("the program ended early with {exit}{}", last_output(seen)));
        }
        Some(exit) => {
            return blind(format!(
                "the program ended with {exit}, which means neither good nor bad{}",
                last_output(seen)
            ));
        }
        None => return blind("the program's end was not seen".into()),
    }
    if let Some(text) = seen.program.reports.iter().find_map(|r| match r {
        ProgramReport::Symptom(text) => Some(text),
        _ => None,
    }) {
        return blind(format!("the program reported a symptom that the suite does not describe: {text}"));
    }
    if seen.program.reports_left_out > 0 {
        let lines = seen.program.reports_left_out;
        return blind(format!(
            "the program reported too much: {lines} lines are missing, a symptom may be among them"
        ));
    }
    // where a time is given too, whichever comes first ends the dose
    if let (Some(rounds), None, Some(done)) = (test.dose.rounds, test.dose.seconds, seen.program.iterations())
        && done < rounds
    {
        return blind(format!("the program did {done} of {rounds} rounds"));
    }
    if let Sight::Unknown(reason) = sight {
        return blind(reason.clone());
    }
    if seen.console.left_out > 0 {
        return blind(format!(
            "{} bytes of the console are missing, a crash may be among them",
            seen.console.left_out
        ));
    }
    if let Some(start) = seen.console.dose_start
        && memchr::memmem::find(seen.console.text.get(start..).unwrap_or_default(), DROPPED).is_some()
    {
        return blind(
            "the kernel said more than its log holds and dropped messages, a crash may be among them".into(),
        );
    }
    if seen.console.dose_start.is_none() || seen.console.dose_end.is_none() {
        return blind("the console does not show the dose's beginning and end: the kernel's messages did not get through".into());
    }
    Ok(())
}

fn blocked(seen: &Observation) -> String {
    match seen.blocked.first() {
        Some(task) => {
            let place = task.stack.first().map(String::as_str).unwrap_or("an unknown place");
            format!("; task {} ({}) is blocked in {place}", task.comm, task.pid)
        }
        None => String::new(),
    }
}

fn last_output(seen: &Observation) -> String {
    let line = seen.program.output.lines().map(str::trim).rfind(|l| !l.is_empty());
    line.map(|l| format!(": {}", l.chars().take(200).collect::<String>())).unwrap_or_default()
}

fn has_exit_symptom(symptom: &Symptom) -> bool {
    symptom.each().iter().any(|s| matches!(s, Symptom::Exit { .. }))
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
