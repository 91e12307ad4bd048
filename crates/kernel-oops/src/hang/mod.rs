//! Why tasks wait for ever: from the stacks of blocked tasks, and from what the kernel says about them, to the cycle in
//! which each waits for what the next one holds. Pure.
//!
//! Newer kernels name the owner of a lock that a hung task waits for; for older ones `locks` knows which functions take
//! some locks and which run under them.

mod cycle;
mod locks;
mod owner;
mod task;

pub use cycle::{Deadlock, Link, deadlock};
pub use owner::owner;
pub use task::{BlockedTask, blocked_tasks, sleepers};
