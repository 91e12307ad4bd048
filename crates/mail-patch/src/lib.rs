//! Patches as people hand them in: reading mails and threads, finding what damaged a diff on its way, and applying it
//! to a source that is never written to.
//!
//! `input` gives messages, `patch_mail` the patches in them, `queue` which of them belong together and in which order,
//! `apply` what becomes of a source's files and `target` of one. A wrong patch under test is a wrong verdict, so nothing is guessed: a damage is undone only in the one way that
//! counts right or that the source itself proves, and every such step is reported.

mod align;
mod apply;
mod blob;
mod budget;
mod clear_signed;
pub mod damage;
pub mod diff;
mod fixes;
mod flowed;
mod foreign;
pub mod git;
mod header;
mod indent;
pub mod input;
mod mail;
pub mod merge;
mod names;
mod origin;
mod page;
mod parse;
mod patch_mail;
mod place;
pub mod queue;
mod reading;
pub mod reason;
mod repair;
mod run_on;
mod run_together;
mod search;
mod section;
pub mod show;
pub mod source;
mod stable;
mod stat;
pub mod subject;
pub mod tags;
mod target;
mod text;
mod transfer;
mod ubuntu;
mod unified;
mod wrapping;

pub use apply::{Application, Applied, FileOutcome, HunkResult, Options, Outcome, apply};
pub use git::GitTree;
pub use input::{Form, Input, InputError};
pub use merge::apply_or_merge;
pub use patch_mail::PatchMail;
pub use queue::{Pick, Queue, QueueError};
pub use source::{EXECUTABLE, Folder, LINK, PLAIN, Source};
pub use text::encode as bytes;
pub use unified::unified;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
