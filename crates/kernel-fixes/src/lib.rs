//! Whether a kernel contains the fix of a bug.
//!
//! Two sources answer. The changelog of a kernel's package ([`Changelog`]) lists the commits that came with each version,
//! by title and CVE. The messages of a branch's commits ([`Backports`]) name the commits of mainline that they are
//! backports of. Neither lists everything, so that silence is [`Standing::Unknown`]: a kernel *lacks* a fix only where the
//! source shows that the fix came later, or was taken back. This crate touches no file and runs no git: text in, an
//! answer with its evidence out.

mod backports;
mod changelog;
mod fix;
mod standing;

pub use backports::{Backport, Backports};
pub use changelog::{Changelog, Entry, Item};
pub use fix::Fix;
pub use standing::{Evidence, Standing};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
