//! The form of a machine's file, for serde: which keys there are. Every scalar is text, as in a suite.

use serde::Deserialize;

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MachineShape {
    pub summary: Option<String>,
    pub cpus: Option<String>,
    pub memory: Option<String>,
    pub accel: Option<String>,
    pub qemu: Option<String>,
    pub cmdline: List<String>,
    pub devices: List<DeviceShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeviceShape {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub plugged: Option<String>,
    pub behind: Option<String>,
    pub image: Option<String>,
    pub blank: Option<String>,
    pub vfs: Option<String>,
    pub options: Option<String>,
}
