//! The result in the form that b4 takes from the checks of a review: a JSON array of objects with `tool`, `status` (`pass`,
//! `warn` or `fail`), `summary` and `details`.

use serde::Serialize;

use crate::event::queue::SetAside;
use crate::plural;
use crate::queue::reading::Reading;

use super::{Grade, Origin, PatchRow, QueueReport, counted};

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Who checked.
    pub tool: &'static str,
    /// The result.
    pub status: Grade,
    /// One line.
    pub summary: String,
    /// The rest.
    pub details: String,
}

/// The checks of a queue: one for every patch, one for the tests.
pub fn checks(report: &QueueReport) -> Vec<Check> {
    let tool = "kregress";
    let mut checks: Vec<Check> = report.set_aside.iter().map(aside).collect();
    checks.extend(report.patches.iter().map(|row| Check {
        tool,
        status: row.grade,
        summary: format!("{} {}: {}", row.number, row.title, summary(row)),
        details: details(row),
    }));
    checks.push(tests(report, tool));
    checks
}

/// The checks of a queue that was read and not run: what applies, and what does not.
pub fn reading_checks(reading: &Reading) -> Vec<Check> {
    let tool = "kregress";
    let applies = reading.patches.iter().map(|patch| Check {
        tool,
        status: Grade::Pass,
        summary: format!("{} {}: {}", patch.number, patch.title, patch.applies),
        details: patch.impossible.clone().unwrap_or_default(),
    });
    reading.set_aside.iter().map(aside).chain(applies).collect()
}

/// The check of something that could not be read at all.
pub fn refusal(text: &str) -> Vec<Check> {
    let summary = text.lines().next().unwrap_or_default().to_owned();
    vec![Check { tool: "kregress", status: Grade::Fail, summary, details: text.to_owned() }]
}

fn aside(one: &SetAside) -> Check {
    Check {
        tool: "kregress",
        status: if super::rows::is_fault(one.kind) { Grade::Fail } else { Grade::Warn },
        summary: super::rows::aside_line(one),
        details: one.why.clone(),
    }
}

fn summary(row: &PatchRow) -> String {
    let mut said = vec![row.applies.clone()];
    said.extend(row.breaks.iter().map(|(test, _)| format!("breaks {test}")));
    said.extend(row.own_bug.iter().map(|(test, result)| format!("{test} {result}")));
    if matches!(row.builds, super::Standing::No(_)) {
        said.push("does not build".into());
    }
    if !row.warnings.is_empty() {
        said.push(plural::counted(row.warnings.len(), "new warning"));
    }
    said.join(", ")
}

fn details(row: &PatchRow) -> String {
    let mut lines = Vec::new();
    for (what, standing) in [("build", &row.builds), ("boot", &row.boots)] {
        if let super::Standing::No(why) = standing {
            lines.push(format!("{what}: {why}"));
        }
    }
    lines.extend(row.warnings.iter().map(|warning| format!("new warning: {warning}")));
    lines.extend(
        row.breaks.iter().map(|(test, sure)| format!("breaks {test}: {}", super::text::percent(*sure))),
    );
    lines.join("\n")
}

fn tests(report: &QueueReport, tool: &'static str) -> Check {
    let failed = report.tests.iter().filter(|row| row.failure == Some(Origin::Introduced)).count();
    let open = report.tests.iter().filter(|row| row.open.is_some()).count();
    let judged = report.tests.iter().filter(|row| row.tip.judged() > 0).count();
    let lines = report.tests.iter().map(|row| {
        format!(
            "{}: {} (failed {} without the queue, {} with it)",
            row.test,
            row.result,
            counted(row.baseline),
            counted(row.tip)
        )
    });
    Check {
        tool,
        status: match (failed, open + usize::from(report.open.is_some()), judged) {
            (0, 0, 1..) => Grade::Pass,
            (0, ..) => Grade::Warn,
            _ => Grade::Fail,
        },
        summary: format!(
            "{} judged on {}, {failed} broken by the queue",
            plural::counted(judged, "test"),
            super::mails::tree_for_others(&report.tree)
        ),
        details: lines.collect::<Vec<_>>().join("\n"),
    }
}
