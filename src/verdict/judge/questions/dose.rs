//! Questions about whether the whole dose was done.

use super::super::Judgement;
use super::{Evidence, blind};

/// A program may end so much before its time, as a share of it …
const SHARE: f64 = 0.1;
/// … and it may always be so many seconds, because clocks of shells count whole ones, unless that is more than half.
const ROUNDING: f64 = 1.0;

pub(super) fn too_few_rounds(evidence: &Evidence<'_>) -> Option<Judgement> {
    let dose = &evidence.test.dose;
    let rounds = dose.rounds?;
    match evidence.seen.program.iterations() {
        None => blind(format!(
            "the program did not say how many of its {rounds} rounds it did (a line `iterations N`)"
        )),
        // where a time is given too, whichever comes first ends the dose; time that was leapt over is none
        Some(done) if done < rounds && (dose.seconds.is_none() || evidence.seen.time_travel) => {
            blind(format!("the program did {done} of {rounds} rounds"))
        }
        Some(_) => None,
    }
}

pub(super) fn too_short(evidence: &Evidence<'_>) -> Option<Judgement> {
    let (dose, program) = (&evidence.test.dose, &evidence.seen.program);
    let seconds = dose.seconds?;
    if evidence.test.program.launch().output.ends_by_itself() {
        return None;
    }
    if dose.rounds.is_some_and(|rounds| program.iterations().is_some_and(|done| done >= rounds)) {
        return None;
    }
    let Some(ran_ms) = program.ran_ms else {
        return blind(format!("how long the program ran of its {seconds} s is not known"));
    };
    let (ran, whole) = (ran_ms as f64 / 1000.0, f64::from(seconds));
    let least = (whole * (1.0 - SHARE)).min(whole - ROUNDING).max(whole / 2.0);
    if ran >= least {
        return None;
    }
    blind(format!("the program ended with 0 too early: it ran {ran:.1} s of {seconds} s"))
}
