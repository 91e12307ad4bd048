//! The part of a console that a reader wants to see first.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::text::without_escapes;

/// Lines before the crash report.
const BEFORE: usize = 8;
/// Lines from the start of the crash report on, or the last lines where there is none.
const LINES: usize = 70;
/// How much of a console is looked through, bytes. The guest chooses what it prints, the report does not.
const READ_LIMIT: u64 = 64 << 20;
/// The longest line that is kept, bytes.
const LINE_LIMIT: usize = 400;

/// Lines of a console file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Number of the first line, from 1.
    pub(super) first: usize,
    /// The lines, without escape sequences.
    pub(super) lines: Vec<String>,
}

/// The lines around `line` (from 1), or the last ones when there is no such line.
///
/// # Errors
/// The file cannot be read.
pub(super) fn excerpt(console: &Path, line: Option<usize>) -> io::Result<Excerpt> {
    from_reader(BufReader::new(File::open(console)?.take(READ_LIMIT)), line)
}

fn from_reader(mut reader: impl BufRead, line: Option<usize>) -> io::Result<Excerpt> {
    let wanted = line.map(|line| line.saturating_sub(BEFORE).max(1)..line.saturating_add(LINES));
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    let mut number = 0;
    let mut text = Vec::new();
    while next_line(&mut reader, &mut text)? {
        number += 1;
        if wanted.as_ref().is_some_and(|wanted| number >= wanted.end) {
            number -= 1;
            break;
        }
        kept.push_back(std::mem::take(&mut text));
        // Before the wanted lines, as at the end of the file, the last ones are kept.
        let before_wanted = wanted.as_ref().is_none_or(|wanted| number < wanted.start);
        let most = if before_wanted { LINES } else { LINES + BEFORE };
        if kept.len() > most {
            text = kept.pop_front().unwrap_or_default();
        }
    }
    let mut first = number + 1 - kept.len();
    if let Some(wanted) = wanted.filter(|wanted| wanted.contains(&number)) {
        while first < wanted.start && kept.len() > 1 {
            kept.pop_front();
            first += 1;
        }
    }
    Ok(Excerpt { first, lines: kept.iter().map(|line| readable(line)).collect() })
}

/// A line as it is shown.
fn readable(line: &[u8]) -> String {
    without_escapes(String::from_utf8_lossy(line).trim_end()).into_owned()
}

/// Takes the next line, cut to its bound, in the place of what `line` holds; the rest of a longer one is skipped without
/// being held. Whether there was one.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_LIMIT.saturating_sub(line.len()))]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(lines: usize, line: Option<usize>) -> (usize, String, String) {
        let text: String = (1..=lines).map(|n| format!("{n}\n")).collect();
        let found = from_reader(text.as_bytes(), line).unwrap();
        let last = found.lines.last().cloned().unwrap_or_default();
        assert!(found.lines.len() <= LINES + BEFORE);
        (found.first, found.lines.first().cloned().unwrap_or_default(), last)
    }

    #[test]
    fn lines_around_the_crash_or_the_last_ones() {
        let cases = [
            (0, None, 1, "", ""),
            (5, None, 1, "1", "5"),
            (1000, None, 931, "931", "1000"),
            (1000, Some(500), 492, "492", "569"),
            (1000, Some(3), 1, "1", "72"),
            (1000, Some(998), 990, "990", "1000"),
            // A line that the file does not have: it was cut since.
            (1000, Some(5000), 931, "931", "1000"),
        ];
        for (lines, line, first, start, end) in cases {
            assert_eq!(numbers(lines, line), (first, start.into(), end.into()), "{lines} {line:?}");
        }
    }

    #[test]
    fn hostile_consoles_cost_their_bound() {
        let flood = "x".repeat(1 << 20) + "\n\u{1b}[31mred\u{1b}[0m\u{7}\r\n\u{0}";
        let found = from_reader(flood.as_bytes(), None).unwrap();
        assert_eq!(found.lines.len(), 3);
        assert_eq!(found.lines[0].len(), LINE_LIMIT);
        assert_eq!(found.lines[1], "red\u{7}");
        from_reader(&b"\xff\xfe\n\x80"[..], Some(1)).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_an_excerpt(bytes: Vec<u8>, line: Option<usize>) {
            from_reader(bytes.as_slice(), line).unwrap();
        }
    }
}
