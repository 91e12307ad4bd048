//! Reads Debian packages: an `ar` archive whose member `data.tar.*` holds the files (deb(5)).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use kernel_modules::Compression;

use super::container::{EntryVisitor, PackageError, entries_of_tar};

/// Shows every regular file of the package.
pub(super) fn walk(package: &Path, each: &mut EntryVisitor) -> Result<(), PackageError> {
    entries_of_tar(open_data(package)?, each)
}

/// A reader of the package's `data.tar`, decompressed.
fn open_data(package: &Path) -> Result<Box<dyn Read>, PackageError> {
    let mut file = File::open(package)?;
    let length = file.metadata()?.len();
    let mut magic = [0; 8];
    file.read_exact(&mut magic)
        .map_err(|_| PackageError::NotAPackage("it is shorter than an ar archive's magic number"))?;
    if &magic != b"!<arch>\n" {
        return Err(PackageError::NotAPackage("it does not start with `!<arch>`"));
    }
    let mut at = magic.len() as u64;
    loop {
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header).map_err(|_| PackageError::Truncated {
            member: "data.tar".to_string(),
            expected: 60,
            found: length.saturating_sub(at),
        })?;
        let field = |from: usize, to: usize| std::str::from_utf8(&header[from..to]).map(str::trim_end);
        let (Ok(member), Ok(Ok(size))) = (field(0, 16), field(48, 58).map(str::parse::<u64>)) else {
            return Err(PackageError::NotAPackage("a member's header is damaged"));
        };
        let member = member.trim_end_matches('/');
        let found = length.saturating_sub(at + 60);
        if size > found {
            return Err(PackageError::Truncated { member: member.to_string(), expected: size, found });
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
