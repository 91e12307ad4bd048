//! What one attempt means: the [`evidence`] is prepared once, then the [`questions`] are asked in their order until one
//! decides.

mod detection;
mod detectors;
mod environment;
mod evidence;
mod leaks;
mod questions;
#[cfg(test)]
mod tests;

use super::Verdict;
use crate::observation::Observation;
use crate::oops::Report;
use crate::suite::Test;
use detection::part_in_reports;
use detectors::Detectors;
use evidence::Evidence;
use questions::QUESTIONS;

pub use detection::likeness_findings;
pub use leaks::{overlooked_leaks, slab_findings, unrelated_leaks};

/// What one attempt alone says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The symptom's or the other crash's title.
    pub title: Option<String>,
    /// Why, where a title does not say it.
    pub reason: Option<String>,
    /// Whether the dose was begun: what happened before says nothing about the test and is worth another attempt.
    pub dosed: bool,
}

impl Judgement {
    fn new(verdict: Verdict, dosed: bool) -> Judgement {
        Judgement { verdict, title: None, reason: None, dosed }
    }

    fn title(mut self, title: impl Into<String>) -> Judgement {
        self.title = Some(title.into());
        self
    }

    fn because(mut self, reason: impl Into<String>) -> Judgement {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what was found out about the cause to the reason. The verdict does not depend on it.
    pub fn explain(&mut self, findings: &[String]) {
        let reasons = self.reason.take().into_iter().chain(findings.iter().cloned());
        self.reason = Some(reasons.collect::<Vec<_>>().join("; ")).filter(|reason| !reason.is_empty());
    }

    /// A judgement about an attempt that could not even be asked for.
    pub fn unprepared(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Blind, true).because(reason)
    }

    /// A judgement about an attempt that the host could not make ready for.
    pub fn not_ready(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Lost, false).because(reason)
    }

    /// A judgement about a kernel that lacks what the test needs.
    pub fn skipped(reason: impl Into<String>) -> Judgement {
        Judgement::new(Verdict::Skip, true).because(reason)
    }
}

/// Judges one attempt by what was observed and by the crash reports of its console.
pub fn judge(test: &Test, seen: &Observation, reports: &[Report]) -> Judgement {
    judge_allowing(test, seen, reports, 0)
}

/// As [`judge`]; so many other reports of the dose are known to do no harm.
pub fn judge_allowing(test: &Test, seen: &Observation, reports: &[Report], allowed: usize) -> Judgement {
    let evidence = Evidence::of(test, seen, reports, allowed);
    for question in QUESTIONS.iter().filter(|question| question.stage.is_now(&evidence)) {
        if let Some(answer) = (question.ask)(&evidence) {
            debug_assert!(question.verdicts.contains(&answer.verdict), "{}: {answer:?}", question.text);
            return answer;
        }
    }
    Judgement::new(Verdict::Good, true)
}

/// Whether no detector could see the symptom, by what was observed up to the dose's beginning.
pub fn is_undetectable(test: &Test, seen: &Observation) -> bool {
    let reports = crate::oops::diagnose(&seen.console.text);
    let before: Vec<&Report> = reports.iter().collect();
    detection::undetectable(&test.symptom, seen, &Detectors::of(seen, &before)).is_some()
}

/// Whether a crash report shows the symptom or any part of it, or may be a damaged remnant that does.
pub fn shows_symptom(test: &Test, report: &Report) -> bool {
    part_in_reports(&test.symptom, &[report]).is_some()
}
