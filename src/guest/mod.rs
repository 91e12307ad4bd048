//! What runs inside the virtual machine as PID 1, and the wire protocol it speaks with the host.
//!
//! [`wire`] and [`message`] are shared by both sides and pure; [`agent`] is the guest's own part: it is entered by
//! the binary when it finds itself PID 1 ([`is_guest_init`]).

pub mod agent;
mod blocked;
mod channel;
mod detectors;
mod entropy;
mod execute;
mod grace;
mod kmemleak;
pub mod kmsg;
pub mod message;
mod mounts;
mod probe;
mod slab;
mod supervise;
pub mod wire;

/// Where the initramfs places what the agent needs, and where the host may put files.
pub mod layout {
    /// Names of the modules that the agent's own channel needs, one file name a line, in load order.
    pub const CHANNEL_MODULES: &str = "/kregress/channel-modules";
    /// Folder of those modules.
    pub const CHANNEL_MODULES_DIR: &str = "/kregress/channel";
    /// Folder for what the host sends.
    pub const INBOX: &str = "/kregress/inbox";
    /// Where a folder of the host is mounted, if one is shared.
    pub const SHARE: &str = "/host";
    /// The static shell and its applets.
    pub const BUSYBOX: &str = "/bin/busybox";
}

/// Name of the virtio-serial port that carries the agent's messages.
pub const PORT_NAME: &str = "kregress.agent";

/// Whether this process is the init of a guest, and not somebody's container entry point: PID 1 with the
/// initramfs layout in place.
pub fn is_guest_init() -> bool {
    std::process::id() == 1 && std::path::Path::new(layout::CHANNEL_MODULES).exists()
}
