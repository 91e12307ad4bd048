//! The trees as JUnit: one test case each, in the form of the reports of a run.

use std::io;
use std::time::Duration;

use jiff::Timestamp;

use super::table::reasons;
use super::validate::TreeOutcome;
use super::verdict::TreeVerdict;
use crate::report::junit::element::{Case, Outcome, Reason, Suite, document};
use crate::report::junit::text::attribute;

/// The longest attribute, characters.
const LONGEST: usize = 1000;

/// The JUnit document. Whatever is no fix fails; what is unknown is an error. `started` is in seconds since the
/// epoch.
///
/// # Errors
/// Those of the XML writer.
pub fn junit(title: &str, trees: &[TreeOutcome], started: i64) -> io::Result<String> {
    let timestamp = Timestamp::from_second(started).unwrap_or(Timestamp::UNIX_EPOCH);
    let suite = Suite { name: attribute(title, LONGEST), timestamp, extras: None };
    document(&suite, &trees.iter().map(case).collect::<Vec<_>>())
}

fn case(tree: &TreeOutcome) -> Case {
    let result = &tree.result;
    let seconds: f64 = tree.steps.iter().map(|step| step.build_seconds + step.test_seconds).sum();
    let reason = Reason {
        kind: result.verdict.words().to_owned(),
        message: attribute(&reasons(&result.verdict).join("; "), LONGEST),
        details: None,
    };
    Case {
        name: attribute(&result.tree, LONGEST),
        classname: "backport".to_owned(),
        time: Duration::from_millis((seconds * 1000.0) as u64),
        outcome: match &result.verdict {
            TreeVerdict::Fixed { .. } => Outcome::Success,
            TreeVerdict::NotFixed { .. }
            | TreeVerdict::Breaks { .. }
            | TreeVerdict::DoesNotApply { .. }
            | TreeVerdict::DoesNotBuild { .. } => Outcome::Failure(reason),
            TreeVerdict::NotReproducible { .. } | TreeVerdict::Inconclusive { .. } => Outcome::Error(reason),
        },
        reruns: Vec::new(),
        output: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_is_a_case() {
        let xml = junit("[PATCH] x < y", &super::super::table::tests::sample(), 0).unwrap();
        insta::assert_snapshot!(xml.replace("><", ">\n<"));
    }
}
