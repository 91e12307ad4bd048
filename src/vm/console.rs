//! What a guest prints, kept within a bound.

use std::fs::File;
use std::io::Write;

use crate::observation::Console;

/// The beginning that is kept, bytes.
pub const HEAD: usize = 4 << 20;
/// The end that is kept where the guest prints more than [`HEAD`], bytes.
pub const TAIL: usize = 4 << 20;

/// Longest marker line that is looked for across two reads, bytes.
const OVERLAP: usize = 256;

/// Takes in a console, remembers where the marks of the dose are.
#[derive(Debug)]
pub struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    printed: u64,
    file: Option<File>,
    write_error: Option<std::io::Error>,
    start_mark: Vec<u8>,
    end_mark: Vec<u8>,
    /// Offsets in the whole console: behind the line of the start mark, and the place of the end mark.
    start: Option<u64>,
    end: Option<u64>,
    recent: Vec<u8>,
}

impl Capture {
    /// A capture that also writes to `file` as it goes, when there is one.
    pub fn new(nonce: &str, file: Option<File>) -> Capture {
        Capture {
            head: Vec::new(),
            tail: Vec::new(),
            printed: 0,
            file,
            write_error: None,
            start_mark: format!("kregress: dose starts {nonce}").into_bytes(),
            end_mark: format!("kregress: dose ends {nonce}").into_bytes(),
            start: None,
            end: None,
            recent: Vec::new(),
        }
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.find_marks(bytes);
        self.printed += bytes.len() as u64;
        let kept = bytes.len().min(HEAD - self.head.len());
        self.write(&bytes[..kept]);
        self.head.extend_from_slice(&bytes[..kept]);
        self.tail.extend_from_slice(&bytes[kept..]);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// Whether the line that marks the dose's end was printed.
    pub fn dose_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Bytes printed so far.
    pub fn printed(&self) -> u64 {
        self.printed
    }

    /// What was printed first, within the bound.
    pub fn beginning(&self) -> &[u8] {
        &self.head
    }

    /// The kept console, and the first error of writing it to its file.
    pub fn finish(mut self) -> (Console, Option<std::io::Error>) {
        let tail_start = self.tail.len().saturating_sub(TAIL);
        let left_out = self.printed - (self.head.len() + self.tail.len() - tail_start) as u64;
        let mut gap = Vec::new();
        if left_out > 0 {
            gap = format!("\n[kregress: {left_out} bytes left out here]\n").into_bytes();
        }
        let after_head = [gap.as_slice(), &self.tail[tail_start..]].concat();
        self.write(&after_head);
        let place = |offset: u64| -> Option<usize> {
            let head = self.head.len() as u64;
            if offset <= head {
                Some(offset as usize)
            } else {
                offset.checked_sub(left_out).filter(|o| *o >= head).map(|o| o as usize + gap.len())
            }
        };
        let (dose_start, dose_end) = (self.start.and_then(place), self.end.and_then(place));
        let mut text = std::mem::take(&mut self.head);
        text.extend_from_slice(&after_head);
        (Console { text, printed: self.printed, left_out, dose_start, dose_end }, self.write_error)
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.write_error = Some(error);
            self.file = None;
        }
    }

    fn find_marks(&mut self, bytes: &[u8]) {
        if self.end.is_some() {
            return;
        }
        let base = self.printed - self.recent.len() as u64;
        self.recent.extend_from_slice(bytes);
        if self.start.is_none()
            && let Some(at) = memchr::memmem::find(&self.recent, &self.start_mark)
        {
            let line_end =
                memchr::memchr(b'\n', &self.recent[at..]).map_or(self.recent.len(), |n| at + n + 1);
            self.start = Some(base + line_end as u64);
        }
        if let Some(at) = memchr::memmem::find(&self.recent, &self.end_mark) {
            let line = memchr::memrchr(b'\n', &self.recent[..at]).map_or(at, |n| n + 1);
            self.end = Some(base + line as u64);
        }
        if self.recent.len() > OVERLAP {
            self.recent.drain(..self.recent.len() - OVERLAP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_across_reads() {
        let text = "boot\n[1.0] kregress: dose starts n1\nin dose\n[2.0] kregress: dose ends n1\nlast\n";
        for cut in 1..text.len() {
            let mut capture = Capture::new("n1", None);
            capture.push(&text.as_bytes()[..cut]);
            capture.push(&text.as_bytes()[cut..]);
            let (console, _) = capture.finish();
            let (start, end) = (console.dose_start.unwrap(), console.dose_end.unwrap());
            let dose = std::str::from_utf8(&console.text[start..end]).unwrap();
            // the end mark's line may have lost its beginning to the cut, the start mark's line its end
            assert!(dose.contains("in dose") && !dose.contains("ends"), "cut at {cut}: {dose:?}");
        }
    }

    #[test]
    fn another_attempts_mark_does_not_count() {
        let mut capture = Capture::new("n2", None);
        capture.push(b"kregress: dose starts n1\nkregress: dose ends n1\n");
        let (console, _) = capture.finish();
        assert_eq!((console.dose_start, console.dose_end), (None, None));
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let mut file = tempfile::tempfile().unwrap();
        let mut capture = Capture::new("n", Some(file.try_clone().unwrap()));
        capture.push(b"first line\n");
        let flood = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            capture.push(&flood);
        }
        capture.push(b"\nkregress: dose ends n\nlast line\n");
        let (console, error) = capture.finish();
        assert!(error.is_none());
        assert!(console.text.len() < HEAD + TAIL + 100, "{}", console.text.len());
        assert!(console.text.starts_with(b"first line\n") && console.text.ends_with(b"last line\n"));
        assert_eq!(console.printed, (40 << 20) + 11 + 33);
        let end = console.dose_end.unwrap();
        assert!(console.text[end..].starts_with(b"kregress: dose ends n"));
        use std::io::{Read, Seek};
        let mut written = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut written).unwrap();
        assert_eq!(written, console.text);
    }
}
