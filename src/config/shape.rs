//! The form of a configuration, for serde: which keys there are. Every scalar is text, as in a suite.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::build::{ACCELS, FAILURE_OUTPUTS, JUNIT_KNOWN, STATUS_LEVELS};
use crate::yaml::schema::words;

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConfigShape {
    /// Profiles by name. `default` is used where none is named, and others inherit from it.
    pub profiles: Option<BTreeMap<String, Option<ProfileShape>>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProfileShape {
    /// The profile whose settings this one takes where it has none; `default` unless named.
    pub inherits: Option<String>,
    /// Kernels, as `-k` takes them: versions, ranges (6.12..7.2), latest:6.12, each-line, files (./bzImage).
    pub kernels: List<String>,
    /// Which cells a run has, as `-E` takes it: suite(block) & kernel(>=6.12).
    pub filter: Option<String>,
    /// Clean attempts that make a `good`, for every test.
    pub attempts: Option<String>,
    /// How often an attempt that says nothing is repeated.
    pub retries: Option<String>,
    /// When a program is ended: 90s, 5m.
    pub timeout: Option<String>,
    /// How long a guest may take from its start to its first word.
    pub boot_timeout: Option<String>,
    /// true, false, or the number of failures after which no further test is begun.
    pub fail_fast: Option<String>,
    /// Virtual machines at once.
    pub jobs: Option<String>,
    /// What executes the guests.
    #[schemars(extend("enum" = words(&ACCELS)))]
    pub accel: Option<String>,
    /// The files that the end of a run leaves: junit, html, markdown=summary.md.
    pub reports: List<String>,
    /// How JUnit shows failures that the suites list as known.
    #[schemars(extend("enum" = words(&JUNIT_KNOWN)))]
    pub junit_known: Option<String>,
    /// Which results get a line, each level those before it as well.
    #[schemars(extend("enum" = words(&STATUS_LEVELS)))]
    pub status_level: Option<String>,
    /// When the excerpt of a new failure is shown.
    #[schemars(extend("enum" = words(&FAILURE_OUTPUTS)))]
    pub failure_output: Option<String>,
    /// Limits of cells side by side, by names of your own.
    pub groups: Option<BTreeMap<String, Option<GroupShape>>>,
    /// Settings of some tests; the first that fits and says something counts.
    pub overrides: List<OverrideShape>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupShape {
    /// Which cells.
    #[schemars(required)]
    pub filter: Option<String>,
    /// How many of them run side by side.
    #[schemars(required)]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OverrideShape {
    /// Which cells.
    #[schemars(required)]
    pub filter: Option<String>,
    /// Clean attempts that make a `good`.
    pub attempts: Option<String>,
    /// How often an attempt that says nothing is repeated.
    pub retries: Option<String>,
    /// When a program is ended.
    pub timeout: Option<String>,
}
