//! Lines of a log with file and line behind each place.

use super::image::Line;
use super::place::{Place, places};

/// Writes `line` to `out` with the lines of every place behind it in parentheses, as scripts/decode_stacktrace.sh does:
/// the innermost inlined function first. What has none stays as it is.
///
/// `lookup` gives the lines of a place; none if they are not known.
pub fn annotate(line: &[u8], mut lookup: impl FnMut(&Place) -> Vec<Line>, out: &mut Vec<u8>) {
    let mut at = 0;
    for (range, place) in places(line) {
        let lines = lookup(&place);
        if lines.is_empty() {
            continue;
        }
        let name_end = range.start + place.function.len();
        let length = line[name_end..range.end].iter().position(|byte| *byte == b' ');
        let place_end = length.map_or(range.end, |length| name_end + length);
        out.extend_from_slice(&line[at..place_end]);
        let told: Vec<String> = lines.iter().map(Line::to_string).collect();
        out.extend_from_slice(format!(" ({})", told.join(" ")).as_bytes());
        at = place_end;
    }
    out.extend_from_slice(&line[at..]);
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => write!(f, "{}:?", self.file),
        }
    }
}
