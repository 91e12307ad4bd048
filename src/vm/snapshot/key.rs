//! What a snapshot depends on.

use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::vm::backend::Backend;
use crate::vm::spec::VmSpec;

/// Changes when a snapshot is made or used in another way.
const FORMAT: u32 = 1;

/// Names the one snapshot that fits a QEMU and a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The name: 32 hexadecimal digits.
    pub name: String,
    /// Everything that it depends on, one thing a line.
    pub made_from: String,
}

impl Key {
    /// The key of a machine on a backend.
    pub fn of(backend: &dyn Backend, machine: &VmSpec) -> Key {
        Key::from(format!("snapshot {FORMAT}\n{}", backend.snapshot_inputs(machine)))
    }

    fn from(made_from: String) -> Key {
        let digest = Sha256::digest(made_from.as_bytes());
        let name = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Key { name, made_from }
    }
}

/// A file by path, size and time of change: what a snapshot depends on where it depends on a file.
pub fn identity(path: &Path) -> String {
    let shown = path.display();
    match path.metadata() {
        Ok(meta) => {
            let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            format!("{shown} {} {}", meta.len(), changed.map_or(0, |t| t.as_nanos()))
        }
        Err(error) => format!("{shown} {error}"),
    }
}
