//! Frames on the byte stream between host and agent.
//!
//! A serial line may lose or invent bytes (the first byte after a restore, what firmware prints), so every frame
//! carries a mark, a length and a CRC-32, and a reader that loses its place finds the next frame by itself. Each side
//! counts its frames, so that the other one knows when some are missing:
//!
//! ```text
//! 1e 4b   kind   number   length   payload   CRC-32 of everything between the mark and it
//! ```
//!
//! Number, length and CRC are u32, little-endian.

/// The two bytes that start a frame: an ASCII record separator and `K`.
pub const MARK: [u8; 2] = [0x1e, 0x4b];

/// The largest payload of one frame, bytes; larger contents travel in several frames.
pub const MAX_PAYLOAD: usize = 256 * 1024;

const HEADER: usize = 2 + 1 + 4 + 4;
const TRAILER: usize = 4;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message as JSON.
    Message = 1,
    /// Bytes that belong to the last message which announced them, or to the program's output.
    Data = 2,
    /// Bytes that a command wrote to standard error.
    Errors = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        match byte {
            1 => Some(Kind::Message),
            2 => Some(Kind::Data),
            3 => Some(Kind::Errors),
            _ => None,
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub kind: Kind,
    /// How many its sender sent before it.
    pub number: u32,
    /// Its contents.
    pub payload: Vec<u8>,
}

/// Makes the frames of one sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoder {
    sent: u32,
}

impl Encoder {
    /// Appends one frame to `out`.
    ///
    /// # Panics
    /// If the payload is larger than [`MAX_PAYLOAD`]; callers cut their contents with [`Encoder::data`].
    pub fn frame(&mut self, kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
        assert!(payload.len() <= MAX_PAYLOAD, "a frame's payload is at most {MAX_PAYLOAD} bytes");
        out.reserve(HEADER + payload.len() + TRAILER);
        out.extend_from_slice(&MARK);
        let checked = out.len();
        out.push(kind as u8);
        out.extend_from_slice(&self.sent.to_le_bytes());
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(payload);
        let crc = crc32fast::hash(&out[checked..]);
        out.extend_from_slice(&crc.to_le_bytes());
        self.sent = self.sent.wrapping_add(1);
    }

    /// Appends `bytes` to `out` as as many data frames as they need.
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.chunks(MAX_PAYLOAD) {
            self.frame(Kind::Data, piece, out);
        }
    }

    /// Appends `bytes` to `out` as frames of standard error.
    pub fn errors(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.chunks(MAX_PAYLOAD) {
            self.frame(Kind::Errors, piece, out);
        }
    }

    /// Appends a message to `out`.
    pub fn message<M: serde::Serialize>(&mut self, message: &M, out: &mut Vec<u8>) {
        let json = serde_json::to_vec(message).expect("messages are plain data");
        self.frame(Kind::Message, &json, out);
    }
}

/// Counts the frames that did not come through, and those that their sender cannot have sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    next: Option<u32>,
    missing: u64,
}

impl Tally {
    /// Takes in the number of a frame; the first one is as good as any, as its sender may have spoken to others before.
    pub fn take(&mut self, number: u32) {
        let ahead = self.next.map_or(0, |next| number.wrapping_sub(next));
        if ahead > u32::MAX / 2 {
            // a number that was there before: one of the two frames is not the sender's
            self.missing += 1;
            return;
        }
        self.missing += u64::from(ahead);
        self.next = Some(number.wrapping_add(1));
    }

    /// Forgets what was before: another sender begins.
    pub fn begin_anew(&mut self) {
        *self = Tally::default();
    }

    /// Frames that did not come through, as far as a later one tells, and those whose number was not due.
    pub fn missing(&self) -> u64 {
        self.missing
    }
}

