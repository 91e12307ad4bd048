//! Whether one attempt shows a symptom.

use super::detectors::{DetectorOff, Detectors};
use super::leaks;
use super::questions::is_defect;
use crate::hang;
use crate::observation::{BlockedTask, Exit, Observation, ProgramReport};
use crate::oops::{Report, Sameness};
use crate::suite::detector::{DETECT_HUNG_TASK, behind_crash};
use crate::suite::{
    CrashPattern, HangPattern, KmemleakPattern, LeakPattern, Pattern, ProbeKind, Reference, Symptom,
};

/// Whether a symptom was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Detection {
    /// It was; this is its title.
    Seen(String),
    /// It was not, and its detector was at work.
    NotSeen,
    /// Its detector could not tell.
    Unknown(String),
}

/// Looks for a symptom in everything that was observed; `reports` are those of the dose.
pub(super) fn evaluate(
    symptom: &Symptom,
    seen: &Observation,
    reports: &[&Report],
    detectors: &Detectors<'_>,
) -> Detection {
    let evaluate = |part| evaluate(part, seen, reports, detectors);
    match symptom {
        Symptom::Any(parts) => any(parts.iter().map(evaluate)),
        Symptom::All(parts) => all(parts.iter().map(evaluate)),
        Symptom::Detectors(parts) => leaks::detectors(parts.iter().map(evaluate)),
        Symptom::Crash(pattern) => match crash(pattern, reports) {
            Detection::NotSeen => {
                let off = behind_crash(pattern).iter().find_map(|behind| detectors.all_off(behind));
                off.map_or(Detection::NotSeen, |off| Detection::Unknown(off.reason))
            }
            detection => detection,
        },
        Symptom::HungTask(pattern) => hung_task(pattern, seen, reports, detectors),
        Symptom::Leak(LeakPattern { probe: ProbeKind::Slab, caches, per_iteration, at_least }) => {
            leaks::slab(seen, caches, *per_iteration, *at_least)
        }
        Symptom::Kmemleak(KmemleakPattern { functions, at_least }) => {
            leaks::kmemleak(seen, functions, *at_least)
        }
        Symptom::Reported { matching } => seen
            .program
            .reports
            .iter()
            .find_map(|r| match r {
                ProgramReport::Symptom(text) if matching.is_match(text) => {
                    Some(Detection::Seen(text.clone()))
                }
                _ => None,
            })
            .unwrap_or(Detection::NotSeen),
        Symptom::Exit { code } => match seen.program.exit {
            Some(Exit::Code(found)) if found == *code => {
                Detection::Seen(format!("the program ended with exit code {code}"))
            }
            Some(_) => Detection::NotSeen,
            None => Detection::Unknown("the program's end was not seen".into()),
        },
    }
}

/// Why no detector could see a symptom, by what was read before the dose; `None`: one may.
pub(super) fn undetectable(
    symptom: &Symptom,
    seen: &Observation,
    detectors: &Detectors<'_>,
) -> Option<DetectorOff> {
    let ask = |part| undetectable(part, seen, detectors);
    match symptom {
        // a detector that may have been at work decides over one that this guest never had
        Symptom::Any(parts) | Symptom::Detectors(parts) => {
            let off: Vec<DetectorOff> = parts.iter().map(ask).collect::<Option<_>>()?;
            off.into_iter().max_by_key(|off| off.when)
        }
        Symptom::All(parts) => parts.iter().find_map(ask),
        Symptom::Crash(pattern) => behind_crash(pattern).iter().find_map(|behind| detectors.all_off(behind)),
        Symptom::HungTask(_) => detectors.all_off(&[DETECT_HUNG_TASK]),
        Symptom::Leak(LeakPattern { probe: ProbeKind::Slab, caches, .. }) => {
            leaks::unread_slab(seen, caches).map(DetectorOff::unknown)
        }
        Symptom::Kmemleak(_) => leaks::unread_kmemleak(seen).map(DetectorOff::unknown),
        Symptom::Reported { .. } | Symptom::Exit { .. } => None,
    }
}

