//! Telling a report that is whole from one that was cut off or mixed with another.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::stack::TraceForm;

/// So many lines behind the announcement of a trace the first function must have come.
const LINES_TO_FIRST_FRAME: usize = 15;

/// Why a report is taken for damaged, if it is.
///
/// `title` is the title before numbers were removed. `traceless` reports need no stack trace.
pub(super) fn reason(title: &[u8], text: &[u8], traceless: bool, form: &TraceForm) -> Option<&'static str> {
    // a time stamp in the middle of a title: two lines ran into each other
    static STAMP: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[ *[0-9]+\.[0-9]+\]").expect("the pattern is constant and tested"));
    if STAMP.is_match(title) {
        return Some("a time stamp stands in the middle of the title");
    }
    if traceless {
        return None;
    }
    let mut any_trace = false;
    for (start, frame_must_follow) in &form.starts {
        let Some(found) = start.find(text) else { continue };
        let mut lines = text[found.start()..].split(|byte| *byte == b'\n');
        lines.next();
        let following: Vec<&[u8]> = lines.take(LINES_TO_FIRST_FRAME).collect();
        if following.len() < 3 {
            return Some("the log ends where a stack trace begins");
        }
        let framed = following.iter().take_while(|line| !form.is_start(line)).any(|line| {
            memchr::memmem::find(line, b"(stack is not available)").is_some() || form.is_frame(line)
        });
        any_trace |= framed;
        if *frame_must_follow && !framed {
            return Some("a stack trace is announced and has no functions");
        }
    }
    if any_trace { None } else { Some("there is no stack trace") }
}
