//! Finding the lines that begin reports, at the speed of memory.

use aho_corasick::{AhoCorasick, packed};
use memchr::{memchr, memrchr};

/// A line that begins a report, or could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the line begins, in bytes from the start of the console.
    pub(super) start: usize,
    /// Where it ends, without the line feed.
    pub(super) end: usize,
    /// The family it belongs to.
    pub(super) family: usize,
    /// Whether it continues the report before it, if one is under way.
    pub(super) continuation: bool,
    /// So many bytes behind the first line of another report it is part of that one.
    pub(super) within: usize,
    /// Whether it can only end a report that was seen before.
    pub(super) aftermath: bool,
}

/// A line is looked at so far before the words that make it interesting …
const BEFORE: usize = 2048;

/// … and so far behind them.
const AFTER: usize = 4096;

/// Finds lines that contain one of a few dozen strings.
#[derive(Debug)]
pub(super) struct LineFinder {
    fast: Option<packed::Searcher>,
    slow: AhoCorasick,
}

impl LineFinder {
    /// A finder for these strings, or nothing if there are too many of them.
    pub(super) fn new(strings: &[&str]) -> Option<LineFinder> {
        let fast = packed::Config::new().builder().extend(strings).build();
        let slow = AhoCorasick::new(strings).ok()?;
        Some(LineFinder { fast, slow })
    }

    /// The first line at or after `from` that contains one of the strings: where it begins and where it ends.
    /// Of lines of absurd length only the neighbourhood of the string is given.
    pub(super) fn next_line(&self, console: &[u8], from: usize) -> Option<(usize, usize)> {
        let rest = console.get(from..)?;
        let at = from
            + match &self.fast {
                Some(fast) if rest.len() >= fast.minimum_len() => fast.find(rest)?.start(),
                _ => self.slow.find(rest)?.start(),
            };
        let floor = from.max(at.saturating_sub(BEFORE));
        let start = memrchr(b'\n', &console[floor..at]).map_or(floor, |newline| floor + newline + 1);
        let ceiling = console.len().min(at + AFTER);
        let end = memchr(b'\n', &console[at..ceiling]).map_or(ceiling, |newline| at + newline);
        Some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whole_and_long_ones_in_part() {
        let finder = LineFinder::new(&["BUG:", "INFO:"]).unwrap();
        let console = b"a\nb BUG: c\nINFO:";
        assert_eq!(finder.next_line(console, 0), Some((2, 10)));
        assert_eq!(finder.next_line(console, 10), Some((11, 16)));
        assert_eq!(finder.next_line(console, 16), None);
        assert_eq!(finder.next_line(console, 99), None);
        let mut long = vec![b'x'; 10_000];
        long.extend_from_slice(b"BUG:");
        long.extend_from_slice(&[b'y'; 10_000]);
        let (start, end) = finder.next_line(&long, 0).unwrap();
        assert_eq!((10_000 - start, end - 10_000), (BEFORE, AFTER));
    }
}
