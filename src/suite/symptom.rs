//! What must be seen for a bug to be there, and which readings that takes.

use std::time::Duration;

use serde::Serialize;

use super::detector::{DEBUG_KMEMLEAK, Detector, SLAB, SLUB_DEBUG, Stops, behind_crash, behind_hang};
use super::pattern::Pattern;
use super::reference::Reference;
use crate::guest::probe::ProbeRequest;
use crate::observation::SlabCaches;

/// What says that the bug is there. Everything else that goes wrong is not this bug.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// At least one of them was seen; never empty.
    Any(Vec<Symptom>),
    /// All of them were seen; never empty.
    All(Vec<Symptom>),
    /// One and the same symptom, looked at by several detectors of which a kernel may have some; never empty.
    Detectors(Vec<Symptom>),
    /// The kernel reported a crash (oops, BUG, WARNING, sanitiser report …) of this look.
    Crash(CrashPattern),
    /// The kernel reported a blocked task of this look.
    HungTask(HangPattern),
    /// A probe grew with the iterations that the program reported.
    Leak(LeakPattern),
    /// The kernel's leak detector found objects that were allocated in such a place.
    Kmemleak(KmemleakPattern),
    /// The program itself said `symptom TEXT`.
    Reported {
        /// Matches `TEXT`.
        matching: Pattern,
    },
    /// The program ended with this code.
    Exit {
        /// From 1 to 255, and not 77, which means "skip".
        code: i32,
    },
}

/// How a crash report looks. All the parts that are given must fit the same report; where none is given every report is
/// meant ([`CrashPattern::is_any`]).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CrashPattern {
    /// Matches the report's title.
    pub title: Option<Pattern>,
    /// The report's type is one of these (`KASAN-READ`, `WARNING`, `HANG` …, syzkaller's words).
    pub kind: Option<Vec<String>>,
    /// Each matches some function of the report's call traces.
    pub trace: Vec<Pattern>,
    /// The report is the same defect as this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<Reference>,
}

impl CrashPattern {
    /// Whether every report of the kernel is the symptom.
    pub fn is_any(&self) -> bool {
        *self == CrashPattern::default()
    }
}

/// How a hung task looks. All the parts that are given must fit the same report; at least one is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HangPattern {
    /// Each matches some function on the stack of the task that the kernel calls hung.
    pub functions: Vec<Pattern>,
    /// Matches the command name of that task.
    pub task: Option<Pattern>,
    /// Each matches some function on the stack of the task that the kernel names as the holder of what it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owner: Vec<Pattern>,
    /// Each matches some function on the stack of a task in the deadlock that the hung task is part of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<Pattern>,
}

/// How a reading grows while the dose is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeakPattern {
    /// What is read.
    pub probe: ProbeKind,
    /// Which caches.
    #[serde(flatten)]
    pub caches: SlabCaches,
    /// Objects that one iteration leaks on a bad kernel; above 0.
    pub per_iteration: f64,
    /// Share of the expected growth from which on it counts as the leak; above 0, at most 1.
    pub at_least: f64,
}

/// What the kernel's leak detector finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KmemleakPattern {
    /// Each matches some function of one and the same allocation; never empty.
    pub functions: Vec<Pattern>,
    /// From how many such objects on it counts as the leak; above 0.
    pub at_least: u64,
}

/// A reading that the agent takes before and after the dose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Probe {
    /// Objects that the kernel's leak detector finds.
    Kmemleak,
    /// Active objects of slab caches.
    Slab {
        /// The caches that are summed.
        #[serde(flatten)]
        caches: SlabCaches,
    },
}

/// What a probe reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Active objects of slab caches, from /proc/slabinfo.
    Slab,
}

/// What a symptom is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parts<'s> {
    /// Nothing else.
    None,
    /// One of these is enough.
    OneOf(&'s [Symptom]),
    /// It takes all of these.
    AllOf(&'s [Symptom]),
}

/// What the host has to know of a symptom before it is looked for; nothing of it says whether it was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Traits {
    /// The kernel's detectors that it is not seen without: of each list one.
    pub detectors: Vec<Vec<Detector>>,
    /// The reading that shows it.
    pub probe: Option<Probe>,
    /// Whether it is the kernel's report of a hung task, which comes after twice the timeout at the latest.
    pub is_hung_task: bool,
    /// Whether the program's exit code can be it.
    pub is_exit_code: bool,
}

/// How long kmemleak may take besides, after the dose: it waits until objects are old enough, and looks through all
/// memory several times.
const KMEMLEAK: Duration = Duration::from_secs(120);

