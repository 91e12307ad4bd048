//! One folder of several runs.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::link;
use crate::event::{CellId, Event, SCHEMA};
use crate::journal::{Journal, JournalError, RunDir};
use crate::report::{Part, RunEnd, RunSummary};

/// Overlaps that a merged run tells of one by one.
const OVERLAPS_TOLD: usize = 100;

/// Runs cannot be made one.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is only one.
    #[error("there is nothing to merge: all that was named is the run {0}; name the other parts as well")]
    Single(String),
    /// A bisection has no cells that others could have, too.
    #[error("{0} is, or has, a bisection, which cannot be merged; `kregress report` shows it by itself")]
    Bisection(String),
    /// One of them still goes on.
    #[error("one of these runs still goes on, merge them when it has ended: {0}")]
    Running(String),
    /// The evidence cannot be put into the new folder.
    #[error("cannot put {from} into the merged run: {source}", from = from.display())]
    Evidence {
        /// An attempt's folder.
        from: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes one run of these in the folder `root`: its journal, and the files of the attempts that count, as hard links where
/// that is possible. `command` is what the journal says how it was made. The answer is the new folder, and what was found
/// when the runs were read. Nothing is left of one that cannot be made.
///
/// # Errors
/// As [`MergeError`] says.
pub fn merge(root: &Path, runs: &[RunDir], command: Vec<String>) -> Result<(RunDir, RunSummary), MergeError> {
    let (whole, _) = RunSummary::of_runs(runs)?;
    match () {
        () if whole.is_bisection => return Err(MergeError::Bisection(whole.id)),
        () if whole.ended == RunEnd::Running => return Err(MergeError::Running(whole.id)),
        () if whole.parts().len() < 2 => return Err(MergeError::Single(whole.id)),
        () => {}
    }
    let dir = RunDir::create_of(root, whole.started.unwrap_or_else(Timestamp::now))?;
    match write(&dir, &whole, command) {
        Ok(()) => Ok((dir, whole)),
        Err(error) => {
            let _ = std::fs::remove_dir_all(dir.path());
            Err(error)
        }
    }
}

fn write(dir: &RunDir, whole: &RunSummary, command: Vec<String>) -> Result<(), MergeError> {
    let journal = Journal::create(dir.path())?;
    let tell = |event: Event| journal.append(&event).map(|_| ());
    tell(Event::RunStarted {
        schema: SCHEMA,
        run: dir.id().to_owned(),
        kregress: env!("CARGO_PKG_VERSION").to_owned(),
        at: whole.started.unwrap_or_else(Timestamp::now),
        command,
        cells: whole.planned(),
        split: whole.split.clone(),
    })?;
    if let Some(host) = whole.host.clone() {
        let crate::report::HostInfo { qemu, accel, accel_reason, cpus, memory_mib, user } = host;
        tell(Event::Host { qemu, accel, accel_reason, cpus, memory_mib, user })?;
    }
    let mut described = HashSet::new();
    for cell in whole.cells() {
        let first = described.insert(cell.test());
        let select = whole.selects(cell);
        let release = cell.release().map(str::to_owned);
        tell(Event::Planned {
            cell: cell.id(),
            release,
            summary: cell.summary().to_owned(),
            expectation: None,
            about: whole.about(cell.test()).filter(|_| first).cloned().map(Box::new),
            select: (select != cell.kernel()).then(|| select.to_owned()),
            options: whole.options(cell).into_owned(),
        })?;
    }
    // what is missing is seen when the run is read: another part may be merged into it
    let holes = whole.holes();
    let notices = whole.notices.iter().filter(|notice| !holes.contains(notice)).cloned();
    for text in notices.chain(whole.overlaps_told(OVERLAPS_TOLD)) {
        tell(Event::Notice { text })?;
    }
    let owners = whole.cells().filter_map(|cell| Some((cell.id(), whole.part_of(cell)?)));
    let owners: HashMap<CellId, usize> = owners.collect();
    for (number, part) in whole.parts().enumerate() {
        copy(&journal, dir, part, &|cell| owners.get(cell) == Some(&number))?;
    }
    if matches!(whole.ended, RunEnd::Finished | RunEnd::Cancelled) {
        let cancelled = whole.ended == RunEnd::Cancelled;
        let (at, seconds, counts) = (Timestamp::now(), whole.seconds, whole.counts());
        tell(Event::RunFinished { at, seconds, cancelled, counts })?;
    }
    Ok(())
}

/// Takes over what a part says of the cells that are `its`, and their evidence.
fn copy(
    journal: &Journal,
    dir: &RunDir,
    part: Part<'_>,
    its: &dyn Fn(&CellId) -> bool,
) -> Result<(), MergeError> {
    let from = RunDir::at(part.folder());
    part.events(|event, line| {
        let cell = match &event {
            // of what is expected it is told behind the verdict
            Event::Planned { cell, expectation: Some(_), .. } => cell.clone(),
            Event::AttemptStarted { cell, .. } | Event::Attempt { cell, .. } => cell.clone(),
            Event::Cell(record) => record.id(),
            _ => return Ok(()),
        };
        if !its(&cell) {
            return Ok(());
        }
        if let Event::Attempt { record, .. } = &event {
            let (source, to) = (from.attempt(&cell, record.attempt), dir.attempt(&cell, record.attempt));
            let fail = |from: PathBuf| move |source| MergeError::Evidence { from, source };
            link::folder(&source.path(), &to.path()).map_err(fail(source.path()))?;
            // in a folder of another name, where another version wrote it
            for file in [&record.console, &record.reproduce].into_iter().flatten() {
                let (Some(old), Some(new)) = (from.file(file), dir.file(file)) else { continue };
                let is_file = std::fs::symlink_metadata(&old).is_ok_and(|meta| meta.is_file());
                if is_file && !new.exists() {
                    let folder = new.parent().unwrap_or(dir.path());
                    std::fs::create_dir_all(folder).map_err(fail(old.clone()))?;
                    link::file(&old, &new).map_err(fail(old.clone()))?;
                }
            }
        }
        Ok(journal.append_line(line)?)
    })
}
