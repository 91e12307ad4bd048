//! Mails and mboxes to messages. Structure, header encodings and character sets are `mail-parser`'s; this file keeps
//! the place of every line in the input.

use std::borrow::Cow;
use std::ops::Range;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, HeaderValue, MessageParser, MessagePart, MimeHeaders, PartType};

use super::input::{Message, Part};
use super::text::{self, Line};
use super::{clear_signed, diff, flowed, run_on};

/// Headers of patches in distributions' trees that are no mail's.
const SAYING: [&str; 8] = [
    "Origin",
    "Applied-Upstream",
    "Upstream-Status",
    "Upstream-Commit",
    "Upstream",
    "Git-commit",
    "Mainline-commit",
    "Fixes",
];

/// Whether the text starts with the separator of an mbox: `From `, an address or an id, and a date.
pub fn is_mbox(text: &str) -> bool {
    text.lines().next().is_some_and(is_separator)
}

fn is_separator(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("From ") else { return false };
    let words: Vec<&str> = rest.split_whitespace().collect();
    words.len() >= 5 && words.iter().any(|word| word.matches(':').count() == 2)
}

/// Whether the text starts with the headers of a mail.
pub fn is_mail(text: &str) -> bool {
    let mut known = 0;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            break;
        }
        if at > 0 && line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        let name = name.to_ascii_lowercase();
        known +=
            usize::from(["from", "subject", "date", "message-id", "received", "to"].contains(&name.as_str()));
    }
    known >= 2
}

/// The messages of an mbox. A body's line that looked like a separator was quoted with `>` by the writer.
pub fn mbox(bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut current: Vec<u8> = Vec::new();
    let mut first = 0;
    let mut separator = None;
    let mut blank_before = true;
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let shown = String::from_utf8_lossy(line);
        if blank_before && is_separator(shown.trim_end()) {
            if first > 0 {
                messages.extend(separated(&current, first, separator));
            }
            separator = commit_of(&shown);
            current.clear();
            first = at + 2;
        } else {
            let quotes = line.iter().take_while(|byte| **byte == b'>').count();
            let unquoted = if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line };
            current.extend_from_slice(unquoted);
        }
        blank_before = shown.trim_end().is_empty();
    }
    if first > 0 {
        messages.extend(separated(&current, first, separator));
    }
    messages
}

/// The mail behind a separator, which names the commit of its first message. Others may follow that have lost theirs.
fn separated(bytes: &[u8], first: usize, separator: Option<String>) -> Vec<Message> {
    let mut messages: Vec<Message> = run_on::mails(bytes, first).into_iter().flatten().collect();
    messages[0].separator = separator;
    messages
}

/// The commit that `git format-patch` names in the separator, unless it stands for none.
fn commit_of(separator: &str) -> Option<String> {
    let id = separator.split(' ').nth(1)?;
    let is_id =
        id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && !id.bytes().all(|b| b == b'0');
    is_id.then(|| id.to_lowercase())
}

/// One mail whose first header is on line `first` of the input, and behind it those that it was sent with
/// (message/rfc822), as in a forward or a digest.
pub fn message(bytes: &[u8], first: usize) -> Vec<Message> {
    let mut found = Vec::new();
    read(bytes, first, 0, &mut found);
    found
}

/// The headers with the empty line that must end them. `git mailinfo` takes what is no header for the text, too.
fn ended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if text.is_empty() {
            break;
        }
        let name = text.split(|byte| *byte == b':').next().filter(|name| name.len() < text.len());
        let is_header = name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic));
        if !is_header && (at == 0 || !line.starts_with(b" ") && !line.starts_with(b"\t")) {
            return if at == 0 {
                Cow::Borrowed(bytes)
            } else {
                Cow::Owned([&bytes[..at], b"\n", &bytes[at..]].concat())
            };
        }
        at += line.len();
    }
    Cow::Borrowed(bytes)
}

fn read(bytes: &[u8], first: usize, depth: usize, found: &mut Vec<Message>) {
    let whole = ended(bytes);
    // the line that was put in is none of the input's
    let below = first - usize::from(whole.len() > bytes.len()).min(first);
    let (own, nested) = one(&whole, first, below);
    found.push(own);
    /// Forwards of forwards.
    const DEEPEST: usize = 4;
    for (range, line) in nested.into_iter().filter(|_| depth < DEEPEST) {
        read(&whole[range], line, depth + 1, found);
    }
}

