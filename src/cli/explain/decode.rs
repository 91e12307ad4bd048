//! Where functions of a trace are in the source.

use kernel_symbols::{Line, Place, annotate, places};
use serde::Serialize;

use crate::kernel::DebugInfo;
use crate::oops::Report;

/// So many places of a report are decoded for other programs.
const MAX_PLACES: usize = 512;

/// The debug information of the kernel that printed the log.
pub(super) struct Decoder(pub(super) DebugInfo);

/// A place of a trace, for other programs.
#[derive(Serialize)]
pub(super) struct Decoded {
    function: String,
    /// Bytes from the start of the function.
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    /// The innermost inlined function first.
    lines: Vec<DecodedLine>,
}

#[derive(Serialize)]
struct DecodedLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl Decoder {
    /// What is shown below a line of a report: a row for each inlined function, and one for the function itself.
    pub(super) fn rows(&self, text: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for (_, place) in places(text.as_bytes()) {
            let lines = self.0.lines(&place);
            let inlined = lines.len().saturating_sub(1);
            rows.extend(lines.iter().enumerate().map(|(at, line)| match &line.function {
                Some(function) if at < inlined => format!("{line} {function} [inline]"),
                _ if at < inlined => format!("{line} [inline]"),
                _ => line.to_string(),
            }));
        }
        rows
    }

    /// All places of a report.
    pub(super) fn trace(&self, region: &[u8]) -> Vec<Decoded> {
        let lines = region.split(|byte| *byte == b'\n');
        let all = lines.flat_map(places).take(MAX_PLACES).map(|(_, place)| Decoded {
            lines: self.0.lines(&place).into_iter().map(DecodedLine::from).collect(),
            function: place.function,
            offset: place.offset,
            module: place.module,
        });
        all.filter(|place| !place.lines.is_empty()).collect()
    }

    /// Where the blamed function is: its own line, not that of what was inlined in it.
    pub(super) fn source(&self, region: &[u8], report: &Report) -> Option<(String, Option<u32>)> {
        let frame = report.frame.as_deref()?;
        let blamed = |place: &Place| {
            place.function.strip_prefix(frame).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let mut places = region.split(|byte| *byte == b'\n').flat_map(places).map(|(_, place)| place);
        let line = places.find(blamed).and_then(|place| self.0.lines(&place).pop())?;
        Some((line.file, line.line))
    }

    /// One line of a log with the lines of its places.
    pub(super) fn annotate(&self, line: &[u8], out: &mut Vec<u8>) {
        annotate(line, |place| self.0.lines(place), out);
    }
}

impl From<Line> for DecodedLine {
    fn from(line: Line) -> Self {
        DecodedLine { function: line.function, file: line.file, line: line.line }
    }
}
