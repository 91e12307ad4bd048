//! Events for programs.

use std::io::{self, Write};

use parking_lot::Mutex;

use super::EventSink;
use crate::event::Event;

/// Writes each kept event as one JSON object a line, the same objects that the journal has.
#[derive(Debug)]
pub struct JsonLines<W> {
    state: Mutex<JsonLinesState<W>>,
}

#[derive(Debug)]
struct JsonLinesState<W> {
    out: W,
    failure: Option<io::Error>,
}

impl<W: Write + Send> JsonLines<W> {
    /// Objects to `out`.
    pub fn new(out: W) -> JsonLines<W> {
        JsonLines { state: Mutex::new(JsonLinesState { out, failure: None }) }
    }
}

impl<W: Write + Send> EventSink for JsonLines<W> {
    fn event(&self, event: &Event) {
        if !event.is_kept() {
            return;
        }
        // An event without a JSON form is the journal's to complain about.
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        let mut state = self.state.lock();
        if state.failure.is_none() {
            state.failure = state.out.write_all(&line).and_then(|()| state.out.flush()).err();
        }
    }

    /// What the stream said when it could no longer be written to, for example that its reader has gone. From then on
    /// nothing is written, so that no reader ever gets half a line in the middle.
    fn failure(&self) -> Option<io::Error> {
        let state = self.state.lock();
        let error = state.failure.as_ref()?;
        Some(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CellId;
    use crate::observation::Phase;
    use crate::report::sample;

    #[test]
    fn one_object_a_line_and_the_last_is_the_end() {
        let sink = JsonLines::new(Vec::new());
        let cell = CellId { test: "a::b".into(), kernel: "6.1".into() };
        sink.event(&Event::Phase { cell, attempt: 1, phase: Phase::Boot });
        let events = sample::events();
        events.iter().for_each(|event| sink.event(event));
        let text = String::from_utf8(sink.state.into_inner().out).unwrap();
        let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
        insta::assert_snapshot!(text.lines().last().unwrap(), @r#"{"event":"run-finished","at":"2026-11-21T09:13:15Z","seconds":42.3,"cancelled":false,"bad":2,"good":2,"other":1,"skip":1,"blind":1,"lost":1,"not_run":1}"#);
    }

    #[test]
    fn nothing_follows_half_a_line() {
        struct LimitedWriter(usize);
        impl Write for LimitedWriter {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 == 1 { Ok(bytes.len() / 2) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = JsonLines::new(LimitedWriter(0));
        sample::events().iter().for_each(|event| sink.event(event));
        assert_eq!(sink.failure().map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(sink.state.into_inner().out.0, 2);
    }
}
