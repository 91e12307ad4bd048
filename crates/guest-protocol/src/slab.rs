//! Readings of the kernel's slab caches, and what of their growth is a leak.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Growth below this share of the expected one is no leak; between it and the test's own share lies no answer.
pub const NO_LEAK: f64 = 0.1;

/// An expected growth below this many objects says nothing either way: caches change without any leak, because partly
/// used slabs of each processor count as active. It is three times the largest change seen: of the kmalloc caches of
/// twelve sizes, around 60 doses without a leak (half of them idle, half the cifs test's control) on four kernels from
/// 5.10 to 7.3 with two processors, none changed by more than 84 objects, two slabs of 96 bytes. Those of 192 bytes,
/// which the cifs test counts, changed by at most 24. Objects that are freed late ([`SlabRows::first_after`]) are no part
/// of it.
pub const NOISE: f64 = 256.0;

/// The caches whose objects are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlabCaches {
    /// Those whose names match a glob: `kmalloc-192`, `kmalloc{,-rnd-*}-192`.
    #[serde(rename = "cache")]
    Named(String),
    /// The general-purpose caches that serve an allocation of so many bytes on the kernel at hand, whatever they are called.
    Size(u32),
}

impl SlabCaches {
    /// The least growth that may be a leak of `per_iteration` objects an iteration, in objects. Where it is not known how
    /// many iterations were done, there will hardly be a verdict.
    pub fn doubtful_growth(per_iteration: f64, iterations: Option<u64>) -> f64 {
        iterations.map_or(NOISE, |iterations| NO_LEAK * (per_iteration * iterations as f64).max(NOISE))
    }
}

impl fmt::Display for SlabCaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlabCaches::Named(glob) => f.write_str(glob),
            SlabCaches::Size(bytes) => write!(f, "caches of {bytes} bytes"),
        }
    }
}

/// One row of `/proc/slabinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlabRow {
    /// The cache's name.
    pub name: String,
    /// How many more active objects it had after the dose than before.
    pub grew: i64,
}

/// What a reading of slab caches says beyond the sum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlabRows {
    /// The caches that were counted and changed, the largest growth first; at most [`SlabRows::MOST`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<SlabRow>,
    /// General-purpose caches of the same size that were not counted, because the glob does not fit them, and grew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub siblings: Vec<SlabRow>,
    /// Other caches whose objects the kernel counts in the same rows, because it merged them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// Caches that were asked for and are counted in no row of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_row: Vec<String>,
    /// The sum at once after the dose, where it was read again after the time in which the kernel frees what it keeps back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_after: Option<i64>,
}

impl SlabRows {
    /// The most rows or names that are kept in each list.
    pub const MOST: usize = 16;

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == SlabRows::default()
    }
}
