//! The view of a queue: a line for every kernel, step and attempt that is worth one.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use parking_lot::Mutex;

use super::line::{Line, printable, status_word};
use super::paint::{Paint, Tone};
use super::{EventSink, ForPeople, MessageFormat, RunDisplay, bars_fit, choose};
use crate::event::Event;
use crate::event::queue::QueueEvent;
use crate::triage::{Task, Why};
use crate::verdict::Verdict;

/// What fits this process's own streams. Standard output is for the report.
pub fn for_queue() -> RunDisplay {
    let choice =
        choose(MessageFormat::Human, io::stdout().is_terminal(), io::stderr().is_terminal(), bars_fit());
    let bars = (choice.people == Some(ForPeople::Live)).then(super::screen::bars);
    let lines = Queueing::new(bars.clone(), io::stderr(), Paint::for_stderr());
    RunDisplay { sinks: vec![Box::new(lines)], bars }
}

/// Lines, above `bars` if there are any.
pub struct Queueing<W> {
    bars: Option<MultiProgress>,
    out: Mutex<W>,
    line: Line,
}

impl<W: Write + Send> Queueing<W> {
    /// A view that writes to `out` where there are no bars.
    pub fn new(bars: Option<MultiProgress>, out: W, paint: Paint) -> Queueing<W> {
        Queueing { bars, out: Mutex::new(out), line: Line::new(paint) }
    }

    fn text(&self, event: &Event) -> Option<String> {
        let status = |word, tone| self.line.status(word, tone);
        Some(match event {
            Event::Queue(queue) => match queue.as_ref() {
                QueueEvent::Kernel(record) => {
                    let files = match record.compiled {
                        0 => String::new(),
                        files => format!(", {files} build steps"),
                    };
                    format!("{} {}{files}", status("Built", Tone::Good), printable(&record.kernel))
                }
                QueueEvent::Broken { kernel, reason, .. } => {
                    let first = reason.lines().next().unwrap_or_default();
                    format!("{} {}  {}", status("BROKEN", Tone::Bad), printable(kernel), printable(first))
                }
                QueueEvent::SetAside { patch, reason, .. } => {
                    let first = reason.lines().next().unwrap_or_default();
                    format!("{} patch {patch}  {}", status("Set aside", Tone::Bad), printable(first))
                }
                QueueEvent::Unjudged { kernel, test, reason } => {
                    let test = test.as_deref().unwrap_or("every test");
                    let (kernel, test) = (printable(kernel), printable(test));
                    format!("{} {kernel} {test}  {}", status("SKIP", Tone::Skip), printable(reason))
                }
                QueueEvent::Step { kernel, tasks } => {
                    format!("{} {}: {}", status(word(tasks), Tone::Name), printable(kernel), step(tasks))
                }
                QueueEvent::Withdrawn { patch, reason } => {
                    format!("{} patch {patch}  {}", status("Withdrawn", Tone::Dim), printable(reason))
                }
                QueueEvent::Begun(_)
                | QueueEvent::Limits { .. }
                | QueueEvent::Impossible { .. }
                | QueueEvent::Ended { .. } => return None,
            },
            Event::Attempt { cell, record } if record.verdict != Verdict::Good => {
                let (word, tone) = status_word(record.verdict, None);
                let why = record.title.as_deref().or(record.reason.as_deref()).unwrap_or_default();
                let (kernel, test) = (printable(&cell.kernel), printable(&cell.test));
                format!("{} {kernel} {test}  {}", status(word, tone), printable(why))
            }
            Event::Host { .. } | Event::Notice { .. } | Event::Slow { .. } => return self.line.event(event),
            _ => return None,
        })
    }
}

/// What a step is for.
fn word(tasks: &[Task]) -> &'static str {
    match tasks.iter().map(|task| task.why).min() {
        Some(Why::FirstPass) | None => "Trying",
        Some(Why::Compare) => "Comparing",
        Some(Why::Reproduce) => "Reproducing",
        Some(Why::Narrow) => "Narrowing",
        Some(Why::Confirm) => "Confirming",
        Some(Why::Prove) => "Proving",
        Some(Why::Strengthen) => "Making sure",
    }
}

fn step(tasks: &[Task]) -> String {
    let attempts: u32 = tasks.iter().map(|task| task.attempts).sum();
    let tests = if tasks.len() == 1 { "1 test".to_owned() } else { format!("{} tests", tasks.len()) };
    format!("{tests}, up to {attempts} attempt{}", if attempts == 1 { "" } else { "s" })
}

impl<W: Write + Send> EventSink for Queueing<W> {
    fn event(&self, event: &Event) {
        let Some(text) = self.text(event) else { return };
        // nobody reads: the journal still has it
        let _ = match &self.bars {
            Some(bars) => super::screen::print_above(bars, &text),
            None => {
                let mut out = self.out.lock();
                out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush())
            }
        };
    }
}
