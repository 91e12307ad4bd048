//! Host side of a virtual machine: the seams [`guest::Guest`] and [`backend::Backend`], the loop in which guests are talked
//! with, snapshots, initramfs, console capture; [`qemu`] is the backend that there is.
//!
//! This room knows hardware ([`crate::machine`]) and no tests: [`crate::lab`] decides what is sent to a guest and what its
//! answers mean.

pub mod accel;
pub mod agent;
pub mod backend;
pub mod console;
pub mod conversation;
pub mod guest;
pub mod guest_log;
pub mod initramfs;
pub mod process;
mod processor_time;
pub mod qemu;
#[cfg(test)]
pub(crate) mod scripted;
pub mod snapshot;
pub mod spec;

use crate::arch::GUEST;

/// What can go wrong on the host's side of a virtual machine.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// There is no QEMU.
    #[error(
        "{program} was not found; install it (Debian: apt-get install {}) or name one in KREGRESS_QEMU", GUEST.qemu.package
    )]
    NoQemu {
        /// What was looked for.
        program: String,
    },
    /// QEMU could not be started.
    #[error("{program} could not be started: {source}")]
    Start {
        /// What was started.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// What guests of another architecture take on this host is unavailable.
    #[error("guests of {name}: {source}")]
    Tools {
        /// The architecture.
        name: &'static str,
        /// Why.
        source: crate::kernel::SourceError,
    },
    /// QEMU answered in a way that is not understood.
    #[error("{program} --version says {found:?}; a line with \"version N.N\" was expected")]
    Version {
        /// What was started.
        program: String,
        /// What it said.
        found: String,
    },
    /// A host file or descriptor failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The shell for guests is missing or not static.
    #[error("{0}")]
    Busybox(String),
    /// The program that becomes the guest's init is unusable.
    #[error("{0}")]
    Agent(String),
    /// QEMU's monitor refused a command or did not answer.
    #[error("QEMU's monitor: {0}")]
    Monitor(String),
    /// No backend has the name that the user gave.
    #[error("{0}")]
    NoBackend(String),
    /// A saved guest could not be restored.
    #[error("{0}")]
    Restore(String),
}

impl VmError {
    /// Wraps an I/O error with what was attempted.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> VmError {
        let what = what.into();
        move |source| VmError::Io { what, source }
    }
}
