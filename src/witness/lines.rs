//! A console's lines by the time that stands before them, or by their text where none does.

use std::collections::HashMap;
use std::ops::Range;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it is in the console, without its newline.
    pub place: Range<usize>,
    /// Where its text begins, behind the stamp and the caller.
    pub text: usize,
    /// Its time stamp, microseconds; absent: it has none. The kernel writes none while `printk.time` is off.
    pub micros: Option<u64>,
}

/// The lines of a dose.
#[derive(Debug)]
pub(super) struct ConsoleLines<'a> {
    pub console: &'a [u8],
    /// Where the line of the dose's first mark ends; 0 where there is none.
    pub mark_end: usize,
    pub lines: Vec<Line>,
    /// The lines of each stamp.
    by_stamp: HashMap<u64, Vec<usize>>,
    /// Those without a stamp, by their text.
    by_text: HashMap<&'a [u8], Vec<usize>>,
    /// Where the kernel says that it dropped messages.
    pub drops: Vec<usize>,
}

/// What the kernel prints in place of messages that it wrote over before the console could take them
/// (`console_prepend_dropped()`).
const DROPPED: &[u8] = b" printk messages dropped **";

impl<'a> ConsoleLines<'a> {
    /// The lines from the one on that ends at `start`; all of them if there is no such place.
    pub fn of(console: &'a [u8], start: Option<usize>) -> ConsoleLines<'a> {
        let mark_end = start.unwrap_or(0).min(console.len());
        // the line of the mark, too
        let from = memchr::memrchr(b'\n', &console[..mark_end.saturating_sub(1)]).map_or(0, |at| at + 1);
        let mut lines = Vec::new();
        let mut by_stamp: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut by_text: HashMap<&[u8], Vec<usize>> = HashMap::new();
        let mut at = from;
        for line in console[from..].split(|byte| *byte == b'\n') {
            let end = at + line.len() - line.iter().rev().take_while(|byte| **byte == b'\r').count();
            match stamp(&console[at..end]) {
                Some((micros, text)) => {
                    by_stamp.entry(micros).or_default().push(lines.len());
                    lines.push(Line { place: at..end, text: at + text, micros: Some(micros) });
                }
                None if console[at..end].trim_ascii_end().is_empty() => {}
                None => {
                    by_text.entry(console[at..end].trim_ascii_end()).or_default().push(lines.len());
                    lines.push(Line { place: at..end, text: at, micros: None });
                }
            }
            at += line.len() + 1;
        }
        let drops = memchr::memmem::find_iter(&console[from..], DROPPED).map(|at| from + at).collect();
        ConsoleLines { console, mark_end, lines, by_stamp, by_text, drops }
    }

    /// The numbers of the lines with this stamp.
    pub fn at(&self, micros: u64) -> &[usize] {
        self.by_stamp.get(&micros).map_or(&[], Vec::as_slice)
    }

    /// The numbers of the lines without a stamp and with this text.
    pub fn unstamped(&self, text: &[u8]) -> &[usize] {
        self.by_text.get(text).map_or(&[], Vec::as_slice)
    }

    /// A line's text.
    pub fn text(&self, line: &Line) -> &'a [u8] {
        &self.console[line.text..line.place.end]
    }
}

/// The last stamp in a text.
pub(super) fn last_stamp(text: &[u8]) -> Option<u64> {
    text.rsplit(|byte| *byte == b'\n').find_map(|line| stamp(line).map(|(micros, _)| micros))
}

/// The time before a line's text, microseconds, and where the text begins: `[   12.345678] text`, `[   12.345678][ T12] text`
/// (`print_time()`, `print_caller()` in the kernel). Something may stand before it: a notice of dropped messages, what a
/// program wrote without a newline.
fn stamp(line: &[u8]) -> Option<(u64, usize)> {
    memchr::memchr_iter(b'[', line).find_map(|at| {
        let (micros, length) = bracket(&line[at..])?;
        let mut text = at + length;
        if line.get(text) == Some(&b'[') {
            text += caller(&line[text..])?;
        }
        (line.get(text) == Some(&b' ')).then_some((micros, text + 1))
    })
}

fn bracket(text: &[u8]) -> Option<(u64, usize)> {
    let close = memchr::memchr(b']', &text[..text.len().min(24)])?;
    let inside = std::str::from_utf8(&text[1..close]).ok()?;
    let (whole, fraction) = inside.trim_start_matches(' ').split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(whole) && digits(fraction) && fraction.len() == 6) {
        return None;
    }
    let micros = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)?;
    Some((micros, close + 1))
}

fn caller(text: &[u8]) -> Option<usize> {
    let close = memchr::memchr(b']', &text[..text.len().min(16)])?;
    let name = text[1..close].trim_ascii_start();
    let (kind, digits) = name.split_first()?;
    (matches!(kind, b'T' | b'C') && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        .then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read() {
        let table: &[(&str, Option<(u64, &str)>)] = &[
            ("[   12.345678] text", Some((12_345_678, "text"))),
            ("[   12.345678][ T12] text", Some((12_345_678, "text"))),
            ("[   12.345678][    C0]  text", Some((12_345_678, " text"))),
            ("[12345.000001] ", Some((12_345_000_001, ""))),
            ("** 3 printk messages dropped ** [    1.000000] [a] text", Some((1_000_000, "[a] text"))),
            ("a program[    1.000000] text", Some((1_000_000, "text"))),
            ("[    1.000000]text", None),
            ("[    1.00000] text", None),
            ("[ab] [c.d] text", None),
            ("[99999999999999999999.000000] text", None),
            ("", None),
        ];
        for (line, expected) in table {
            let found = stamp(line.as_bytes()).map(|(micros, at)| (micros, &line[at..]));
            assert_eq!(found, *expected, "{line}");
        }
    }
}