/// The mail itself, and where in it others stand, each with its line of the input; that of the body is counted from `below`.
fn one(bytes: &[u8], first: usize, below: usize) -> (Message, Vec<(Range<usize>, usize)>) {
    let mut message = Message { line: first, ..Message::default() };
    let mut nested = Vec::new();
    let Some(mail) = MessageParser::default().parse(bytes) else {
        message.parts.push(Part { lines: text::lines(&text::decode(bytes), first), ..Part::default() });
        return (message, nested);
    };
    message.subject = mail.subject().map(text::squeezed);
    message.from =
        mail.from().and_then(|from| from.first()).map(|from| match (from.name(), from.address()) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (name, address) => name.or(address).unwrap_or_default().to_owned(),
        });
    message.date = mail.date().map(mail_parser::DateTime::to_rfc822);
    message.id = mail.message_id().map(str::to_owned);
    let ids = |value: &HeaderValue<'_>| {
        value.as_text_list().unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    message.references = ids(mail.references());
    if message.references.is_empty() {
        message.references = ids(mail.in_reply_to());
    }
    message.headers = mail
        .headers_raw()
        .filter(|(name, _)| SAYING.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(|(name, value)| Line::new(first, format!("{name}: {}", text::squeezed(value))))
        .collect();
    let mut count = Newlines { bytes, at: 0, seen: 0 };
    let has_plain = mail.parts.iter().any(|part| matches!(part.body, PartType::Text(_)));
    for part in &mail.parts {
        let text = match &part.body {
            PartType::Text(text) => text.to_string(),
            PartType::Html(html) if !has_plain => mail_parser::decoders::html::html_to_text(html),
            PartType::Binary(data) | PartType::InlineBinary(data)
                if is_patch_name(part.attachment_name()) =>
            {
                text::decode(data)
            }
            PartType::Message(_) if part.encoding == Encoding::None => {
                let range = body(part, bytes.len());
                nested.push((range.clone(), below + count.before(range.start)));
                continue;
            }
            _ => continue,
        };
        message.parts.push(placed(part, &text, &mut count, below));
    }
    (message, nested)
}

/// Where a part's contents stand in the mail.
fn body(part: &MessagePart<'_>, length: usize) -> Range<usize> {
    let start = usize::try_from(part.offset_body).unwrap_or(0).min(length);
    start..usize::try_from(part.offset_end).unwrap_or(0).clamp(start, length)
}

fn is_patch_name(name: Option<&str>) -> bool {
    name.is_some_and(|name| [".patch", ".diff", ".txt", ".mbox"].iter().any(|end| name.ends_with(end)))
}

/// Counts lines on the way through a mail, whose parts come in their order.
struct Newlines<'b> {
    bytes: &'b [u8],
    at: usize,
    seen: usize,
}

impl Newlines<'_> {
    fn before(&mut self, place: usize) -> usize {
        if place < self.at {
            (self.at, self.seen) = (0, 0);
        }
        self.seen += self.bytes[self.at..place].iter().filter(|byte| **byte == b'\n').count();
        self.at = place;
        self.seen
    }
}

fn placed(part: &MessagePart<'_>, text: &str, count: &mut Newlines<'_>, first: usize) -> Part {
    let bytes = count.bytes;
    let attribute = |name: &str| part.content_type().and_then(|kind| kind.attribute(name));
    let range = body(part, bytes.len());
    let raw = &bytes[range.clone()];
    let body_line = first + count.before(range.start);
    let html = matches!(part.body, PartType::Html(_));
    let (lines, decoded) = match part.encoding {
        Encoding::None if !html => (text::lines(&text::decode(raw), body_line), false),
        Encoding::QuotedPrintable if !html => {
            let bytes = quoted_printable_decode(raw);
            let bytes = bytes.map_or_else(|| text.to_owned(), |bytes| text::decode(&bytes));
            (numbered(&bytes, raw, body_line), false)
        }
        Encoding::Base64 if !html => {
            let bytes = base64_decode(raw).map_or_else(|| text.to_owned(), |bytes| text::decode(&bytes));
            (text::lines(&bytes, 1), true)
        }
        _ => (text::lines(text, 1), true),
    };
    let lines = clear_signed::text(described(without_returns(lines), text));
    let is = |name: &str, value: &str| attribute(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    Part {
        name: part.attachment_name().map(str::to_owned),
        decoded,
        lines: if is("format", "flowed") { flowed::declared(lines, is("delsp", "yes")) } else { lines },
    }
}

/// Above the diff the lines are read in the part's character set; in it they are the bytes that were sent, as
/// `git mailinfo` leaves them.
fn described(mut lines: Vec<Line>, text: &str) -> Vec<Line> {
    let end = diff::start(&lines).unwrap_or(lines.len());
    let read: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    if read.len() == lines.len() {
        for (line, read) in lines[..end].iter_mut().zip(read).filter(|(line, _)| !line.text.is_ascii()) {
            line.text = read.trim_end_matches('\r').to_owned();
        }
    }
    lines
}

/// A mail in transit ends every line with a carriage return; it is no part of the text.
fn without_returns(mut lines: Vec<Line>) -> Vec<Line> {
    if lines.iter().filter(|line| !line.text.is_empty()).all(|line| line.text.ends_with('\r')) {
        lines.iter_mut().for_each(|line| {
            line.text.truncate(line.text.trim_end_matches('\r').len());
        });
    }
    lines
}

/// The lines of a quoted-printable text with the numbers of the lines of the input where each starts.
fn numbered(text: &str, raw: &[u8], first: usize) -> Vec<Line> {
    let mut starts = vec![first];
    for (at, line) in raw.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let encoded = line.windows(3).filter(|window| window.eq_ignore_ascii_case(b"=0a")).count();
        starts.extend(std::iter::repeat_n(first + at, encoded));
        if !line.trim_ascii_end().ends_with(b"=") {
            starts.push(first + at + 1);
        }
    }
    let mut lines = text::lines(text, first);
    for (at, line) in lines.iter_mut().enumerate() {
        line.number = starts.get(at).copied().unwrap_or(first);
    }
    lines
}
