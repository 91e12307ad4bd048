//! What maintainer scripts would have done that programs need, done from data. No script runs: neither on the host, where it
//! could do anything, nor in the guest, where it would take its time at every start.

mod accounts;
mod alternatives;
mod etc;
mod pam;

use std::io;

use crate::deb::Control;
use crate::error::UserlandError;
use crate::tree::{Attributes, Blobs, Kind, NoPlace, Path, Tree};

/// What no test reads, and what makes up a third of many packages.
const LEFT_OUT: &[&str] = &[
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/linda",
    "usr/share/bug",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
];

/// Folders at the top that are links into `/usr`, as in every Debian since bookworm.
const MERGED: &[&str] = &["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// Folders that a guest needs, with their modes. The first ones are mount points.
const FOLDERS: &[(&str, u32)] = &[
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("etc", 0o755),
    ("boot", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("root", 0o700),
    ("srv", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/local/lib", 0o755),
    ("usr/local/sbin", 0o755),
    ("usr/lib/modules", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/mail", 0o2775),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// Whether a path of a package is left out.
pub(crate) fn is_left_out(path: &Path) -> bool {
    let is = |folder: &&&str| {
        let mut parts = path.parts().iter();
        folder.split('/').all(|part| parts.next().is_some_and(|found| found == part.as_bytes()))
    };
    LEFT_OUT.iter().any(|folder| is(&folder))
}

/// A problem with a file of our own.
pub(crate) fn failed(error: io::Error) -> UserlandError {
    UserlandError::Io { what: "complete", path: "the userland".into(), source: error }
}

/// What has to be there before packages are unpacked.
pub(crate) fn begin(tree: &mut Tree) -> io::Result<()> {
    for name in MERGED {
        tree.put_folder_if_missing(&format!("usr/{name}"), 0o755)?;
        tree.put_link_if_missing(name, &format!("usr/{name}"))?;
    }
    Ok(())
}

/// Completes what packages were unpacked into.
pub(crate) fn packages(
    tree: &mut Tree,
    blobs: &mut Blobs,
    controls: &[Control],
    users: &[String],
) -> Result<(), UserlandError> {
    tree.next_layer();
    let scripts = controls.iter().map(|control| control.postinst.as_str());
    alternatives::apply(tree, scripts).map_err(failed)?;
    common(tree, blobs, users)?;
    pam::apply(tree, blobs).map_err(failed)?;
    etc::of_packages(tree, blobs, controls).map_err(failed)
}

/// Completes an image or folder, of which most is what its makers wanted.
pub(crate) fn image(tree: &mut Tree, blobs: &mut Blobs, users: &[String]) -> Result<(), UserlandError> {
    tree.next_layer();
    common(tree, blobs, users)
}

fn common(tree: &mut Tree, blobs: &mut Blobs, users: &[String]) -> Result<(), UserlandError> {
    for (folder, mode) in FOLDERS {
        // one that a link of the image leads to nowhere stays away
        let place = Path::parse(folder.as_bytes());
        if tree.find(folder).is_some() || tree.has_name(folder) {
            continue;
        }
        if let Ok(place) = place {
            let kind = Kind::Folder(Default::default());
            match tree.put(&place, Attributes::of_root(*mode), kind) {
                Ok(()) | Err(NoPlace::NotAFolder | NoPlace::Loop) => {}
                Err(none) => return Err(failed(io::Error::other(format!("/{folder} {none}")))),
            }
        }
    }
    etc::files(tree, blobs).map_err(failed)?;
    accounts::apply(tree, blobs, users)
}

#[cfg(test)]
mod tests;
