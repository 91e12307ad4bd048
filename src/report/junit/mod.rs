//! JUnit XML: one test suite per kernel, the kregress suite as class name, and `test[kernel]` as name: readers that put
//! cases of equal names together would hide a kernel's failure behind another kernel's success.
//!
//! The structure is that of Jenkins's `junit-10.xsd`, the form that CI systems read. `bad` and `other` are failures,
//! `blind` and `lost` errors, `skip` is skipped. A cell that was not run is skipped when the run was ended on purpose
//! and an error when the runner was killed: nobody decided to leave it out. A failure that the suite lists as known is
//! skipped with that as its reason, as pytest writes an expected failure, unless [`JunitKnown::Failure`] is asked for:
//! readers have no other word that does not fail a run in which nothing new was found. Attempts that failed besides the one
//! that decided are `rerunFailure` and `flakyFailure`, as maven-surefire has them. A run that was interrupted, or that
//! judged nothing, has a test case that says so (`whole.rs`): no reader shows it as a success.

mod case;
pub(crate) mod element;
pub(crate) mod text;
mod whole;

use jiff::Timestamp;

use self::element::{Case, Extras, Suite, Totals};
use self::text::attribute;
use super::ReportError;
use super::cells::CellPlaces;
use super::fold::RunSummary;
use super::records::Details;
use crate::journal::RunDir;

/// What a cell's record says of a failure that its suite lists.
const KNOWN: &str = "known";
/// The longest attribute, characters.
const ATTRIBUTE_LIMIT: usize = 1000;

/// How a failure is written that the suite lists as known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JunitKnown {
    /// Skipped, with the reason.
    #[default]
    Skipped,
    /// As any failure.
    Failure,
}

/// The JUnit document of a run, in which known failures are skipped and no file is attached.
///
/// # Errors
/// The journal cannot be read any more.
pub fn junit(run: &RunSummary) -> Result<String, ReportError> {
    pieces(run, JunitKnown::default(), None).collect()
}

/// The document in pieces, each test case one of its own. Consoles of failures are attached where `dir` is the run's
/// folder.
pub fn pieces<'r>(
    run: &'r RunSummary,
    known: JunitKnown,
    dir: Option<&'r RunDir>,
) -> impl Iterator<Item = Result<String, ReportError>> + 'r {
    let mut details = run.details();
    let kernels = in_order(run);
    let suites = kernels.len();
    let start = document_start(run, known, &kernels, &mut details);
    let parts = kernels.into_iter().enumerate().flat_map(|(number, (kernel, cells))| {
        let cases = cells.clone().into_iter().map(Part::Case);
        std::iter::once(Part::Begin { number, kernel, cells }).chain(cases).chain(std::iter::once(Part::End))
    });
    let elements = parts.map(move |part| match part {
        Part::Begin { number, kernel, cells } => begin(run, known, number, kernel, &cells, &mut details),
        Part::Case(place) => {
            element(&case::CaseView { run, known, dir, cell: &details.cell(place)? }.test_case())
        }
        Part::End => Ok("</testsuite>".to_owned()),
    });
    let whole = std::iter::once_with(move || whole::suite(run, suites));
    std::iter::once(start).chain(elements).chain(whole).chain([Ok("</testsuites>".to_owned())])
}

/// The beginning of the document, with the numbers of all its test cases.
fn document_start(
    run: &RunSummary,
    known: JunitKnown,
    kernels: &[(&str, CellPlaces)],
    details: &mut Details<'_>,
) -> Result<String, ReportError> {
    let mut totals = whole::totals(run);
    for (_, cells) in kernels {
        totals.join(&totals_of(run, known, cells, details)?);
    }
    let name = attribute(&format!("kregress run {}", run.id), ATTRIBUTE_LIMIT);
    let tag = element::suites_start(&name, &totals).map_err(ReportError::Junit)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{tag}"))
}

/// The places of each kernel's cells. Those that are bad although the kernel has the fix stand first, and so do their kernels.
fn in_order(run: &RunSummary) -> Vec<(&str, CellPlaces)> {
    let is_first = |place| run.outline(place).is_unexpectedly_bad();
    let mut kernels = run.cells_by_kernel();
    for (_, cells) in &mut kernels {
        cells.put_first(is_first);
    }
    kernels.sort_by_key(|(_, cells)| !cells.first().is_some_and(is_first));
    kernels
}

/// A piece of the document.
enum Part<'r> {
    /// The start tag of a kernel's test suite, with its number in the document, from 0, and the places of its cells.
    Begin { number: usize, kernel: &'r str, cells: CellPlaces },
    /// The test case of a cell.
    Case(usize),
    /// The end tag.
    End,
}

/// The start tag of a kernel's test suite and its properties.
fn begin(
    run: &RunSummary,
    known: JunitKnown,
    number: usize,
    kernel: &str,
    cells: &CellPlaces,
    details: &mut Details<'_>,
) -> Result<String, ReportError> {
    let totals = totals_of(run, known, cells, details)?;
    let properties = properties(run, number == 0, cells);
    start(&suite(run, kernel, Some(Extras { skipped: totals.skipped, properties })), number, &totals)
}

fn totals_of(
    run: &RunSummary,
    known: JunitKnown,
    cells: &CellPlaces,
    details: &mut Details<'_>,
) -> Result<Totals, ReportError> {
    let mut totals = Totals::default();
    for place in cells.iter() {
        let outline = run.outline(place);
        let seconds = match outline.verdict() {
            Some(_) => outline.seconds(),
            None => case::seconds(&details.cell(place)?),
        };
        let is_skipped = known == JunitKnown::Skipped && outline.known() == Some(KNOWN);
        totals.add(outline.verdict(), is_skipped, run.ended, case::duration(seconds));
    }
    Ok(totals)
}

/// A test suite without its test cases.
fn suite(run: &RunSummary, name: &str, extras: Option<Extras>) -> Suite {
    Suite { name: attribute(name, ATTRIBUTE_LIMIT), timestamp: timestamp(run), extras }
}

/// The properties of a kernel's test suite; in the first one those of the run, too, which readers take as one set with
/// all others.
fn properties(run: &RunSummary, is_first: bool, cells: &CellPlaces) -> Vec<(&'static str, String)> {
    let mut properties = Vec::new();
    if is_first {
        properties.extend([("run", run.id.clone()), ("kregress", run.kregress.clone())]);
        if let Some(host) = &run.host {
            properties.extend([("qemu", host.qemu.clone()), ("accel", host.accel.clone())]);
        }
        properties.push(("ended", run.ended.word().into()));
    }
    if let Some(release) = cells.iter().find_map(|place| run.outline(place).release()) {
        properties.push(("release", release.to_owned()));
    }
    let package = cells.first().and_then(|place| run.package(run.outline(place).kernel()));
    properties.extend(package.map(|package| ("package", package.to_owned())));
    properties.into_iter().map(|(name, value)| (name, attribute(&value, ATTRIBUTE_LIMIT))).collect()
}

fn start(suite: &Suite, number: usize, totals: &Totals) -> Result<String, ReportError> {
    element::suite_start(suite, number, totals).map_err(ReportError::Junit)
}

fn element(case: &Case) -> Result<String, ReportError> {
    element::case_element(case).map_err(ReportError::Junit)
}

fn timestamp(run: &RunSummary) -> Timestamp {
    let seconds = run.started.map_or(0, |at| at.as_second());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
