//! Lines out of an output that comes in pieces.

/// Longer lines are cut, bytes.
const LONGEST: usize = 4096;

/// The line that has not ended yet, and how much was read.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// Bytes of all pieces.
    pub read: u64,
}

impl Lines {
    /// The lines that end in this piece, without their ends.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.read += piece.len() as u64;
        let mut whole = Vec::new();
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LONGEST - self.rest.len();
            self.rest.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                whole.push(std::mem::take(&mut self.rest));
            }
        }
        whole
    }

    /// What no line end follows; empty where there is none.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_cut_where_it_is_too_long() {
        let mut lines = Lines::default();
        let long = vec![b'x'; LONGEST + 1];
        assert!(lines.push(&long).is_empty());
        let whole = lines.push(b"y\nz");
        assert_eq!(whole.iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST]);
        assert_eq!((lines.rest(), lines.read), (b"z".to_vec(), LONGEST as u64 + 4));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[a-c\n]{0,40}", size in 1usize..9) {
            let mut lines = Lines::default();
            let mut found: Vec<Vec<u8>> =
                text.as_bytes().chunks(size).flat_map(|piece| lines.push(piece)).collect();
            found.push(lines.rest());
            let wanted: Vec<&[u8]> = text.as_bytes().split(|&byte| byte == b'\n').collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
