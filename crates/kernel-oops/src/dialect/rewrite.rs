//! A log in a dialect, line by line put into the form of a console.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::{memchr, memchr2, memmem};
use regex::bytes::Regex;

use super::super::console::{Context, Line};
use super::{Dialect, decoded, journal};

/// Longer lines are left as they are.
const MAX_LINE: usize = 64 << 10;

/// A stamp is looked for so far into a line.
const STAMP_REACH: usize = 400;

/// What a message gets whose prefix was removed, so that it is known for one of the kernel's.
const STAMP: &[u8] = b"[    0.000000] ";

/// Several messages were joined if a line has so many stamps.
const JOINED: usize = 3;

/// A kernel's time stamp, with its caller.
static STAMPED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\[ *[0-9]+\.[0-9]{6}\](?: ?\[ *[TC][0-9]+\])? ").expect("the pattern is constant and tested")
});

/// A log in the form of a console, and where its lines come from.
#[derive(Debug, Default)]
pub(in super::super) struct Rewritten {
    /// The lines as the kernel printed them, and those of others as they are.
    pub(in super::super) text: Vec<u8>,
    /// For each line: where it begins, and where the line of the log begins and ends that it was made of.
    lines: Vec<(usize, usize, usize)>,
}

impl Rewritten {
    /// Puts a log into the form of a console.
    pub(in super::super) fn of(log: &[u8], dialect: &Dialect) -> Rewritten {
        let mut out = Rewritten { text: Vec::with_capacity(log.len() + log.len() / 8), lines: Vec::new() };
        let mut at = 0;
        while at < log.len() {
            let end = memchr(b'\n', &log[at..]).map_or(log.len(), |newline| at + newline);
            let whole = dialect.wrap.and_then(|wrap| wrap.whole(log, at, end));
            at = match whole {
                Some((line, end)) => {
                    out.add_raw(&line, (at, end), dialect);
                    end + 1
                }
                None => {
                    out.add_raw(&log[at..end], (at, end), dialect);
                    end + 1
                }
            };
        }
        // a last line without an end is one that was cut
        if log.last().is_some_and(|byte| *byte != b'\n') {
            out.text.pop();
        }
        out
    }

    /// Where the line of the log begins that this place of the text comes from.
    pub(in super::super) fn start(&self, place: usize) -> usize {
        self.line_of(place).map_or(0, |(_, start, _)| start)
    }

    /// Where the line of the log ends that this place of the text, the end of a line, comes from.
    pub(in super::super) fn end(&self, place: usize) -> usize {
        self.line_of(place).map_or(0, |(_, _, end)| end)
    }

    /// Where the text begins that the log has from this place on.
    pub(in super::super) fn place_of(&self, raw: usize) -> usize {
        let next = self.lines.partition_point(|(_, start, _)| *start < raw);
        self.lines.get(next).map_or(self.text.len(), |(place, ..)| *place)
    }

    fn line_of(&self, place: usize) -> Option<(usize, usize, usize)> {
        let next = self.lines.partition_point(|(start, ..)| *start <= place);
        self.lines.get(next.checked_sub(1)?).copied()
    }

    /// The line of the log that begins and ends at `place`, which is `raw`, put together where it was broken.
    fn add_raw(&mut self, raw: &[u8], place: (usize, usize), dialect: &Dialect) {
        if raw.len() > MAX_LINE {
            self.push(&[], raw, place);
            return;
        }
        if dialect.journal
            && journal::is_entry(raw)
            && let Some(message) = journal::message(raw)
        {
            for line in message.split(|byte| *byte == b'\n').filter(|_| !message.is_empty()) {
                self.add_message(line, place, dialect);
            }
            return;
        }
        let line = if dialect.dressed { Cow::Owned(undress(raw)) } else { Cow::Borrowed(raw) };
        for shape in &dialect.shapes {
            let Some(len) = shape.len_in(&line) else { continue };
            let message = &line[len..];
            if shape.quotes() {
                self.add_message(&unquoted(message), place, dialect);
            } else {
                self.add_message(message, place, dialect);
            }
            return;
        }
        self.add_split(&line, place, dialect);
    }

    /// A line whose prefix was removed, which may hold the kernel's own stamp.
    fn add_message(&mut self, message: &[u8], place: (usize, usize), dialect: &Dialect) {
        // what the console itself says has no stamp (`** replaying previous printk message **`)
        let said_by_console = message.starts_with(b"** ");
        if !said_by_console && Line::parse(message).context == Context::Foreign {
            self.add(STAMP, message, place, dialect);
        } else {
            self.add_split(message, place, dialect);
        }
    }

    /// A line as it is, or each of the messages that were joined in it.
    fn add_split(&mut self, line: &[u8], place: (usize, usize), dialect: &Dialect) {
        if dialect.joined && is_joined(line) {
            let starts: Vec<usize> = STAMPED.find_iter(line).map(|stamp| stamp.start()).collect();
            let ends = starts.iter().skip(1).copied().chain([line.len()]);
            self.add(&[], &line[..starts[0]], place, dialect);
            for (start, end) in starts.iter().zip(ends) {
                self.add(&[], &line[*start..end], place, dialect);
            }
            return;
        }
        let line = match embedded_stamp(line) {
            Some(stamp) if dialect.embedded && Line::parse(line).context == Context::Foreign => {
                &line[stamp..]
            }
            _ => line,
        };
        self.add(&[], line, place, dialect);
    }

