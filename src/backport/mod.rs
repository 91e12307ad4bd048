//! Whether a patch fixes a bug in a tree and breaks nothing else: the tests that are about it, the runs before and after
//! it, the verdict that follows, and the answer to its mail. Applying is `patch`, building is `kernel::compile`.

mod dose;
mod junit;
mod related;
mod reply;
mod table;
mod validate;
mod verdict;

pub use junit::junit;
pub use related::{Related, Tie, related};
pub use reply::{Mail, reply, wrapped};
pub use table::{exit_status, others, reasons, table, took};
pub use validate::{BuildVariant, Built, Kernels, Step, Subject, TreeOutcome, Validation};
pub use verdict::{Clean, TreeResult, TreeVerdict, judge};
