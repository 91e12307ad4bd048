//! A configuration as the rest of the program sees it: checked, every value with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cell_filter::Filter;

use crate::progress::{FailureOutput, StatusLevel};
use crate::report::junit::JunitKnown;
use crate::suite::Group;
use crate::vm::accel::AccelRequest;
use crate::yaml::Location;

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// The place of the value in the file.
    pub at: Location,
}

/// A configuration file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Its profiles by name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Config {
    /// The folder of the file, against which the paths in it are read; empty for the current one.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// What one profile itself sets.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Whose settings it takes where it has none.
    pub inherits: Option<Given<String>>,
    /// The kernels of a run, as `-k` takes them.
    pub kernels: Option<Given<Vec<String>>>,
    /// Which cells a run has, as `-E` takes it.
    pub filter: Option<Given<Filter>>,
    /// Clean attempts that make a `good`.
    pub attempts: Option<Given<u32>>,
    /// How often an attempt that says nothing is repeated.
    pub retries: Option<Given<u32>>,
    /// When a program is ended.
    pub timeout: Option<Given<Duration>>,
    /// How long a guest may take to its first word.
    pub boot_timeout: Option<Given<Duration>>,
    /// When no further test is begun.
    pub fail_fast: Option<Given<StopAfter>>,
    /// Virtual machines at once.
    pub jobs: Option<Given<u32>>,
    /// What executes the guests.
    pub accel: Option<Given<AccelRequest>>,
    /// The files that the end of a run leaves.
    pub reports: Option<Given<Vec<ReportTarget>>>,
    /// How JUnit shows known failures.
    pub junit_known: Option<Given<JunitKnown>>,
    /// Which results get a line.
    pub status_level: Option<Given<StatusLevel>>,
    /// When the excerpt of a new failure is shown.
    pub failure_output: Option<Given<FailureOutput>>,
    /// Limits of cells side by side.
    pub groups: Vec<Given<GroupLimit>>,
    /// Settings of some tests, the first that fits before later ones.
    pub overrides: Vec<Given<Override>>,
}

/// How many failures a run takes before it begins no further test; `None`: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopAfter(pub Option<u64>);

/// A document that the end of a run writes into the run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTarget {
    /// The format, as `kregress report --format` names it.
    pub format: String,
    /// The file's name; absent: the one that the format has.
    pub file: Option<String>,
}

impl std::fmt::Display for ReportTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format)?;
        self.file.iter().try_for_each(|file| write!(f, "={file}"))
    }
}

/// Cells of which only some may run side by side.
#[derive(Clone, Debug)]
pub struct GroupLimit {
    /// Which.
    pub filter: Filter,
    /// Its name, and how many.
    pub group: Arc<Group>,
}

/// Settings of the cells that a filter means.
#[derive(Clone, Debug)]
pub struct Override {
    /// Which.
    pub filter: Filter,
    /// Clean attempts that make a `good`.
    pub attempts: Option<Given<u32>>,
    /// How often an attempt that says nothing is repeated.
    pub retries: Option<Given<u32>>,
    /// When a program is ended.
    pub timeout: Option<Given<Duration>>,
}
