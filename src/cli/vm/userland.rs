//! The root file system that `--userland` asks for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use userland_image::{Image, Progress, is_package_name};

use super::CliError;
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::lab::prepare::userland;
use crate::plural::counted;
use crate::suite::{Userland, UserlandSource};

/// Becomes bash where there is one. Its start-up files would replace the prompt.
pub(super) const BEST_SHELL: &str = "[ -x /bin/bash ] && exec /bin/bash --norc; exec /bin/sh";

/// Makes it, and says what takes long.
pub(super) fn make(
    words: &[String],
    arch: &Arch,
    cache: &Path,
    cancel: &Cancel,
) -> Result<Option<Image>, CliError> {
    let fetching = Cell::new(false);
    let source = match words {
        [] => return Ok(None),
        [file] if file.contains('/') => UserlandSource::Image(PathBuf::from(file)),
        names => UserlandSource::Packages(names.to_vec()),
    };
    if let UserlandSource::Packages(names) = &source
        && let Some(wrong) = names.iter().find(|name| !is_package_name(name))
    {
        return Err(CliError::setup(format!(
            "--userland {wrong}: expected names of Debian packages with commas between them, such as bash,strace, or a file or \
             folder with a slash in its path, such as ./rootfs.tar"
        )));
    }
    let wanted = Userland { source, files: BTreeMap::new(), users: Vec::new() };
    let say = |progress: Progress<'_>| match progress {
        Progress::Waiting => eprintln!("the userland is being made by another process"),
        Progress::Updating => eprintln!("fetching package lists for the userland"),
        Progress::Downloading { total, .. } if total > 0 && !fetching.replace(true) => {
            eprintln!("fetching the userland's packages, {} MB", total / 1_000_000);
        }
        Progress::Writing { files, bytes } => {
            eprintln!("writing the userland, {} with {} MB", counted(files, "file"), bytes / 1_000_000);
        }
        Progress::Notice(text) => eprintln!("{text}"),
        _ => {}
    };
    userland::make(&wanted, arch, cache, cancel, &say).map(Some).map_err(CliError::setup)
}