impl Symptom {
    pub(super) fn parts(&self) -> Parts<'_> {
        match self {
            Symptom::Any(parts) | Symptom::Detectors(parts) => Parts::OneOf(parts),
            Symptom::All(parts) => Parts::AllOf(parts),
            Symptom::Crash(_)
            | Symptom::HungTask(_)
            | Symptom::Leak(_)
            | Symptom::Kmemleak(_)
            | Symptom::Reported { .. }
            | Symptom::Exit { .. } => Parts::None,
        }
    }

    /// Of this symptom alone, without its parts.
    pub(crate) fn traits(&self) -> Traits {
        let none = Traits::default();
        match self {
            Symptom::Any(_) | Symptom::All(_) | Symptom::Detectors(_) | Symptom::Reported { .. } => none,
            Symptom::Crash(pattern) => Traits {
                detectors: behind_crash(pattern),
                is_hung_task: pattern.like.as_ref().is_some_and(|like| like.report.is_blocked_task()),
                ..none
            },
            Symptom::HungTask(pattern) => {
                Traits { detectors: behind_hang(pattern), is_hung_task: true, ..none }
            }
            // /proc/slabinfo; SLAB was removed in 6.8
            Symptom::Leak(LeakPattern { probe: ProbeKind::Slab, caches, .. }) => Traits {
                detectors: vec![vec![SLUB_DEBUG, SLAB]],
                probe: Some(Probe::Slab { caches: caches.clone() }),
                ..none
            },
            Symptom::Kmemleak(_) => {
                Traits { detectors: vec![vec![DEBUG_KMEMLEAK]], probe: Some(Probe::Kmemleak), ..none }
            }
            Symptom::Exit { .. } => Traits { is_exit_code: true, ..none },
        }
    }

    /// This symptom and all below it, outermost first.
    pub fn each(&self) -> Vec<&Symptom> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(symptom) = found.get(next).copied() {
            match symptom.parts() {
                Parts::None => {}
                Parts::OneOf(parts) | Parts::AllOf(parts) => found.extend(parts),
            }
            next += 1;
        }
        found
    }

    /// The growth of slab caches that it is, if it is one.
    pub(crate) fn as_leak(&self) -> Option<&LeakPattern> {
        if let Symptom::Leak(pattern) = self { Some(pattern) } else { None }
    }

    /// Whether it or any part of it has this trait.
    pub(crate) fn any_part(&self, has: impl Fn(&Traits) -> bool) -> bool {
        self.each().into_iter().any(|part| has(&part.traits()))
    }

    /// The settings of the kernel's detectors that tell whether these were at work, each once.
    pub fn settings(&self) -> Vec<String> {
        let detectors = self.each().into_iter().flat_map(|part| part.traits().detectors).flatten();
        let mut names: Vec<String> =
            detectors.flat_map(|detector| detector.stops.settings()).map(|name| (*name).to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether what is read before the dose may tell that no detector could see it.
    pub(crate) fn may_be_undetectable(&self) -> bool {
        self.any_part(|traits| {
            let mut detectors = traits.detectors.iter().flatten();
            traits.probe.is_some() || detectors.any(|detector| detector.stops != Stops::Never)
        })
    }

    /// The readings that the symptom needs, each once, in order.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes: Vec<Probe> =
            self.each().into_iter().filter_map(|symptom| symptom.traits().probe).collect();
        probes.sort();
        probes.dedup();
        probes
    }
}

impl Probe {
    /// What the agent is asked for, for a symptom that needs this reading.
    pub(crate) fn request(&self, symptom: &Symptom) -> ProbeRequest {
        match self {
            Probe::Slab { caches } => {
                let leaks = symptom.each().into_iter().filter_map(Symptom::as_leak);
                let rates = leaks.filter(|leak| leak.caches == *caches).map(|leak| leak.per_iteration);
                let least = rates.fold(f64::INFINITY, f64::min);
                ProbeRequest::Slab { caches: caches.clone(), leak_per_1000: (least * 1000.0) as u64 }
            }
            Probe::Kmemleak => ProbeRequest::Kmemleak,
        }
    }

    /// How long it may take after the dose, besides what every attempt waits.
    pub(crate) fn time(&self) -> Duration {
        match self {
            Probe::Slab { .. } => Duration::ZERO,
            Probe::Kmemleak => KMEMLEAK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(cache: &str) -> Symptom {
        let caches = SlabCaches::Named(cache.to_owned());
        Symptom::Leak(LeakPattern { probe: ProbeKind::Slab, caches, per_iteration: 1.0, at_least: 0.5 })
    }

    #[test]
    fn probes_are_found_at_any_depth_once() {
        let symptom = Symptom::Any(vec![
            leak("kmalloc-192"),
            Symptom::All(vec![Symptom::Exit { code: 1 }, leak("dentry"), leak("kmalloc-192")]),
            Symptom::Detectors(vec![
                Symptom::Kmemleak(KmemleakPattern { functions: vec![], at_least: 1 }),
                leak("dentry"),
            ]),
        ]);
        let slab = |cache: &str| Probe::Slab { caches: SlabCaches::Named(cache.to_owned()) };
        assert_eq!(symptom.probes(), [Probe::Kmemleak, slab("dentry"), slab("kmalloc-192")]);
        assert_eq!(symptom.each().len(), 9);
    }
}
