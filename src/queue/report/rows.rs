//! From the state to the rows.

use std::collections::{BTreeMap, BTreeSet};

use super::{CulpritRow, Grade, Origin, PatchRow, QueueReport, Removal, Standing, TestRow};
use crate::event::queue::{Aside, SetAside};
use crate::queue::choice::BOOT;
use crate::queue::state::{QueueAttempt, QueueState};
use crate::triage::{Class, Culprit, Finding, KernelOf, Limit, Outcome, Possible, Proof};

/// What is said of a test that is good.
pub const PASSES: &str = "passes";
/// What is said of one whose bug is gone.
pub const FIXED: &str = "fixed";
const NOT_FIXED: &str = "not fixed";
const NOT_REPRODUCIBLE: &str = "not reproducible here";

/// Lines of a crash report that are quoted.
const QUOTED: usize = 30;

/// Whether a patch that is not tested is a fault of the queue.
pub fn is_fault(kind: Aside) -> bool {
    matches!(kind, Aside::DoesNotApply | Aside::Damaged | Aside::DoesNotBuild | Aside::DoesNotBoot)
}

/// Everything that is said.
pub fn report(state: &QueueState, open: Option<String>) -> QueueReport {
    let triage = state.report();
    let rows: Vec<TestRow> = triage.findings.iter().map(|finding| test(state, finding)).collect();
    let warnings = warnings(state);
    let places = (1..=state.numbers().count()).filter(|place| !state.taken_out().contains_key(place));
    let patches = places.map(|place| patch(state, place, &rows, warnings.get(&place))).collect();
    let withdrawn = state.withdrawn().iter();
    QueueReport {
        run: state.run().to_owned(),
        input: state.record().input.clone(),
        mail: state.record().mail.clone(),
        tree: state.record().tree.clone(),
        open,
        budget_spent: false,
        patches,
        set_aside: state.not_tested(),
        tests: rows,
        withdrawn: withdrawn.map(|(place, why)| (state.numbers().number(*place), why.clone())).collect(),
        missing: state.record().missing.clone(),
        notes: state.record().notes.iter().chain(state.notices()).cloned().collect(),
        attempts: state.attempt_count(),
        kernels: state.kernels().count(),
        seconds: state.spent(),
    }
}

fn test(state: &QueueState, finding: &Finding) -> TestRow {
    let record = &state.record().tests[finding.test];
    let numbers = |places: &[usize]| places.iter().map(|place| state.numbers().number(*place)).collect();
    let (mut culprits, mut candidates, mut open, mut failure) = (Vec::new(), Vec::new(), None, None);
    let result = match &finding.class {
        Class::Fine => PASSES.to_owned(),
        Class::Fixed => FIXED.to_owned(),
        Class::NotFixed => {
            failure = Some(Origin::Before);
            NOT_FIXED.to_owned()
        }
        Class::NotReproducible => NOT_REPRODUCIBLE.to_owned(),
        Class::FailingBefore => {
            failure = Some(Origin::Before);
            "fails without the queue, too".to_owned()
        }
        Class::Flaky => {
            failure = Some(Origin::Before);
            "flaky, and not made worse".to_owned()
        }
        Class::Uncovered => {
            failure = Some(Origin::Uncovered);
            "fails, and could not run without the queue".to_owned()
        }
        Class::NotJudged => "not judged".to_owned(),
        Class::Regression(regression) => {
            failure = Some(Origin::Introduced);
            culprits = regression.culprits.iter().map(|one| culprit(state, one)).collect();
            candidates = numbers(&regression.candidates);
            open = regression.open.map(|limit| words(limit).to_owned());
            match culprits.is_empty() {
                true => "broken by the queue".to_owned(),
                false => {
                    let named: Vec<usize> = culprits.iter().map(|one: &CulpritRow| one.number).collect();
                    format!("broken by {}", crate::queue::numbers(&named))
                }
            }
        }
        Class::Undecided(undecided) => {
            open = Some(words(undecided.why).to_owned());
            if finding.tip.bad > 0 {
                failure = Some(Origin::Open);
            }
            candidates = undecided
                .possible
                .iter()
                .find_map(|possible| match possible {
                    Possible::Regression { candidates, .. } => Some(numbers(candidates)),
                    _ => None,
                })
                .unwrap_or_default();
            match finding.tip.bad {
                0 => "not run often enough".to_owned(),
                _ => "fails, and it is open why".to_owned(),
            }
        }
    };
    let seen = seen(state, finding.test);
    let unjudged = || state.unjudged(&KernelOf::Tip, finding.test).map(str::to_owned);
    let fallback = || last(state, &KernelOf::Tip, finding.test).and_then(|attempt| attempt.title.clone());
    let title = match &finding.class {
        Class::NotJudged => unjudged().or_else(fallback),
        _ => seen.first().and_then(|(_, attempt)| attempt.title.clone()),
    };
    let mut other_titles: Vec<String> =
        seen.iter().filter_map(|(_, attempt)| attempt.title.clone()).collect();
    other_titles.sort();
    other_titles.dedup();
    other_titles.retain(|other| Some(other) != title.as_ref());
    TestRow {
        test: record.test.clone(),
        summary: record.summary.clone(),
        expect: record.expect,
        result,
        failure,
        patches: record.patches.clone(),
        baseline: finding.baseline,
        tip: finding.tip,
        culprits,
        candidates,
        open,
        title,
        otherwise: otherwise(&seen).filter(|_| failure == Some(Origin::Before)),
        other_titles: if failure.is_some() { other_titles } else { Vec::new() },
        excerpt: seen.iter().find_map(|(_, attempt)| attempt.excerpt.as_deref()).map(quoted),
        console: seen.first().and_then(|(_, attempt)| attempt.console.clone()),
        reproducer: record.reproducer.clone(),
    }
}

