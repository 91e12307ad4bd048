//! Decompression of what kernel packages and kernel images are compressed with, told apart by the first bytes.

use std::io::{self, Read, Write};

/// Upper bound of anything that is decompressed into memory: an uncompressed distribution kernel has about 70 MB, one
/// with debug options a few times that.
const MAX_INFLATED: u64 = 1 << 30;

/// The largest window that `zstd --ultra -22`, which kernels are packed with, uses (128 MiB).
const ZSTD_MAX_WINDOW: u64 = 1 << 27;

/// What a decoder of xz may take, bytes: kernels are packed with dictionaries of up to 128 MiB, and a header may ask for 4 GiB.
const LZMA_MEMORY: u64 = 512 << 20;

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// What xz was before it had a container.
    Lzma,
    /// Zstandard.
    Zstd,
    /// lz4 in the container that `lz4 -l` writes.
    Lz4Legacy,
    /// Known to the kernel, not readable here.
    Unsupported(&'static str),
}

impl Compression {
    /// What the first bytes of `data` say; `None` for anything else, uncompressed data included.
    pub fn of(data: &[u8]) -> Option<Compression> {
        const MAGICS: &[(&[u8], Compression)] = &[
            (&[0x1f, 0x8b], Compression::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
            (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4Legacy),
            (&[0x5d, 0x00, 0x00], Compression::Lzma),
            (b"BZh", Compression::Unsupported("bzip2")),
            (&[0x89, b'L', b'Z', b'O'], Compression::Unsupported("lzo")),
        ];
        MAGICS.iter().find(|(magic, _)| data.starts_with(magic)).map(|(_, compression)| *compression)
    }

    /// A reader of the decompressed bytes. Ends with the first compressed stream: what follows it in a kernel image
    /// is no part of it.
    pub fn reader<'a>(self, data: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let unreadable =
            |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        Ok(match self {
            Compression::Gzip => Box::new(flate2::read::GzDecoder::new(data)),
            Compression::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(LZMA_MEMORY, 0)
                    .map_err(|e| unreadable(&e))?;
                Box::new(liblzma::read::XzDecoder::new_stream(data, stream))
            }
            Compression::Lzma => {
                let stream =
                    liblzma::stream::Stream::new_lzma_decoder(LZMA_MEMORY).map_err(|e| unreadable(&e))?;
                Box::new(liblzma::read::XzDecoder::new_stream(data, stream))
            }
            Compression::Zstd => Box::new(
                ruzstd::decoding::StreamingDecoder::new_with_max_window_size(data, ZSTD_MAX_WINDOW)
                    .map_err(|e| unreadable(&e))?,
            ),
            Compression::Lz4Legacy => Box::new(Lz4Legacy::new(data)),
            Compression::Unsupported(name) => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, format!("{name} is not supported")));
            }
        })
    }
}

/// Decompresses `data` whole, or gives it back if it is not compressed.
pub fn inflate(data: Vec<u8>) -> io::Result<Vec<u8>> {
    let Some(compression) = Compression::of(&data) else { return Ok(data) };
    let mut inflated = Vec::with_capacity(data.len().saturating_mul(4).min(1 << 26));
    compression.reader(data.as_slice())?.take(MAX_INFLATED).read_to_end(&mut inflated)?;
    if inflated.len() as u64 == MAX_INFLATED {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more than 1 GiB when decompressed"));
    }
    Ok(inflated)
}

/// Compresses what is not compressed yet, quickly rather than tightly: a module shrinks to about a quarter.
pub fn packed(data: Vec<u8>) -> io::Result<Vec<u8>> {
    if Compression::of(&data).is_some() {
        return Ok(data);
    }
    let mut encoder = liblzma::write::XzEncoder::new(Vec::with_capacity(data.len() / 3), 0);
    encoder.write_all(&data)?;
    encoder.finish()
}

