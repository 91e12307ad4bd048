//! Queues of patches: which of them applies, which breaks or fixes what, and the answer to the list.
//!
//! [`Reading`] is a queue on its tree, [`QueueState`] a fold over the events of a run, [`QueueDriver`] builds kernels with
//! parts of the queue and makes attempts until there is nothing more to ask; everything that is printed or written is made from
//! the state. What is decided is decided in [`crate::triage`], which knows nothing of kernels.

mod base;
mod breaking;
mod cached;
mod choice;
mod driver;
mod history;
mod impossible;
mod latest;
mod missing;
mod names;
mod needs;
mod reading;
pub mod report;
mod reproducer;
mod state;
mod table;
mod work;

pub use base::Base;
pub use cached::HeldFiles;
pub use choice::{BOOT, ChosenTest, all, boot, choose};
pub use driver::{BuiltKernel, QueueDriver, QueueEnd, QueueKernels};
pub use history::TreeHistory;
pub use latest::latest;
pub use missing::Upstream;
pub use names::Numbers;
pub use reading::{Reading, digest, mail};
pub use state::{QueueAttempt, QueueKernel, QueueState};
pub use table::{cut, numbers, set_aside, table};
