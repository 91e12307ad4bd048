//! Where parts of a plan run when this host is not to run them: queues of other hosts. What is asked of a queue is
//! [`Engine`]; [`slurm`] is one. How often a part runs, and which of its cells run again, is decided in [`parts`] for all of them.

pub mod parts;
pub mod slurm;

use std::collections::BTreeSet;
use std::path::Path;

/// A queue that runs the parts of a plan, each by the same script.
pub trait Engine {
    /// Puts the parts with these numbers, from 1, into the queue; answers with what it calls them together.
    ///
    /// # Errors
    /// The queue's own words.
    fn submit(&self, script: &Path, parts: &BTreeSet<u32>) -> Result<String, String>;

    /// The parts that have not ended yet, with a word about each.
    ///
    /// # Errors
    /// The queue's own words.
    fn waiting(&self, job: &str) -> Result<Vec<(u32, String)>, String>;

    /// Ends all parts; those that run get a signal and time to write their reports.
    ///
    /// # Errors
    /// The queue's own words.
    fn cancel(&self, job: &str) -> Result<(), String>;
}
