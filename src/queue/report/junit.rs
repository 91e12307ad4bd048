//! The patches as JUnit: one test case each, in the form of the reports of a run.

use std::io;
use std::time::Duration;

use jiff::Timestamp;

use super::{Grade, PatchRow, QueueReport};
use crate::event::queue::SetAside;
use crate::report::junit::element::{Case, Outcome, Reason, Suite, document};
use crate::report::junit::text::attribute;

/// The longest attribute, characters.
const LONGEST: usize = 1000;

/// The JUnit document. A patch that breaks something, does not apply or does not build fails. `started` is in seconds since
/// the epoch.
///
/// # Errors
/// Those of the XML writer.
pub fn junit(report: &QueueReport, started: i64) -> io::Result<String> {
    let timestamp = Timestamp::from_second(started).unwrap_or(Timestamp::UNIX_EPOCH);
    let suite = Suite { name: attribute(&report.mail.title, LONGEST), timestamp, extras: None };
    let mut cases: Vec<(usize, Case)> = report.patches.iter().map(|row| (row.number, patch(row))).collect();
    cases.extend(report.set_aside.iter().map(|one| (one.number, set_aside(one))));
    cases.sort_by_key(|(number, _)| *number);
    document(&suite, &cases.into_iter().map(|(_, case)| case).collect::<Vec<_>>())
}

fn case(number: usize, title: &str, outcome: Outcome) -> Case {
    Case {
        name: attribute(&format!("{number} {title}"), LONGEST),
        classname: "queue".to_owned(),
        time: Duration::ZERO,
        outcome,
        output: None,
        reruns: Vec::new(),
    }
}

fn patch(row: &PatchRow) -> Case {
    let breaks: Vec<&str> = row.breaks.iter().map(|(test, _)| test.as_str()).collect();
    let own = row.own_bug.iter().map(|(test, result)| format!("{test} {result}"));
    let mut said: Vec<String> = own.collect();
    if !breaks.is_empty() {
        said.push(format!("breaks {}", breaks.join(", ")));
    }
    for (what, standing) in [("does not build", &row.builds), ("does not boot", &row.boots)] {
        if let super::Standing::No(why) = standing {
            said.push(format!("{what}: {}", why.lines().next().unwrap_or_default()));
        }
    }
    let outcome = match row.grade {
        Grade::Pass | Grade::Warn => Outcome::Success,
        Grade::Fail => Outcome::Failure(reason("fails", &said.join("; "))),
    };
    case(row.number, &row.title, outcome)
}

fn set_aside(one: &SetAside) -> Case {
    let reason = reason(one.kind.words(), &one.why);
    let outcome = match super::rows::is_fault(one.kind) {
        true => Outcome::Failure(reason),
        false => Outcome::Skipped(reason),
    };
    case(one.number, &one.title, outcome)
}

fn reason(kind: &str, message: &str) -> Reason {
    Reason { kind: kind.to_owned(), message: attribute(message, LONGEST), details: None }
}
