//! The view of a bisection: lines for every step and attempt, and on a terminal the leading candidates with bars.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use parking_lot::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::line::{Line, likely, printable, status_word};
use super::paint::{Paint, Tone};
use super::{EventSink, ForPeople, JsonLines, MessageFormat, RunDisplay, choose};
use crate::bisect::{Find, Purpose};
use crate::event::{AttemptRecord, CandidateRecord, Event, Suspect};

/// What fits this process's own streams.
pub fn for_bisection(format: MessageFormat) -> RunDisplay {
    let choice = choose(format, io::stdout().is_terminal(), io::stderr().is_terminal(), super::bars_fit());
    let bars = (choice.people == Some(ForPeople::Live)).then(super::screen::bars);
    let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
    if choice.json {
        sinks.push(Box::new(JsonLines::new(io::stdout())));
    }
    if choice.people.is_some() {
        let paint = Paint::for_stderr();
        sinks.push(Box::new(Bisecting::new(bars.clone(), io::stderr(), paint)));
    }
    RunDisplay { sinks, bars }
}

/// Lines, and bars among `bars` if there are any.
pub struct Bisecting<W> {
    bars: Option<MultiProgress>,
    state: Mutex<BisectingState<W>>,
}

struct BisectingState<W> {
    out: W,
    line: Line,
    paint: Paint,
    suspects: Vec<ProgressBar>,
    attempts: HashMap<(String, u32), ProgressBar>,
    /// What commits say of themselves.
    subjects: HashMap<String, String>,
}

impl<W: Write + Send> Bisecting<W> {
    /// A view that writes to `out` where there are no bars.
    pub fn new(bars: Option<MultiProgress>, out: W, paint: Paint) -> Bisecting<W> {
        let line = Line::new(paint);
        let (suspects, attempts, subjects) = (Vec::new(), HashMap::new(), HashMap::new());
        let state = BisectingState { out, line, paint, suspects, attempts, subjects };
        Bisecting { bars, state: Mutex::new(state) }
    }

    fn println(&self, state: &mut BisectingState<W>, text: &str) {
        // nobody reads: the journal still has it
        let _ = match &self.bars {
            Some(bars) => super::screen::print_above(bars, text),
            None => state.out.write_all(format!("{text}\n").as_bytes()).and_then(|()| state.out.flush()),
        };
    }

    /// The leading candidates, one bar each.
    fn show_suspects(&self, state: &mut BisectingState<W>, suspects: &[Suspect]) {
        let Some(bars) = &self.bars else { return };
        while state.suspects.len() < suspects.len() {
            let bar = bars.add(ProgressBar::new(1000));
            bar.set_style(style("{prefix:>24} {bar:32} {wide_msg}").progress_chars("█▉▊▋▌▍▎▏ "));
            state.suspects.push(bar);
        }
        for (nth, bar) in state.suspects.iter().enumerate() {
            let Some(suspect) = suspects.get(nth) else {
                bar.set_style(style(""));
                bar.set_position(0);
                continue;
            };
            bar.set_prefix(outside(&suspect.kernel).to_owned());
            bar.set_position((suspect.probability * 1000.0).round() as u64);
            let subject = state.subjects.get(&suspect.kernel).map_or("", String::as_str);
            bar.set_message(format!("{:<6} {subject}", likely(suspect.probability)));
        }
    }

