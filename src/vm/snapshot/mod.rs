//! Guests that were booted once and are restored as often as they are needed.
//!
//! A snapshot is a guest right after its agent's first word: its memory as a sparse file, the state of its devices as
//! QEMU writes it, and what its console had printed. A restored guest maps the memory privately, so that pages are
//! read when they are touched, and guests of one snapshot share those that none has written. QEMU is asked to leave the
//! memory out of the state (`x-ignore-shared`), which every version from 4.0 on can.

mod key;
mod memory;
mod restore;
mod save;
mod store;

pub use key::Key;
pub use restore::{Restored, restore};
pub use save::{SaveError, save};
pub use store::{Kept, Snapshot, Store};

use super::qemu::QemuVersion;

/// The file of a guest's memory in a snapshot's folder.
const MEMORY: &str = "memory";
/// The file of its devices' state.
const STATE: &str = "state";
/// The file of what its console had printed.
const CONSOLE: &str = "console";
/// The file that describes the others.
const MANIFEST: &str = "snapshot.json";

/// The name under which QEMU is handed the state's file where it has no better way.
const STATE_NAME: &str = "state";

/// From here on QEMU writes to and reads from files as such (`file:`); before, a descriptor is all that it takes.
const FILE_SINCE: QemuVersion = QemuVersion { major: 8, minor: 2, micro: 0 };

/// Where QEMU finds the state's file, and whether it must be handed the descriptor first.
fn state_uri(version: QemuVersion) -> (String, bool) {
    if version >= FILE_SINCE {
        (format!("file:/dev/fdset/{}", super::args::fds::STATE_SET), false)
    } else {
        (format!("fd:{STATE_NAME}"), true)
    }
}
