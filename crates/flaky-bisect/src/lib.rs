//! Bisection: the first kernel with a bug, or the first without it, also where the bug shows only sometimes.
//!
//! Everything here is a plain function over counts. [`History`] says which kernel holds which changes, [`Posterior`] what
//! the attempts so far say of each change, [`choose`] which kernel to try next, and [`Search`] puts them together.
//!
//! ```
//! use std::sync::Arc;
//! use flaky_bisect::{Aims, Answer, Costs, Find, History, Search, Seen, Step};
//!
//! let costs = Costs { kernel: 30.0, attempt: 4.0 };
//! let mut search = Search::new(Arc::new(History::linear(20)), Find::Cause, Aims::default(), costs);
//! let answer = loop {
//!     match search.next() {
//!         // here a virtual machine would run
//!         Step::Try { node, .. } => search.observe(node, Seen::new(u32::from(node >= 13), 1)),
//!         Step::Ended(answer) => break answer,
//!     }
//! };
//! assert!(matches!(answer, Answer::Found { candidates, .. } if candidates == [13]));
//! ```

mod ahead;
mod answer;
mod chance;
mod choice;
mod history;
mod posterior;
mod search;
pub mod simulate;

pub use answer::{Answer, Exhausted};
pub use chance::{BATCHES, Evidence, Prior, Seen};
pub use choice::{Choice, Costs, Gain, choose, gains};
pub use history::{History, HistoryError};
pub use posterior::{Find, Posterior};
pub use search::{Aims, Purpose, Search, Step};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
