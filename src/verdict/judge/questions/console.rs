//! Questions about whether the kernel's messages got through, and are its own.

use super::super::Judgement;
use super::{Evidence, blind};

/// What the kernel prints in place of messages that were written over before the console could take them
/// (`console_prepend_dropped()`).
const DROPPED: &[u8] = b" printk messages dropped **";

pub(super) fn left_out(evidence: &Evidence<'_>) -> Option<Judgement> {
    match evidence.seen.console.left_out {
        0 => None,
        bytes => blind(format!("{bytes} bytes of the console are missing, a crash may be among them")),
    }
}

pub(super) fn dropped(evidence: &Evidence<'_>) -> Option<Judgement> {
    let console = &evidence.seen.console;
    let dose = console.text.get(console.dose_start?..).unwrap_or_default();
    memchr::memmem::find(dose, DROPPED)?;
    blind("the kernel said more than its log holds and dropped messages, a crash may be among them")
}

/// Neither such a report nor the silence around it can be believed.
pub(super) fn forged(evidence: &Evidence<'_>) -> Option<Judgement> {
    let title = evidence.seen.kernel_log.forged.as_ref()?;
    blind(format!("a program wrote what looks like a crash report of the kernel: {title}"))
}

/// Then it does not prove that the console has everything.
pub(super) fn log_incomplete(evidence: &Evidence<'_>) -> Option<Judgement> {
    blind(evidence.seen.kernel_log.doubt.clone()?)
}

pub(super) fn unmarked(evidence: &Evidence<'_>) -> Option<Judgement> {
    let console = &evidence.seen.console;
    if console.dose_start.is_some() && console.dose_end.is_some() {
        return None;
    }
    blind("the console does not show the dose's beginning and end: the kernel's messages did not get through")
}
