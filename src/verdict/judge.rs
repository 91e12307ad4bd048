//! What one attempt means.

use super::Verdict;
use crate::observation::{Ending, Exit, Observation, ProbeReading, ProgramReport, SetupFailure, Stopped};
use crate::oops::{Report, ReportKind};
use crate::suite::{CrashPattern, Pattern, Symptom, Test};

/// The exit code by which a program says that a need is not met (`suites/README.md`, as automake's).
const EXIT_SKIP: i32 = 77;

/// Growth below this share of the expected one is no leak; between it and the test's own share lies no answer.
const NO_LEAK: f64 = 0.1;

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

    /// A judgement about an attempt that could not even be asked for.
    pub fn unprepared(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Blind, true).because(reason)
    }

    /// A judgement about a kernel that lacks what the test needs.
    pub fn skipped(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Skip, true).because(reason)
    }
}

/// Whether a symptom was seen.
#[derive(Clone, Debug, PartialEq)]
enum Sight {
    /// It was; this is its title.
    Seen(String),
    /// It was not, and its detector was at work.
    NotSeen,
    /// Its detector could not tell.
    Unknown(String),
}

/// Judges one attempt by what was observed and by the crash reports of its console.
pub fn judge(test: &Test, seen: &Observation, reports: &[Report]) -> Judgement {
    if seen.ending == Ending::Stopped(Stopped::Cancelled) {
        return Judgement::new(Verdict::Lost, false).because("interrupted");
    }
    let begun = seen.program.started || seen.console.dose_start.is_some();
    let counted = || reports.iter().filter(|r| !r.suppressed);
    if !begun {
        return before_the_dose(seen, counted().find(|r| is_fatal(r) && !is_agents_end(r)));
    }
    // without the mark nothing tells which report the dose caused
    let dose_start = seen.console.dose_start.unwrap_or(usize::MAX);
    let (before, during): (Vec<&Report>, Vec<&Report>) = counted().partition(|r| r.start < dose_start);

    let sight = look(&test.symptom, seen, &during);
    if let Sight::Seen(title) = sight {
        return Judgement::new(Verdict::Bad, true).title(title);
    }
    if let Sight::Seen(title) = look_at_reports(&test.symptom, &before) {
        let reason = format!("the symptom was on the console before the dose began ({title})");
        return Judgement::new(Verdict::Blind, true).because(reason);
    }
    if let Some(report) = during.iter().find(|r| !is_agents_end(r)) {
        let reason = format!(
            "not this test's symptom{}",
            if report.corrupted { "; the report is damaged" } else { "" }
        );
        return Judgement::new(Verdict::Other, true).title(&report.title).because(reason);
    }
    match without_crash(test, seen, &sight) {
        Ok(()) => Judgement::new(Verdict::Good, true),
        Err((verdict, reason)) => Judgement::new(verdict, true).because(reason),
    }
}

