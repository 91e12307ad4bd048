//! The bytes of a file, shared by all that reads in them: in memory, or mapped. Most of the time that the lines of a short
//! trace took went into reading the hundred megabytes of a `vmlinux`, of which a few are looked at.
#![allow(unsafe_code)] // to map a file, and to promise gimli that shared bytes stay where they are

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use gimli::{CloneStableDeref, StableDeref};

/// Bytes that are there as long as anybody has them.
#[derive(Clone, Debug)]
pub struct Bytes(Arc<Place>);

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl Bytes {
    /// Maps a regular file. Whoever truncates it meanwhile ends this process, as with every debugger.
    ///
    /// # Errors
    /// The system cannot map it.
    pub fn map(file: &File) -> io::Result<Bytes> {
        // SAFETY: the bytes are only read, and whatever they are is a valid `[u8]`; a parser that meets others the second time
        // returns an error or a wrong line, as every access is checked
        let mapped = unsafe { memmap2::Mmap::map(file)? };
        Ok(Bytes(Arc::new(Place::Mapped(mapped))))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(Arc::new(Place::Memory(bytes)))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Place::Memory(bytes) => bytes,
            Place::Mapped(mapped) => mapped,
        }
    }
}

// SAFETY: neither a vector that nobody changes nor a mapping moves when the `Arc` does
unsafe impl StableDeref for Bytes {}
// SAFETY: a clone is of the `Arc`, so that it has the same bytes at the same place
unsafe impl CloneStableDeref for Bytes {}
