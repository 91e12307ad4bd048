//! kregress runs reproducers of Linux kernel bugs on many kernel builds, each attempt in a throw-away virtual
//! machine, and gives every (test, kernel) pair a typed verdict with its evidence.
//!
//! The modules are listed from the ground up: a module uses only those above it in this list. `ARCHITECTURE.md`
//! describes each of them and the way data flows between them.

// crates of this repository that are useful by themselves, under the names that the rooms use
pub use flaky_bisect as bisect;
pub use guest_protocol as guest;
pub use kernel_oops as oops;
pub use kernel_oops::{hang, poison};
pub use kernel_version as version;
pub use mail_patch as patch;
pub use queue_triage as triage;

pub mod plural;

pub mod arch;
pub mod atomic_file;
pub mod cancel;
pub mod failure;
pub mod host;
pub mod scratch;
pub mod yaml;

pub mod builtin;

pub mod observation;

pub mod kernel;
pub mod suite;

pub mod machine;

pub mod vm;

pub mod lab;
pub mod witness;

pub mod verdict;

pub mod expectation;

pub mod event;

pub mod plan;

pub mod journal;
pub mod progress;
pub mod report;
pub mod runner;
pub mod runs;

pub mod engine;

pub mod compare;
pub mod known;

pub mod backport;
pub mod bisection;
pub mod queue;

pub mod render;

pub mod config;

pub mod cli;
pub mod harness;
