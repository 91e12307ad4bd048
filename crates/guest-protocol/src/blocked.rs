//! Tasks that are blocked.

use serde::{Deserialize, Serialize};

/// A task that sleeps and cannot be interrupted, with what it sleeps in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedTask {
    /// Process id in the guest.
    pub pid: u32,
    /// The task's name (`comm`).
    pub comm: String,
    /// The kernel functions of its stack, innermost first, without offsets.
    pub stack: Vec<String>,
}
