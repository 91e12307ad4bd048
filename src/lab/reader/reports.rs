//! The report descriptor (`suites/README.md`): a line says what the program reports. What is printed says nothing.

use super::{End, OutputReader, Stream};
use crate::observation::ProgramReport;

/// Has nothing to remember.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader;

/// What a line of the report descriptor says; nothing, where it is empty.
pub(super) fn line(line: &[u8]) -> Vec<ProgramReport> {
    let line = String::from_utf8_lossy(line);
    if line.trim().is_empty() { Vec::new() } else { vec![ProgramReport::parse(&line)] }
}

impl OutputReader for Reader {
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        match stream {
            Stream::Reports => line(piece),
            Stream::Output => Vec::new(),
        }
    }

    fn finish(&mut self, _: End) -> Vec<ProgramReport> {
        Vec::new()
    }
}