/// How it fails without the queue, where every failure there is of another kind than every one with it: the test's own symptom on
/// one side, another crash on the other.
fn otherwise(seen: &[(KernelOf, &QueueAttempt)]) -> Option<String> {
    let on =
        |side: KernelOf| seen.iter().filter(move |(kernel, _)| *kernel == side).map(|(_, attempt)| *attempt);
    let first = on(KernelOf::Baseline).next()?;
    let is_other = on(KernelOf::Tip).next().is_some()
        && on(KernelOf::Tip)
            .all(|with| on(KernelOf::Baseline).all(|without| with.verdict != without.verdict));
    first.title.clone().filter(|_| is_other)
}

/// The first lines of a report.
fn quoted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(QUOTED).collect();
    if text.lines().count() > QUOTED {
        lines.push("…");
    }
    lines.join("\n")
}

/// Attempts that failed, those on the tip first.
fn seen(state: &QueueState, test: usize) -> Vec<(KernelOf, &QueueAttempt)> {
    let mut bad: Vec<(KernelOf, &QueueAttempt)> = state
        .all_attempts()
        .filter(|(_, of, _)| *of == test)
        .flat_map(|(kernel, _, attempts)| attempts.iter().map(move |one| (kernel.clone(), one)))
        .filter(|(_, attempt)| attempt.outcome == Outcome::Bad)
        .collect();
    bad.sort_by_key(|(kernel, _)| *kernel != KernelOf::Tip);
    bad
}

fn last<'s>(state: &'s QueueState, kernel: &KernelOf, test: usize) -> Option<&'s QueueAttempt> {
    state.attempts(kernel, test).last()
}

fn culprit(state: &QueueState, culprit: &Culprit) -> CulpritRow {
    let numbers =
        |places: &BTreeSet<usize>| places.iter().map(|place| state.numbers().number(*place)).collect();
    CulpritRow {
        number: state.numbers().number(culprit.patch),
        title: state.patch(culprit.patch).title.clone(),
        confidence: culprit.confidence,
        with: culprit.with,
        before: culprit.before,
        proof: match &culprit.proof {
            Proof::GoodAgain { without, seen } => {
                Removal::GoodAgain { patches: numbers(without), seen: *seen }
            }
            Proof::StillBad { without, seen } => Removal::StillBad { patches: numbers(without), seen: *seen },
            Proof::CannotBeRemoved { why } => Removal::Stays { why: why.clone() },
        },
    }
}

/// Why there are no more attempts.
fn words(limit: Limit) -> &'static str {
    match limit {
        Limit::Budget => "it was ended before it was sure",
        Limit::Test => "it took as many attempts as one test may take",
        Limit::Least => "if the queue made it worse, then by less than is looked for",
        Limit::Kernels => "the kernels that would tell cannot be built or judged",
        Limit::Nobody => "every patch that could be it is ruled out or was taken back",
    }
}

