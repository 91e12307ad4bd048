//! Lines of text with their place in what the user handed in.
//!
//! Mails and kernel sources are UTF-8 but for rare bytes. Those are kept as characters of a private range, so that a
//! text comes back as the very bytes it was read from.

/// The first of 256 private characters that stand for bytes which are not UTF-8.
const STRAY: u32 = 0x10_FF00;

/// One line, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the input, from 1. Several lines can come from one line of the input.
    pub number: usize,
    /// The line; a carriage return at its end is kept.
    pub text: String,
}

impl Line {
    /// A line of the input.
    pub fn new(number: usize, text: impl Into<String>) -> Line {
        Line { number, text: text.into() }
    }
}

/// Bytes as text. [`encode`] gives the same bytes again, unless they hold characters of the private range.
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let stray = chunk.invalid().iter().filter_map(|byte| char::from_u32(STRAY + u32::from(*byte)));
        text.extend(stray);
    }
    text
}

/// The bytes that [`decode`] read.
pub fn encode(text: &str) -> Vec<u8> {
    // the private range begins with this byte, and other characters that do are hardly used
    if !text.as_bytes().contains(&0xf4) {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        match u32::from(character).checked_sub(STRAY).map(u8::try_from) {
            Some(Ok(byte)) => bytes.push(byte),
            _ => bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
        }
    }
    bytes
}

/// The text with each stray byte as the character that it is in ISO-8859-1.
pub fn latin_to_utf8(text: &str) -> String {
    let read = |c: char| {
        u32::from(c).checked_sub(STRAY).and_then(|byte| u8::try_from(byte).ok()).map_or(c, char::from)
    };
    text.chars().map(read).collect()
}

/// The text with each character that ISO-8859-1 has beyond ASCII as the byte that it is there.
pub fn utf8_to_latin(text: &str) -> String {
    let stray = |c: char| match u32::from(c) {
        code @ 0xa0..=0xff => char::from_u32(STRAY + code).unwrap_or(c),
        _ => c,
    };
    text.chars().map(stray).collect()
}

/// The lines of a text that starts at line `first` of the input.
pub fn lines(text: &str, first: usize) -> Vec<Line> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').enumerate().map(|(at, line)| Line::new(first + at, line)).collect()
}

/// The text with every run of white space as one blank, and none at its ends.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line cut to a bound, for a message.
pub fn shortened(text: &str) -> String {
    const BOUND: usize = 72;
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(BOUND).collect();
    if text.chars().count() > BOUND { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assume!(std::str::from_utf8(&bytes).is_err());
            prop_assert_eq!(encode(&decode(&bytes)), bytes);
        }
    }

    #[test]
    fn lines_are_numbered() {
        assert_eq!(lines("a\nb\n", 7), [Line::new(7, "a"), Line::new(8, "b")]);
        assert_eq!(lines("a\n\n", 1), [Line::new(1, "a"), Line::new(2, "")]);
    }
}
