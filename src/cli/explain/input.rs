//! A log that can be read several times, in memory that does not depend on its length.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::container::{self, Damage, Opened, Unreadable};
use crate::oops::{self, Report, Symbols};

/// So much is read at once.
const CHUNK: usize = if cfg!(test) { 4 << 10 } else { 1 << 20 };

/// What is searched for is found across pieces if it is no longer than this.
const OVERLAP: usize = 256;

/// Lines are named in pieces of at most this size.
const MAX_LINE: usize = 4 * CHUNK;

/// Where a log comes from.
enum LogSource {
    File(PathBuf),
    /// Standard input, read once.
    Stdin,
    /// Standard input, kept in a file without a name.
    Spool(File),
}

/// A log.
pub(super) struct Input {
    origin: LogSource,
    damage: Damage,
}

impl Input {
    /// The file, or standard input for `-`. `again` says whether it is read more than once.
    pub(super) fn of(path: &Path, again: bool) -> io::Result<Input> {
        let origin = if path != Path::new("-") {
            LogSource::File(path.to_owned())
        } else if again {
            let mut spool = tempfile::tempfile()?;
            io::copy(&mut io::stdin().lock(), &mut spool)?;
            LogSource::Spool(spool)
        } else {
            LogSource::Stdin
        };
        Ok(Input { origin, damage: Damage::default() })
    }

    /// The log from its beginning, without what it is wrapped in.
    pub(super) fn open(&self) -> io::Result<Opened<'_>> {
        match &self.origin {
            LogSource::File(path) => container::open(File::open(path)?, &self.damage),
            LogSource::Stdin => container::open(io::stdin().lock(), &self.damage),
            LogSource::Spool(file) => container::open(CursorReader { file, at: 0 }, &self.damage),
        }
    }

    /// As [`Input::open`], of what is known to be a log.
    pub(super) fn text(&self) -> io::Result<Box<dyn Read + '_>> {
        match self.open()? {
            Opened::Log(log) => Ok(log),
            Opened::Unreadable(what) => Err(io::Error::other(what.to_string())),
        }
    }

    /// What it is instead of a log, if it is none.
    pub(super) fn unreadable(&self) -> io::Result<Option<Unreadable>> {
        match &self.origin {
            // it cannot be opened twice
            LogSource::Stdin => Ok(None),
            _ => Ok(match self.open()? {
                Opened::Log(_) => None,
                Opened::Unreadable(what) => Some(what),
            }),
        }
    }

    /// What was damaged in what has been read.
    pub(super) fn damage(&self) -> Option<String> {
        self.damage.borrow().clone()
    }
}

/// A file from its beginning, whatever else reads it.
struct CursorReader<'f> {
    file: &'f File,
    at: u64,
}

impl Read for CursorReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(out, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// What decides how a log is read, and stands anywhere in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KernelIdentity {
    /// The release of the first kernel that names itself.
    pub(super) release: Option<String>,
    /// How far behind its symbols' addresses the kernel was loaded, in bytes.
    pub(super) slide: u64,
}

impl KernelIdentity {
    /// Looks for it. Without `all` only the release counts.
    pub(super) fn find(mut log: impl Read, all: bool) -> io::Result<KernelIdentity> {
        let mut preface = KernelIdentity::default();
        let mut window = Vec::with_capacity(CHUNK + OVERLAP);
        loop {
            let got = log.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
            // the rest of the last word may still come
            let whole =
                if got == 0 || window.len() > 4 * CHUNK { None } else { memchr::memrchr(b'\n', &window) };
            let whole = &window[..whole.unwrap_or(window.len())];
            if preface.release.is_none() {
                preface.release = oops::release(whole).map(str::to_owned);
            }
            if all {
                preface.slide = oops::kernel_offset(whole).unwrap_or(preface.slide);
            }
            if got == 0 || !all && preface.release.is_some() {
                return Ok(preface);
            }
            // what lies across the end is found whole in the next window
            let cut = whole.len().saturating_sub(OVERLAP);
            window.drain(..cut);
        }
    }
}