    fn add(&mut self, stamp: &[u8], line: &[u8], place: (usize, usize), dialect: &Dialect) {
        if !dialect.decoded {
            self.push(stamp, line, place);
        } else if let Some(line) = decoded::undo(line) {
            self.push(stamp, &line, place);
        }
    }

    fn push(&mut self, stamp: &[u8], line: &[u8], (start, end): (usize, usize)) {
        self.lines.push((self.text.len(), start, end));
        self.text.extend_from_slice(stamp);
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
    }
}

/// Whether a line holds several messages.
pub(super) fn is_joined(line: &[u8]) -> bool {
    line.len() <= MAX_LINE && STAMPED.find_iter(line).take(JOINED).count() == JOINED
}

/// Where a kernel's time stamp is in a line that begins with something else.
pub(super) fn embedded_stamp(line: &[u8]) -> Option<usize> {
    STAMPED.find(&line[..line.len().min(STAMP_REACH)]).map(|stamp| stamp.start()).filter(|at| *at > 0)
}

/// The pictures of carriage return and line feed, which some terminals write for them.
const PICTURES: [&[u8]; 2] = ["\u{240d}".as_bytes(), "\u{240a}".as_bytes()];

/// A blank that does not break lines, as web pages have it.
const HARD_BLANK: &[u8] = "\u{a0}".as_bytes();

/// Whether a text has what terminals and web pages add.
pub(super) fn is_dressed(text: &[u8]) -> bool {
    memchr2(0x1b, 0x08, text).is_some()
        || memmem::find(text, PICTURES[0]).is_some()
        || memmem::find(text, PICTURES[1]).is_some()
        || memmem::find(text, HARD_BLANK).is_some()
        || memmem::find(text, b"&lt;TASK&gt;").is_some()
        || text.starts_with(b"\xef\xbb\xbf")
}

/// A text without escape sequences, without what was deleted while it was typed, and with ordinary blanks.
pub(super) fn undress(text: &[u8]) -> Vec<u8> {
    const REPLACED: [(&[u8], &[u8]); 7] = [
        (PICTURES[0], b""),
        (PICTURES[1], b""),
        (HARD_BLANK, b" "),
        (b"\xef\xbb\xbf", b""),
        (b"&lt;", b"<"),
        (b"&gt;", b">"),
        (b"&amp;", b"&"),
    ];
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        match rest[0] {
            0x1b => at += escape_len(rest),
            0x08 => {
                if out.last().is_some_and(|byte| *byte != b'\n') {
                    out.pop();
                }
                at += 1;
            }
            0xe2 | 0xc2 | 0xef | b'&' => match REPLACED.iter().find(|(from, _)| rest.starts_with(from)) {
                Some((from, to)) => {
                    out.extend_from_slice(to);
                    at += from.len();
                }
                None => {
                    out.push(rest[0]);
                    at += 1;
                }
            },
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// The length of the escape sequence that a text begins with (ECMA-48; window titles end in BEL).
fn escape_len(text: &[u8]) -> usize {
    let count = |from: usize, wanted: fn(u8) -> bool| {
        text.iter().skip(from).take(32).take_while(|byte| wanted(**byte)).count()
    };
    match text.get(1) {
        Some(b'[') => {
            let parameters = count(2, |byte| (0x20..0x40).contains(&byte));
            match text.get(2 + parameters) {
                Some(0x40..=0x7e) => 3 + parameters,
                _ => 2 + parameters,
            }
        }
        Some(b']') => match text.iter().take(256).position(|byte| matches!(byte, 0x07 | b'\n')) {
            Some(end) if text[end] == 0x07 => end + 1,
            _ => 2,
        },
        Some(0x20..=0x2f) => 3.min(text.len()),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

/// A message that a program wrote as a string of JSON, without the mark at its end.
fn unquoted(message: &[u8]) -> Vec<u8> {
    let message = message.strip_suffix(b"\r").unwrap_or(message);
    let message = message.strip_suffix(b",").unwrap_or(message);
    let quoted = [b"\"", message].concat();
    match serde_json::from_slice::<String>(&quoted) {
        Ok(text) => text.into_bytes(),
        Err(_) => message.strip_suffix(b"\"").unwrap_or(message).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_and_web_pages_add_is_removed() {
        let table: &[(&str, &str)] = &[
            ("\x1b[1;31mBUG\x1b[0m: \x1b[Kx\x1b(B", "BUG: x"),
            ("\x1b]0;title\x07x\x1bM", "x"),
            ("ab\x08c\u{240d}\u{240a}", "ac"),
            ("a\u{a0}b &lt;TASK&gt; &amp; é", "a b <TASK> & é"),
            ("\x1b", ""),
            ("\x1b[", ""),
        ];
        for (dressed, plain) in table {
            assert_eq!(String::from_utf8_lossy(&undress(dressed.as_bytes())), *plain);
        }
    }

    #[test]
    fn lines_are_found_in_the_log_again() {
        let dialect = Dialect { joined: true, ..Dialect::default() };
        let log = b"a\n[    1.000000] b [    1.000001] c [    1.000002] d\ne";
        let rewritten = Rewritten::of(log, &dialect);
        let text = String::from_utf8_lossy(&rewritten.text);
        assert_eq!(text, "a\n\n[    1.000000] b \n[    1.000001] c \n[    1.000002] d\ne");
        let c = text.find("[    1.000001]").unwrap();
        assert_eq!((rewritten.start(c), rewritten.end(c + 3)), (2, 52));
        assert_eq!(rewritten.place_of(53), text.len() - 1);
        assert_eq!(rewritten.start(text.len() - 1), 53);
    }
}
