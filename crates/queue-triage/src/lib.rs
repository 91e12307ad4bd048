//! Which patch of a queue breaks which test: the tip runs first, the baseline only where it must, and whoever is blamed is
//! taken out to see that all is good again.
//!
//! Everything here is a plain function over counts. [`Config`] says what is asked, [`Counts`] what was seen, [`Triage`]
//! answers with the next [`Step`] and in the end with a [`Report`]. Behind them: `evidence` holds how sure a difference is,
//! `judge` what one test is, `level` one search in the queue, `blame` the culprit and its proof, `choice` which kernel serves
//! the tests best.
//!
//! ```
//! use queue_triage::{Config, KernelOf, Outcome, Step, Triage};
//!
//! // the patch 4 of 9 breaks the second of two tests
//! let mut triage = Triage::new(Config::new(9, 2)).unwrap();
//! let report = loop {
//!     match triage.next() {
//!         Step::Done(report) => break report,
//!         Step::Run { kernel, tasks } => {
//!             // here virtual machines would run; one attempt of each test will do
//!             for task in tasks {
//!                 let outcome = if task.test == 1 && kernel.holds(4) { Outcome::Bad } else { Outcome::Good };
//!                 triage.observe(kernel.clone(), task.test, outcome).unwrap();
//!             }
//!         }
//!     }
//! };
//! assert!(report.blamed()[&4] == [1]);
//! ```

mod blame;
mod choice;
mod config;
mod counts;
mod evidence;
mod judge;
mod kernel;
mod level;
mod report;
pub mod simulate;
mod state;
mod triage;

pub use choice::Task;
pub use config::{Aims, Budget, Config, ConfigError, Expect, Patch, Test};
pub use counts::{Counts, Outcome, Tally};
pub use flaky_bisect::Costs;
pub use kernel::KernelOf;
pub use report::{Class, Culprit, Finding, Limit, Possible, Proof, Regression, Report, Undecided, Why};
pub use triage::{ResumeError, Step, Triage, Unknown};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