/// A log with names in the place of raw addresses.
pub(super) struct SymbolizedLog<'s, R> {
    source: R,
    symbols: &'s Symbols,
    slide: u64,
    rest: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<'s, R: Read> SymbolizedLog<'s, R> {
    pub(super) fn new(source: R, symbols: &'s Symbols, slide: u64) -> Self {
        SymbolizedLog { source, symbols, slide, rest: Vec::new(), out: Vec::new(), at: 0, ended: false }
    }
}

impl<R: Read> Read for SymbolizedLog<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() && !self.ended {
            let got = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut self.rest)?;
            self.ended = got == 0;
            let whole = match memchr::memrchr(b'\n', &self.rest) {
                Some(newline) if !self.ended => newline + 1,
                // a line without an end
                None if !self.ended && self.rest.len() < MAX_LINE => 0,
                _ => self.rest.len(),
            };
            self.out = self.symbols.name_addresses_at(&self.rest[..whole], self.slide);
            self.rest.drain(..whole);
            self.at = 0;
        }
        let length = out.len().min(self.out.len() - self.at);
        out[..length].copy_from_slice(&self.out[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// The lines of reports, from a log that is read once more. They are asked for in the order in which they begin.
pub(super) struct Regions<R>(RefCell<Window<R>>);

struct Window<R> {
    source: R,
    /// Where the window begins in the log.
    base: usize,
    bytes: Vec<u8>,
}

impl<R: Read> Regions<R> {
    pub(super) fn new(source: R) -> Self {
        Regions(RefCell::new(Window { source, base: 0, bytes: Vec::new() }))
    }

    /// The log from the start to the end of a report.
    pub(super) fn of(&self, report: &Report) -> io::Result<Vec<u8>> {
        let window = &mut *self.0.borrow_mut();
        let pass = report.start.saturating_sub(window.base);
        if pass <= window.bytes.len() {
            window.bytes.drain(..pass);
        } else {
            let ahead = (pass - window.bytes.len()) as u64;
            window.bytes.clear();
            io::copy(&mut window.source.by_ref().take(ahead), &mut io::sink())?;
        }
        window.base += pass;
        let length = report.end.saturating_sub(report.start);
        let missing = length.saturating_sub(window.bytes.len()) as u64;
        window.source.by_ref().take(missing).read_to_end(&mut window.bytes)?;
        Ok(window.bytes[..length.min(window.bytes.len())].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_across_pieces_is_found() {
        let banner = "[    0.0] Linux version 6.12.57 (x@y)\n";
        let offset = "[    9.0] Kernel Offset: 0x1c000000 from 0xffffffff81000000\n";
        for shift in 0..80 {
            let filler = "x".repeat(CHUNK - 100 + shift) + "\n";
            let log = format!("{filler}{banner}{filler}{offset}");
            let found = KernelIdentity::find(log.as_bytes(), true).unwrap();
            assert_eq!(
                found,
                KernelIdentity { release: Some("6.12.57".to_owned()), slide: 0x1c00_0000 },
                "{shift}"
            );
        }
        assert_eq!(KernelIdentity::find(&b""[..], true).unwrap(), KernelIdentity::default());
    }

    #[test]
    fn regions_are_read_in_order_even_where_they_overlap() {
        let log: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let regions = Regions::new(log.as_slice());
        let mut report = oops::line_as_report(b"x", 0..1);
        for (start, end) in [(0, 10), (5, 700), (600, 650), (4000, 4001), (4000, 9999), (6000, 7000)] {
            (report.start, report.end) = (start, end);
            let clamped = start.min(log.len())..end.min(log.len());
            assert_eq!(regions.of(&report).unwrap(), log[clamped], "{start}");
        }
    }

    #[test]
    fn addresses_are_named_line_by_line() {
        let symbols =
            Symbols::from_system_map(b"ffffffff81000000 T first\nffffffff81000100 T second\n").unwrap();
        let line = "[    1.0]  0xffffffff91000010\n";
        let log = line.repeat(CHUNK / line.len() + 5);
        let mut named = String::new();
        SymbolizedLog::new(log.as_bytes(), &symbols, 0x1000_0000).read_to_string(&mut named).unwrap();
        assert!(named == log.replace("0xffffffff91000010", "first+0x10/0x100"));
    }
}