/// Finds the frames in a stream of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the unread part of `buffer` starts.
    at: usize,
    skipped: u64,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 && self.at >= self.buffer.len() / 2 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that belonged to no frame.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next whole frame, if there is one.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let rest = &self.buffer[self.at..];
            match memchr::memchr(MARK[0], rest) {
                None => {
                    self.skip(rest.len());
                    return None;
                }
                Some(0) => {}
                Some(n) => {
                    self.skip(n);
                    continue;
                }
            }
            if rest.len() < HEADER {
                return None;
            }
            let number = u32::from_le_bytes([rest[3], rest[4], rest[5], rest[6]]);
            let length = u32::from_le_bytes([rest[7], rest[8], rest[9], rest[10]]) as usize;
            let Some(kind) = Kind::from_byte(rest[2]).filter(|_| rest[1] == MARK[1] && length <= MAX_PAYLOAD)
            else {
                self.skip(1);
                continue;
            };
            let end = HEADER + length;
            if rest.len() < end + TRAILER {
                return None;
            }
            let crc = u32::from_le_bytes([rest[end], rest[end + 1], rest[end + 2], rest[end + 3]]);
            if crc != crc32fast::hash(&rest[2..end]) {
                self.skip(1);
                continue;
            }
            let payload = rest[HEADER..end].to_vec();
            self.at += end + TRAILER;
            return Some(Frame { kind, number, payload });
        }
    }

    fn skip(&mut self, n: usize) {
        self.at += n;
        self.skipped += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(decoder: &mut Decoder) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.next_frame()).collect()
    }

    #[test]
    fn noise_before_between_and_after_is_skipped() {
        let mut stream = b"SeaBIOS \x1e\x4b junk".to_vec();
        let mut encoder = Encoder::default();
        encoder.frame(Kind::Message, b"{}", &mut stream);
        stream.extend_from_slice(b"\x1e\x1enoise");
        encoder.frame(Kind::Data, b"abc", &mut stream);
        let mut decoder = Decoder::new();
        decoder.push(&stream);
        let frames = all(&mut decoder);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1].payload, b"abc");
        assert!(decoder.skipped() > 10);
    }

    #[test]
    fn a_damaged_frame_is_dropped_and_the_next_one_found() {
        let mut stream = Vec::new();
        let mut encoder = Encoder::default();
        encoder.frame(Kind::Message, b"{\"a\":1}", &mut stream);
        stream[13] ^= 0x20;
        encoder.frame(Kind::Message, b"{\"b\":2}", &mut stream);
        let mut decoder = Decoder::new();
        decoder.push(&stream);
        let second = Frame { kind: Kind::Message, number: 1, payload: b"{\"b\":2}".to_vec() };
        assert_eq!(all(&mut decoder), [second]);
    }

    #[test]
    fn a_missing_frame_is_counted() {
        let mut tally = Tally::default();
        for (number, missing) in [(7, 0), (8, 0), (10, 1), (11, 1), (14, 3), (3, 4), (14, 5), (15, 5)] {
            tally.take(number);
            assert_eq!(tally.missing(), missing, "{number}");
        }
        tally.begin_anew();
        for number in [u32::MAX, 0, 1] {
            tally.take(number);
        }
        assert_eq!(tally.missing(), 0, "numbers begin again after the largest");
    }

    #[test]
    fn whatever_byte_is_lost_the_frame_is_missed() {
        let mut encoder = Encoder::default();
        let (mut stream, mut ends) = (Vec::new(), vec![0]);
        for word in ["one", "two", "three"] {
            encoder.message(&word, &mut stream);
            ends.push(stream.len());
        }
        // a loss before the first frame, or behind all others, nobody can know of
        for lost in ends[1]..ends[2] {
            let mut damaged = stream.clone();
            damaged.remove(lost);
            let mut decoder = Decoder::new();
            decoder.push(&damaged);
            let mut tally = Tally::default();
            all(&mut decoder).iter().for_each(|frame| tally.take(frame.number));
            assert_eq!(tally.missing(), 1, "byte {lost}");
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
                                      cut in 1usize..50) {
            let mut stream = Vec::new();
            let mut encoder = Encoder::default();
            for payload in &payloads {
                encoder.frame(Kind::Data, payload, &mut stream);
            }
            let mut decoder = Decoder::new();
            let mut frames = Vec::new();
            for piece in stream.chunks(cut) {
                decoder.push(piece);
                frames.extend(all(&mut decoder));
            }
            prop_assert_eq!(frames.iter().map(|f| f.payload.clone()).collect::<Vec<_>>(), payloads);
            prop_assert_eq!(decoder.skipped(), 0);
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut decoder = Decoder::new();
            decoder.push(&noise);
            all(&mut decoder);
        }
    }
}
