//! Single attempts, for who decides alone how many there are: a bisection.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Sink;
use super::attempt::{self, AttemptReporter, Finished};
use super::cell::attempt_dir;
use crate::cancel::Cancel;
use crate::event::Event;
use crate::lab::Lab;
use crate::plan::Cell;
use crate::suite::SortedReports;
use crate::verdict::Judgement;

/// What single attempts need besides their cell.
#[derive(Clone, Copy)]
pub struct SingleAttempt<'a> {
    /// Runs them.
    pub lab: &'a dyn Lab,
    /// From which every attempt's own seed is made.
    pub seed: u64,
    /// The run's folder; absent: nothing is written.
    pub run_dir: Option<&'a Path>,
    /// Receives their events.
    pub sink: Sink<'a>,
    /// Ends them.
    pub cancel: &'a Cancel,
    /// How many of them run side by side.
    pub at_once: u32,
    /// Whether a trouble with the host's files was reported already.
    pub report_file_trouble_reported: &'a AtomicBool,
}

/// Runs attempt `number` of a cell whose lab is prepared, and judges it by itself; `of` attempts are shown as the most
/// of the cell. The attempt with its judgement is reported as an event. `None`: it was interrupted.
pub fn attempt(
    cell: &Cell,
    number: u32,
    of: u32,
    single: &SingleAttempt<'_>,
) -> Option<(Judgement, SortedReports)> {
    let id = cell.id();
    (single.sink)(Event::AttemptStarted { cell: id.clone(), attempt: number, of });
    // the one that takes its place; after the last one nobody knows which kernel is next
    let follows = number + single.at_once <= of;
    let settling = || {
        if follows {
            single.lab.prefetch(&cell.kernel, &cell.test, &cell.machine);
        }
    };
    let reporter = AttemptReporter {
        sink: single.sink,
        cell: &id,
        attempt: number,
        report_file_trouble_reported: single.report_file_trouble_reported,
        settling: &settling,
    };
    let dir = attempt_dir(single.run_dir, &reporter);
    let finished =
        attempt::make(cell, number, single.lab, single.seed, &reporter, dir.as_ref(), single.cancel);
    if single.cancel.is_set() {
        return None;
    }
    let Finished { judgement, sorted, record } = finished;
    (single.sink)(Event::Attempt { cell: id, record: Box::new(record) });
    Some((judgement, sorted))
}
