//! Linux kernels as files: images, modules and configurations, without running any of them.
//!
//! [`Image`] reads a bzImage or an ELF kernel and finds the uncompressed kernel inside. [`ModuleTree`] says which modules a
//! kernel has, built in or loadable, and in which order they load, from the modules' own `.modinfo`: no `modules.dep` is
//! needed. [`KernelConfig`] is the configuration. [`Compression`] tells apart and reads what all of them are packed with.
//!
//! ```no_run
//! use kernel_modules::{ModuleTree, index_folder};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), kernel_modules::ModuleError> {
//! let folder = Path::new("/lib/modules/6.12.57");
//! let tree = ModuleTree::in_folder(index_folder("6.12.57", folder)?, folder);
//! for file in tree.load_order(&["cifs"])? {
//!     println!("insmod {}", file.path_in_tree);
//! }
//! # Ok(())
//! # }
//! ```

mod compression;
mod config;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod image;
mod index;
mod listing;
mod modinfo;
mod nodes;
mod similar;
mod tree;

pub use compression::{Compression, inflate, packed};
pub use config::KernelConfig;
pub use image::{Image, ImageError};
pub use index::{Job, Kept, add_builtin, add_builtin_modinfo, index_folder, index_modules, is_module};
pub use modinfo::ModInfo;
pub use nodes::StaticNode;
pub use similar::closest;
pub use tree::{IndexEntry, ModuleError, ModuleFile, ModuleIndex, ModuleState, ModuleTree};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
