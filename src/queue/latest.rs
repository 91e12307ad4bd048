//! Which run of a queue is meant by `latest`.

use std::path::Path;

use super::QueueState;
use crate::journal::RunDir;

/// The newest run of a queue in `root` that did not come to its end, or else the newest of any queue.
pub fn latest(root: &Path) -> Option<RunDir> {
    let runs = RunDir::all(root);
    let mut of_queues = runs.into_iter().rev().filter_map(|dir| {
        let state = QueueState::of(&dir).ok().flatten()?;
        Some((dir, state.is_ended()))
    });
    let (newest, is_ended) = of_queues.next()?;
    match is_ended {
        false => Some(newest),
        true => Some(of_queues.find(|(_, is_ended)| !is_ended).map_or(newest, |(open, _)| open)),
    }
}
