//! The result of a bisection, for people and for programs. [`Report`] holds the sentences and figures, the renderers only
//! lay them out.

mod html;
mod markdown;
mod text;
mod wording;

use serde::Serialize;

pub use html::html;
pub use markdown::markdown;
pub use text::{notes, text};
pub use wording::effort;

use super::state::{BisectionState, CandidateState};
use crate::bisect::{Answer, Find, Seen};
use crate::event::{BisectionSource, CandidateRecord, Suspect};
use crate::progress::likely;
use crate::report::ExitStatus;

/// How many candidates the plot shows.
const PLOTTED: usize = 24;

/// The report for programs, in the run's folder.
pub const JSON_FILE: &str = "bisection.json";

/// A bisection, laid out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// `suite::test`.
    pub test: String,
    /// Whether the cause or the fix was looked for.
    pub find: Find,
    /// One sentence: the result.
    pub headline: String,
    /// More of it, a sentence each.
    pub remarks: Vec<String>,
    /// The answer; nodes are places in the journal's list of candidates.
    pub answer: Option<Answer>,
    /// The culprits, oldest first: one, or several that no kernel can tell from each other.
    pub culprits: Vec<CandidateRecord>,
    /// How likely the culprit is among them.
    pub probability: Option<f64>,
    /// The confidence that was asked for.
    pub confidence: f64,
    /// Candidates in all.
    pub candidates: usize,
    /// Attempts, those without evidence included.
    pub attempts: usize,
    /// Kernels that were tried.
    pub kernels: usize,
    /// Wall time, seconds.
    pub seconds: f64,
    /// The chance per attempt that a kernel with the bug shows it: expected, and the range that holds it with 95%.
    pub chance: Option<(f64, f64, f64)>,
    /// Every kernel that was tried, oldest first.
    pub tried: Vec<Row>,
    /// The likeliest candidates in the order of the history.
    pub plot: Vec<Suspect>,
    /// Commands that show the same by hand.
    pub confirm: Vec<String>,
    /// Further notices for the user.
    pub notices: Vec<String>,
}

/// A kernel that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub kernel: String,
    /// A commit's subject; empty for packages.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Symptoms and attempts that were evidence.
    #[serde(flatten)]
    pub seen: Seen,
    /// Those of them that are known from elsewhere, attempts.
    pub earlier: u32,
    /// Attempts that were no evidence.
    pub without_evidence: usize,
    /// The probability that it has the bug.
    pub bad: f64,
    /// Why it was tried no more.
    pub closed: Option<String>,
    /// The title of its first symptom.
    pub symptom: Option<String>,
}

impl Report {
    /// The report of a bisection as it is now.
    pub fn of(state: &BisectionState) -> Report {
        let posterior = state.search().posterior();
        let bad = posterior.bad_probabilities();
        let culprits = match state.answer() {
            Some(Answer::Found { candidates, .. }) => candidates.as_slice(),
            _ => &[],
        };
        let probability = match state.answer() {
            Some(Answer::Found { probability, .. }) => Some(*probability),
            _ => None,
        };
        Report {
            run: state.run().to_owned(),
            test: state.record().test.clone(),
            find: state.record().find,
            headline: wording::headline(state),
            remarks: wording::remarks(state),
            answer: state.answer().cloned(),
            culprits: culprits.iter().map(|node| state.candidate(*node).clone()).collect(),
            probability,
            confidence: state.record().aims.confidence,
            candidates: state.record().candidates.len() - 1,
            attempts: state.attempts(),
            kernels: state.kernels(),
            seconds: state.seconds(),
            chance: (posterior.total().symptoms > 0).then(|| posterior.bad_chance()),
            tried: state.all_tried().map(|(node, tried)| row(state, node, tried, bad[node])).collect(),
            plot: plot(state),
            confirm: confirm(state, culprits),
            notices: state.notices().to_vec(),
        }
    }

    /// The exit code for the result.
    pub fn exit_status(&self) -> ExitStatus {
        match self.culprits.len() {
            1 => ExitStatus::Success,
            _ => ExitStatus::Inconclusive,
        }
    }
}

fn row(state: &BisectionState, node: usize, tried: &CandidateState, bad: f64) -> Row {
    let candidate = state.candidate(node);
    Row {
        kernel: candidate.name.clone(),
        subject: candidate.subject.clone(),
        seen: state.search().posterior().seen(node),
        earlier: tried.earlier.iter().map(|earlier| earlier.seen.attempts).sum(),
        without_evidence: tried.without_evidence(),
        bad,
        closed: tried.closed.clone(),
        symptom: tried.symptom().map(str::to_owned),
    }
}

/// The likeliest candidates with some probability, in order, and what lies outside of the ends.
fn plot(state: &BisectionState) -> Vec<Suspect> {
    let posterior = state.search().posterior();
    let mut shown: Vec<(f64, usize)> = (1..state.record().candidates.len())
        .map(|node| (posterior.probability(node), node))
        .filter(|(probability, _)| *probability >= 0.0005)
        .collect();
    shown.sort_by(|a, b| b.0.total_cmp(&a.0));
    shown.truncate(PLOTTED);
    shown.sort_by_key(|(_, node)| *node);
    let outside =
        [("before the old end", posterior.probability(0)), ("never", posterior.never().probability)];
    let named = shown
        .into_iter()
        .map(|(probability, node)| Suspect { kernel: state.candidate(node).name.clone(), probability });
    let outside = outside.into_iter().filter(|(_, probability)| *probability >= 0.0005);
    named.chain(outside.map(|(name, probability)| Suspect { kernel: name.into(), probability })).collect()
}

/// Commands that show by hand what the answer says.
fn confirm(state: &BisectionState, culprits: &[usize]) -> Vec<String> {
    let record = state.record();
    let [culprit, ..] = culprits else { return Vec::new() };
    let (holder, bases) = state.search().neighbours(culprits);
    let holder = holder.unwrap_or(*culprit);
    let kernels: Vec<&str> =
        bases.iter().chain([&holder]).map(|node| state.candidate(*node).name.as_str()).collect();
    let attempts = state.search().posterior().bad_prior(*culprit).clean_attempts(0.05, 50);
    match &record.source {
        BisectionSource::Series { .. } => {
            vec![format!("kregress run {} -k {} --attempts {attempts}", record.test, kernels.join(","))]
        }
        BisectionSource::Tree { path, config, arch, .. } => {
            let arch = arch.as_deref().map_or(String::new(), |arch| format!(" for {arch}"));
            let mut commands = vec![format!("git -C {path} show {}", state.candidate(*culprit).name)];
            for kernel in kernels {
                commands.push(format!(
                    "git -C {path} worktree add ../check-{kernel} {kernel}  # build it with {config}{arch}, then: kregress run {} -k IMAGE --attempts {attempts}",
                    record.test
                ));
            }
            commands
        }
    }
}

/// `3 of 7`.
pub fn counted(seen: Seen) -> String {
    format!("{} of {}", seen.symptoms, seen.attempts)
}

/// How a kernel is called in the table.
pub fn standing(row: &Row) -> String {
    match &row.closed {
        Some(_) if row.seen.attempts == 0 => "not judged".to_owned(),
        _ if row.bad >= 0.5 => format!("bad {}", likely(row.bad)),
        _ => format!("good {}", likely(1.0 - row.bad)),
    }
}
