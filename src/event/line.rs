//! A line of a journal to its event.
//!
//! An object that carries its own kind is held as a whole before it is taken apart. Nearly all lines of a journal are of
//! four kinds, which are read straight into their records; whatever is unusual about a line is left to the general way,
//! and so are the words for what is wrong with it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{AttemptRecord, CellId, CellRecord, Event, TestAbout};
use crate::expectation::Expectation;

/// How every line begins that this program writes.
const KIND: &[u8] = br#"{"event":""#;

/// The event of a line.
///
/// # Errors
/// It holds none.
pub(crate) fn event(line: &[u8]) -> Result<Event, serde_json::Error> {
    match usual(line) {
        Some(event) => Ok(event),
        None => serde_json::from_slice(line),
    }
}

/// The attempt of a line, and its cell.
///
/// # Errors
/// It holds none.
pub(crate) fn attempt(line: &[u8]) -> Result<(CellId, AttemptRecord), serde_json::Error> {
    let CellKey { _event: _, test, kernel } = serde_json::from_slice(line)?;
    Ok((CellId { test, kernel }, serde_json::from_slice(line)?))
}

/// The verdict of a line.
///
/// # Errors
/// It holds none.
pub(crate) fn cell(line: &[u8]) -> Result<CellRecord, serde_json::Error> {
    serde_json::from_slice(line)
}

#[derive(Deserialize)]
struct CellKey {
    #[serde(rename = "event")]
    _event: IgnoredAny,
    test: String,
    kernel: String,
}

#[derive(Deserialize)]
struct Planned {
    #[serde(rename = "event")]
    _event: IgnoredAny,
    test: String,
    kernel: String,
    release: Option<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    expectation: Option<Box<Expectation>>,
    #[serde(default)]
    about: Option<Box<TestAbout>>,
    #[serde(default)]
    select: Option<String>,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Deserialize)]
struct AttemptStarted {
    #[serde(rename = "event")]
    _event: IgnoredAny,
    test: String,
    kernel: String,
    attempt: u32,
    of: u32,
}

fn usual(line: &[u8]) -> Option<Event> {
    let rest = line.strip_prefix(KIND)?;
    let kind = &rest[..memchr::memchr(b'"', rest)?];
    match kind {
        b"attempt" => {
            let (cell, record) = attempt(line).ok()?;
            Some(Event::Attempt { cell, record: Box::new(record) })
        }
        b"cell" => Some(Event::Cell(Box::new(cell(line).ok()?))),
        b"planned" => {
            let planned: Planned = serde_json::from_slice(line).ok()?;
            let Planned { test, kernel, release, summary, expectation, about, select, options, .. } = planned;
            let cell = CellId { test, kernel };
            Some(Event::Planned { cell, release, summary, expectation, about, select, options })
        }
        b"attempt-started" => {
            let AttemptStarted { _event: _, test, kernel, attempt, of } =
                serde_json::from_slice(line).ok()?;
            Some(Event::AttemptStarted { cell: CellId { test, kernel }, attempt, of })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// Both ways of reading a line.
    fn both(line: &[u8]) -> (Result<Event, String>, Result<Event, String>) {
        let said = |error: serde_json::Error| error.to_string();
        (event(line).map_err(said), serde_json::from_slice(line).map_err(said))
    }

    #[test]
    fn lines_are_read_as_in_the_general_way() {
        for event in sample::events() {
            let line = serde_json::to_vec(&event).unwrap();
            assert_eq!(super::event(&line).unwrap(), event);
        }
    }

    #[test]
    fn damage_is_told_as_in_the_general_way() {
        for event in sample::events() {
            let line = serde_json::to_string(&event).unwrap();
            for cut in 0..line.len() {
                let (usual, general) = both(&line.as_bytes()[..cut]);
                assert_eq!(usual, general, "{}", &line[..cut]);
            }
            for (from, to) in [("\"test\"", "\"text\""), ("\"verdict\"", "\"v\""), (":1", ":-1"), ("}", "},")]
            {
                let damaged = line.replacen(from, to, 1);
                let (usual, general) = both(damaged.as_bytes());
                assert_eq!(usual, general, "{damaged}");
            }
        }
    }
}
