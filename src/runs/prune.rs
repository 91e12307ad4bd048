//! Making room: which runs may go, and removing them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::journal::RunDir;

/// What begins the name of a folder that is being removed.
const GOING: &str = ".removed-";

/// A run cannot be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove run {run}: {source}", run = run)]
pub struct PruneError {
    /// The run's id.
    pub run: String,
    /// The system's answer.
    pub source: io::Error,
}

/// Which runs stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// So many of the newest.
    pub keep: Option<usize>,
    /// Those that are not older than this.
    pub older_than: Option<Duration>,
}

/// Why a run stays that could have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is the newest one.
    Newest,
    /// It is what `latest` names.
    Latest,
    /// It still goes on.
    Running,
}

impl Kept {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Kept::Newest => "it is the newest",
            Kept::Latest => "`latest` names it",
            Kept::Running => "it still goes on",
        }
    }
}

/// A run that is old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The run.
    pub run: RunDir,
    /// Why it stays all the same.
    pub kept: Option<Kept>,
}

/// When a run began: as its name says, or when its folder was made where that says nothing.
pub fn begun(run: &RunDir) -> Option<Timestamp> {
    let of_name = run.id().get(..19).and_then(|at| DateTime::strptime("%Y-%m-%dT%H-%M-%S", at).ok());
    let of_name = of_name.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp());
    of_name.or_else(|| Timestamp::try_from(fs::metadata(run.journal()).ok()?.modified().ok()?).ok())
}

/// The runs of a folder that a policy does not keep at the time `now`, the oldest first.
pub fn prunable(root: &Path, policy: Policy, now: Timestamp) -> Vec<Removal> {
    let mut runs = RunDir::all(root);
    runs.sort_by_cached_key(|run| (begun(run), run.id().to_owned()));
    let latest = RunDir::find(root, "latest").ok();
    let newest = runs.last().cloned();
    let beyond = runs.len().saturating_sub(policy.keep.unwrap_or(0));
    let is_old = |run: &RunDir| {
        let Some(age) = policy.older_than else { return true };
        begun(run).is_some_and(|at| now.duration_since(at).unsigned_abs() > age && at < now)
    };
    let kept = |run: &RunDir| match () {
        () if run.is_running() => Some(Kept::Running),
        () if Some(run) == newest.as_ref() => Some(Kept::Newest),
        () if Some(run) == latest.as_ref() => Some(Kept::Latest),
        () => None,
    };
    let old = runs.into_iter().take(beyond).filter(is_old);
    old.map(|run| Removal { kept: kept(&run), run }).collect()
}

/// Removes a run. It is gone at once or not at all: what a killed removal leaves is no run any more, and goes with the next one.
/// The answer is `false` where it has begun to go on meanwhile.
///
/// # Errors
/// The folder cannot be changed.
pub fn remove(run: &RunDir) -> Result<bool, PruneError> {
    let fail = |source| PruneError { run: run.id().to_owned(), source };
    let journal = File::open(run.journal()).map_err(fail)?;
    // held until it is gone, so that nobody goes on with it
    if matches!(journal.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(false);
    }
    let root = run.path().parent().unwrap_or(Path::new("."));
    let going = root.join(format!("{GOING}{}", run.id()));
    fs::rename(run.path(), &going).map_err(fail)?;
    fs::remove_dir_all(&going).map_err(fail)?;
    Ok(true)
}

/// Removes what killed removals left.
pub fn sweep(root: &Path) {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let left: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(GOING))
        .map(|entry| entry.path())
        .collect();
    for folder in left {
        // another process may be at it
        let _ = fs::remove_dir_all(folder);
    }
}
