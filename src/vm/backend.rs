//! The seam to what runs virtual machines. [`Backend`] starts them as [`Guest`]s; [`BACKENDS`] is the table of them.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::VmError;
use super::guest::Guest;
use super::qemu::QemuBackend;
use super::spec::{Accel, VmSpec};
use crate::arch::{Arch, GUEST};
use crate::kernel::tools::{Tell, Tools};

/// What runs virtual machines on this host.
pub trait Backend: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Its version.
    fn version(&self) -> String;

    /// The time by the clock of its guests ([`Guest::now`]).
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Starts a virtual machine.
    ///
    /// # Errors
    /// [`VmError::Start`] if it cannot be started, [`VmError::Restore`] if it does not take a snapshot's state.
    fn start(&self, machine: &VmSpec, from: StartFrom) -> Result<Box<dyn Guest>, VmError>;

    /// Everything that a snapshot of this machine depends on, one thing a line.
    fn snapshot_inputs(&self, machine: &VmSpec) -> String;

    /// Why it cannot build the machine; `None` if it can, as far as can be seen without starting it. `accel` is what the
    /// run uses, where that is settled.
    fn missing(&self, machine: &crate::machine::Machine, accel: Option<Accel>) -> Option<String>;

    /// As which user its guests run, or why as root, in words; `None` where this process is no root.
    fn user(&self, accel: Accel) -> Option<String> {
        let _ = accel;
        None
    }

    /// Whether its guests have root's rights on this host.
    fn keeps_root(&self, accel: Accel) -> bool {
        let _ = accel;
        false
    }

    /// Why the clocks of its emulated guests cannot leap over idle time; `None` if they can.
    fn lacks_time_travel(&self) -> Option<String> {
        None
    }

    /// Whether it translates a program's code anew wherever the kernel puts it, so that emulated guests that start many
    /// programs take several times as long.
    fn translates_each_start(&self) -> bool {
        false
    }

    /// Whether it could make this machine run instructions that its kernel has already replaced.
    fn may_run_stale_code(&self, machine: &VmSpec) -> bool;
}

/// How a virtual machine begins.
#[derive(Debug)]
pub enum StartFrom {
    /// It boots.
    Boot,
    /// It boots, with its memory in a file, so that it can be saved ([`Guest::save`]).
    Template(StateFiles),
    /// It is restored: its memory is a private copy of the file, page by page.
    Snapshot(StateFiles),
}

/// The files of a guest that is saved or restored.
#[derive(Debug)]
pub struct StateFiles {
    /// Its memory.
    pub memory: OwnedFd,
    /// The state of its devices, in the backend's own format.
    pub state: OwnedFd,
}

/// Finds a backend for guests of an architecture on this host.
type Find = fn(&'static Arch, &Tools, Tell<'_>) -> Result<Arc<dyn Backend>, VmError>;

/// The backends by name; the first one is taken where the user names none.
const BACKENDS: &[(&str, Find)] = &[("qemu", QemuBackend::find)];

/// The environment variable that names another backend than the first.
const VARIABLE: &str = "KREGRESS_BACKEND";

/// The backend that `KREGRESS_BACKEND` names, else the first of the table.
///
/// # Errors
/// There is none of this name, or it is not on this host.
pub fn find() -> Result<Arc<dyn Backend>, VmError> {
    // only other architectures need tools that are not installed
    find_for(GUEST, &Tools::new(Path::new("")), &|_| {})
}

/// The same for guests of this architecture.
///
/// # Errors
/// As [`find`].
pub fn find_for(arch: &'static Arch, tools: &Tools, tell: Tell<'_>) -> Result<Arc<dyn Backend>, VmError> {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    by_name(name.trim())?(arch, tools, tell)
}

fn by_name(name: &str) -> Result<Find, VmError> {
    if name.is_empty() {
        return Ok(BACKENDS[0].1);
    }
    let found = BACKENDS.iter().find(|(known, _)| *known == name);
    let names = || BACKENDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, find)| *find)
        .ok_or_else(|| VmError::NoBackend(format!("{VARIABLE} is {name:?}; {} was expected", names())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_found_by_its_name() {
        assert!(by_name("").is_ok() && by_name("qemu").is_ok());
        let error = by_name("bochs").map(drop).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"KREGRESS_BACKEND is "bochs"; qemu was expected"#);
    }
}
