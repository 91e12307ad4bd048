//! The whole way through real guests, on bad input and under bad treatment: the result of each, and what is left behind.
//!
//! Needs QEMU, a static busybox and one of Debian's kernels, which is fetched where it is missing. Where one of them
//! is unavailable the tests are skipped and say so; with `KREGRESS_CI` set that is a failure.

mod architectures;
mod boots;
mod campaign;
mod clocks;
mod consoles;
mod detectors;
mod doses;
mod endless;
mod ends;
#[path = "../../benches/campaign/faults/mod.rs"]
mod faults;
mod hosts;
mod isolation;
mod kills;
mod leaks;
mod place;
mod selftests;
mod snapshots;
mod surroundings;
mod userlands;
mod vm;
mod witnesses;
