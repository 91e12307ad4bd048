//! What a run came to, for people and for programs. Every report is made from a [`RunSummary`], and that is a fold
//! over the journal: a report can be made again at any time, also of a run that was killed.

mod evidence;
pub mod exit;
pub mod file;
pub mod fold;
pub mod junit;

#[cfg(test)]
pub(crate) mod sample;

pub use exit::{ExitPolicy, ExitStatus};
pub use fold::{CellSummary, Ended, RunSummary};
