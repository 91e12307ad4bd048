#![doc = include_str!("../README.md")]

mod agent;
mod anchor;
mod blocked;
mod channel;
mod detectors;
mod endless;
mod entropy;
mod execute;
mod follow;
mod grace;
mod kmemleak;
mod leftovers;
mod modprobe;
mod modules;
mod mounts;
mod probe;
mod running;
mod slab;
mod supervise;
mod surroundings;
mod userland;

pub use agent::main;
pub use modprobe::{is_called as is_modprobe, main as modprobe};

use guest_protocol::layout;

/// Whether this process is the init of a guest, and not somebody's container entry point: PID 1 with the initramfs
/// layout in place.
pub fn is_guest_init() -> bool {
    std::process::id() == 1 && std::path::Path::new(layout::CHANNEL_MODULES).exists()
}
