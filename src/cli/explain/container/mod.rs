//! What a log is wrapped in: compression, UTF-16, mails. All of it is undone while the log is read.

mod kind;
mod mail;
mod utf16;
mod zstd;

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

pub(super) use kind::Unreadable;

/// So much of the beginning decides what it is.
const HEAD: usize = 64 << 10;

/// Layers that are undone: an attachment in UTF-16 that is compressed twice in a mail has five.
const MAX_LAYERS: usize = 6;

/// What `xz` needs at most to undo its strongest compression is 65 MiB; more is refused.
const XZ_MEMORY: u64 = 512 << 20;

/// What was wrong with a container, shared with its reader.
pub(super) type Damage = Rc<RefCell<Option<String>>>;

/// A log, or what it is instead.
pub(super) enum Opened<'a> {
    /// The log without its wrapping.
    Log(Box<dyn Read + 'a>),
    /// No text.
    Unreadable(Unreadable),
}

/// Undoes what the log is wrapped in. What is damaged is read up to there, and `damage` tells.
pub(super) fn open<'a>(source: impl Read + 'a, damage: &Damage) -> io::Result<Opened<'a>> {
    unwrap(Box::new(source), damage, MAX_LAYERS)
}

fn unwrap<'a>(mut source: Box<dyn Read + 'a>, damage: &Damage, layers: usize) -> io::Result<Opened<'a>> {
    let mut head = Vec::new();
    source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let found = kind::of(&head);
    let whole = Cursor::new(head).chain(source);
    let inner: Box<dyn Read + 'a> = match found {
        kind::Kind::Text => return Ok(Opened::Log(Box::new(whole))),
        kind::Kind::Unreadable(what) => return Ok(Opened::Unreadable(what)),
        _ if layers == 0 => return Ok(Opened::Unreadable(Unreadable::TOO_DEEP)),
        kind::Kind::Marked(length) => {
            let mut whole = whole;
            io::copy(&mut whole.by_ref().take(length), &mut io::sink())?;
            Box::new(whole)
        }
        kind::Kind::Utf16 { little, mark } => Box::new(utf16::Utf16Reader::new(whole, little, mark)),
        kind::Kind::Mail => {
            return Ok(Opened::Log(Box::new(mail::MailReader::new(whole, damage, layers - 1))));
        }
        kind::Kind::Gzip => Box::new(Lenient::new(flate2::read::MultiGzDecoder::new(whole), damage)),
        kind::Kind::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags).map_err(io::Error::other)?;
            Box::new(Lenient::new(liblzma::read::XzDecoder::new_stream(whole, stream), damage))
        }
        kind::Kind::Zstd => Box::new(Lenient::new(zstd::ZstdReader::new(whole), damage)),
    };
    unwrap(inner, damage, layers - 1)
}

/// Reads a damaged file up to where it is damaged, as what comes before that may be what is looked for.
struct Lenient<R> {
    source: R,
    read: u64,
    damage: Damage,
}

impl<R> Lenient<R> {
    fn new(source: R, damage: &Damage) -> Self {
        Lenient { source, read: 0, damage: Rc::clone(damage) }
    }
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.source.read(out) {
            Ok(length) => {
                self.read += length as u64;
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let text = format!(
                    "it is damaged or cut off after {} bytes of text, and what stands behind was not read ({error})",
                    self.read
                );
                self.damage.borrow_mut().get_or_insert(text);
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
