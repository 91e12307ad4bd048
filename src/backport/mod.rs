//! Whether a patch fixes a bug in a tree and breaks nothing else: verdicts from the runs before and after it, and the
//! answer to its mail. Both are pure; applying is `patch`, and building and running are other rooms'.

mod reply;
mod verdict;

pub use reply::{Mail, reply};
pub use verdict::{Clean, TreeResult, TreeVerdict, judge};
