//! `func+0x10/0x20 [module]` of a kernel trace to file, line and inlined callers.
//!
//! A place in a trace is relative to its function, so neither the address at which the kernel was loaded (KASLR) nor
//! that of a module matters: the function is looked up in the symbol table of `vmlinux` or the module, and the sum of
//! its address and the offset in the DWARF beside it. The length behind the slash tells whether the file is of the build
//! that printed the trace, and which of several functions of one name is meant.
//!
//! This crate opens no file: bytes of ELF files in ([`Bytes`], which may be mapped), values out. [`Image`] is one file, [`Place`] one place of a trace,
//! [`annotate`] writes the lines into a log.

mod annotate;
mod bytes;
mod image;
mod place;
mod relocate;
mod sections;
mod table;

pub use annotate::annotate;
pub use bytes::Bytes;
pub use image::{Image, ImageError, Line, LookupError};
pub use place::{Place, places};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
