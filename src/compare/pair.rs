//! Which cells stand side by side.

use super::{Comparison, Row, Side};
use crate::journal::JournalError;
use crate::report::{Details, Outline, RunSummary};

/// Two runs: the cells of one test on one kernel. Where each run has one kernel only, those two are compared.
///
/// # Errors
/// A journal cannot be read any more.
pub fn runs(before: &RunSummary, after: &RunSummary) -> Result<Comparison, JournalError> {
    let single = match (before.kernels().as_slice(), after.kernels().as_slice()) {
        ([one], [other]) => Some(((*one).to_owned(), (*other).to_owned())),
        _ => None,
    };
    let matching = |cell: Outline<'_>| {
        let kernel = match &single {
            Some((_, other)) => other.as_str(),
            None => cell.kernel(),
        };
        after.find(cell.test(), kernel)
    };
    let reached = |cell: Outline<'_>| {
        let kernel = single.as_ref().map_or(cell.kernel(), |(one, _)| one.as_str());
        before.find(cell.test(), kernel).is_some()
    };
    let pairs = before.cells().filter_map(|cell| Some((cell, matching(cell)?)));
    let only_before = before.cells().filter(|cell| matching(*cell).is_none());
    let only_after = after.cells().filter(|cell| !reached(*cell));
    let name = |run: &RunSummary, kernel: Option<&String>| match kernel {
        Some(kernel) => format!("{kernel} of run {}", run.id),
        None => format!("run {}", run.id),
    };
    Ok(Comparison {
        before: name(before, single.as_ref().map(|(one, _)| one)),
        after: name(after, single.as_ref().map(|(_, other)| other)),
        rows: rows(pairs, before.details(), after.details())?,
        only_before: only_before.map(|cell| cell.id().to_string()).collect(),
        only_after: only_after.map(|cell| cell.id().to_string()).collect(),
    })
}

/// Two kernels of one run; `None` when it lacks one of them.
///
/// # Errors
/// The journal cannot be read any more.
pub fn kernels(run: &RunSummary, before: &str, after: &str) -> Result<Option<Comparison>, JournalError> {
    let has = |kernel: &str| run.kernels().contains(&kernel);
    if !has(before) || !has(after) {
        return Ok(None);
    }
    let of = |kernel: &str| run.cells().filter(|cell| cell.kernel() == kernel).collect::<Vec<_>>();
    let (first, second) = (of(before), of(after));
    let pairs = first.iter().filter_map(|cell| Some((*cell, run.find(cell.test(), after)?)));
    let lacks = |cells: &[Outline<'_>], kernel: &str| {
        let missing = cells.iter().filter(|cell| run.find(cell.test(), kernel).is_none());
        missing.map(|cell| cell.id().to_string()).collect::<Vec<_>>()
    };
    Ok(Some(Comparison {
        before: before.to_owned(),
        after: after.to_owned(),
        only_before: lacks(&first, after),
        only_after: lacks(&second, before),
        rows: rows(pairs, run.details(), run.details())?,
    }))
}

fn rows<'r>(
    pairs: impl Iterator<Item = (Outline<'r>, Outline<'r>)>,
    mut first: Details<'_>,
    mut second: Details<'_>,
) -> Result<Vec<Row>, JournalError> {
    let row = |(before, after): (Outline<'_>, Outline<'_>)| {
        let (before, after) = (first.cell(before.place())?, second.cell(after.place())?);
        Ok(Row::of(&before.id.test, Side::of(&before), Side::of(&after)))
    };
    let mut rows = pairs.map(row).collect::<Result<Vec<Row>, JournalError>>()?;
    rows.sort_by_key(|row| row.change);
    Ok(rows)
}
