//! What kregress must not leave behind.

use std::path::Path;
use std::time::Duration;

use super::table::Outcome;
use crate::place::{Place, ends_within};

/// The folder for temporary files of all that is started in a place.
pub fn temporary(place: &Place) -> std::path::PathBuf {
    let folder = place.path().join("temporary");
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}

/// Looks for processes, mounts and temporary files.
pub fn left(place: &Place) -> Outcome {
    // what was killed with its runner may need a moment to be gone
    for pid in place.processes() {
        if !ends_within(pid, Duration::from_secs(5)) {
            return Outcome::Leftover(format!("process {pid}: {}", command_line(pid)));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(mount) = mounts.lines().find(|line| line.contains(&place.path().display().to_string())) {
        return Outcome::Leftover(format!("the mount {mount}"));
    }
    for folder in [place.cache().join("scratch"), temporary(place)] {
        if let Some(name) = first_in(&folder) {
            return Outcome::Leftover(format!("{name} in {}", folder.display()));
        }
    }
    Outcome::Right
}

fn first_in(folder: &Path) -> Option<String> {
    let entry = std::fs::read_dir(folder).ok()?.flatten().next()?;
    Some(entry.file_name().to_string_lossy().into_owned())
}

fn command_line(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