fn patch(state: &QueueState, place: usize, tests: &[TestRow], warnings: Option<&Vec<String>>) -> PatchRow {
    let patch = state.patch(place);
    let number = patch.number;
    let about = tests.iter().filter(|row| row.patches.contains(&number));
    let own = about.filter(|row| row.expect == crate::triage::Expect::Fixed);
    let own_bug: Vec<(String, String)> = own.map(|row| (row.test.clone(), row.result.clone())).collect();
    let blames = tests.iter().flat_map(|row| row.culprits.iter().map(move |culprit| (row, culprit)));
    let breaks: Vec<(String, f64)> = blames
        .filter(|(_, culprit)| culprit.number == number)
        .map(|(row, culprit)| (row.test.clone(), culprit.confidence))
        .collect();
    let suspected: Vec<String> =
        tests.iter().filter(|row| row.candidates.contains(&number)).map(|row| row.test.clone()).collect();
    let (builds, boots) = (builds(state, place), boots(state, place));
    let warnings = warnings.cloned().unwrap_or_default();
    let is_no = |standing: &Standing| matches!(standing, Standing::No(_));
    let grade = if !breaks.is_empty()
        || is_no(&builds)
        || is_no(&boots)
        || own_bug.iter().any(|(_, result)| result == NOT_FIXED)
    {
        Grade::Fail
    } else if !warnings.is_empty() || !suspected.is_empty() && suspected.len() < tests.len() {
        Grade::Warn
    } else {
        Grade::Pass
    };
    PatchRow {
        number,
        title: patch.title.clone(),
        upstream: patch.upstream.clone(),
        author: patch.author.clone(),
        mail: patch.mail.clone(),
        applies: patch.applies.clone(),
        builds,
        boots,
        warnings,
        own_bug,
        breaks,
        suspected,
        impossible: state.impossible(place).map(str::to_owned),
        grade,
    }
}

/// The kernel up to a patch, and the one before it.
fn sides(state: &QueueState, place: usize) -> (KernelOf, KernelOf) {
    let count = state.numbers().count();
    let before = (1..place).rev().find(|before| !state.taken_out().contains_key(before)).unwrap_or(0);
    let last = (place + 1..=count).all(|behind| state.taken_out().contains_key(&behind));
    let up_to = if last { KernelOf::Tip } else { KernelOf::Prefix(place) };
    (up_to.canonical(count), KernelOf::Prefix(before).canonical(count))
}

fn builds(state: &QueueState, place: usize) -> Standing {
    let built = |of: &KernelOf| state.kernel(of).is_some_and(|kernel| kernel.record.is_some());
    let broken = |of: &KernelOf| state.kernel(of).and_then(|kernel| kernel.broken.clone());
    let (up_to, before) = sides(state, place);
    match broken(&up_to) {
        _ if built(&up_to) => Standing::Yes,
        Some(reason) if built(&before) => Standing::No(reason),
        _ if built(&KernelOf::Tip) => Standing::WithTheOthers,
        _ => Standing::Unknown,
    }
}

fn boots(state: &QueueState, place: usize) -> Standing {
    let Some(test) = state.record().tests.iter().position(|test| test.test == BOOT) else {
        return Standing::Unknown;
    };
    let boots = |of: &KernelOf| {
        // whatever ran there came up
        let any = state.all_attempts().filter(|(kernel, ..)| *kernel == of);
        any.flat_map(|(_, _, attempts)| attempts).any(|attempt| attempt.outcome == Outcome::Good)
    };
    let fails = |of: &KernelOf| state.kernel(of).and_then(|kernel| kernel.unjudged.clone());
    let (up_to, before) = sides(state, place);
    let bad = last(state, &up_to, test).filter(|attempt| attempt.outcome == Outcome::Bad);
    match fails(&up_to).or_else(|| bad.and_then(|attempt| attempt.title.clone())) {
        _ if boots(&up_to) => Standing::Yes,
        Some(reason) if boots(&before) => Standing::No(reason),
        _ if boots(&KernelOf::Tip) => Standing::WithTheOthers,
        _ => Standing::Unknown,
    }
}

/// Warnings by the first patch whose kernel has them, where the kernel before it is known and has them not.
fn warnings(state: &QueueState) -> BTreeMap<usize, Vec<String>> {
    let of = |kernel: &KernelOf| state.kernel(kernel).and_then(|kernel| kernel.record.as_ref());
    let mut known: BTreeSet<&str> = BTreeSet::new();
    if let Some(baseline) = of(&KernelOf::Baseline) {
        known.extend(baseline.warnings.iter().map(String::as_str));
    }
    let mut by_patch = BTreeMap::new();
    for place in 1..=state.numbers().count() {
        let (up_to, before) = sides(state, place);
        let Some(record) = of(&up_to) else { continue };
        // the tip is built first, and with all of its files: what is not the last patch's was there before
        let files = &state.patch(place).files;
        let its_own = |warning: &String| {
            up_to != KernelOf::Tip || files.iter().any(|file| warning.starts_with(&format!("{file}: ")))
        };
        let new = record.warnings.iter().filter(|warning| !known.contains(warning.as_str()));
        let own: Vec<String> = new.filter(|warning| its_own(warning)).cloned().collect();
        known.extend(record.warnings.iter().map(String::as_str));
        if !own.is_empty() && of(&before).is_some() {
            by_patch.insert(place, own);
        }
    }
    by_patch
}

/// A patch that is not tested, in a line.
pub fn aside_line(one: &SetAside) -> String {
    format!("{} {}: {}", one.number, one.title, one.kind.words())
}
