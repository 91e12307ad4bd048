//! Reads Debian packages: an `ar` archive whose member `data.tar.*` holds the files (deb(5)).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::kernel::compression::Compression;

/// What is wrong with a package, without its name.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// No Debian package at all.
    #[error("it is no Debian package: {0}")]
    NotAPackage(&'static str),
    /// The file ends before its last member does.
    #[error("it is truncated: member {member} needs {expected} bytes and {found} are left")]
    Truncated {
        /// Name of the member.
        member: String,
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that the file has left.
        found: u64,
    },
    /// The system cannot read it, or decompression failed.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Calls `each` with every regular file of the package: its path without a leading `./`, its size in bytes, its contents.
pub(crate) fn for_each_file<E: From<DebError>>(
    package: &Path,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = tar::Archive::new(open_data(package)?);
    for entry in archive.entries().map_err(DebError::from)? {
        let mut entry = entry.map_err(DebError::from)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(DebError::from)?.into_owned();
        // no file that kernels need has such a name
        let Some(path) = path.to_str().map(|path| path.trim_start_matches("./")) else { continue };
        each(path, entry.size(), &mut entry)?;
    }
    Ok(())
}

/// A reader of the package's `data.tar`, decompressed.
fn open_data(package: &Path) -> Result<Box<dyn Read>, DebError> {
    let mut file = File::open(package)?;
    let length = file.metadata()?.len();
    let mut magic = [0; 8];
    file.read_exact(&mut magic)
        .map_err(|_| DebError::NotAPackage("it is shorter than an ar archive's magic number"))?;
    if &magic != b"!<arch>\n" {
        return Err(DebError::NotAPackage("it does not start with `!<arch>`"));
    }
    let mut at = magic.len() as u64;
    loop {
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header).map_err(|_| DebError::Truncated {
            member: "data.tar".to_string(),
            expected: 60,
            found: length.saturating_sub(at),
        })?;
        let field = |from: usize, to: usize| std::str::from_utf8(&header[from..to]).map(str::trim_end);
        let (Ok(member), Ok(Ok(size))) = (field(0, 16), field(48, 58).map(str::parse::<u64>)) else {
            return Err(DebError::NotAPackage("a member's header is damaged"));
        };
        let member = member.trim_end_matches('/');
        let found = length.saturating_sub(at + 60);
        if size > found {
            return Err(DebError::Truncated { member: member.to_string(), expected: size, found });
        }
        if member.starts_with("data.tar") {
            let mut start = Vec::new();
            file.by_ref().take(8).read_to_end(&mut start)?;
            file.seek(SeekFrom::Start(at + 60))?;
            let body = io::BufReader::with_capacity(1 << 20, file.take(size));
            return match Compression::of(&start) {
                Some(compression) => Ok(compression.reader(body)?),
                None => Ok(Box::new(body)),
            };
        }
        at += 60 + size + size % 2;
    }
}
