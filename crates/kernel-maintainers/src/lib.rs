//! Who maintains a file of the Linux kernel: the `MAINTAINERS` file of a tree, read as `scripts/get_maintainer.pl` does.
//!
//! A section begins with its name and has lines of a letter each. `F:` and `N:` say which files are meant, `X:` which are
//! not, `K:` which words in a file; `M:`, `R:` and `L:` are people and mailing lists. This crate touches no file: text in,
//! addresses out.

mod contact;
mod mailmap;
mod pattern;
mod section;

pub use contact::{Contact, Role};
pub use section::{Maintainers, Section};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
