//! Known messages in a console that is too long for memory.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use super::{KnownMessage, KnownMessages, MatchContext, SortedReports};
use crate::oops::{self, Engine, Findings, Report};

/// So much of a line is kept; what is longer is no message of a kernel's.
const MAX_LINE: usize = 8192;

impl KnownMessages {
    /// As [`KnownMessages::read`], in memory that does not depend on the console's length. `open` gives the console
    /// from its beginning, each time it is called.
    ///
    /// # Errors
    /// If reading fails.
    pub fn read_from<R: Read>(
        &self,
        engine: &Engine,
        open: impl Fn() -> io::Result<R>,
        now: MatchContext<'_>,
    ) -> io::Result<SortedReports> {
        let allow: Vec<&KnownMessage> = self.allow.iter().filter(|entry| entry.holds(now)).collect();
        let reasons = RefCell::new(Vec::new());
        let found = engine.diagnose_reader_allowing(open()?, &|report, first_line| {
            let first_line = String::from_utf8_lossy(first_line);
            let entry = allow.iter().find(|entry| entry.allows(report, &first_line));
            reasons.borrow_mut().extend(entry.map(|entry| (*entry).clone()));
            entry.is_some()
        })?;
        let Findings { reports, allowed, passed_over } = found;
        let mut waiting: Vec<&KnownMessage> = self.deny.iter().filter(|entry| entry.holds(now)).collect();
        let mut denied = Vec::new();
        if !waiting.is_empty() {
            for_each_line(open()?, |number, place, line| {
                let message = oops::messages(line).next().map_or(&b""[..], |(_, message)| message);
                let message = String::from_utf8_lossy(message);
                waiting.retain(|entry| {
                    let fits = place.start >= now.lines_from && entry.matching.is_match(&message);
                    if fits {
                        denied.push((denial(number, &place, line), (*entry).clone()));
                    }
                    !fits
                });
                !waiting.is_empty()
            })?;
        }
        let allowed = allowed.into_iter().zip(reasons.into_inner()).collect();
        Ok(SortedReports { reports, allowed, denied, passed_over })
    }
}

fn denial(number: usize, place: &Range<usize>, line: &[u8]) -> Report {
    let report = oops::line_as_report(line, 0..line.len());
    Report { start: place.start, end: place.end, start_line: number, ..report }
}

/// Calls `each` with every line, its number from 1 and its place in bytes, until it answers false.
fn for_each_line(
    source: impl Read,
    mut each: impl FnMut(usize, Range<usize>, &[u8]) -> bool,
) -> io::Result<()> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let (mut line, mut number, mut start, mut at) = (Vec::new(), 1, 0, 0);
    loop {
        let part = source.fill_buf()?;
        if part.is_empty() {
            each(number, start..at, &line);
            return Ok(());
        }
        let newline = memchr::memchr(b'\n', part);
        let end = newline.unwrap_or(part.len());
        line.extend_from_slice(&part[..end.min(MAX_LINE.saturating_sub(line.len()))]);
        at += end;
        let used = end + usize::from(newline.is_some());
        source.consume(used);
        if newline.is_some() {
            if !each(number, start..at, &line) {
                return Ok(());
            }
            at += 1;
            (number, start) = (number + 1, at);
            line.clear();
        }
    }
}
