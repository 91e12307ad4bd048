//! The YAML model of suites: tests, needs, programs, doses, symptoms; loading with located errors.
//!
//! [`crate::yaml`] reads the file; `shape` is its form for serde, and `build` turns text into values, checks what no
//! single key can tell, and yields the [`Suite`].
//!
//! `suites/README.md` is the reference of the format for people.

mod build;
mod check;
pub mod detector;
mod load;
mod messages;
mod model;
mod pattern;
mod program;
mod range;
mod reference;
mod shape;
mod symptom;
mod userland;

pub use load::{has_suites, load_dir, load_file, load_messages};
pub use messages::{KnownMessage, KnownMessages, MatchContext, SortedReports};
pub use model::{
    ACCELS, AccelNeed, Clock, Commit, ConfigNeed, DiskNeed, Dose, Expiry, Group, Hang, History, KernelFiles,
    Known, KnownVerdict, MachineNeeds, Needs, PrepareStep, Scheduling, Suite, Test, Timeouts,
};
pub use pattern::Pattern;
pub use program::{
    Collection, CollectionProgram, Ends, Installed, Launch, OutputFormat, Program, ProgramFile, ProgramSource,
};
pub use range::Versions;
pub use reference::Reference;
pub use symptom::{CrashPattern, HangPattern, KmemleakPattern, LeakPattern, Probe, ProbeKind, Symptom};
pub use userland::{USERLAND_DISK, Userland, UserlandSource};

pub use crate::yaml::quantity::{duration as parse_duration, memory_mib as parse_memory};
pub use crate::yaml::{LoadError as SuiteError, Location, Problem, ProblemKind, Rejection};

use std::collections::BTreeSet;

use crate::yaml::file_kind::FileKind;

/// The keys that a suite's file may have, as paths: `tests.program.ktap`.
pub fn keys() -> BTreeSet<String> {
    crate::yaml::keys::keys::<shape::SuiteShape>()
}

/// The JSON Schema of a suite's file.
pub fn schema() -> serde_json::Value {
    crate::yaml::schema::of_text::<shape::SuiteShape>("a suite of kregress")
}

/// The suites' own words in messages.
pub(crate) static FORMAT: FileKind = FileKind {
    noun: "suite",
    path: "suites/block.yaml",
    start: "a suite starts with `suite: NAME`, `summary: TEXT` and `tests:`",
    too_many: "a suite needs a few hundred; use `defaults:` instead of aliases",
    example,
};

/// The words of files that hold known messages and nothing else.
static MESSAGES_FORMAT: FileKind = FileKind {
    noun: "list",
    path: "known-messages.yaml",
    start: "known messages are listed under `allow:` and `deny:`",
    too_many: "a list needs a few hundred",
    example,
};

fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "suite" => "block",
        "name" => "elevator-switch-race",
        "summary" => "what goes wrong, in a sentence",
        "tests" => "[{name: …, summary: …, program: …, symptom: …}]",
        "program" => "{c: programs/reproducer.c}",
        "symptom" => "{crash: {title: '…'}}",
        "commit" => "370ac285f23a",
        "cves" => "[CVE-2024-26581]",
        "also-fixed" => "[{commit: 370ac285f23a}]",
        "image" | "output" => "disk.img",
        "probe" => "slab",
        "cache" => "kmalloc-192",
        "per-iteration" => "1",
        "match" => "'^WARNING in some_function'",
        "reason" => "why it does no harm, or why it counts",
        "matching" => "'a pattern'",
        "code" | "max" => "1",
        "versions" => "6.16..6.17.13",
        "verdict" => "bad",
        _ => return None,
    })
}
