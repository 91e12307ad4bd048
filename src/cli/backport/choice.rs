//! Which tests a patch is tried with.

use std::sync::Arc;

use super::BackportArgs;
use crate::backport::{Related, Tie, related};
use crate::cli::error::CliError;
use crate::patch::PatchMail;
use crate::plan::{NameFilter, select};
use crate::suite::{Suite, Test};

/// The tests that run, those of the bug first, and which those are.
pub struct Chosen {
    /// All of them.
    pub tests: Vec<Arc<Test>>,
    /// Which are about the bug, and why.
    pub about: Vec<Related>,
}

impl Chosen {
    /// Those that the arguments name; the tests of the bug are found where none is named.
    ///
    /// # Errors
    /// No test fits a filter, or none is left.
    pub fn new(
        args: &BackportArgs,
        suites: &[Suite],
        patches: &[&PatchMail],
        upstream: Option<&str>,
    ) -> Result<Chosen, CliError> {
        let named = |words: &[String]| -> Result<Vec<Arc<Test>>, CliError> {
            let filter = NameFilter::new(words, false).map_err(CliError::filter)?;
            let tests = select(suites, &filter);
            if tests.is_empty() {
                let text = format!("no test fits {:?}; `kregress list` shows the tests", words.join(" "));
                return Err(CliError::nothing(text));
            }
            Ok(tests)
        };
        let about = match args.tests.as_slice() {
            [] => related(patches, upstream, &all(suites)),
            words => named(words)?.iter().map(|test| Related { test: test.id(), tie: Tie::Named }).collect(),
        };
        let is_about = |test: &Arc<Test>| about.iter().any(|one| one.test == test.id());
        let mut tests: Vec<Arc<Test>> = all(suites).into_iter().filter(is_about).collect();
        if !args.no_check {
            let rest = named(&args.check)?;
            tests.extend(rest.into_iter().filter(|test| !is_about(test)));
        }
        if tests.is_empty() {
            let text = "no test of the suites is about this patch; name the tests of its bug with --tests";
            return Err(CliError::nothing(text));
        }
        Ok(Chosen { tests, about })
    }
}

fn all(suites: &[Suite]) -> Vec<Arc<Test>> {
    suites.iter().flat_map(|suite| &suite.tests).cloned().collect()
}
