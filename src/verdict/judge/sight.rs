//! Whether one attempt shows a symptom.

use super::leaks;
use crate::observation::{BlockedTask, Exit, Observation, ProgramReport};
use crate::oops::{Report, Sameness};
use crate::suite::{CrashPattern, Pattern, ProbeKind, Reference, Symptom};

/// Whether a symptom was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sight {
    /// It was; this is its title.
    Seen(String),
    /// It was not, and its detector was at work.
    NotSeen,
    /// Its detector could not tell.
    Unknown(String),
}

/// Looks for a symptom in everything that was observed; `reports` are those of the dose.
pub(super) fn look(symptom: &Symptom, seen: &Observation, reports: &[&Report]) -> Sight {
    match symptom {
        Symptom::Any(parts) => any(parts.iter().map(|p| look(p, seen, reports))),
        Symptom::All(parts) => all(parts.iter().map(|p| look(p, seen, reports))),
        Symptom::Detectors(parts) => leaks::detectors(parts.iter().map(|p| look(p, seen, reports))),
        Symptom::Crash(pattern) => match crash(pattern, reports) {
            Sight::NotSeen if is_hang(pattern) => hang_detector(seen),
            sight => sight,
        },
        Symptom::HungTask { functions, task } => hung_task(functions, task.as_ref(), seen, reports),
        Symptom::Leak { probe: ProbeKind::Slab, cache, per_iteration, at_least } => {
            leaks::slab(seen, cache, *per_iteration, *at_least)
        }
        Symptom::Kmemleak { functions, at_least } => leaks::kmemleak(seen, functions, *at_least),
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

/// The title of the first report that shows the symptom, or any part of it.
pub(super) fn part_in_reports(symptom: &Symptom, reports: &[&Report]) -> Option<String> {
    reports.iter().find_map(|report| {
        let one = std::slice::from_ref(report);
        let shows = symptom.each().into_iter().any(|part| match part {
            // a damaged report that may be the symptom counts here: it makes the attempt blind, not bad
            Symptom::Crash(pattern) => crash(pattern, one) != Sight::NotSeen,
            Symptom::HungTask { functions, task } => {
                blocked_task(functions, task.as_ref(), &[], one) != Sight::NotSeen
            }
            _ => false,
        });
        shows.then(|| report.title.clone())
    })
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
        let alike = pattern.like.as_ref().is_none_or(|like| like.compare(report).is_same());
        if !(title && kind && alike && functions_match(&pattern.trace, report.frames.iter())) {
            continue;
        }
        // a damaged report is believed when its call trace fits, not on its first line alone
        let path = pattern.like.as_ref().is_some_and(|like| like.shares_a_path(report));
        if report.corrupted && pattern.trace.is_empty() && !path {
            damaged = Some(damaged_report(report));
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
    match blocked_task(functions, task, &seen.blocked, reports) {
        Sight::NotSeen => {}
        sight => return sight,
    }
    // the program may end and leave a task behind that hangs, and the attempt is over before the kernel calls it hung
    let left = seen
        .blocked
        .iter()
        .find(|b| task.is_none_or(|p| p.is_match(&b.comm)) && functions_match(functions, b.stack.iter()));
    if let Some(BlockedTask { pid, comm, .. }) = left {
        return Sight::Unknown(format!(
            "task {comm} ({pid}) was blocked at the end as in the symptom, and the kernel had no time to call it hung"
        ));
    }
    hang_detector(seen)
}

/// What it means that no blocked task was reported.
fn hang_detector(seen: &Observation) -> Sight {
    match seen.guest.as_ref().and_then(|g| g.hung_task_timeout) {
        Some(seconds) if seconds > 0 => Sight::NotSeen,
        _ => Sight::Unknown("this kernel has no hung-task detector, or it is switched off".into()),
    }
}

/// Whether only the hung-task detector can show such a crash.
fn is_hang(pattern: &CrashPattern) -> bool {
    pattern.like.as_ref().is_some_and(|like| like.report.is_blocked_task())
}

/// Looks for a report of a blocked task; `blocked` are the stacks that the agent read of such tasks.
fn blocked_task(
    functions: &[Pattern],
    task: Option<&Pattern>,
    blocked: &[BlockedTask],
    reports: &[&Report],
) -> Sight {
    let mut damaged = None;
    for report in reports.iter().filter(|r| r.is_blocked_task()) {
        if !task.is_none_or(|p| report.task.as_deref().is_some_and(|t| p.is_match(t))) {
            continue;
        }
        let own_stack =
            blocked.iter().find(|b| Some(b.pid) == report.pid).map(|b| &b.stack[..]).unwrap_or(&[]);
        if !functions_match(functions, report.frames.iter().chain(own_stack)) {
            continue;
        }
        if report.corrupted && functions.is_empty() {
            damaged = Some(damaged_report(report));
            continue;
        }
        return Sight::Seen(report.title.clone());
    }
    damaged.map_or(Sight::NotSeen, Sight::Unknown)
}

/// What comparing this report with those that the symptom names gave, as far as anything speaks for it: a sentence for
/// each.
pub fn likeness_told(symptom: &Symptom, report: &Report) -> Vec<String> {
    let told = |like: &Reference| match like.compare(report) {
        Sameness::Same(reason) if !report.corrupted || like.shares_a_path(report) => {
            Some(format!("the same defect as in {}: {reason}", like.file))
        }
        Sameness::Same(reason) | Sameness::Likely(reason) => {
            Some(format!("perhaps the defect of {}, which is not proved: {reason}", like.file))
        }
        Sameness::Different(_) => None,
    };
    let parts = symptom.each().into_iter();
    let named = parts.filter_map(|part| match part {
        Symptom::Crash(pattern) => pattern.like.as_ref(),
        _ => None,
    });
    named.filter_map(told).collect()
}

fn damaged_report(report: &Report) -> String {
    format!("a report fits the symptom but is damaged: {}", report.title)
}

/// Whether each pattern matches some function.
pub(super) fn functions_match<'a>(
    patterns: &[Pattern],
    functions: impl Iterator<Item = &'a String> + Clone,
) -> bool {
    patterns.iter().all(|p| functions.clone().any(|f| p.is_match(f)))
}
