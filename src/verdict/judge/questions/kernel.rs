//! Questions about what the kernel's own counters and settings tell.

use super::super::Judgement;
use super::super::detectors::unreadable;
use super::{Evidence, blind};
use crate::oops::ReportKind;

/// The bit that every `WARN()` sets.
const WARNED: u32 = 9;

/// Bits of `/proc/sys/kernel/tainted` that stand for a defect, by their letters (`kernel/panic.c`). The others tell of
/// modules, firmware and users.
const DEFECTS: &[(u32, &str)] = &[
    (4, "M (a machine check)"),
    (5, "B (a bad page)"),
    (7, "D (an oops or BUG)"),
    (WARNED, "W (a warning)"),
    (14, "L (a soft lockup)"),
];

/// The number that such a setting began with before and after the dose.
fn numbers(evidence: &Evidence<'_>, name: &str) -> Option<(i64, i64)> {
    let state = evidence.seen.detectors.iter().find(|state| state.name == name)?;
    let (before, after) = state.numbers();
    before.zip(after)
}

/// What is read around every dose, whatever it looks for.
pub(super) fn unread(evidence: &Evidence<'_>) -> Option<Judgement> {
    let of_every_test = ["kernel.tainted", "kernel.printk", "oom_kill"];
    let mut states = evidence.seen.detectors.iter().filter(|state| of_every_test.contains(&&*state.name));
    let (reason, _) = states.find_map(unreadable)?;
    blind(reason)
}

pub(super) fn tainted(evidence: &Evidence<'_>) -> Option<Judgement> {
    let (before, after) = numbers(evidence, "kernel.tainted")?;
    let new = after & !before;
    // a report that is known to do no harm taints as any other
    if evidence.allowed > 0 {
        return None;
    }
    // a warning between the reading and the dose's first mark, as of a self-test that began when a module was loaded
    let warned = evidence.before.iter().any(|report| report.kind == ReportKind::Warning);
    let is_unexplained = |bit: u32| new & (1 << bit) != 0 && !(bit == WARNED && warned);
    let (_, bit) = DEFECTS.iter().find(|(bit, _)| is_unexplained(*bit))?;
    blind(format!("the kernel was tainted with {bit} during the dose, and no report explains it"))
}

pub(super) fn quieter(evidence: &Evidence<'_>) -> Option<Judgement> {
    let (before, after) = numbers(evidence, "kernel.printk")?;
    (after < before).then_some(())?;
    blind(format!(
        "the console's log level was lowered during the dose: kernel.printk went from {before} to {after}"
    ))
}

/// Processes that the kernel killed for want of memory, by its own count.
pub(super) fn killed(evidence: &Evidence<'_>) -> Option<i64> {
    let (before, after) = numbers(evidence, "oom_kill")?;
    (after > before).then_some(after - before)
}
