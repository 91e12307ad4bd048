//! The trees as JUnit: one test case each, in the form of the reports of a run.

use junit_report::{Duration, OffsetDateTime, TestCaseBuilder, TestSuiteBuilder};

use super::table::reasons;
use super::validate::TreeOutcome;
use super::verdict::TreeVerdict;
use crate::report::junit::element::document;
use crate::report::junit::text::attribute;

/// The longest attribute, characters.
const LONGEST: usize = 1000;

/// The JUnit document. Whatever is no fix fails; what is unknown is an error. `started` is in seconds since the
/// epoch.
///
/// # Errors
/// Those of the XML writer.
pub fn junit(title: &str, trees: &[TreeOutcome], started: i64) -> Result<String, junit_report::Error> {
    let mut suite = TestSuiteBuilder::new(&attribute(title, LONGEST));
    suite.set_timestamp(OffsetDateTime::from_unix_timestamp(started).unwrap_or(OffsetDateTime::UNIX_EPOCH));
    for tree in trees {
        let result = &tree.result;
        let name = attribute(&result.tree, LONGEST);
        let seconds: f64 = tree.steps.iter().map(|step| step.build_seconds + step.test_seconds).sum();
        let took = Duration::milliseconds((seconds * 1000.0) as i64);
        let message = attribute(&reasons(&result.verdict).join("; "), LONGEST);
        let kind = result.verdict.words();
        let mut case = match &result.verdict {
            TreeVerdict::Fixed { .. } => TestCaseBuilder::success(&name, took),
            TreeVerdict::NotFixed { .. }
            | TreeVerdict::Breaks { .. }
            | TreeVerdict::DoesNotApply { .. }
            | TreeVerdict::DoesNotBuild { .. } => TestCaseBuilder::failure(&name, took, kind, &message),
            TreeVerdict::NotReproducible { .. } | TreeVerdict::Inconclusive { .. } => {
                TestCaseBuilder::error(&name, took, kind, &message)
            }
        };
        case.set_classname("backport");
        suite.add_testcase(case.build());
    }
    let mut suite = suite.build();
    suite.package = "kregress".into();
    document(suite)
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
