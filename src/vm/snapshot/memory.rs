//! A guest's memory as a sparse file: pages of zeroes take no room.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What is looked at in one piece, bytes: a page, so that a piece of zeroes is common.
const PIECE: usize = 4096;

/// A piece that takes no room.
static ZEROS: [u8; PIECE] = [0; PIECE];

/// What is read at once, bytes.
const CHUNK: usize = 64 * PIECE;

/// A memory file's contents in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its size, bytes.
    pub bytes: u64,
    /// Of them those in pages that are not all zeroes.
    pub data: u64,
    /// CRC-32 over the places and contents of those pages.
    pub crc: u32,
}

/// Copies a memory to an empty file.
///
/// # Errors
/// What reading or writing says.
pub fn copy(memory: &File, to: &File) -> io::Result<Summary> {
    let summary = walk(memory, |at, piece| to.write_all_at(piece, at))?;
    to.set_len(summary.bytes)?;
    to.sync_all()?;
    Ok(summary)
}

/// Reads a whole memory.
///
/// # Errors
/// What reading says.
pub fn summarize(memory: &File) -> io::Result<Summary> {
    walk(memory, |_, _| Ok(()))
}

fn walk(memory: &File, mut take: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<Summary> {
    let bytes = memory.metadata()?.len();
    let mut crc = crc32fast::Hasher::new();
    let mut data = 0;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while let Some((start, end)) = next_data(memory, at, bytes)? {
        // whole pieces, wherever the file system says that its data begins
        let (mut place, end) = (start - start % PIECE as u64, end.next_multiple_of(PIECE as u64).min(bytes));
        while place < end {
            let length = (end - place).min(CHUNK as u64) as usize;
            memory.read_exact_at(&mut chunk[..length], place)?;
            for (n, piece) in chunk[..length].chunks(PIECE).enumerate() {
                if is_zero(piece) {
                    continue;
                }
                let piece_at = place + (n * PIECE) as u64;
                crc.update(&piece_at.to_le_bytes());
                crc.update(piece);
                data += piece.len() as u64;
                take(piece_at, piece)?;
            }
            place += length as u64;
        }
        at = end;
    }
    Ok(Summary { bytes, data, crc: crc.finalize() })
}

/// Compared as a whole: fast without optimization as well, and done at the first byte of most pieces.
fn is_zero(piece: &[u8]) -> bool {
    *piece == ZEROS[..piece.len()]
}

/// The next part of the file that is not a hole, from `at` on.
fn next_data(file: &File, at: u64, bytes: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= bytes {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // a file system without holes
        Err(Errno::INVAL | Errno::NOTSUP) => return Ok(Some((at, bytes))),
        Err(error) => return Err(error.into()),
    };
    Ok(Some((start, seek(file, SeekFrom::Hole(start))?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn memory(pages: &[(u64, u8)], bytes: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        for &(page, value) in pages {
            file.write_all_at(&[value; PIECE], page * PIECE as u64).unwrap();
        }
        file
    }

    #[test]
    fn zeroes_take_no_room_and_the_rest_is_the_same() {
        let from = memory(&[(0, 0), (1, 7), (700, 9), (701, 0), (2047, 1)], 8 << 20);
        let to = tempfile::tempfile().unwrap();
        let summary = copy(&from, &to).unwrap();
        assert_eq!((summary.bytes, summary.data), (8 << 20, 3 * PIECE as u64));
        assert_eq!(summarize(&to).unwrap(), summary);
        assert!(to.metadata().unwrap().blocks() * 512 < 1 << 20);
        let read = |file: &File| {
            let mut all = vec![1; 8 << 20];
            file.read_exact_at(&mut all, 0).unwrap();
            all
        };
        assert!(read(&from) == read(&to));
    }

    #[test]
    fn any_change_changes_the_summary() {
        let whole = summarize(&memory(&[(3, 1), (9, 2)], 1 << 20)).unwrap();
        let others = [
            memory(&[(3, 1), (10, 2)], 1 << 20),
            memory(&[(3, 1), (9, 3)], 1 << 20),
            memory(&[(3, 1)], 1 << 20),
            memory(&[(3, 1), (9, 2)], 2 << 20),
        ];
        for other in others {
            assert_ne!(summarize(&other).unwrap(), whole);
        }
        assert_eq!(summarize(&memory(&[], 0)).unwrap(), Summary { bytes: 0, data: 0, crc: 0 });
    }
}