fn before_the_dose(seen: &Observation, crash: Option<&Report>) -> Judgement {
    if let Some(report) = crash {
        return Judgement::new(Verdict::Other, false).title(&report.title).because("before the test started");
    }
    if let Some(failure) = &seen.setup_failure {
        let verdict = match failure {
            SetupFailure::Check { .. } => Verdict::Lost,
            _ => Verdict::Blind,
        };
        let dosed = verdict == Verdict::Blind;
        return Judgement::new(verdict, dosed).because(failure.to_string());
    }
    let phase = seen.phase.word();
    let reason = match &seen.ending {
        Ending::NotStarted { detail } => detail.clone(),
        Ending::QemuDied { detail } => detail.clone(),
        Ending::Stopped(Stopped::BootTimeout { limit }) => {
            format!("no word from the agent within {limit:.0} s of boot{}", last_line(seen))
        }
        Ending::Stopped(Stopped::Silent { seconds }) => {
            format!("the agent fell silent for {seconds:.0} s during {phase}{}", last_line(seen))
        }
        Ending::GuestReset => {
            format!("the guest restarted during {phase} without a crash report{}", last_line(seen))
        }
        Ending::Stopped(_) | Ending::Complete => {
            format!("the attempt ended during {phase}{}", last_line(seen))
        }
    };
    Judgement::new(Verdict::Lost, false).because(reason)
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
fn without_crash(test: &Test, seen: &Observation, sight: &Sight) -> Result<(), (Verdict, String)> {
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
            return blind(
                "the guest restarted or powered off during the dose, and its console shows no crash".into(),
            );
        }
        Ending::Stopped(Stopped::Terminate { limit }) => {
            return blind(format!("the program did not end within {limit:.0} s{}", blocked(seen)));
        }
        Ending::Stopped(Stopped::Silent { seconds }) => {
            return blind(format!(
                "the agent fell silent for {seconds:.0} s during the dose, and the console shows no crash"
            ));
        }
        Ending::Stopped(Stopped::CrashSeen) => {
            return blind("the console looked like a crash, but no report could be read from it".into());
        }
        Ending::Stopped(other) => return blind(format!("the attempt was ended: {other:?}")),
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
    if let Sight::Unknown(reason) = sight {
        return blind(reason.clone());
    }
    if seen.console.left_out > 0 {
        return blind(format!(
            "{} bytes of the console are missing, a crash may be among them",
            seen.console.left_out
        ));
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

/// Whether the kernel cannot go on after this report.
fn is_fatal(report: &Report) -> bool {
    report.panicked
        || matches!(
            report.kind,
            ReportKind::Bug
                | ReportKind::DoS
                | ReportKind::NullDeref
                | ReportKind::MemorySafetyBug
                | ReportKind::Reboot
        )
}

/// A panic because PID 1 ended is about the agent, not about the kernel.
fn is_agents_end(report: &Report) -> bool {
    report.title.contains("Attempted to kill init")
}

fn look(symptom: &Symptom, seen: &Observation, reports: &[&Report]) -> Sight {
    match symptom {
        Symptom::Any(parts) => any(parts.iter().map(|p| look(p, seen, reports))),
        Symptom::All(parts) => all(parts.iter().map(|p| look(p, seen, reports))),
        Symptom::Crash(pattern) => crash(pattern, reports),
        Symptom::HungTask { functions, task } => hung_task(functions, task.as_ref(), seen, reports),
        Symptom::Leak { cache, per_iteration, at_least, .. } => {
            let reading = seen.probes.iter().find(|p| p.subject == *cache);
            leak(reading, seen.program.iterations(), cache, *per_iteration, *at_least)
        }
        Symptom::Reported { matching } => seen
            .program
            .reports
            .iter()
            .find_map(|r| match r {
                ProgramReport::Symptom(text) if matching.is_match(text) => Some(Sight::Seen(text.clone())),
                _ => None,
            })
            .unwrap_or(Sight::NotSeen),
        Symptom::Exit { code } => match seen.program.exit {
            Some(Exit::Code(found)) if found == *code => {
                Sight::Seen(format!("the program ended with exit code {code}"))
            }
            Some(_) => Sight::NotSeen,
            None => Sight::Unknown("the program's end was not seen".into()),
        },
    }
}

/// As [`look`], for what can be told from crash reports alone.
fn look_at_reports(symptom: &Symptom, reports: &[&Report]) -> Sight {
    match symptom {
        Symptom::Any(parts) => any(parts.iter().map(|p| look_at_reports(p, reports))),
        Symptom::All(parts) => all(parts.iter().map(|p| look_at_reports(p, reports))),
        Symptom::Crash(pattern) => crash(pattern, reports),
        Symptom::HungTask { .. } | Symptom::Leak { .. } | Symptom::Reported { .. } | Symptom::Exit { .. } => {
            Sight::NotSeen
        }
    }
}

fn any(sights: impl Iterator<Item = Sight>) -> Sight {
    let mut result = Sight::NotSeen;
    for sight in sights {
        match sight {
            Sight::Seen(_) => return sight,
            Sight::Unknown(_) if result == Sight::NotSeen => result = sight,
            _ => {}
        }
    }
    result
}

fn all(sights: impl Iterator<Item = Sight>) -> Sight {
    let (mut titles, mut unknown) = (Vec::new(), None);
    for sight in sights {
        match sight {
            Sight::NotSeen => return Sight::NotSeen,
            Sight::Seen(title) => titles.push(title),
            Sight::Unknown(reason) => unknown = unknown.or(Some(reason)),
        }
    }
    match unknown {
        Some(reason) => Sight::Unknown(reason),
        None => Sight::Seen(titles.join("; ")),
    }
}

fn crash(pattern: &CrashPattern, reports: &[&Report]) -> Sight {
    let mut damaged = None;
    for report in reports {
        let title = pattern.title.as_ref().is_none_or(|p| report.titles().any(|t| p.is_match(t)));
        let kind = pattern.kind.as_ref().is_none_or(|kinds| kinds.iter().any(|k| k == report.kind.word()));
        if !(title && kind && functions_match(&pattern.trace, report.frames.iter())) {
            continue;
        }
        // a damaged report is believed when its call trace fits, not on its first line alone
        if report.corrupted && pattern.trace.is_empty() {
            damaged = Some(format!("a report fits the symptom but is damaged: {}", report.title));
            continue;
        }
        return Sight::Seen(report.title.clone());
    }
    damaged.map_or(Sight::NotSeen, Sight::Unknown)
}

fn hung_task(
    functions: &[Pattern],
    task: Option<&Pattern>,
    seen: &Observation,
    reports: &[&Report],
) -> Sight {
    for report in reports.iter().filter(|r| r.kind == ReportKind::Hang) {
        if !task.is_none_or(|p| report.task.as_deref().is_some_and(|t| p.is_match(t))) {
            continue;
        }
        let own_stack =
            seen.blocked.iter().find(|b| Some(b.pid) == report.pid).map(|b| &b.stack[..]).unwrap_or(&[]);
        if functions_match(functions, report.frames.iter().chain(own_stack)) {
            return Sight::Seen(report.title.clone());
        }
    }
    match seen.guest.as_ref().and_then(|g| g.hung_task_timeout) {
        Some(seconds) if seconds > 0 => Sight::NotSeen,
        _ => Sight::Unknown("this kernel has no hung-task detector, or it is switched off".into()),
    }
}

/// Whether each pattern matches some function.
fn functions_match<'a>(patterns: &[Pattern], functions: impl Iterator<Item = &'a String> + Clone) -> bool {
    patterns.iter().all(|p| functions.clone().any(|f| p.is_match(f)))
}

fn leak(
    reading: Option<&ProbeReading>,
    iterations: Option<u64>,
    cache: &str,
    per_iteration: f64,
    at_least: f64,
) -> Sight {
    let Some(reading) = reading else { return Sight::Unknown(format!("slab cache {cache} was not read")) };
    let (Some(before), Some(after)) = (reading.before, reading.after) else {
        let why = reading.error.clone().unwrap_or_else(|| "a reading is missing".into());
        return Sight::Unknown(format!("slab cache {cache}: {why}"));
    };
    let Some(iterations) = iterations.filter(|n| *n > 0) else {
        return Sight::Unknown("the program did not say how many iterations it did".into());
    };
    let growth = after - before;
    let share = growth as f64 / (per_iteration * iterations as f64);
    let text = format!("{cache} grew by {growth} objects in {iterations} iterations");
    if share >= at_least {
        Sight::Seen(format!("memory leak: {text}"))
    } else if share <= NO_LEAK {
        Sight::NotSeen
    } else {
        Sight::Unknown(format!("{text}: neither the leak's {per_iteration} an iteration nor none"))
    }
}
