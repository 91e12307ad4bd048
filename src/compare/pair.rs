//! Which cells stand side by side.

use super::{Comparison, Row, Side};
use crate::report::{CellSummary, RunSummary};

/// Two runs: the cells of one test on one kernel. Where each run has one kernel only, those two are compared.
pub fn runs(before: &RunSummary, after: &RunSummary) -> Comparison {
    let single = match (before.kernels().as_slice(), after.kernels().as_slice()) {
        ([one], [other]) => Some(((*one).to_owned(), (*other).to_owned())),
        _ => None,
    };
    let matching = |cell: &CellSummary| {
        let kernel = match &single {
            Some((_, other)) => other.as_str(),
            None => cell.id.kernel.as_str(),
        };
        after.find(&cell.id.test, kernel)
    };
    let reached = |cell: &CellSummary| {
        let kernel = single.as_ref().map_or(cell.id.kernel.as_str(), |(one, _)| one.as_str());
        before.find(&cell.id.test, kernel).is_some()
    };
    let pairs = before.cells.iter().filter_map(|cell| Some((cell, matching(cell)?))).collect();
    let only_before = before.cells.iter().filter(|cell| matching(cell).is_none());
    let only_after = after.cells.iter().filter(|cell| !reached(cell));
    let name = |run: &RunSummary, kernel: Option<&String>| match kernel {
        Some(kernel) => format!("{kernel} of run {}", run.id),
        None => format!("run {}", run.id),
    };
    Comparison {
        before: name(before, single.as_ref().map(|(one, _)| one)),
        after: name(after, single.as_ref().map(|(_, other)| other)),
        rows: rows(pairs),
        only_before: only_before.map(|cell| cell.id.to_string()).collect(),
        only_after: only_after.map(|cell| cell.id.to_string()).collect(),
    }
}

/// Two kernels of one run; `None` when it lacks one of them.
pub fn kernels(run: &RunSummary, before: &str, after: &str) -> Option<Comparison> {
    let has = |kernel: &str| run.kernels().contains(&kernel);
    if !has(before) || !has(after) {
        return None;
    }
    let of =
        |kernel: &str| run.cells.iter().filter(move |cell| cell.id.kernel == *kernel).collect::<Vec<_>>();
    let (first, second) = (of(before), of(after));
    let pairs = first.iter().filter_map(|cell| Some((*cell, run.find(&cell.id.test, after)?))).collect();
    let lacks = |cells: &[&CellSummary], kernel: &str| {
        let missing = cells.iter().filter(|cell| run.find(&cell.id.test, kernel).is_none());
        missing.map(|cell| cell.id.to_string()).collect::<Vec<_>>()
    };
    Some(Comparison {
        before: before.to_owned(),
        after: after.to_owned(),
        only_before: lacks(&first, after),
        only_after: lacks(&second, before),
        rows: rows(pairs),
    })
}

fn rows(pairs: Vec<(&CellSummary, &CellSummary)>) -> Vec<Row> {
    let mut rows: Vec<Row> = pairs
        .into_iter()
        .map(|(before, after)| Row::of(&before.id.test, Side::of(before), Side::of(after)))
        .collect();
    rows.sort_by_key(|row| row.change);
    rows
}
