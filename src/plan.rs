//! Suites × kernels, filtered, to the list of cells of a run.
//!
//! A need that the kernel's own configuration and modules already deny, or that this host's QEMU cannot meet, makes a
//! cell that is skipped without a virtual machine, with the reason. Where a kernel has a small image and a large one,
//! [`flavour`] finds the smallest that suffices.

pub mod flavour;
mod needs;
#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::event::CellId;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::suite::{KnownVerdict, Suite, Test};
use crate::verdict::Verdict;

pub use needs::{Unmet, unmet};

/// A test with the machine that it runs on.
#[derive(Clone, Debug)]
pub struct PlacedTest {
    /// The test.
    pub test: Arc<Test>,
    /// What it runs on, with what the test itself says about it.
    pub machine: Arc<Machine>,
    /// Why this host cannot build that machine, if so.
    pub lacking: Option<String>,
}

/// One test on one kernel.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The test.
    pub test: Arc<Test>,
    /// What it runs on.
    pub machine: Arc<Machine>,
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// The need that is not met, if there is one.
    pub unmet: Option<String>,
}

impl Cell {
    /// A cell, with its needs checked against what the kernel's files say and what the host can build.
    pub fn new(placed: &PlacedTest, kernel: Arc<Kernel>) -> Cell {
        let unmet = unmet(placed, &kernel).map(|unmet| unmet.to_string());
        Cell { test: Arc::clone(&placed.test), machine: Arc::clone(&placed.machine), kernel, unmet }
    }

    /// Its name in events.
    pub fn id(&self) -> CellId {
        CellId { test: self.test.id(), kernel: self.kernel.name.clone() }
    }

    /// What the suite's `known` list says of this verdict: `known` where it was foretold, `fixed` where a kernel
    /// listed as bad is good.
    pub fn known(&self, verdict: Verdict) -> Option<&'static str> {
        let entry = self.test.known.iter().find(|k| k.versions.contains(&self.kernel.version))?;
        match (entry.verdict, verdict) {
            (KnownVerdict::Bad, Verdict::Bad) | (KnownVerdict::Other, Verdict::Other) => Some("known"),
            (KnownVerdict::Bad, Verdict::Good) => Some("fixed"),
            _ => None,
        }
    }
}

/// Which tests are meant: a name matches when it contains the word, or fits it as a glob.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    words: Vec<FilterWord>,
}

#[derive(Clone, Debug)]
struct FilterWord {
    text: String,
    glob: Option<GlobMatcher>,
}

/// A filter that is no glob.
#[derive(Debug, thiserror::Error)]
#[error(
    "filter {word:?} is not a valid pattern: {reason}; write a part of a test's name, or a glob such as 'block::*'"
)]
pub struct FilterError {
    /// What was given.
    pub word: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Filter {
    /// A filter of these words; without any, every test is meant.
    ///
    /// # Errors
    /// A word with glob characters is not a valid glob.
    pub fn new(words: &[String]) -> Result<Filter, FilterError> {
        let words = words
            .iter()
            .map(|text| {
                let glob = text
                    .contains(['*', '?', '[', '{'])
                    .then(|| GlobBuilder::new(text).build().map(|g| g.compile_matcher()))
                    .transpose()
                    .map_err(|e| FilterError { word: text.clone(), reason: e.kind().to_string() })?;
                Ok(FilterWord { text: text.clone(), glob })
            })
            .collect::<Result<_, _>>()?;
        Ok(Filter { words })
    }

    /// Whether a test's full name is meant.
    pub fn is_match(&self, name: &str) -> bool {
        self.words.is_empty()
            || self.words.iter().any(|word| match &word.glob {
                Some(glob) => glob.is_match(name),
                None => name.contains(&word.text),
            })
    }
}

/// The tests that a filter selects, in the suites' order.
pub fn select(suites: &[Suite], filter: &Filter) -> Vec<Arc<Test>> {
    suites.iter().flat_map(|s| &s.tests).filter(|t| filter.is_match(&t.id())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_parts_or_globs() {
        let filter =
            |words: &[&str]| Filter::new(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).unwrap();
        let name = "block::elevator-switch-race";
        let table: &[(&[&str], bool)] = &[
            (&[], true),
            (&["elevator"], true),
            (&["block::elevator-switch-race"], true),
            (&["cifs", "switch"], true),
            (&["cifs"], false),
            (&["block::*"], true),
            (&["elevator*"], false),
            (&["*race"], true),
        ];
        for (words, expected) in table {
            assert_eq!(filter(words).is_match(name), *expected, "{words:?}");
        }
    }

    #[test]
    fn a_broken_glob_says_so() {
        let error = Filter::new(&["block::[".into()]).unwrap_err();
        insta::assert_snapshot!(error, @r#"filter "block::[" is not a valid pattern: unclosed character class; missing ']'; write a part of a test's name, or a glob such as 'block::*'"#);
    }
}
