//! The guest's state: its phase, its kernel, and the step of its set-up that failed.

use serde::{Deserialize, Serialize};

/// How far an attempt came. Ordered: a later phase implies that the earlier ones were passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Host-side work before the virtual machine: initramfs, disks, command line.
    Prepare,
    /// The virtual machine runs, the agent has not spoken yet.
    Boot,
    /// The agent spoke; modules, files and sysctls are being put in place.
    Setup,
    /// The trivial program runs: what fails here says nothing about the test.
    Check,
    /// The test's program runs.
    Dose,
    /// The program ended; detectors are read a last time.
    Settle,
    /// The guest is being powered off.
    Stop,
}

impl Phase {
    /// The word shown to people, at most seven letters so that it fits a column.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Boot => "boot",
            Phase::Setup => "setup",
            Phase::Check => "check",
            Phase::Dose => "dose",
            Phase::Settle => "settle",
            Phase::Stop => "stop",
        }
    }
}

/// What the agent said when it was ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub build: String,
    /// `/proc/cmdline`.
    pub cmdline: String,
    /// `/proc/sys/kernel/tainted` at that moment.
    pub tainted: u64,
    /// Which port carries the agent's messages: `virtio` or `serial`.
    pub channel: String,
    /// The hung-task timeout that the kernel accepted, seconds; absent: this kernel has no such detector.
    pub hung_task_timeout: Option<u64>,
    /// What the kernel's monotonic clock said then, milliseconds since it booted; absent: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
}

/// A step before the dose that failed in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum SetupFailure {
    /// A module could not be loaded.
    Module {
        /// Its name.
        name: String,
        /// The kernel's answer.
        error: String,
    },
    /// A sysctl could not be set.
    Sysctl {
        /// Its name in dotted form.
        name: String,
        /// The kernel's answer.
        error: String,
    },
    /// A file could not be placed in the guest.
    File {
        /// Its path in the guest.
        path: String,
        /// The kernel's answer.
        error: String,
    },
    /// A disk of the test did not appear.
    Disk {
        /// The disk's name in the suite.
        name: String,
    },
    /// The userland could not become the root file system.
    Userland {
        /// The step that failed and the kernel's answer.
        error: String,
    },
    /// The trivial program failed.
    Check {
        /// What happened.
        error: String,
    },
    /// The test's program could not be started.
    Program {
        /// What happened.
        error: String,
    },
    /// Not everything that host and agent said came through, at any time of the attempt.
    Channel {
        /// Frames that are missing, or came with a number that was not due.
        frames: u64,
    },
}

impl std::fmt::Display for SetupFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetupFailure::Module { name, error } => write!(f, "module {name} could not be loaded: {error}"),
            SetupFailure::Sysctl { name, error } => write!(f, "sysctl {name} could not be set: {error}"),
            SetupFailure::File { path, error } => {
                write!(f, "{path} could not be put into the guest: {error}")
            }
            SetupFailure::Disk { name } => write!(f, "disk {name} did not appear in the guest"),
            SetupFailure::Userland { error } => write!(f, "the userland could not be entered: {error}"),
            SetupFailure::Check { error } => write!(f, "the trivial program failed: {error}"),
            SetupFailure::Program { error } => write!(f, "the program could not be started: {error}"),
            SetupFailure::Channel { frames: 1 } => {
                f.write_str("one frame between host and agent was lost or not the agent's, and what was in it is not known")
            }
            SetupFailure::Channel { frames } => {
                write!(
                    f,
                    "{frames} frames between host and agent were lost or not the agent's, and what was in them is not known"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_ordered() {
        assert!(Phase::Boot < Phase::Setup && Phase::Dose < Phase::Settle);
    }
}
