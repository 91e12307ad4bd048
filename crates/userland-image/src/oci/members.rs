//! The files of an image: in a folder, or in a tar archive, which is looked up in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path as HostPath, PathBuf};

use serde::de::DeserializeOwned;
use tar::{Archive, EntryType};

use super::MAX_DOCUMENT;
use crate::error::UserlandError;
use crate::tree::Path;
use crate::watch::Watch;

/// How many links of an archive lead from one to the next: old versions of docker named equal layers that way.
const MAX_LINKS: usize = 8;

/// The files of an image.
pub(super) struct Members {
    source: PathBuf,
    place: Place,
}

enum Place {
    Folder,
    Tar { file: PathBuf, index: BTreeMap<Path, Member> },
}

enum Member {
    File { at: u64, size: u64 },
    Link(Path),
}

/// Whether a file begins as a compressed one does.
pub(super) fn is_packed(file: &HostPath) -> io::Result<bool> {
    let mut header = Vec::new();
    File::open(file)?.take(512).read_to_end(&mut header)?;
    Ok(header.get(257..262) != Some(b"ustar"))
}

impl Members {
    pub(super) fn of_folder(folder: &HostPath) -> Members {
        Members { source: folder.to_path_buf(), place: Place::Folder }
    }

    /// What is in the uncompressed archive `file`, which is called `source` in errors.
    pub(super) fn of_tar(
        source: &HostPath,
        file: &HostPath,
        watch: &Watch,
    ) -> Result<Members, UserlandError> {
        let damaged = |error: io::Error| UserlandError::damaged(source, error.to_string());
        let mut archive = Archive::new(File::open(file).map_err(UserlandError::io("read", file))?);
        let mut index = BTreeMap::new();
        let mut any = false;
        for entry in archive.entries_with_seek().map_err(damaged)? {
            watch.check()?;
            let entry = match entry {
                Err(_) if !any => break,
                entry => entry.map_err(damaged)?,
            };
            any = true;
            // what a root file system may not have says the one who unpacks it
            let Ok(path) = Path::parse(&entry.path_bytes()) else { continue };
            let member = match entry.header().entry_type() {
                EntryType::Regular => Member::File { at: entry.raw_file_position(), size: entry.size() },
                EntryType::Symlink | EntryType::Link => {
                    let Some(target) = target_of(&entry, &path) else { continue };
                    Member::Link(target)
                }
                _ => continue,
            };
            index.insert(path, member);
        }
        if !any {
            return Err(UserlandError::damaged(
                source,
                "it is neither an image nor a tarball: expected an OCI image layout, what `docker save` writes, or a tar archive of a root file system",
            ));
        }
        Ok(Members { source: source.to_path_buf(), place: Place::Tar { file: file.to_path_buf(), index } })
    }

    pub(super) fn source(&self) -> &HostPath {
        &self.source
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match &self.place {
            Place::Folder => self.source.join(name).is_file(),
            Place::Tar { index, .. } => {
                Path::parse(name.as_bytes()).is_ok_and(|path| index.contains_key(&path))
            }
        }
    }

    /// The archive itself.
    pub(super) fn whole(&self) -> Result<File, UserlandError> {
        match &self.place {
            Place::Tar { file, .. } => File::open(file).map_err(UserlandError::io("read", file)),
            Place::Folder => Err(UserlandError::damaged(&self.source, "it has no index of an image")),
        }
    }

    /// A file of the image, whose name may be anything.
    pub(super) fn open(&self, name: &str) -> Result<Box<dyn Read>, UserlandError> {
        let wrong = |what: String| UserlandError::damaged(&self.source, what);
        let mut path =
            Path::parse(name.as_bytes()).map_err(|bad| wrong(format!("the file name `{name}` {bad}")))?;
        match &self.place {
            Place::Folder => {
                let file = self.source.join(String::from_utf8_lossy(&path.parts().join(&b'/')).as_ref());
                let real = file.canonicalize().map_err(UserlandError::io("read", &file))?;
                let root = self.source.canonicalize().map_err(UserlandError::io("read", &self.source))?;
                if !real.starts_with(root) {
                    return Err(wrong(format!("`{name}` is a link that leads out of it")));
                }
                Ok(Box::new(File::open(&real).map_err(UserlandError::io("read", &real))?))
            }
            Place::Tar { file, index } => {
                for _ in 0..MAX_LINKS {
                    match index.get(&path) {
                        Some(Member::File { at, size }) => {
                            let mut open = File::open(file).map_err(UserlandError::io("read", file))?;
                            open.seek(SeekFrom::Start(*at)).map_err(UserlandError::io("read", file))?;
                            return Ok(Box::new(open.take(*size)));
                        }
                        Some(Member::Link(target)) => path = target.clone(),
                        None => break,
                    }
                }
                Err(wrong(format!("the image names `{name}`, which is not in it")))
            }
        }
    }

    /// A document of the image.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, UserlandError> {
        let mut text = Vec::new();
        let wrong = |what: String| UserlandError::damaged(&self.source, format!("{name}: {what}"));
        self.open(name)?
            .take(MAX_DOCUMENT)
            .read_to_end(&mut text)
            .map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))
    }
}

/// Where a link of an archive leads, `..` at its beginning included.
fn target_of(entry: &tar::Entry<impl Read>, path: &Path) -> Option<Path> {
    let target = entry.link_name_bytes()?.into_owned();
    let mut above =
        if entry.header().entry_type() == EntryType::Link { Path::parse(b"/").ok()? } else { path.above() };
    let mut rest = target.as_slice();
    while let Some(after) = rest.strip_prefix(b"../") {
        above = above.above();
        rest = after;
    }
    let joined = [above.parts().join(&b'/'), rest.to_vec()].join(&b'/');
    Path::parse(&joined).ok()
}
