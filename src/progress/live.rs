//! The view on a terminal.

use std::collections::HashMap;
use std::fmt;

use parking_lot::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::EventSink;
use super::excerpt::Excerpts;
use super::line::{Line, clock};
use super::paint::{Paint, Tone};
use super::running::{Finished, Running, remaining};
use super::screen;
use super::view::{FailureOutput, View};
use crate::event::{CellId, Event};

/// How often times are redrawn.
const TICK: Duration = Duration::from_millis(250);

/// The line of an attempt; what does not fit is cut.
const ATTEMPT: &str = "{prefix} [{seconds}] {wide_msg}";
/// The line of the run.
const RUN: &str = "{prefix} [ {clock}] [{bar:16}] {pos}/{len}{left}: {wide_msg}";

/// One bar for the run, one line for each running attempt above it, and finished cells scrolling away above them.
#[derive(Debug)]
pub struct Live {
    bars: MultiProgress,
    state: Mutex<LiveState>,
}

#[derive(Debug)]
struct LiveState {
    line: Line,
    running: Running,
    run: Option<ProgressBar>,
    attempts: HashMap<CellId, ProgressBar>,
    paint: Paint,
    excerpts: Excerpts,
    view: View,
}

impl Live {
    /// The view among `bars`, which others may show theirs in too.
    pub fn new(bars: MultiProgress, paint: Paint, view: View) -> Live {
        let state = LiveState {
            line: Line::new(paint),
            running: Running::default(),
            run: None,
            attempts: HashMap::new(),
            paint,
            excerpts: Excerpts::default(),
            view,
        };
        Live { bars, state: Mutex::new(state) }
    }

    fn println(&self, text: &str) {
        // Nobody reads: the journal still has it.
        let _ = screen::print_above(&self.bars, text);
    }

    fn show_attempt(&self, state: &mut LiveState, cell: &CellId) {
        let Some(attempt) = state.running.attempt(cell) else { return };
        let (before, after) = state.line.running(cell, attempt.attempt, attempt.of, attempt.phase);
        let bar = state.attempts.entry(cell.clone()).or_insert_with(|| {
            let bar = match &state.run {
                Some(run) => self.bars.insert_before(run, ProgressBar::new_spinner()),
                None => self.bars.add(ProgressBar::new_spinner()),
            };
            bar.set_style(attempt_style());
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_prefix(before);
        bar.set_message(after);
    }

    fn show_run(&self, state: &mut LiveState) {
        let run = state.run.get_or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_style(run_style());
            bar.set_prefix(Line::new(state.paint).status("Running", Tone::Good));
            bar.enable_steady_tick(TICK);
            bar
        });
        run.set_length(state.running.planned());
        run.set_position(state.running.finished());
        run.set_message(state.running.tally());
    }
}

impl EventSink for Live {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock();
        let finished = state.running.apply(event);
        if let Event::Planned { cell, .. } = event {
            state.line.make_room(&cell.kernel);
        }
        match &finished {
            Some(Finished::Retried(cell, record)) if state.view.shows_retries() && !state.view.verbose => {
                self.println(&state.line.attempt(cell, record));
            }
            Some(Finished::Retried(..)) => {}
            Some(Finished::Cell(cell)) => {
                if let Some(bar) = state.attempts.remove(cell) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            None => {}
        }
        if let (Event::Attempt { cell, record }, true) = (event, state.view.verbose) {
            self.println(&state.line.attempt(cell, record));
        }
        if let Some(text) = state.line.event(event).filter(|_| state.view.shows(event)) {
            self.println(&text);
        }
        if state.view.failures == FailureOutput::Immediate {
            let paint = state.paint;
            if let Some(text) = state.excerpts.apply(event, paint) {
                self.println(&text);
            }
        }
        match event {
            Event::AttemptStarted { cell, .. } => {
                // Each attempt is timed from its own start.
                if let Some(bar) = state.attempts.get(cell) {
                    bar.reset_elapsed();
                }
                self.show_attempt(&mut state, cell);
                self.show_run(&mut state);
            }
            Event::Phase { cell, .. } => self.show_attempt(&mut state, cell),
            Event::RunStarted { .. } | Event::Cell(_) => self.show_run(&mut state),
            _ => {}
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        for (_, bar) in state.attempts.drain() {
            bar.finish_and_clear();
        }
        if let Some(run) = state.run.take() {
            run.finish_and_clear();
        }
        let _ = self.bars.clear();
    }
}

/// The style of the line of an attempt.
pub(super) fn attempt_style() -> ProgressStyle {
    style(ATTEMPT).with_key("seconds", |state: &ProgressState, w: &mut dyn fmt::Write| {
        let _ = write!(w, "{:>8.3}s", state.elapsed().as_secs_f64());
    })
}

fn run_style() -> ProgressStyle {
    style(RUN)
        .progress_chars("=> ")
        .with_key("clock", |state: &ProgressState, w: &mut dyn fmt::Write| {
            let _ = write!(w, "{:>8}", clock(state.elapsed().as_secs_f64()));
        })
        .with_key("left", |state: &ProgressState, w: &mut dyn fmt::Write| {
            let elapsed = state.elapsed().as_secs_f64();
            if let Some(seconds) = remaining(elapsed, state.pos(), state.len().unwrap_or(0)) {
                let _ = write!(w, ", {} left", clock(seconds));
            }
        })
}

/// A style whose template is one of this file's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn every_template_is_valid() {
        for template in
            ["{prefix} [{seconds}] {msg}", "{prefix} [ {clock}] [{bar:24}] {pos}/{len}: {msg}{left}"]
        {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn lines_of_finished_cells_go_away() {
        let hidden = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let live = Live::new(hidden, Paint::OFF, View::default());
        let events = sample::events();
        events.iter().for_each(|event| live.event(event));
        {
            let state = live.state.lock();
            // The cell that was started and never ended.
            assert_eq!(
                state.attempts.keys().map(|cell| cell.kernel.as_str()).collect::<Vec<_>>(),
                ["7.2.13"]
            );
            let run = state.run.as_ref().unwrap();
            assert_eq!((run.position(), run.length()), (8, Some(9)));
        }
        live.close();
        assert!(live.state.lock().attempts.is_empty());
    }
}
