//! A run that is a part of a larger plan, and one that was merged of several.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the first event of a run says of other runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The part of a plan that this run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Box<PartitionRecord>>,
    /// The runs that were merged into this one, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedRun>,
}

/// Which part of which plan a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// How the plan was divided: `slice` or `hash`.
    pub by: String,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub of: u32,
    /// Cells of the whole plan.
    pub cells: u64,
    /// Digest of the whole plan and of the way it was divided: parts with the same one fit together.
    pub plan: String,
    /// The kernels of the whole plan in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<String>,
    /// The tests of the whole plan in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
}

/// A run that is in a merged one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedRun {
    /// Its id.
    pub run: String,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The part that it was. The lists of a plan stand with the first of its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Box<PartitionRecord>>,
}

impl std::fmt::Display for PartitionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}/{}", self.by, self.part, self.of)
    }
}
