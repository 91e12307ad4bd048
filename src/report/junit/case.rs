//! A cell as a test case.

use std::time::Duration;

use super::element::{Case, Outcome, Reason, Rerun};
use super::text::{attribute, cdata};
use super::{ATTRIBUTE_LIMIT, JunitKnown, KNOWN};
use crate::event::{AttemptRecord, CellRecord};
use crate::journal::RunDir;
use crate::report::evidence::{attempt_line, text};
use crate::report::fold::{CellSummary, RunEnd, RunSummary};
use crate::report::rerun::rerun;
use crate::report::summary::relative;
use crate::report::text::replace_forbidden;
use crate::verdict::Verdict;

/// The longest excerpt of a diagnosis, bytes.
pub(super) const EXCERPT_LIMIT: usize = 16 << 10;
/// The longest output of a test case, bytes.
pub(super) const OUTPUT_LIMIT: usize = 64 << 10;
/// Other attempts that are told.
const RERUNS: usize = 20;

/// A cell and what it is written with.
pub(super) struct CaseView<'r> {
    pub(super) run: &'r RunSummary,
    pub(super) known: JunitKnown,
    /// The run's folder, where files are attached.
    pub(super) dir: Option<&'r RunDir>,
    pub(super) cell: &'r CellSummary,
}

impl CaseView<'_> {
    pub(super) fn test_case(&self) -> Case {
        let cell = self.cell;
        let (suite, test) = cell.suite_and_test();
        let outcome = self.outcome();
        Case {
            name: attribute(&format!("{test}[{}]", cell.id.kernel), ATTRIBUTE_LIMIT),
            classname: attribute(suite, ATTRIBUTE_LIMIT),
            time: duration(seconds(cell)),
            reruns: self.reruns(&outcome),
            output: Some(self.output(&outcome)),
            outcome,
        }
    }

    fn outcome(&self) -> Outcome {
        let Some(record) = &self.cell.record else {
            let (kind, message) = ("not run".to_owned(), self.run.ended.why_not_run().to_owned());
            let reason = Reason { kind, message, details: None };
            return match self.run.ended {
                RunEnd::Cancelled | RunEnd::Running => Outcome::Skipped(reason),
                RunEnd::Killed | RunEnd::Finished => Outcome::Error(reason),
            };
        };
        let diagnosis = self.cell.deciding_diagnosis();
        let class = diagnosis.map(|d| d.kind.as_str()).filter(|kind| !kind.is_empty());
        let said = message(record);
        let message = match self.cell.beside_expected() {
            Some(beside) if record.verdict == Verdict::Bad => format!("{said} ({beside})"),
            _ => said.to_owned(),
        };
        let message = attribute(&message, ATTRIBUTE_LIMIT);
        if self.known == JunitKnown::Skipped && record.known.as_deref() == Some(KNOWN) {
            let message = attribute(&format!("known to the suite: {message}"), ATTRIBUTE_LIMIT);
            return Outcome::Skipped(Reason { kind: KNOWN.to_owned(), message, details: None });
        }
        let reason = |kind: &str| Reason {
            kind: attribute(kind, ATTRIBUTE_LIMIT),
            details: Some(self.details(&message)),
            message: message.clone(),
        };
        match record.verdict {
            Verdict::Good => Outcome::Success,
            Verdict::Bad => Outcome::Failure(reason(class.unwrap_or("symptom"))),
            Verdict::Other => Outcome::Failure(reason(&format!("other: {}", class.unwrap_or("crash")))),
            Verdict::Skip => Outcome::Skipped(Reason { kind: "skip".into(), message, details: None }),
            Verdict::Blind | Verdict::Lost => Outcome::Error(reason(record.verdict.word())),
        }
    }

    /// The body of a failure: the title first, as GitLab shows nothing else of it, and at the end what runs it again.
    fn details(&self, title: &str) -> String {
        let excerpt = self.cell.deciding_diagnosis().map(|diagnosis| diagnosis.text.trim_end());
        let excerpt = excerpt.filter(|text| !text.is_empty()).map(|text| format!("\n\n{text}"));
        let again = rerun(self.run, &self.cell.id);
        cdata(&format!("{title}{}\n\nrun it again: {again}", excerpt.unwrap_or_default()), EXCERPT_LIMIT)
    }

    /// The output of a case. The console of a failure is attached: GitLab and Jenkins look for such a line in here.
    fn output(&self, outcome: &Outcome) -> String {
        let mut output = text(self.cell);
        let console = self.cell.deciding_attempt().and_then(|attempt| attempt.console.as_deref());
        let path = console.and_then(|console| self.dir?.file(console)).map(|path| relative(&path));
        let failed = matches!(outcome, Outcome::Failure(_) | Outcome::Error(_));
        // neither of them has a form for a path with these
        if let Some(path) = path.filter(|path| failed && !path.contains(['[', ']', '|', '\n'])) {
            output = format!("[[ATTACHMENT|{path}]]\n{output}");
        }
        cdata(&output, OUTPUT_LIMIT)
    }

    /// The attempts that failed besides the one that decided.
    fn reruns(&self, outcome: &Outcome) -> Vec<Rerun> {
        let names = match outcome {
            Outcome::Success => ("flakyFailure", "flakyError"),
            Outcome::Failure(_) | Outcome::Error(_) => ("rerunFailure", "rerunError"),
            Outcome::Skipped(_) => return Vec::new(),
        };
        let deciding = self.cell.deciding_attempt().map(|attempt| attempt.attempt);
        let others = self.cell.attempts.iter().filter(|attempt| Some(attempt.attempt) != deciding);
        let rerun = |attempt: &AttemptRecord| {
            let element = match attempt.verdict {
                Verdict::Bad | Verdict::Other => names.0,
                Verdict::Blind | Verdict::Lost => names.1,
                Verdict::Good | Verdict::Skip => return None,
            };
            let said = attempt.title.as_deref().or(attempt.reason.as_deref());
            let diagnosis = attempt.diagnoses.iter().find(|d| Some(&d.title) == attempt.title.as_ref());
            let excerpt = diagnosis.map(|d| format!("\n\n{}", d.text.trim_end())).unwrap_or_default();
            let trace = crate::report::text::cut_middle(
                &format!("{}{excerpt}", attempt_line(attempt)),
                EXCERPT_LIMIT,
            )
            .into_owned();
            Some(Rerun {
                element,
                kind: attempt.verdict.word().to_owned(),
                message: attribute(said.unwrap_or_else(|| attempt.verdict.word()), ATTRIBUTE_LIMIT),
                trace: replace_forbidden(&trace),
            })
        };
        let mut reruns: Vec<Rerun> = others.filter_map(rerun).take(RERUNS).collect();
        // surefire's schema has all of the one kind before all of the other; which attempt it was stands in each
        reruns.sort_by_key(|rerun| rerun.element == names.1);
        reruns
    }
}

/// How long a cell took, seconds.
pub(super) fn seconds(cell: &CellSummary) -> f64 {
    match &cell.record {
        Some(record) => record.seconds,
        None => cell.attempts.iter().map(|attempt| attempt.seconds).sum(),
    }
}

/// The same to the millisecond, as every time is written.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0).round() as u64)
}

fn message(record: &CellRecord) -> &str {
    record.title.as_deref().or(record.reason.as_deref()).unwrap_or_else(|| record.verdict.word())
}
