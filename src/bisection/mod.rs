//! Bisections of real kernels: candidates from packages or from git, attempts in a lab, the journal as the only memory.
//!
//! [`BisectionState`] is a fold over the events of a run; [`Driver`] makes attempts until it has an answer; everything that is
//! printed or written is made from the state, so that it can be made again at any time. What is decided is decided in
//! [`crate::bisect`], which knows nothing of kernels.

pub mod content;
mod driver;
pub mod gitlog;
pub mod report;
pub mod reuse;
mod series;
mod state;
pub mod supply;
pub mod tree;

pub use driver::{BisectionEnd, CandidateKernels, Driver};
pub use series::{Misuse, Series, id_of};
pub use state::{AttemptSummary, BisectionState, CandidateState, EarlierEvidence};
