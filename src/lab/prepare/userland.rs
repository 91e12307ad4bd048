//! Root file systems for programs: made once, kept in the cache, attached as a disk and entered by the agent.

use std::path::Path;

use userland_image::{Image, Progress, Settings, Source, Spec, UserlandError, Userlands, Watch};

use super::PrepareError;
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::guest::message::ToGuest;
use crate::machine::USERLAND_FILE_SYSTEM;
use crate::suite::{USERLAND_DISK, Userland, UserlandSource};
use crate::vm::spec::serial;

/// Where they are in the cache.
pub const FOLDER: &str = "userlands";

/// As Debian's login(1) has it for root; a program of an image may be anywhere in it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The userlands of a cache.
///
/// # Errors
/// Its folder cannot be made.
pub fn open(cache: &Path, arch: &Arch) -> Result<Userlands, UserlandError> {
    let settings = Settings { architecture: arch.debian.to_owned(), ..Settings::new(cache.join(FOLDER)) };
    Userlands::open(settings)
}

/// The image of a userland for guests of an architecture, made if it is not there.
///
/// # Errors
/// [`PrepareError::Userland`], or that the user ended it.
pub fn make(
    wanted: &Userland,
    arch: &Arch,
    cache: &Path,
    cancel: &Cancel,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Image, PrepareError> {
    let spec = spec(wanted);
    let watch = Watch { cancelled: &|| cancel.is_set(), progress };
    let userlands = open(cache, arch);
    let made = userlands.and_then(|all| all.resolve(&spec, &watch).and_then(|it| all.build(&it, &watch)));
    made.map_err(|error| refused(&spec, error))
}

/// The files of packages and of all that they depend on, in a folder: what a collection is built with.
///
/// # Errors
/// As [`make`].
pub(super) fn unpack(
    packages: &[&str],
    folder: &Path,
    arch: &Arch,
    cache: &Path,
    cancel: &Cancel,
) -> Result<(), PrepareError> {
    let source = Source::Packages(packages.iter().map(|&name| name.to_owned()).collect());
    let spec = Spec { essential: false, ..Spec::new(source) };
    let watch = Watch { cancelled: &|| cancel.is_set(), progress: &|_| {} };
    let userlands = open(cache, arch);
    let unpacked =
        userlands.and_then(|all| all.resolve(&spec, &watch).and_then(|it| all.unpack(&it, folder, &watch)));
    unpacked.map_err(|error| refused(&spec, error))
}

fn refused(spec: &Spec, error: UserlandError) -> PrepareError {
    match error {
        UserlandError::Cancelled => PrepareError::Cancelled { output: format!("the userland of {spec}") },
        error => PrepareError::Userland {
            wanted: spec.to_string(),
            host: is_hosts(&error),
            text: error.to_string(),
        },
    }
}

/// Whether another host, or this one at another time, would have made it.
fn is_hosts(error: &UserlandError) -> bool {
    matches!(
        error,
        UserlandError::Update { .. }
            | UserlandError::Download { .. }
            | UserlandError::Hash { .. }
            | UserlandError::NoTool { .. }
            | UserlandError::Tool { .. }
            | UserlandError::Io { .. }
    )
}

fn spec(wanted: &Userland) -> Spec {
    let (source, essential) = match &wanted.source {
        // any package may use the essential ones without saying so, and so may whoever writes a test
        UserlandSource::Packages(names) => (Source::Packages(names.clone()), true),
        UserlandSource::Image(path) => (Source::Image(path.clone()), false),
    };
    let (files, users) = (wanted.files.clone(), wanted.users.clone());
    Spec { source, files, users, essential }
}

/// What the agent is asked for so that it enters the userland of its machine, whose drivers are there.
pub fn entering() -> [ToGuest; 2] {
    let disk = USERLAND_DISK.to_owned();
    [
        ToGuest::Disk { name: disk.clone(), serial: serial(USERLAND_DISK), variable: None },
        ToGuest::Enter { disk, file_system: USERLAND_FILE_SYSTEM.to_owned() },
    ]
}

/// What programs in a userland get besides, or in the place of, what others have.
pub fn environment() -> [(String, String); 2] {
    // device mapper's library makes the nodes below /dev/mapper itself then: no guest has udev
    [("PATH", PATH), ("DM_DISABLE_UDEV", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()))
}
