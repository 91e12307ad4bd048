//! The form of a machine's file, for serde: which keys there are. Every scalar is text, as in a suite.

use schemars::JsonSchema;
use serde::Deserialize;

use super::build::{KINDS, PLUGGED};
use crate::suite::ACCELS;
use crate::yaml::schema::words;

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MachineShape {
    /// What the machine is for, in a sentence.
    #[schemars(required)]
    pub summary: Option<String>,
    /// Virtual cpus, 1 to 256.
    pub cpus: Option<String>,
    /// 512M, 1G.
    pub memory: Option<String>,
    /// What may execute it.
    #[schemars(extend("enum" = words(&ACCELS)))]
    pub accel: Option<String>,
    /// The oldest QEMU that will do: "8.0".
    pub qemu: Option<String>,
    /// Arguments added to the kernel's command line.
    pub cmdline: List<String>,
    /// Its devices, in the order in which they are made.
    pub devices: List<DeviceShape>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeviceShape {
    #[schemars(required)]
    pub name: Option<String>,
    #[schemars(required)]
    #[schemars(extend("enum" = words(&KINDS)))]
    pub kind: Option<String>,
    #[schemars(extend("enum" = words(&PLUGGED)))]
    pub plugged: Option<String>,
    pub behind: Option<String>,
    pub image: Option<String>,
    pub blank: Option<String>,
    pub vfs: Option<String>,
    pub options: Option<String>,
}
