//! UTF-16 to UTF-8, as it is read.

use std::io::{self, Read};

const CHUNK: usize = 16 << 10;

/// The text in UTF-8. Halves of pairs that stand alone become U+FFFD.
pub(super) struct Utf16Reader<R> {
    source: R,
    little: bool,
    /// Bytes that are still to be passed over: the mark.
    skip: usize,
    /// An odd byte of the last piece, then the units that wait for their second half.
    odd: Option<u8>,
    units: Vec<u16>,
    out: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Utf16Reader<R> {
    pub(super) fn new(source: R, little: bool, mark: bool) -> Self {
        let skip = if mark { 2 } else { 0 };
        Utf16Reader {
            source,
            little,
            skip,
            odd: None,
            units: Vec::new(),
            out: Vec::new(),
            at: 0,
            ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        let mut chunk = Vec::with_capacity(CHUNK);
        chunk.extend(self.odd.take());
        self.source.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.len() < 2 {
            self.ended = true;
        }
        let skip = std::mem::take(&mut self.skip).min(chunk.len());
        let pairs = chunk[skip..].chunks_exact(2);
        self.odd = pairs.remainder().first().copied().filter(|_| !self.ended);
        let little = self.little;
        let unit = |pair: &[u8]| {
            let pair = [pair[0], pair[1]];
            if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
        };
        self.units.extend(pairs.map(unit));
        // the second half of a pair may come with the next piece
        let is_first_half = self.units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
        let held = if is_first_half && !self.ended { self.units.pop() } else { None };
        for letter in char::decode_utf16(self.units.drain(..)) {
            let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.units.extend(held);
        Ok(())
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() && !self.ended {
            self.fill()?;
        }
        let length = out.len().min(self.out.len() - self.at);
        out[..length].copy_from_slice(&self.out[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
