//! Where the initramfs places what the agent needs, and where the host may put files.

/// Names of the modules that the agent's own channel needs, one file name a line, in load order.
pub const CHANNEL_MODULES: &str = "/kregress/channel-modules";
/// Folder of those modules.
pub const CHANNEL_MODULES_DIR: &str = "/kregress/channel";
/// Folder for what the host sends.
pub const INBOX: &str = "/kregress/inbox";
/// Where a folder of the host is mounted, if one is shared.
pub const SHARE: &str = "/host";
/// The static shell and its applets. Everything below `/kregress` stays where it is when a guest enters a userland.
pub const BUSYBOX: &str = "/kregress/busybox";
/// Where the agent takes requests for modules.
pub const MODULE_SOCKET: &str = "/kregress/modules.socket";
/// The agent's own program.
pub const AGENT: &str = "/kregress/agent";
