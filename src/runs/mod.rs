//! The folder of runs: several made one, what is in it, what may go, and a run as one file.

mod link;
mod merge;

pub use merge::{MergeError, merge};
