//! The files of packages in a folder of the host, as a compiler wants them: headers and libraries.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Userlands;
use crate::deb;
use crate::error::UserlandError;
use crate::resolve::Resolved;
use crate::watch::{Progress, Watch};

impl Userlands {
    /// Unpacks the packages of what is resolved below a folder, which is made. No script of a package is run. Links to
    /// absolute paths lead to the same paths below the folder, so that nothing of the host is meant; devices and owners are
    /// left out.
    ///
    /// # Errors
    /// Packages cannot be fetched or are damaged, the folder cannot be written, or the caller cancelled. What was unpacked
    /// so far stays.
    pub fn unpack(&self, resolved: &Resolved, folder: &Path, watch: &Watch) -> Result<(), UserlandError> {
        let files = self.fetch(&resolved.packages, watch)?;
        fs::create_dir_all(folder).map_err(UserlandError::io("create", folder))?;
        for (index, (package, file)) in resolved.packages.iter().zip(&files).enumerate() {
            watch.check()?;
            watch.tell(Progress::Unpacking { name: &package.name, done: index, total: files.len() });
            let mut archive = tar::Archive::new(deb::data(file)?);
            let damaged = |error: io::Error| UserlandError::damaged(file, error.to_string());
            for entry in archive.entries().map_err(damaged)? {
                let mut entry = entry.map_err(damaged)?;
                put(&mut entry, folder).map_err(damaged)?;
            }
        }
        Ok(())
    }
}

fn put<R: io::Read>(entry: &mut tar::Entry<'_, R>, folder: &Path) -> io::Result<()> {
    let target = entry.link_name()?.map(|target| target.into_owned());
    match (entry.header().entry_type(), target) {
        (tar::EntryType::Symlink, Some(target)) if target.is_absolute() => {
            let path = folder.join(inner(&entry.path()?)?);
            if let Some(above) = path.parent() {
                stays_below(above, folder)?;
                fs::create_dir_all(above)?;
            }
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(folder.join(inner(&target)?), path)
        }
        (kind, _) if kind.is_block_special() || kind.is_character_special() || kind.is_fifo() => Ok(()),
        // never outside the folder
        _ => entry.unpack_in(folder).map(drop),
    }
}

/// Refuses a place that links of earlier entries lead out of the folder to.
fn stays_below(place: &Path, folder: &Path) -> io::Result<()> {
    let there = place.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(folder);
    match there.canonicalize()?.starts_with(folder.canonicalize()?) {
        true => Ok(()),
        false => {
            let text = format!("{} leads out of the folder", place.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
    }
}

/// The path without its root; what leads up is refused.
fn inner(path: &Path) -> io::Result<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} leads out of it", path.display()),
                ));
            }
        }
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        builder.append_data(&mut header.clone(), "./usr/lib/libx.so.1", &b"bytes"[..]).unwrap();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "./usr/lib/libx.so", "/usr/lib/libx.so.1").unwrap();
        let bytes = builder.into_inner().unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        for entry in archive.entries().unwrap() {
            put(&mut entry.unwrap(), folder.path()).unwrap();
        }
        let link = folder.path().join("usr/lib/libx.so");
        assert_eq!(fs::read_link(&link).unwrap(), folder.path().join("usr/lib/libx.so.1"));
        assert_eq!(fs::read(&link).unwrap(), b"bytes");
        assert!(inner(Path::new("/a/../../b")).is_err());
    }

    #[test]
    fn links_of_earlier_entries_lead_nowhere() {
        let around = tempfile::tempdir().unwrap();
        let (folder, outside) = (around.path().join("folder"), around.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), b"kept").unwrap();
        for place in ["up/file", "up/new/file", "up"] {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header.clone(), "up", "../outside").unwrap();
            builder.append_link(&mut header, place, "/target").unwrap();
            let bytes = builder.into_inner().unwrap();
            let mut archive = tar::Archive::new(&bytes[..]);
            let done: Vec<bool> =
                archive.entries().unwrap().map(|entry| put(&mut entry.unwrap(), &folder).is_ok()).collect();
            assert_eq!(done, [true, place == "up"], "{place}");
        }
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}
