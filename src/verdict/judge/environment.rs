//! Crash reports that say nothing about the kernel: what this program put into the guest, the host and QEMU caused them.

use crate::observation::Observation;
use crate::oops::{Report, ReportKind, breakpoint_was_taken_back};

/// What `check_timer()` of x86 panics with when the timer did not tick within a few hundredths of a second.
const LATE_TIMER: &str = "kernel panic: IO-APIC + timer doesn't work!";

/// Panics because there is no init, or because it ended.
const NO_INIT: &[&str] = &[
    "kernel panic: Attempted to kill init!",
    "kernel panic: No working init found",
    "kernel panic: Requested init ",
    "kernel panic: VFS: Unable to mount root fs",
];

/// Who is to blame for a report in place of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    /// What this program put into the guest, or what the test's program did to its init.
    Init,
    /// A machine without memory enough.
    Memory,
    /// A busy host, which emulated ticks of a timer too late.
    Host,
    /// A guest whose clock ran away, to which little time was long.
    Clock,
    /// QEMU, which ran an instruction that was no longer there.
    Emulator,
}

/// Who it is; absent: the kernel.
pub(super) fn blamed(report: &Report, seen: &Observation) -> Option<Culprit> {
    if report.title.starts_with(LATE_TIMER) {
        return Some(Culprit::Host);
    }
    if NO_INIT.iter().any(|panic| report.title.starts_with(panic)) {
        return Some(Culprit::Init);
    }
    if report.kind == ReportKind::Hang && seen.runaway_clock().is_some() {
        return Some(Culprit::Clock);
    }
    let text = seen.console.text.get(report.start..report.end).unwrap_or_default();
    (seen.stale_code && breakpoint_was_taken_back(text)).then_some(Culprit::Emulator)
}
