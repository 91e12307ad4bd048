//! The folder of runs: several made one, what may go, and a run as one file.

mod archive;
mod link;
mod merge;
mod prune;

pub use archive::{ArchiveError, DEFAULT_LIMIT, export, import};
pub use merge::{MergeError, merge};
pub use prune::{Kept, Policy, PruneError, Removal, begun, prunable, remove, sweep};
