//! What must be seen for a bug to be there, and which readings that takes.

use serde::Serialize;

use super::pattern::Pattern;
use super::reference::Reference;
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
    #[serde(rename_all = "kebab-case")]
    Leak {
        /// What is read.
        probe: ProbeKind,
        /// Which caches.
        #[serde(flatten)]
        caches: SlabCaches,
        /// Objects that one iteration leaks on a bad kernel; above 0.
        per_iteration: f64,
        /// Share of the expected growth from which on it counts as the leak; above 0, at most 1.
        at_least: f64,
    },
    /// The kernel's leak detector found objects that were allocated in such a place.
    #[serde(rename_all = "kebab-case")]
    Kmemleak {
        /// Each matches some function of one and the same allocation; never empty.
        functions: Vec<Pattern>,
        /// From how many such objects on it counts as the leak; above 0.
        at_least: u64,
    },
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

/// How a crash report looks. All the parts that are given must fit the same report; at least one is given.
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

impl Symptom {
    /// This symptom and all below it, outermost first.
    pub fn each(&self) -> Vec<&Symptom> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(symptom) = found.get(next).copied() {
            if let Symptom::Any(parts) | Symptom::All(parts) | Symptom::Detectors(parts) = symptom {
                found.extend(parts);
            }
            next += 1;
        }
        found
    }

    /// The readings that the symptom needs, each once, in order.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes: Vec<Probe> = self
            .each()
            .into_iter()
            .filter_map(|symptom| match symptom {
                Symptom::Leak { probe: ProbeKind::Slab, caches, .. } => {
                    Some(Probe::Slab { caches: caches.clone() })
                }
                Symptom::Kmemleak { .. } => Some(Probe::Kmemleak),
                _ => None,
            })
            .collect();
        probes.sort();
        probes.dedup();
        probes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(cache: &str) -> Symptom {
        let caches = SlabCaches::Named(cache.to_owned());
        Symptom::Leak { probe: ProbeKind::Slab, caches, per_iteration: 1.0, at_least: 0.5 }
    }

    #[test]
    fn probes_are_found_at_any_depth_once() {
        let symptom = Symptom::Any(vec![
            leak("kmalloc-192"),
            Symptom::All(vec![Symptom::Exit { code: 1 }, leak("dentry"), leak("kmalloc-192")]),
            Symptom::Detectors(vec![Symptom::Kmemleak { functions: vec![], at_least: 1 }, leak("dentry")]),
        ]);
        let slab = |cache: &str| Probe::Slab { caches: SlabCaches::Named(cache.to_owned()) };
        assert_eq!(symptom.probes(), [Probe::Kmemleak, slab("dentry"), slab("kmalloc-192")]);
        assert_eq!(symptom.each().len(), 9);
    }
}
