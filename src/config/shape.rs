//! The form of a configuration, for serde: which keys there are. Every scalar is text, as in a suite.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConfigShape {
    pub profiles: Option<BTreeMap<String, Option<ProfileShape>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProfileShape {
    pub inherits: Option<String>,
    pub kernels: List<String>,
    pub filter: Option<String>,
    pub attempts: Option<String>,
    pub retries: Option<String>,
    pub timeout: Option<String>,
    pub boot_timeout: Option<String>,
    pub fail_fast: Option<String>,
    pub jobs: Option<String>,
    pub accel: Option<String>,
    pub reports: List<String>,
    pub junit_known: Option<String>,
    pub groups: Option<BTreeMap<String, Option<GroupShape>>>,
    pub overrides: List<OverrideShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupShape {
    pub filter: Option<String>,
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OverrideShape {
    pub filter: Option<String>,
    pub attempts: Option<String>,
    pub retries: Option<String>,
    pub timeout: Option<String>,
}
