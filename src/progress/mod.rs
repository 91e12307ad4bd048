//! The live view. It reads events and nothing else: on a terminal a bar for the run and a line for each running
//! attempt, elsewhere plain lines, and for programs one JSON object a line on standard output.

mod bisecting;
mod excerpt;
mod fetching;
mod json_lines;
mod line;
mod live;
mod paint;
mod plain;
mod queueing;
mod running;
mod screen;
mod view;

use std::io::{self, IsTerminal};

use indicatif::MultiProgress;

pub use bisecting::{Bisecting, for_bisection};
pub(crate) use excerpt::excerpt;
pub use fetching::Fetching;
pub use json_lines::JsonLines;
pub use line::{Line, clock, printable, status_word};
pub(crate) use line::{likely, percent};
pub use live::Live;
pub use paint::{Paint, Tone};
pub use plain::Plain;
pub use queueing::{Queueing, for_queue};
pub(crate) use running::tally;
pub use running::{Finished, Running, remaining};
pub use terminal_text::is_deceptive;
pub use view::{FailureOutput, StatusLevel, View};

use crate::event::Event;

/// Takes in the events of a run, from any thread.
pub trait EventSink: Send + Sync {
    /// The next event. It never fails: what cannot be shown must not end a run.
    fn event(&self, event: &Event);

    /// Clears what is shown temporarily, so that a summary can be written below. Called once, at the end.
    fn close(&self) {}

    /// Why a program that reads the events did not get all of them. What is shown to people does not count.
    fn failure(&self) -> Option<io::Error> {
        None
    }
}

/// The values of `--message-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// Lines for people, on standard error.
    #[default]
    Human,
    /// One JSON object a line on standard output; people still get theirs on standard error, unless both are the
    /// same terminal.
    Json,
}

/// What is shown where, as the format and the two streams allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Display {
    json: bool,
    people: Option<ForPeople>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForPeople {
    Live,
    Plain,
}

/// Whether bars may be drawn on standard error: on a terminal that can move its cursor, and not in CI, whose logs keep
/// every picture of a bar.
pub(crate) fn bars_fit() -> bool {
    let env = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    io::stderr().is_terminal() && env("TERM").is_some_and(|term| term != "dumb") && env("CI").is_none()
}

fn choose(format: MessageFormat, stdout_terminal: bool, stderr_terminal: bool, bars_fit: bool) -> Display {
    let json = format == MessageFormat::Json;
    let view = if stderr_terminal && bars_fit { ForPeople::Live } else { ForPeople::Plain };
    let both_on_one_terminal = json && stdout_terminal && stderr_terminal;
    Display { json, people: (!both_on_one_terminal).then_some(view) }
}

/// What is shown of a run.
pub struct RunDisplay {
    /// Take in the events.
    pub sinks: Vec<Box<dyn EventSink>>,
    /// Where other bars go, such as those of downloads, on a terminal.
    pub bars: Option<MultiProgress>,
}

/// What fits this process's own streams.
pub fn for_streams(format: MessageFormat, view: View) -> RunDisplay {
    let choice = choose(format, io::stdout().is_terminal(), io::stderr().is_terminal(), bars_fit());
    let bars = (choice.people == Some(ForPeople::Live)).then(screen::bars);
    let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
    if choice.json {
        sinks.push(Box::new(JsonLines::new(io::stdout())));
    }
    match choice.people {
        Some(ForPeople::Live) => {
            sinks.push(Box::new(Live::new(
                bars.clone().unwrap_or_else(screen::bars),
                Paint::for_stderr(),
                view,
            )));
        }
        Some(ForPeople::Plain) => sinks.push(Box::new(Plain::new(io::stderr(), Paint::for_stderr(), view))),
        None => {}
    }
    RunDisplay { sinks, bars }
}

impl EventSink for Vec<Box<dyn EventSink>> {
    fn event(&self, event: &Event) {
        self.iter().for_each(|sink| sink.event(event));
    }

    fn close(&self) {
        self.iter().for_each(|sink| sink.close());
    }

    fn failure(&self) -> Option<io::Error> {
        self.iter().find_map(|sink| sink.failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_bars_never_share_a_terminal() {
        use MessageFormat::{Human, Json};
        let (live, plain) = (Some(ForPeople::Live), Some(ForPeople::Plain));
        let cases = [
            (Human, true, true, false, live),
            (Human, false, true, false, live),
            (Human, true, false, false, plain),
            (Human, false, false, false, plain),
            (Json, true, true, true, None),
            (Json, false, true, true, live),
            (Json, true, false, true, plain),
            (Json, false, false, true, plain),
        ];
        for (format, stdout, stderr, json, people) in cases {
            assert_eq!(
                choose(format, stdout, stderr, true),
                Display { json, people },
                "{format:?} {stdout} {stderr}"
            );
        }
        // a dumb terminal, and CI: lines, so that nothing vanishes
        let plain = Display { json: false, people: plain };
        assert_eq!(choose(Human, true, true, false), plain);
    }
}
