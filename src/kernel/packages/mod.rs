//! Where kernels come from, and what is in their packages.
//!
//! [`source`] is the seam for distributions: which kernels they have, and how a package comes here. [`files`] are kernels
//! as people have them. [`container`] is the table of what files come packed in, [`unpack`] takes a kernel out of them.

pub(crate) mod container;
mod deb;
pub(crate) mod debian;
pub(crate) mod files;
pub(crate) mod local;
mod rpm;
pub(crate) mod source;
pub(crate) mod unpack;