/// The "legacy" container of `lz4 -l`, which kernels are packed with: after the magic number blocks of at most 8 MiB,
/// each preceded by its compressed size (doc/lz4_Frame_format.md of the lz4 project). The frame decoder of `lz4_flex` 0.14
/// refuses a block whose compressed size is above 8 MiB; a kernel with a compressed initramfs inside has such blocks, and
/// the kernel's own `lib/decompress_unlz4.c` takes them.
struct Lz4Legacy<R> {
    source: R,
    block: Vec<u8>,
    read: usize,
    started: bool,
    ended: bool,
}

impl<R: Read> Lz4Legacy<R> {
    const MAX_BLOCK: usize = 8 << 20;

    fn new(source: R) -> Self {
        Lz4Legacy { source, block: Vec::new(), read: 0, started: false, ended: false }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let mut word = [0; 4];
        if !self.started {
            self.source.read_exact(&mut word)?;
            self.started = true;
        }
        self.block.clear();
        self.read = 0;
        let mut header = Vec::with_capacity(4);
        self.source.by_ref().take(4).read_to_end(&mut header)?;
        let Ok(word) = <[u8; 4]>::try_from(header.as_slice()) else {
            self.ended = true;
            return Ok(());
        };
        let size = u32::from_le_bytes(word) as usize;
        if size == 0 {
            self.ended = true;
            return Ok(());
        }
        if size > Self::MAX_BLOCK + Self::MAX_BLOCK / 255 + 16 {
            return Err(lz4_error("a block is larger than the format allows"));
        }
        let mut compressed = vec![0; size];
        self.source.read_exact(&mut compressed)?;
        self.block.resize(Self::MAX_BLOCK, 0);
        let decoded = lz4_flex::block::decompress_into(&compressed, &mut self.block);
        self.block.truncate(decoded.map_err(|error| lz4_error(&error.to_string()))?);
        Ok(())
    }
}

impl<R: Read> Read for Lz4Legacy<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() && !self.ended {
            self.next_block()?;
        }
        let n = out.len().min(self.block.len() - self.read);
        out[..n].copy_from_slice(&self.block[self.read..self.read + n]);
        self.read += n;
        Ok(n)
    }
}

fn lz4_error(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("corrupt lz4 data: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_lz4_literals_copies_and_runs() {
        // "abcd", copy 4 from 4 back, then a run of 10 "d" by an overlapping copy, then the literal "!"
        let block = [0x40, b'a', b'b', b'c', b'd', 4, 0, 0x06, 1, 0, 0x10, b'!'];
        let mut image = container(&block);
        assert_eq!(inflate(image.clone()).expect("a good block"), b"abcdabcddddddddddd!");

        image.truncate(image.len() - 3);
        assert!(inflate(image).is_err(), "a truncated block");
    }

    /// A legacy container with one block.
    fn container(block: &[u8]) -> Vec<u8> {
        let mut image = vec![0x02, 0x21, 0x4c, 0x18];
        image.extend_from_slice(&(block.len() as u32).to_le_bytes());
        image.extend_from_slice(block);
        image
    }

    #[test]
    fn refuses_lz4_copies_from_before_the_block() {
        for block in [[0x10, b'a', 9, 0], [0x10, b'a', 0, 0]] {
            assert!(inflate(container(&block)).is_err(), "{block:?}");
        }
    }

    #[test]
    fn takes_lz4_blocks_that_did_not_shrink() {
        let literals: Vec<u8> = (0..8usize << 20).map(|n| (n % 251) as u8).collect();
        let more = literals.len() - 15;
        let mut block = vec![0xf0];
        block.extend(std::iter::repeat_n(255, more / 255));
        block.push((more % 255) as u8);
        block.extend_from_slice(&literals);
        assert!(block.len() > 8 << 20);
        assert!(inflate(container(&block)).expect("a good block") == literals);
    }

    #[test]
    fn gives_uncompressed_data_back() {
        assert_eq!(inflate(b"\x7fELF...".to_vec()).expect("not compressed"), b"\x7fELF...");
        assert_eq!(Compression::of(b"BZh9"), Some(Compression::Unsupported("bzip2")));
        assert!(inflate(b"BZh9....".to_vec()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics_on_corrupt_blocks(data in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = inflate(container(&data));
        }
    }
}
