//! Console text to crash reports. Pure: no disk, no process.
