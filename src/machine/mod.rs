//! Machines: the virtual hardware that tests run on, as data. A machine is a YAML file under `vm/`; what a test says
//! about its machine is laid over it ([`Machine::for_test`]).
//!
//! This room knows what hardware is wanted; [`crate::vm`] knows the arguments for QEMU, and whether a QEMU has it.
//! `vm/README.md` is the reference of the format for people.

mod build;
mod load;
mod model;
mod shape;

pub use crate::suite::AccelNeed;
pub use load::Machines;
pub use model::{DEFAULT, Device, DeviceKind, Machine, MachineError, Medium, QemuNeed, USERLAND_FILE_SYSTEM};

use std::collections::BTreeSet;

use crate::yaml::file_kind::FileKind;

/// The keys that a machine's file may have, as paths: `devices.kind`.
pub fn keys() -> BTreeSet<String> {
    crate::yaml::keys::keys::<shape::MachineShape>()
}

/// The JSON Schema of a machine's file.
pub fn schema() -> serde_json::Value {
    crate::yaml::schema::of_text::<shape::MachineShape>("a machine of kregress")
}

/// The machines' own words in messages.
static FORMAT: FileKind = FileKind {
    noun: "machine",
    path: "vm/default.yaml",
    start: "a machine starts with `summary: TEXT`, and its file's name is its name",
    too_many: "a machine needs a few dozen",
    example,
};

fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "summary" => "what it is for, in a sentence",
        "name" => "card0",
        "kind" => "igb",
        "image" => "disk.img",
        "options" => "'edu,addr=10'",
        _ => return None,
    })
}
