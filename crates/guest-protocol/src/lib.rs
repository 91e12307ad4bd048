#![doc = include_str!("../README.md")]

pub mod blocked;
pub mod detectors;
pub mod facts;
pub mod kmsg;
pub mod layout;
pub mod message;
pub mod probe;
pub mod program;
pub mod slab;
pub mod wire;

/// Name of the virtio-serial port that carries the agent's messages.
pub const PORT_NAME: &str = "kregress.agent";

/// What the agent prints on the console before it powers the guest off because it failed; the reason follows behind a
/// colon.
pub const LAST_WORDS: &str = "kregress: the agent cannot go on";
