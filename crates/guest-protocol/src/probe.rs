//! Readings of detectors around the dose.

use serde::{Deserialize, Serialize};

use crate::slab::SlabRows;

/// Objects that no pointer leads to any more, allocated in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakedObjects {
    /// How many.
    pub objects: u64,
    /// Their size, bytes in all.
    pub bytes: u64,
    /// The name of the task that allocated them (`comm`).
    pub comm: String,
    /// The kernel functions of the allocation, innermost first, without offsets.
    pub stack: Vec<String>,
}

/// One detector's readings around the dose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReading {
    /// Which probe: `slab` or `kmemleak`.
    pub probe: String,
    /// What it looked at: [`SlabCaches`](crate::slab::SlabCaches) as text, or `leaked objects`.
    pub subject: String,
    /// The reading just before the dose, in objects; absent: it could not be read.
    pub before: Option<i64>,
    /// The reading after the dose.
    pub after: Option<i64>,
    /// Why a reading is absent.
    pub error: Option<String>,
    /// What `kmemleak` found, by origin, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<LeakedObjects>,
    /// Whether there was more than `leaks` tells.
    #[serde(default, skip_serializing_if = "is_false")]
    pub leaks_cut: bool,
    /// What `slab` says beyond the sum.
    #[serde(default, skip_serializing_if = "SlabRows::is_empty")]
    pub slab: SlabRows,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