/// The title of the first report that shows the symptom, or any part of it.
pub(super) fn part_in_reports(symptom: &Symptom, reports: &[&Report]) -> Option<String> {
    reports.iter().find_map(|report| {
        let one = std::slice::from_ref(report);
        let shows = symptom.each().into_iter().any(|part| match part {
            // what is known to do no harm is none, and what came before the dose is not the program's
            Symptom::Crash(pattern) if pattern.is_any() => false,
            // a damaged report that may be the symptom counts here: it makes the attempt blind, not bad
            Symptom::Crash(pattern) => crash(pattern, one) != Detection::NotSeen,
            Symptom::HungTask(pattern) => blocked_task(pattern, None, one) != Detection::NotSeen,
            // each of their parts is asked itself
            Symptom::Any(_) | Symptom::All(_) | Symptom::Detectors(_) => false,
            // no crash report shows these
            Symptom::Leak(_) | Symptom::Kmemleak(_) | Symptom::Reported { .. } | Symptom::Exit { .. } => {
                false
            }
        });
        shows.then(|| report.title.clone())
    })
}

fn any(detections: impl Iterator<Item = Detection>) -> Detection {
    let mut result = Detection::NotSeen;
    for detection in detections {
        match detection {
            Detection::Seen(_) => return detection,
            Detection::Unknown(_) if result == Detection::NotSeen => result = detection,
            _ => {}
        }
    }
    result
}

fn all(detections: impl Iterator<Item = Detection>) -> Detection {
    let (mut titles, mut unknown) = (Vec::new(), None);
    for detection in detections {
        match detection {
            Detection::NotSeen => return Detection::NotSeen,
            Detection::Seen(title) => titles.push(title),
            Detection::Unknown(reason) => unknown = unknown.or(Some(reason)),
        }
    }
    match unknown {
        Some(reason) => Detection::Unknown(reason),
        None => Detection::Seen(titles.join("; ")),
    }
}

fn crash(pattern: &CrashPattern, reports: &[&Report]) -> Detection {
    if pattern.is_any() {
        let seen = reports.iter().find(|report| is_defect(report));
        return seen.map_or(Detection::NotSeen, |report| Detection::Seen(report.title.clone()));
    }
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
        return Detection::Seen(report.title.clone());
    }
    damaged.map_or(Detection::NotSeen, Detection::Unknown)
}

fn hung_task(
    pattern: &HangPattern,
    seen: &Observation,
    reports: &[&Report],
    detectors: &Detectors<'_>,
) -> Detection {
    match blocked_task(pattern, Some(seen), reports) {
        Detection::NotSeen => {}
        detection => return detection,
    }
    let HangPattern { functions, task, .. } = pattern;
    // the program may end and leave a task behind that hangs, and the attempt is over before the kernel calls it hung
    let left = seen
        .blocked
        .iter()
        .find(|b| named(task.as_ref(), Some(&b.comm)) && functions_match(functions, b.stack.iter()));
    if let Some(BlockedTask { pid, comm, .. }) = left {
        return Detection::Unknown(format!(
            "task {comm} ({pid}) was blocked at the end as in the symptom, and the kernel had no time to call it hung"
        ));
    }
    let off = detectors.all_off(&[DETECT_HUNG_TASK]);
    off.map_or(Detection::NotSeen, |off| Detection::Unknown(off.reason))
}

/// Looks for a report of such a blocked task. The functions are those of its own stack, which the agent may have read
/// as well. Where nothing but the reports is given, nothing is asked about other tasks.
fn blocked_task(pattern: &HangPattern, seen: Option<&Observation>, reports: &[&Report]) -> Detection {
    let mut unknown = None;
    for report in reports.iter().filter(|report| is_of_task(pattern, seen, report)) {
        match seen.map_or(Detection::Seen(String::new()), |seen| other_tasks(pattern, seen, report)) {
            Detection::NotSeen => continue,
            Detection::Unknown(reason) => unknown = Some(reason),
            Detection::Seen(_) if report.corrupted && pattern.functions.is_empty() => {
                unknown = Some(damaged_report(report));
            }
            Detection::Seen(_) => return Detection::Seen(report.title.clone()),
        }
    }
    unknown.map_or(Detection::NotSeen, Detection::Unknown)
}

