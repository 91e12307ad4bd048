//! A tip that does not build or boot: which patch is to blame, and the tip without it.

use std::collections::BTreeSet;

use super::choice::BOOT;
use super::driver::{Driving, QueueEnd};
use crate::event::queue::QueueEvent;
use crate::failure::Failure;
use crate::triage::{Class, Culprit, KernelOf, Proof};

/// Patches that touch the file of the error and are tried before all others.
const GUESSES: usize = 3;

/// Builds the tip. Patches with which nothing builds are taken out of the queue, and named.
///
/// # Errors
/// The tree does not build without the queue either, nothing is left of the queue, or the host failed.
pub fn build_tip(driving: &Driving<'_>) -> Result<(), QueueEnd> {
    loop {
        if driving.driver.cancel.is_set() {
            return Err(QueueEnd::Interrupted);
        }
        let said = match builds(driving, &KernelOf::Tip)? {
            Ok(()) => return Ok(()),
            Err(said) => said,
        };
        if let Err(reason) = builds(driving, &KernelOf::Baseline)? {
            return Err(QueueEnd::Baseline(reason));
        }
        let (place, reason) = breaker(driving, &said)?;
        let (all, number) = {
            let state = driving.state();
            let left = |place: &usize| !state.taken_out().contains_key(place);
            let all: BTreeSet<usize> = state.with_dependents(place).into_iter().filter(left).collect();
            (all, state.numbers().number(place))
        };
        for out in &all {
            let patch = driving.state().numbers().number(*out);
            let reason = match *out == place {
                true => reason.clone(),
                false => format!("it cannot be without patch {number}, which does not build"),
            };
            driving.tell(QueueEvent::SetAside { patch, reason, boot: false });
        }
        driving.forget(&all);
        if driving.state().patches_of(&KernelOf::Tip).is_empty() {
            return Err(QueueEnd::Nothing);
        }
    }
}

/// Takes patches out with which nothing boots, where the search has named them and the tip boots without them: then all other
/// tests can be judged. Answers whether there was one.
pub fn take_out_what_does_not_boot(driving: &Driving<'_>) -> bool {
    let out: Vec<(usize, String)> = {
        let state = driving.state();
        let Some(test) = state.record().tests.iter().position(|test| test.test == BOOT) else { return false };
        let never_up = state.kernel(&KernelOf::Tip).and_then(|kernel| kernel.unjudged.clone());
        let (Some(title), Class::Regression(regression)) = (never_up, &state.report().findings[test].class)
        else {
            return false;
        };
        let mends = regression.culprits.last().map(|culprit| &culprit.proof);
        let Some(Proof::GoodAgain { seen, .. }) = mends else { return false };
        let reason = |culprit: &Culprit| {
            format!(
                "{title} (it fails in {} with it, in {} with the queue up to the patch before, in {seen} with the whole queue \
                 but it)",
                culprit.with, culprit.before
            )
        };
        regression.culprits.iter().map(|culprit| (culprit.patch, reason(culprit))).collect()
    };
    for (place, reason) in &out {
        let (all, number) = {
            let state = driving.state();
            let left = |place: &usize| !state.taken_out().contains_key(place);
            let all: BTreeSet<usize> = state.with_dependents(*place).into_iter().filter(left).collect();
            (all, state.numbers().number(*place))
        };
        for out in &all {
            let patch = driving.state().numbers().number(*out);
            let reason = match out == place {
                true => reason.clone(),
                false => format!("it cannot be without patch {number}, which does not boot"),
            };
            driving.tell(QueueEvent::SetAside { patch, reason, boot: true });
        }
        driving.forget(&all);
    }
    !out.is_empty()
}

/// Whether a kernel builds; if not, the compiler's words.
fn builds(driving: &Driving<'_>, of: &KernelOf) -> Result<Result<(), String>, QueueEnd> {
    match driving.kernel(of) {
        Ok(_) => Ok(Ok(())),
        Err(Failure::Kernel(reason) | Failure::Test(reason)) => Ok(Err(reason)),
        Err(failure) => Err(failure.into()),
    }
}

/// The place of the patch with which the queue stops to build, and the compiler's words about it.
fn breaker(driving: &Driving<'_>, said: &str) -> Result<(usize, String), QueueEnd> {
    let (places, guesses): (Vec<usize>, Vec<usize>) = {
        let state = driving.state();
        let places = state.patches_of(&KernelOf::Tip);
        let touches = |place: &&usize| {
            state
                .patch(**place)
                .files
                .iter()
                .any(|file| said.lines().take(4).any(|line| line.contains(file.as_str())))
        };
        let guesses = places.iter().rev().filter(touches).take(GUESSES).copied().collect();
        (places, guesses)
    };
    let count = driving.state().numbers().count();
    let prefix = |place: usize| KernelOf::Prefix(place).canonical(count);
    let before = |at: usize| if at == 0 { KernelOf::Baseline } else { prefix(places[at - 1]) };
    // between these the queue stops to build: the first `low` patches build, the first `high` do not
    let (mut low, mut high) = (0, places.len());
    let mut reason = said.to_owned();
    for guess in guesses {
        let at = places.iter().position(|place| *place == guess).unwrap_or(0);
        if !(low..high).contains(&at) {
            continue;
        }
        match builds(driving, &before(at))? {
            Ok(()) => low = at,
            Err(said) => {
                (high, reason) = (at, said);
                continue;
            }
        }
        if at + 1 < high {
            match builds(driving, &prefix(places[at]))? {
                Ok(()) => low = at + 1,
                Err(said) => (high, reason) = (at + 1, said),
            }
        }
        if high - low <= 1 {
            break;
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match builds(driving, &prefix(places[middle - 1]))? {
            Ok(()) => low = middle,
            Err(said) => (high, reason) = (middle, said),
        }
    }
    Ok((places[high - 1], reason))
}
