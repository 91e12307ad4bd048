//! The YAML model of suites: tests, needs, programs, doses, symptoms; loading with located errors.
//!
//! A suite file is read in four steps, each in a file of its own: `source` takes the text from the disk within
//! bounds, `document` turns it into a tree of nodes with positions, `shape` lets serde put the tree into the
//! form of a suite (so that unknown keys and wrong types come out), and `build` turns text into values, checks
//! what no single key can tell, and yields the [`Suite`]. All of them report `Problem`s and go on, so that one
//! load shows everything that is wrong.
//!
//! `suites/README.md` is the reference of the format for people.

mod build;
mod check;
mod decode;
mod document;
mod fields;
mod keypath;
mod load;
mod model;
mod pattern;
mod problem;
mod quantity;
mod range;
mod rejection;
mod shape;
mod source;
mod symptom;
mod word;

pub use load::{load_dir, load_file};
pub use model::{
    Commit, ConfigNeed, DiskNeed, Dose, Hang, History, Known, KnownVerdict, Location, MachineNeeds, Needs,
    PrepareStep, Program, Suite, Test, Timeouts,
};
pub use pattern::Pattern;
pub use problem::{Problem, ProblemKind, SuiteError};
pub use quantity::duration as parse_duration;
pub use range::VersionRange;
pub use rejection::Rejection;
pub use symptom::{CrashPattern, Probe, ProbeKind, Symptom};
