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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures::{deb, kernel_deb};
    use std::ops::ControlFlow;

    /// Reads every file of a package.
    fn walked(bytes: &[u8]) -> Result<usize, PackageError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        io::Write::write_all(&mut file, bytes).expect("it is writable");
        let mut files = 0;
        walk(file.path(), &mut |_, _, contents| {
            files += 1;
            match io::copy(contents, &mut io::sink()) {
                Ok(_) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        Ok(files)
    }

    #[test]
    fn every_file_is_shown() {
        assert_eq!(walked(&deb(&[("a", b"1"), ("b/c", &[7; 5000])])).expect("a good package"), 2);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        #[test]
        fn no_damage_panics(changes in proptest::collection::vec((0usize..2000, 0u8..), 0..8), cut in 0usize..2000) {
            let mut bytes = kernel_deb("6.1");
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = walked(&bytes);
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = walked(&bytes);
        }
    }
}
