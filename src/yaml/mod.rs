//! YAML files that users write, taken with every value's place, so that whatever is wrong with one is shown where it
//! stands.
//!
//! A file is read in four steps: `source` takes the text from the disk within bounds, `document` turns it into a tree
//! of nodes with positions, `decode` lets serde put the tree into the form that the [`FileKind`](file_kind::FileKind) has (so
//! that unknown keys and wrong types come out), and `fields` takes values out of it by their paths. All of them report
//! [`Problem`]s and go on, so that one load shows everything that is wrong.

pub(crate) mod decode;
pub(crate) mod document;
pub(crate) mod fields;
pub(crate) mod file_kind;
pub(crate) mod keypath;
pub(crate) mod keys;
pub(crate) mod load;
pub(crate) mod problem;
pub(crate) mod quantity;
pub(crate) mod rejection;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod word;

pub use problem::{LoadError, Location, Problem, ProblemKind};
pub use rejection::Rejection;
