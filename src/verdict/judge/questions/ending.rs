//! Questions about how an attempt ended.

use super::super::environment::Culprit;
use super::super::{Judgement, Verdict};
use super::{Evidence, blind, dosed};
use crate::observation::{Ending, Observation, Phase, Stopped};

pub(super) fn interrupted(evidence: &Evidence<'_>) -> Option<Judgement> {
    let cancelled = evidence.seen.ending == Ending::Stopped(Stopped::Cancelled);
    cancelled.then(|| Judgement::new(Verdict::Lost, false).because("interrupted"))
}

/// On a busy host an emulated guest's seconds may be a tenth of one: what is hung after twenty of them is not, and a dose of seconds
/// was none.
pub(super) fn clock_ran_away(evidence: &Evidence<'_>) -> Option<Judgement> {
    evidence.seen.runaway_clock()?;
    let report = evidence.blamed.iter().find(|(_, culprit)| *culprit == Culprit::Clock);
    let what = report.map_or("nothing follows from that", |(report, _)| &report.title);
    dosed(Verdict::Lost, super::ran_away(evidence.seen, what))
}

pub(super) fn cut_short(evidence: &Evidence<'_>) -> Option<Judgement> {
    let seen = evidence.seen;
    let phase = seen.phase.word();
    match &seen.ending {
        Ending::Complete => None,
        Ending::QemuDied { detail } | Ending::NotStarted { detail } => dosed(Verdict::Lost, detail),
        Ending::GuestReset => blind(match evidence.blamed.first() {
            Some((report, Culprit::Init)) => {
                format!("the guest's init was ended during {phase}: {}", report.title)
            }
            Some((report, _)) => format!("the guest restarted during {phase}: {}", report.title),
            None => {
                format!("the guest restarted or powered off during {phase}, and its console shows no crash")
            }
        }),
        Ending::Stopped(Stopped::Terminate { limit }) => {
            let what = match seen.phase > Phase::Dose {
                true => "the guest did not finish after the program's end",
                false => "the program did not end",
            };
            blind(format!("{what} within {limit:.0} s{}", blocked(seen)))
        }
        Ending::Stopped(Stopped::Silent { seconds }) => blind(format!(
            "the agent fell silent for {seconds:.0} s during {phase}, and the console shows no crash{}",
            blocked(seen)
        )),
        Ending::Stopped(Stopped::CrashSeen) => {
            blind("the console looked like a crash, but no report could be read from it")
        }
        Ending::Stopped(Stopped::BootTimeout { .. } | Stopped::Undetectable | Stopped::Cancelled) => {
            blind("the attempt was ended before the dose was done")
        }
    }
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
