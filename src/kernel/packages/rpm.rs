//! Reads rpm packages: a lead, two headers, and an archive of cpio with the files.
//!
//! The format is in the manual of rpm ("RPM v4 package format"). Of the headers only their lengths matter here: which
//! files there are says the archive, and what it is compressed with say its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use kernel_modules::Compression;

use super::container::{EntryVisitor, PackageError, in_package};

/// What an rpm package starts with.
pub(super) const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];

/// The lead, which only old tools read, bytes.
const LEAD: u64 = 96;

/// What a header starts with, its version included.
const HEADER: [u8; 4] = [0x8e, 0xad, 0xe8, 1];

/// The bits of a mode that say what kind of file it is, and those of a regular one.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Shows every regular file of the package.
pub(super) fn walk(path: &Path, each: &mut EntryVisitor) -> Result<(), PackageError> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut lead = [0; LEAD as usize];
    file.read_exact(&mut lead).map_err(|_| PackageError::NotAnRpm("it is shorter than its lead"))?;
    if !lead.starts_with(MAGIC) {
        return Err(PackageError::NotAnRpm("it does not start with the magic number of one"));
    }
    // the signatures' header is filled up to a multiple of eight bytes
    let at = skip_header(&mut file, LEAD, length)?.next_multiple_of(8);
    let at = skip_header(&mut file, at, length)?;
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(8).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(at))?;
    let payload = BufReader::with_capacity(1 << 20, file);
    match Compression::of(&start) {
        Some(compression) => entries_of_cpio(compression.reader(payload)?, each),
        None => entries_of_cpio(payload, each),
    }
}

/// Where the header ends that begins at `at`.
fn skip_header(file: &mut File, at: u64, length: u64) -> Result<u64, PackageError> {
    let mut intro = [0; 16];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut intro).map_err(|_| PackageError::NotAnRpm("it ends before its second header"))?;
    if intro[..4] != HEADER {
        return Err(PackageError::NotAnRpm("a header in it is damaged"));
    }
    let word = |from: usize| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| intro[from + byte])));
    // entries of sixteen bytes, then their values
    let end = at + 16 + word(8) * 16 + word(12);
    match end <= length {
        true => Ok(end),
        false => Err(PackageError::Truncated {
            member: "header".to_string(),
            expected: end - at,
            found: length - at,
        }),
    }
}

fn entries_of_cpio(archive: impl Read, each: &mut EntryVisitor) -> Result<(), PackageError> {
    let mut archive = archive;
    loop {
        let mut entry = cpio::newc::Reader::new(archive)?;
        if entry.entry().is_trailer() {
            return Ok(());
        }
        let (mode, size) = (entry.entry().mode(), u64::from(entry.entry().file_size()));
        if mode & KIND == REGULAR {
            let path = entry.entry().name().to_string();
            let mut contents = ExactReader { inner: &mut entry, left: size };
            if each(in_package(&path), size, &mut contents).is_break() {
                return Ok(());
            }
        }
        archive = entry.finish()?;
    }
}

/// A reader that says when there is less than was promised.
struct ExactReader<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for ExactReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        if n == 0 && self.left > 0 && !out.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fixtures::rpm;
    use std::ops::ControlFlow;

    fn walked(bytes: &[u8]) -> Result<usize, PackageError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        io::Write::write_all(&mut file, bytes).expect("it is writable");
        let (mut files, mut failure) = (0, None);
        walk(file.path(), &mut |_, _, contents| {
            files += 1;
            match io::copy(contents, &mut io::sink()) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(files), |error| Err(error.into()))
    }

    #[test]
    fn says_what_is_wrong_with_a_package() {
        let good = rpm(&[("boot/vmlinuz-6.1", &[7; 5000])]);
        assert_eq!(walked(&good).expect("a good package"), 1);
        let mut damaged = good.clone();
        damaged[96] = 0;
        let mut endless = good.clone();
        endless[96 + 8..96 + 12].fill(0xff);
        let cases = [
            &good[..50],
            b"\xed\xab\xee\xdbhello",
            &good[..100],
            &damaged,
            &endless,
            &good[..good.len() - 20],
        ];
        let said: Vec<String> =
            cases.into_iter().map(|bytes| walked(bytes).expect_err("damaged").to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        it is no rpm package: it is shorter than its lead
        it is no rpm package: it is shorter than its lead
        it is no rpm package: it ends before its second header
        it is no rpm package: a header in it is damaged
        it is truncated: member header needs 68719476740 bytes and 234 are left
        it cannot be read: Failed to parse block header: BlockContentReadError(Error { kind: UnexpectedEof, message: "failed to fill whole buffer" })
        "#);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(changes in proptest::collection::vec((0usize..400, proptest::num::u8::ANY), 0..8), cut in 0usize..900) {
            let mut bytes = rpm(&[("boot/vmlinuz-6.1", &[7; 100])]);
            for (at, byte) in changes {
                if let Some(target) = bytes.get_mut(at) {
                    *target = byte;
                }
            }
            bytes.truncate(cut.max(100));
            let _ = walked(&bytes);
        }
    }
}
