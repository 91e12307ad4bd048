//! Readings of detectors around the dose: what is asked for, and what is answered.

use serde::{Deserialize, Serialize};

use crate::slab::{SlabCaches, SlabRows};

/// A reading that the agent takes before and after the dose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum ProbeRequest {
    /// Active objects of slab caches, from `/proc/slabinfo`.
    Slab {
        /// Those whose objects are counted.
        caches: SlabCaches,
        /// Objects that a thousand iterations leak on a bad kernel: a growth that may be such a leak is read again.
        leak_per_1000: u64,
    },
    /// Objects that the kernel's leak detector finds, from `/sys/kernel/debug/kmemleak`.
    Kmemleak,
}

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
