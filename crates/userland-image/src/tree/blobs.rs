//! The contents of a tree's files, on disk under numbers.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Attributes, Kind, Node, Tree};

/// How many bytes the files of a tree may have together: an archive of some kilobytes can say that it has petabytes.
const MAX_BYTES: u64 = 64 << 30;

/// How much of a file is read into memory where its text is asked for, bytes.
const MAX_TEXT: u64 = 16 << 20;

/// The contents of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub file: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// A folder of contents.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    next: u64,
    bytes: u64,
}

impl Blobs {
    /// Contents below a folder, which is made.
    pub(crate) fn in_folder(folder: PathBuf) -> io::Result<Blobs> {
        fs::create_dir_all(&folder)?;
        Ok(Blobs { folder, next: 0, bytes: 0 })
    }

    /// Keeps what a reader has, all of it.
    pub(crate) fn store(&mut self, mut source: impl Read) -> io::Result<Blob> {
        let path = self.folder.join(self.next.to_string());
        self.next += 1;
        let mut file = File::create_new(&path)?;
        let left = MAX_BYTES - self.bytes;
        let size = io::copy(&mut source.by_ref().take(left + 1), &mut file)?;
        if size > left {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "its files have more than 64 GiB"));
        }
        file.flush()?;
        self.bytes += size;
        Ok(Blob { file: path, size })
    }
}

impl Tree {
    /// The text of a file, if it is there and no larger than texts are.
    pub(crate) fn text(&self, path: &str) -> io::Result<Option<String>> {
        self.find(path).map_or(Ok(None), |id| text_of(self.node(id)))
    }

    /// Puts a file of root's.
    pub(crate) fn put_text(
        &mut self,
        blobs: &mut Blobs,
        path: &str,
        mode: u32,
        text: impl AsRef<[u8]>,
    ) -> io::Result<()> {
        let blob = blobs.store(text.as_ref())?;
        self.put_own(path, mode, Kind::File(blob))
    }

    /// Puts a folder of root's, unless there is something.
    pub(crate) fn put_folder_if_missing(&mut self, path: &str, mode: u32) -> io::Result<()> {
        if self.has_name(path) { Ok(()) } else { self.put_own(path, mode, Kind::Folder(Default::default())) }
    }

    /// Puts a link, unless there is something.
    pub(crate) fn put_link_if_missing(&mut self, path: &str, target: &str) -> io::Result<()> {
        if self.has_name(path) { Ok(()) } else { self.put_own(path, 0o777, Kind::Link(target.into())) }
    }

    fn put_own(&mut self, path: &str, mode: u32, kind: Kind) -> io::Result<()> {
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, format!("{path} {what}"));
        let place = super::Path::parse(path.as_bytes()).map_err(|bad| wrong(bad.to_string()))?;
        self.put(&place, Attributes::of_root(mode), kind).map_err(|none| wrong(none.to_string()))
    }
}

/// The text of a file; none of what is no file.
pub(crate) fn text_of(node: &Node) -> io::Result<Option<String>> {
    let Kind::File(blob) = &node.kind else { return Ok(None) };
    Ok(Some(read_text(&blob.file)?))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