/// Whether the report is of a blocked task that looks as the symptom says, whatever it waits for.
fn is_of_task(pattern: &HangPattern, seen: Option<&Observation>, report: &Report) -> bool {
    let blocked = seen.map_or(&[][..], |seen| &seen.blocked);
    let own_stack = blocked.iter().find(|b| Some(b.pid) == report.pid).map(|b| &b.stack[..]).unwrap_or(&[]);
    report.is_blocked_task()
        && named(pattern.task.as_ref(), report.task.as_deref())
        && functions_match(&pattern.functions, report.frames.iter().chain(own_stack))
}

/// Why the report leaves open whether it is the symptom: it is of such a task, and the kernel does not say what it waits
/// for.
pub(super) fn left_open(symptom: &Symptom, seen: &Observation, report: &Report) -> Option<String> {
    symptom.each().into_iter().find_map(|part| match part {
        Symptom::HungTask(pattern) if is_of_task(pattern, Some(seen), report) => {
            match other_tasks(pattern, seen, report) {
                Detection::Unknown(reason) => Some(reason),
                Detection::Seen(_) | Detection::NotSeen => None,
            }
        }
        Symptom::HungTask(_)
        | Symptom::Any(_)
        | Symptom::All(_)
        | Symptom::Detectors(_)
        | Symptom::Crash(_)
        | Symptom::Leak(_)
        | Symptom::Kmemleak(_)
        | Symptom::Reported { .. }
        | Symptom::Exit { .. } => None,
    })
}

/// Whether the tasks that a hung one waits for look as the symptom says.
fn other_tasks(pattern: &HangPattern, seen: &Observation, report: &Report) -> Detection {
    if pattern.owner.is_empty() && pattern.cycle.is_empty() {
        return Detection::Seen(report.title.clone());
    }
    let unknown = |what: &str| Detection::Unknown(format!("{what} of {} is not known", report.title));
    let Some(pid) = report.pid else { return unknown("the task") };
    let console = &seen.console.text;
    if !pattern.owner.is_empty() {
        match hang::owner(console, pid) {
            None => {
                return Detection::Unknown(format!(
                    "the kernel does not name the holder of what the task waits for ({}); kernels with \
                     CONFIG_DETECT_HUNG_TASK_BLOCKER do, of mutexes since 6.16 and of semaphores since 6.17",
                    report.title
                ));
            }
            Some(owner) if owner.stack.is_empty() => return unknown("the stack of the lock's holder"),
            Some(owner) if functions_match(&pattern.owner, owner.stack.iter()) => {}
            Some(_) => return Detection::NotSeen,
        }
    }
    if !pattern.cycle.is_empty() {
        let Some(deadlock) = hang::deadlock(console, &seen.blocked) else { return Detection::NotSeen };
        let functions = deadlock.links.iter().flat_map(|link| &link.stack);
        if !(deadlock.links.iter().any(|link| link.pid == pid) && functions_match(&pattern.cycle, functions))
        {
            return Detection::NotSeen;
        }
    }
    Detection::Seen(report.title.clone())
}

fn named(pattern: Option<&Pattern>, task: Option<&str>) -> bool {
    pattern.is_none_or(|pattern| task.is_some_and(|task| pattern.is_match(task)))
}

/// What comparing this report with those that the symptom names gave, as far as anything speaks for it: a sentence for
/// each.
pub fn likeness_findings(symptom: &Symptom, report: &Report) -> Vec<String> {
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
    let named = parts.filter_map(|part| {
        let Symptom::Crash(pattern) = part else { return None };
        pattern.like.as_ref()
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
