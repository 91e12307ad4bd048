//! A failure beside the other kernels of its line: a regression is told apart from a fix that the kernel lacks.

use std::collections::HashMap;

use serde::Serialize;

use super::fold::{CellSummary, RunSummary};
use crate::expectation::Because;
use crate::verdict::Verdict;
use crate::version::{KernelVersion, Line, Upstream};

/// How a failure stands among the kernels of its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum InLine {
    /// An earlier kernel is good, and no fix is known that this one lacks; or it has the fix.
    Regression {
        /// The last good kernel before it, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        good: Option<String>,
        /// What is known of the fix that it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// It lacks a fix: that is known, or a later kernel is good and no earlier one.
    LacksFix {
        /// The first good kernel after it, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        good: Option<String>,
        /// What is known of the fix.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// It would be a regression, but it fails at times only, so that the clean attempts of the kernels before it may be luck.
    Flaky {
        /// The last good kernel before it, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        good: Option<String>,
        /// What is known of the fix that it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// No kernel of the line is good.
    Throughout {
        /// Kernels that were judged, this one included.
        kernels: usize,
    },
}

impl std::fmt::Display for InLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InLine::Regression { good: Some(good), because: None } => {
                write!(f, "a regression: {good} is good")
            }
            InLine::Regression { good: Some(good), because: Some(because) } => {
                write!(f, "a regression: {good} is good, and {because}")
            }
            InLine::Regression { good: None, because } => {
                write!(f, "a regression: {}", because.as_deref().unwrap_or("it has the fix"))
            }
            InLine::Flaky { good, because } => {
                let good = good.as_ref().map(|good| format!("{good} is good"));
                let facts: Vec<&str> = good.iter().chain(because).map(String::as_str).collect();
                write!(
                    f,
                    "it fails at times, which is no regression by itself, though {}",
                    facts.join(" and ")
                )
            }
            InLine::LacksFix { because: Some(because), good: Some(good) } => {
                write!(f, "it lacks the fix: {because}; {good} is good")
            }
            InLine::LacksFix { because: Some(because), good: None } => {
                write!(f, "it lacks the fix: {because}")
            }
            InLine::LacksFix { because: None, good } => {
                write!(f, "it lacks what made {} good", good.as_deref().unwrap_or("a later one"))
            }
            InLine::Throughout { kernels } => write!(f, "none of the {kernels} kernels is good"),
        }
    }
}

/// The kernels of a run by their lines.
#[derive(Clone, Debug)]
pub struct KernelLines {
    /// The line of each kernel, with what stands before its version.
    line_of: HashMap<String, (String, Line)>,
    /// The kernels of each, the earliest first.
    kernels: HashMap<(String, Line), Vec<(Upstream, String)>>,
}

/// A kernel's name as what stands before its version, `arm64:`, and the version. Names that are no versions are in no line.
fn version(name: &str) -> Option<(&str, KernelVersion)> {
    let (before, rest) = name.split_at(name.rfind(':').map_or(0, |at| at + 1));
    let version = rest.split('/').next()?.parse().ok()?;
    Some((before, version))
}

impl KernelLines {
    /// Those of a run.
    pub fn of(run: &RunSummary) -> KernelLines {
        let mut lines = KernelLines { line_of: HashMap::new(), kernels: HashMap::new() };
        for kernel in run.kernels() {
            let Some((before, version)) = version(kernel) else { continue };
            let Some(line) = version.line() else { continue };
            let line = (before.to_owned(), line);
            lines.line_of.insert(kernel.to_owned(), line.clone());
            lines.kernels.entry(line).or_default().push((version.upstream(), kernel.to_owned()));
        }
        lines.kernels.values_mut().for_each(|kernels| kernels.sort());
        lines
    }

