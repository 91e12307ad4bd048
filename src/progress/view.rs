//! How much of a run is shown while it goes on.

use crate::event::Event;
use crate::verdict::Verdict;

/// Which results get a line, each level those before it as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusLevel {
    /// None.
    None,
    /// New failures.
    Fail,
    /// Attempts that are made again, and cells that could not be judged.
    Retry,
    /// Programs that take long.
    Slow,
    /// Good cells, and known failures.
    Pass,
    /// Cells that were skipped: everything.
    #[default]
    All,
}

/// When the excerpt of a failure is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureOutput {
    /// Below its line.
    #[default]
    Immediate,
    /// At the end of the run.
    Final,
    /// In the reports alone.
    Never,
}

/// What is shown of a run while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Results.
    pub status: StatusLevel,
    /// Excerpts.
    pub failures: FailureOutput,
    /// Whether what the run is made of is left out.
    pub quiet: bool,
    /// Whether every attempt gets a line.
    pub verbose: bool,
}

impl View {
    /// Whether an event gets the line that it has.
    pub(super) fn shows(self, event: &Event) -> bool {
        match event {
            Event::Cell(record) => {
                let is_known = record.known.as_deref() == Some("known");
                self.status
                    >= match record.verdict {
                        Verdict::Bad if is_known => StatusLevel::Pass,
                        Verdict::Bad | Verdict::Other => StatusLevel::Fail,
                        Verdict::Blind | Verdict::Lost => StatusLevel::Retry,
                        Verdict::Good => StatusLevel::Pass,
                        Verdict::Skip => StatusLevel::All,
                    }
            }
            Event::Slow { .. } => self.status >= StatusLevel::Slow,
            Event::RunStarted { .. } | Event::Host { .. } => !self.quiet,
            _ => true,
        }
    }

    /// Whether an attempt that is made again gets a line.
    pub(super) fn shows_retries(self) -> bool {
        self.status >= StatusLevel::Retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CellRecord;
    use crate::report::sample;

    #[test]
    fn each_level_shows_more() {
        use StatusLevel::{All, Fail, None, Pass, Retry, Slow};
        let cell = |verdict, known: Option<&str>| {
            let known = known.map(str::to_owned);
            Event::Cell(Box::new(CellRecord { known, ..sample::record("a::b", "6.1", verdict) }))
        };
        let table = [
            (cell(Verdict::Bad, Option::None), Fail),
            (cell(Verdict::Other, Option::None), Fail),
            (cell(Verdict::Lost, Option::None), Retry),
            (cell(Verdict::Blind, Option::None), Retry),
            (cell(Verdict::Bad, Some("known")), Pass),
            (cell(Verdict::Good, Option::None), Pass),
            (cell(Verdict::Skip, Option::None), All),
        ];
        for (event, from) in table {
            for status in [None, Fail, Retry, Slow, Pass, All] {
                let view = View { status, ..View::default() };
                assert_eq!(view.shows(&event), status >= from, "{status:?} {event:?}");
            }
        }
    }
}
