//! Guests that were booted once and are restored as often as they are needed.
//!
//! A snapshot is a guest right after its agent's first word: its memory as a sparse file, the state of its devices as
//! the backend writes it, and what its console had printed. A restored guest maps the memory privately, so that pages are
//! read when they are touched, and guests of one snapshot share those that none has written.

mod key;
mod memory;
mod restore;
mod save;
mod store;

pub use key::{Key, identity};
pub use restore::{Restored, restore};
pub use save::{SaveError, save};
pub use store::{Kept, Snapshot, Store};

/// The file of a guest's memory in a snapshot's folder.
const MEMORY: &str = "memory";
/// The file of its devices' state.
const STATE: &str = "state";
/// The file of what its console had printed.
const CONSOLE: &str = "console";
/// The file that describes the others.
const MANIFEST: &str = "snapshot.json";
