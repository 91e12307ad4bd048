//! A folder of the host into a tree. Everything in it belongs to root there: who owns it here says nothing.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path as HostPath;

use crate::digest::{self, Key};
use crate::error::UserlandError;
use crate::tree::{Attributes, Blobs, Kind, Path, Tree};
use crate::watch::Watch;

/// Puts a file or folder of the host at a place of the tree. Links in a folder stay links; one that is given itself is
/// followed.
pub(crate) fn put(
    tree: &mut Tree,
    blobs: &mut Blobs,
    place: &Path,
    source: &HostPath,
    watch: &Watch,
) -> Result<(), UserlandError> {
    let mut todo = vec![(place.clone(), source.to_path_buf(), true)];
    while let Some((place, source, given)) = todo.pop() {
        watch.check()?;
        let meta = if given { fs::metadata(&source) } else { fs::symlink_metadata(&source) };
        let meta = meta.map_err(UserlandError::io("read", &source))?;
        let kind = if meta.is_dir() {
            for entry in fs::read_dir(&source).map_err(UserlandError::io("read", &source))? {
                let entry = entry.map_err(UserlandError::io("read", &source))?;
                let inner = place.with(entry.file_name().as_bytes());
                let joined = inner.parts().join(&b'/');
                let inner = Path::parse(&joined).map_err(|bad| UserlandError::BadPath {
                    path: entry.path().display().to_string(),
                    what: format!("it {bad}"),
                })?;
                todo.push((inner, entry.path(), false));
            }
            Kind::Folder(Default::default())
        } else if meta.is_symlink() {
            let target = fs::read_link(&source).map_err(UserlandError::io("read", &source))?;
            Kind::Link(target.as_os_str().as_bytes().to_vec())
        } else if meta.is_file() {
            let file = File::open(&source).map_err(UserlandError::io("read", &source))?;
            Kind::File(blobs.store(file).map_err(UserlandError::io("copy", &source))?)
        } else if meta.file_type().is_fifo() {
            Kind::Pipe
        } else {
            // sockets and devices of a host are of no use to a guest
            continue;
        };
        let attributes = Attributes {
            mtime: u64::try_from(meta.mtime()).unwrap_or(0),
            ..Attributes::of_root(meta.mode() & 0o7777)
        };
        tree.put(&place, attributes, kind).map_err(|none| UserlandError::BadPath {
            path: source.display().to_string(),
            what: format!("it {none}"),
        })?;
    }
    Ok(())
}

/// Adds to a key what says whether a file or folder has changed: a file's contents, a large folder's by sizes and times.
pub(crate) fn add_to_key(key: &mut Key, source: &HostPath) -> Result<(), UserlandError> {
    let mut todo = vec![source.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = match path == source {
            true => fs::metadata(&path),
            false => fs::symlink_metadata(&path),
        };
        let meta = meta.map_err(UserlandError::io("read", &path))?;
        let inner = path.strip_prefix(source).unwrap_or(&path);
        key.add(inner.as_os_str().as_bytes()).add(meta.mode().to_le_bytes());
        if meta.is_dir() {
            let mut inner = Vec::new();
            for entry in fs::read_dir(&path).map_err(UserlandError::io("read", &path))? {
                inner.push(entry.map_err(UserlandError::io("read", &path))?.path());
            }
            inner.sort();
            todo.extend(inner);
        } else if path == source {
            key.add(digest::of_file(&path).map_err(UserlandError::io("read", &path))?);
        } else {
            let changed = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
            key.add(meta.len().to_le_bytes());
            for time in changed {
                key.add(time.to_le_bytes());
            }
        }
    }
    Ok(())
}
