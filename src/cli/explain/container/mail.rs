//! Mails: parts that are encoded (RFC 2045) are decoded as they are read, everything else stays as it is. A folder of
//! mails in the mbox format is read to its end.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Damage, Opened};

/// Lines are read in pieces of at most this size.
const MAX_LINE: u64 = 64 << 10;

/// An attachment that is no text is held up to this size, in bytes: one with a compressed log.
const MAX_ATTACHMENT: usize = 32 << 20;

/// Boundaries of nested parts that are remembered.
const MAX_BOUNDARIES: usize = 64;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Where in a mail the next line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MailState {
    Headers,
    Plain,
    QuotedPrintable,
    Base64,
}

/// The text of mails.
pub(super) struct MailReader<'a, R> {
    source: BufReader<R>,
    layers: usize,
    damage: Damage,
    state: MailState,
    /// What the headers of this part have said so far.
    encoding: MailState,
    is_text: bool,
    boundaries: Vec<Vec<u8>>,
    /// Letters of base64 that wait for the rest of their group.
    group: Vec<u8>,
    attachment: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    inner: Option<Box<dyn Read + 'a>>,
    ended: bool,
}

impl<'a, R: Read> MailReader<'a, R> {
    pub(super) fn new(source: R, damage: &Damage, layers: usize) -> Self {
        MailReader {
            source: BufReader::with_capacity(64 << 10, source),
            layers,
            damage: Rc::clone(damage),
            state: MailState::Headers,
            encoding: MailState::Plain,
            is_text: true,
            boundaries: Vec::new(),
            group: Vec::new(),
            attachment: Vec::new(),
            out: Vec::new(),
            at: 0,
            inner: None,
            ended: false,
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let text = line.trim_ascii_end();
        if self.state != MailState::Headers {
            let boundary = text.strip_prefix(b"--").filter(|name| {
                let name = name.strip_suffix(b"--").unwrap_or(name);
                self.state == MailState::Base64 || self.boundaries.iter().any(|known| known == name)
            });
            if boundary.is_some() || line.starts_with(b"From ") {
                self.end_part()?;
                self.begin_part(boundary.is_some_and(|name| name.ends_with(b"--")));
                self.out.extend_from_slice(line);
                return Ok(());
            }
        }
        match self.state {
            MailState::Headers => {
                self.header(text);
                if text.is_empty() {
                    self.state = self.encoding;
                }
                self.out.extend_from_slice(line);
            }
            MailState::Plain => self.out.extend_from_slice(line),
            MailState::QuotedPrintable => quoted_printable(line, &mut self.out),
            MailState::Base64 => self.base64(text),
        }
        Ok(())
    }

    /// After a boundary come headers; after the last one, text up to the next mail.
    fn begin_part(&mut self, last: bool) {
        self.state = if last { MailState::Plain } else { MailState::Headers };
        (self.encoding, self.is_text) = (MailState::Plain, true);
    }

    fn header(&mut self, text: &[u8]) {
        if let Some(value) = header(text, b"content-transfer-encoding") {
            let value = value.to_ascii_lowercase();
            self.encoding = match value.as_slice() {
                b"base64" => MailState::Base64,
                b"quoted-printable" => MailState::QuotedPrintable,
                _ => MailState::Plain,
            };
        }
        if let Some(value) = header(text, b"content-type") {
            let value = value.to_ascii_lowercase();
            self.is_text = value.starts_with(b"text/") || value.starts_with(b"message/");
        }
        // it may stand on a line of its own
        let key = b"boundary=";
        let lower = text.to_ascii_lowercase();
        if let Some(at) = memchr::memmem::find(&lower, key)
            && self.boundaries.len() < MAX_BOUNDARIES
        {
            let value = &text[at + key.len()..];
            let value = match value.strip_prefix(b"\"") {
                Some(quoted) => quoted.split(|byte| *byte == b'"').next(),
                None => value.split(|byte| matches!(byte, b';' | b' ')).next(),
            };
            self.boundaries.extend(value.filter(|value| !value.is_empty()).map(<[u8]>::to_vec));
        }
    }

    fn base64(&mut self, text: &[u8]) {
        self.group.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let whole = self.group.len() / 4 * 4;
        let rest = self.group.split_off(whole);
        let letters = std::mem::replace(&mut self.group, rest);
        self.decoded(&letters);
    }

    fn decoded(&mut self, letters: &[u8]) {
        let mut bytes = Vec::new();
        if BASE64.decode_vec(letters, &mut bytes).is_err() {
            let text = "a part in base64 has other letters in it; those lines were not read".to_owned();
            self.damage.borrow_mut().get_or_insert(text);
            return;
        }
        let into = if self.is_text { &mut self.out } else { &mut self.attachment };
        if self.is_text || into.len() + bytes.len() <= MAX_ATTACHMENT {
            into.extend_from_slice(&bytes);
        } else {
            let text =
                "an attachment is larger than 32 MiB and was read in part; save it and name it by itself";
            self.damage.borrow_mut().get_or_insert(text.to_owned());
        }
    }

    /// Ends a part: what is left of base64, and an attachment that may be a packed log.
    fn end_part(&mut self) -> io::Result<()> {
        if self.state != MailState::Base64 {
            return Ok(());
        }
        let rest = std::mem::take(&mut self.group);
        self.decoded(&rest);
        self.out.push(b'\n');
        let attachment = std::mem::take(&mut self.attachment);
        if attachment.is_empty() {
            return Ok(());
        }
        match super::unwrap(Box::new(Cursor::new(attachment)), &self.damage, self.layers)? {
            Opened::Log(log) => self.inner = Some(log),
            Opened::Unreadable(what) => {
                self.out.extend_from_slice(format!("[attachment: {what}]\n").as_bytes())
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for MailReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(inner) = &mut self.inner {
                let length = inner.read(out)?;
                if length > 0 || out.is_empty() {
                    return Ok(length);
                }
                self.inner = None;
            }
            if self.at < self.out.len() {
                let length = out.len().min(self.out.len() - self.at);
                out[..length].copy_from_slice(&self.out[self.at..self.at + length]);
                self.at += length;
                return Ok(length);
            }
            if self.ended {
                return Ok(0);
            }
            self.out.clear();
            self.at = 0;
            let mut line = Vec::new();
            self.source.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                self.ended = true;
                self.end_part()?;
            } else {
                self.line(&line)?;
            }
        }
    }
}

/// The value of a header, if the line is this one.
pub(super) fn header<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (key, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    key.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// One line of quoted-printable. `=` at its end joins it with the next one; what is no escape stays.
fn quoted_printable(line: &[u8], out: &mut Vec<u8>) {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let joined = text.strip_suffix(b"=");
    let mut rest = joined.unwrap_or(text);
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[at + 3..];
            }
            None => {
                out.push(b'=');
                rest = &rest[at + 1..];
            }
        }
    }
    out.extend_from_slice(rest);
    if joined.is_none() {
        out.push(b'\n');
    }
}
