//! What the test's program writes, kept within a bound.

use std::fs::File;
use std::io::Write;

/// The last part that is kept, bytes.
const KEPT: usize = 256 * 1024;

/// Takes in the program's output.
#[derive(Debug)]
pub(super) struct Output {
    kept: Vec<u8>,
    file: Option<File>,
    write_error: Option<std::io::Error>,
}

impl Output {
    /// An output that is also written to `file` as it comes, where there is one.
    pub(super) fn new(file: Option<File>) -> Output {
        Output { kept: Vec::new(), file, write_error: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > 2 * KEPT {
            self.kept.drain(..self.kept.len() - KEPT);
        }
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.write_error = Some(error);
            self.file = None;
        }
    }

    /// The end of the output, and the first error of writing it to its file.
    pub(super) fn finish(self) -> (String, Option<std::io::Error>) {
        let start = self.kept.len().saturating_sub(KEPT);
        (String::from_utf8_lossy(&self.kept[start..]).into_owned(), self.write_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut output = Output::new(None);
        for n in 0..10_000 {
            output.push(format!("{n:0100}").as_bytes());
        }
        let (text, error) = output.finish();
        assert_eq!(text.len(), KEPT);
        assert!(text.ends_with("9999") && error.is_none());
    }

    #[test]
    fn a_full_disk_costs_the_file_alone() {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            return loud_skip::skip("this host has no /dev/full");
        };
        let mut output = Output::new(Some(full));
        output.push(b"one ");
        output.push(b"two");
        let (text, error) = output.finish();
        assert_eq!(text, "one two");
        assert_eq!(error.unwrap().kind(), std::io::ErrorKind::StorageFull);
    }
}