    /// How a failure stands among the kernels of its line; `None`: it is no failure, or nothing can be said.
    pub fn standing(&self, run: &RunSummary, cell: &CellSummary) -> Option<InLine> {
        if !matches!(cell.verdict(), Some(Verdict::Bad | Verdict::Other)) {
            return None;
        }
        let empty = Vec::new();
        let kernels =
            self.line_of.get(&cell.id.kernel).and_then(|line| self.kernels.get(line)).unwrap_or(&empty);
        let own = kernels.iter().find(|(_, name)| *name == cell.id.kernel).map(|(version, _)| *version);
        let verdict = |name: &str| run.find(&cell.id.test, name).and_then(|cell| cell.verdict());
        let is_good = |(_, name): &&(Upstream, String)| verdict(name) == Some(Verdict::Good);
        let clean = |(_, name): &(Upstream, String)| {
            run.find(&cell.id.test, name).map_or(0, |cell| cell.attempts().max(1))
        };
        let clean_before: u32 =
            kernels.iter().filter(|(version, _)| Some(*version) < own).filter(is_good).map(clean).sum();
        let may_be_luck = |clean: u32| {
            run.find(&cell.id.test, &cell.id.kernel).is_some_and(|cell| run.may_be_luck(cell, clean))
        };
        let name = |(_, name): &(Upstream, String)| name.clone();
        let before = kernels.iter().rev().filter(|(version, _)| Some(*version) < own).find(is_good).map(name);
        let after = kernels.iter().filter(|(version, _)| Some(*version) > own).find(is_good).map(name);
        // a crash of another kind is not what the fix is of
        let known = cell.expectation.as_ref().filter(|_| cell.verdict() == Some(Verdict::Bad));
        let because = known.map(|known| (known.because, known.reason()));
        match (because, before, after) {
            (Some((Because::FixLacking, because)), _, good) => {
                Some(InLine::LacksFix { good, because: Some(because) })
            }
            // that it has the fix is no luck
            (Some((_, because)), good, _) if may_be_luck(u32::MAX) => {
                Some(InLine::Flaky { good, because: Some(because) })
            }
            (Some((_, because)), good, _) => Some(InLine::Regression { good, because: Some(because) }),
            (None, good @ Some(_), _) if may_be_luck(clean_before) => {
                Some(InLine::Flaky { good, because: None })
            }
            (None, good @ Some(_), _) => Some(InLine::Regression { good, because: None }),
            (None, None, good @ Some(_)) => Some(InLine::LacksFix { good, because: None }),
            (None, None, None) => {
                let judged = |(_, name): &&(Upstream, String)| {
                    matches!(verdict(name), Some(Verdict::Bad | Verdict::Other | Verdict::Good))
                };
                let count = kernels.iter().filter(judged).count();
                (count > 1).then_some(InLine::Throughout { kernels: count })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AttemptRecord, CellRecord, Event};
    use crate::expectation::{Expectation, Expected, FixSource};
    use crate::report::sample;

    fn expectation(because: impl Into<Option<Because>>) -> Option<Box<Expectation>> {
        let because = because.into()?;
        let expected = if because == Because::FixLacking { Expected::PossiblyBad } else { Expected::Good };
        let (source, place, words) = (FixSource::Changelog, "6.12.85-1".to_owned(), String::new());
        Some(Box::new(Expectation { expected, because, source, place, words }))
    }

    /// How each failing cell of `kernel verdict` pairs stands.
    fn standings(cells: &[(&str, Verdict, Option<Because>)]) -> String {
        let events = cells.iter().map(|(kernel, verdict, because)| {
            let expectation = because.and_then(expectation);
            Event::Cell(Box::new(CellRecord { expectation, ..sample::record("a::b", kernel, *verdict) }))
        });
        said(&sample::fold(events))
    }

    fn said(run: &RunSummary) -> String {
        let lines = KernelLines::of(run);
        let mut details = run.details();
        let said = run.cells().filter_map(|cell| {
            let standing = lines.standing(run, &details.cell(cell.place()).unwrap())?;
            Some(format!("{}: {standing}", cell.kernel()))
        });
        said.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_fails_at_times_is_no_regression_unless_others_are_clean_often_enough() {
        use Verdict::{Bad, Good};
        let of = |clean: u32, attempts: &[Verdict], because| {
            let good = CellRecord { attempts: clean, ..sample::record("a::b", "6.12.57", Good) };
            let bad =
                CellRecord { expectation: expectation(because), ..sample::record("a::b", "6.12.117", Bad) };
            let attempts = attempts.iter().zip(1..);
            let attempts =
                attempts.map(|(verdict, n)| AttemptRecord { verdict: *verdict, ..sample::attempt(&bad, n) });
            let attempts = attempts.collect();
            said(&sample::fold(
                [Event::Cell(Box::new(good))].into_iter().chain(sample::with_attempts(&bad, attempts)),
            ))
        };
        let said = [
            of(2, &[Good, Bad], None),
            of(20, &[Good, Bad], None),
            of(20, &[Good, Good, Good, Good, Good, Good, Good, Good, Good, Bad], None),
            of(1, &[Bad, Bad], None),
            // the fix is there, however often it fails
            of(2, &[Good, Bad], Some(Because::FixContained)),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        6.12.117: it fails at times, which is no regression by itself, though 6.12.57 is good
        6.12.117: a regression: 6.12.57 is good
        6.12.117: it fails at times, which is no regression by itself, though 6.12.57 is good
        6.12.117: a regression: 6.12.57 is good
        6.12.117: a regression: 6.12.57 is good, and its changelog has the fix in 6.12.85-1
        ");
    }

    #[test]
    fn regressions_are_told_apart_from_fixes_that_are_lacking() {
        use Because::{CauseLacking, FixContained, FixLacking};
        use Verdict::{Bad, Good, Lost, Other};
        let said = [
            standings(&[("6.12.57", Bad, None), ("6.12.117", Good, None), ("6.17.13", Bad, None)]),
            standings(&[("6.12.57", Good, None), ("6.12.117", Bad, None), ("6.12.120", Other, None)]),
            // before it was brought, and with it
            standings(&[
                ("6.12.57", Good, Some(CauseLacking)),
                ("6.12.80", Bad, Some(FixLacking)),
                ("6.12.117", Good, None),
            ]),
            standings(&[("6.12.57", Bad, Some(FixLacking)), ("6.12.117", Bad, Some(FixContained))]),
            standings(&[("6.12.57", Bad, None), ("6.12.60", Lost, None), ("6.12.117", Bad, None)]),
            // other architectures and catalogues' names are lines of their own, or none
            standings(&[
                ("6.12.57", Good, None),
                ("arm64:6.12.117", Bad, None),
                ("arm64:6.12.120", Good, None),
                ("mine", Bad, None),
            ]),
        ];
        insta::assert_snapshot!(said.join("\n\n"), @r"
        6.12.57: it lacks what made 6.12.117 good

        6.12.117: a regression: 6.12.57 is good
        6.12.120: a regression: 6.12.57 is good

        6.12.80: it lacks the fix: the fix came in 6.12.85-1, by the changelog; 6.12.117 is good

        6.12.57: it lacks the fix: the fix came in 6.12.85-1, by the changelog
        6.12.117: a regression: its changelog has the fix in 6.12.85-1

        6.12.57: none of the 2 kernels is good
        6.12.117: none of the 2 kernels is good

        arm64:6.12.117: it lacks what made arm64:6.12.120 good
        ");
    }
}