    fn show_attempt(&self, state: &mut BisectingState<W>, kernel: &str, attempt: u32, phase: &str) {
        let Some(bars) = &self.bars else { return };
        let bar = state.attempts.entry((kernel.to_owned(), attempt)).or_insert_with(|| {
            let bar = match state.suspects.first() {
                Some(first) => bars.insert_before(first, ProgressBar::new_spinner()),
                None => bars.add(ProgressBar::new_spinner()),
            };
            bar.set_style(super::live::attempt_style());
            bar.set_prefix(state.line.status("RUNNING", Tone::Good));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        bar.set_message(format!("{}  {phase}, attempt {attempt}", printable(kernel)));
    }

    fn text(&self, state: &BisectingState<W>, event: &Event) -> Option<String> {
        let line = &state.line;
        // where there are bars, they show who is likeliest
        let named = if self.bars.is_some() { 0 } else { NAMED };
        let status = |word, tone| line.status(word, tone);
        Some(match event {
            Event::Bisection(record) => {
                let what = match record.find {
                    Find::Cause => "what brought the bug",
                    Find::Fix => "what removed the bug",
                };
                let candidates = record.candidates.len() - 1;
                let are = if candidates == 1 { "candidate" } else { "candidates" };
                let test = printable(&record.test);
                format!("{} {test}: {what}, {candidates} {are}", status("Bisecting", Tone::Good))
            }
            Event::BisectionStep { kernel, attempts, purpose, candidates, suspects, made, left } => {
                let (word, what) = match purpose {
                    Purpose::Ends => ("End", String::new()),
                    Purpose::Narrow => ("Narrow", likeliest(*candidates, suspects, named)),
                    Purpose::Confirm => ("Confirm", likeliest(*candidates, suspects, named)),
                };
                let times =
                    if *attempts == 1 { String::new() } else { format!(", up to {attempts} attempts") };
                let left = match (purpose, left) {
                    (Purpose::Narrow, Some(left)) => format!("; {made} made, about {left} to come"),
                    _ => String::new(),
                };
                let rest = state.paint.apply(Tone::Dim, &format!("{what}{left}"));
                format!("{} {}{times}{rest}", status(word, Tone::Name), printable(kernel))
            }
            Event::Earlier { kernel, seen, from, .. } => format!(
                "{} {}: {} of {} attempts showed the symptom in {}",
                status("Earlier", Tone::Dim),
                printable(kernel),
                seen.symptoms,
                seen.attempts,
                printable(from)
            ),
            Event::CandidateClosed { kernel, reason } => {
                // a compiler's first error stands in the second line
                let reason = reason.lines().take(2).collect::<Vec<_>>().join(" ");
                format!("{} {}  {}", status("SKIP", Tone::Skip), printable(kernel), printable(&reason))
            }
            Event::Attempt { cell, record } => attempt(line, &cell.kernel, record),
            Event::Host { .. } | Event::Notice { .. } | Event::Slow { .. } => return line.event(event),
            _ => return None,
        })
    }
}

impl<W: Write + Send> EventSink for Bisecting<W> {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock();
        if let Some(text) = self.text(&state, event) {
            self.println(&mut state, &text);
        }
        match event {
            Event::Bisection(record) if self.bars.is_some() => {
                let subject =
                    |candidate: &CandidateRecord| (candidate.name.clone(), printable(&candidate.subject));
                state.subjects = record.candidates.iter().map(subject).collect();
            }
            Event::BisectionStep { suspects, .. } => self.show_suspects(&mut state, suspects),
            Event::AttemptStarted { cell, attempt, .. } => {
                self.show_attempt(&mut state, &cell.kernel, *attempt, "prepare");
            }
            Event::Phase { cell, attempt, phase } => {
                self.show_attempt(&mut state, &cell.kernel, *attempt, phase.word());
            }
            Event::Attempt { cell, record } => {
                if let Some(bar) = state.attempts.remove(&(cell.kernel.clone(), record.attempt)) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        let attempts = std::mem::take(&mut state.attempts);
        attempts.into_values().chain(state.suspects.drain(..)).for_each(|bar| bar.finish_and_clear());
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

/// One attempt: its word, its time, the kernel, and what was seen.
fn attempt(line: &Line, kernel: &str, record: &AttemptRecord) -> String {
    let (word, tone) = status_word(record.verdict, None);
    let what = record.title.as_deref().or(record.reason.as_deref()).unwrap_or_default();
    let text = format!(
        "{} [{:>8.3}s] {}  {}",
        line.status(word, tone),
        record.seconds,
        printable(kernel),
        printable(what)
    );
    text.trim_end().to_owned()
}

/// How many of the likeliest are named in a line.
const NAMED: usize = 3;

/// `; 12 candidates, likeliest 7.2.3 34%, 7.2.4 20%`
fn likeliest(candidates: usize, suspects: &[Suspect], most: usize) -> String {
    let named: Vec<String> = suspects
        .iter()
        .take(most)
        .map(|suspect| format!("{} {}", outside(&suspect.kernel), likely(suspect.probability)))
        .collect();
    let are = if candidates == 1 { "candidate" } else { "candidates" };
    match named.is_empty() {
        true => format!("; {candidates} {are}"),
        false => format!("; {candidates} {are}, likeliest {}", named.join(", ")),
    }
}

/// The name of a suspect that is no kernel, in words.
fn outside(kernel: &str) -> &str {
    match kernel {
        "before" => "before the old end",
        "never" => "none at all",
        kernel => kernel,
    }
}

/// A style whose template is one of this file's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
