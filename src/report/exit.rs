//! The exit codes of the command: cargo-nextest's where it has one for the case.

use std::process::{ExitCode, Termination};

use super::fold::{RunEnd, RunSummary};

/// What the command's exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Every cell was judged and no bug was found that the suites do not list as known.
    Success = 0,
    /// The arguments cannot be read or do not fit together, as clap has it.
    Usage = 2,
    /// No cell was planned, or none of the planned ones could run because a need of each is not met.
    NothingToRun = 4,
    /// A filter expression could not be read.
    BadFilter = 94,
    /// The run could not be set up: a suite, a kernel, the host.
    SetupFailed = 96,
    /// A cell is `bad` and not listed as known, or `other`.
    TestsFailed = 100,
    /// No cell failed, but some could not be judged: `blind`, `lost` or not run.
    NotJudged = 102,
    /// A bisection ended without naming one change.
    Inconclusive = 103,
    /// A guest ended before the command that `kregress vm` ran in it: its kernel crashed or hung, or it restarted.
    GuestLost = 104,
    /// A command ran longer than it was given, as `timeout(1)` has it.
    TimedOut = 124,
    /// The user interrupted the run.
    Interrupted = 130,
}

impl ExitStatus {
    /// The code itself.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status.code())
    }
}

impl Termination for ExitStatus {
    fn report(self) -> ExitCode {
        self.into()
    }
}

/// The exit codes that `git bisect run` understands (git-bisect(1), "Bisect run"): 1 to 127 but 125 are bad, 125 is a commit
/// that cannot be tested, and from 128 on the bisection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GitBisectStatus {
    /// Whatever was judged is `good`.
    Good = 0,
    /// A cell is `bad`, known or not.
    Bad = 1,
    /// Nothing is bad, and something is not judged, or nothing ran.
    Skip = 125,
    /// The run could not be set up, which is no commit's fault.
    Broken = 128,
    /// The user interrupted the run.
    Interrupted = 130,
}

impl From<GitBisectStatus> for ExitCode {
    fn from(status: GitBisectStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

impl From<ExitStatus> for GitBisectStatus {
    /// What is said where there is no run whose verdicts could be asked.
    fn from(status: ExitStatus) -> GitBisectStatus {
        match status {
            ExitStatus::Success => GitBisectStatus::Good,
            ExitStatus::NothingToRun | ExitStatus::NotJudged | ExitStatus::Inconclusive => {
                GitBisectStatus::Skip
            }
            ExitStatus::Interrupted => GitBisectStatus::Interrupted,
            ExitStatus::Usage
            | ExitStatus::BadFilter
            | ExitStatus::SetupFailed
            | ExitStatus::TestsFailed
            | ExitStatus::GuestLost
            | ExitStatus::TimedOut => GitBisectStatus::Broken,
        }
    }
}

/// What the exit code of a run depends on besides its verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitPolicy {
    /// Do not look at the suites' lists of known results: every `bad` cell fails the run.
    pub ignore_known: bool,
    /// The user interrupted the run. The journal cannot tell this from a limit such as `--max-fail`.
    pub interrupted: bool,
}

impl RunSummary {
    /// The exit code of the run. A failure outweighs a cell that could not be judged, an interruption outweighs both
    /// because the rest of the run is unknown.
    pub fn exit_status(&self, policy: ExitPolicy) -> ExitStatus {
        let counts = self.counts();
        let (known, _) = self.known_and_fixed();
        let excused = if policy.ignore_known { 0 } else { known };
        let unjudged = counts.blind + counts.lost + counts.not_run;
        if policy.interrupted {
            ExitStatus::Interrupted
        } else if counts.bad > excused || counts.other > 0 {
            ExitStatus::TestsFailed
        } else if unjudged > 0
            || (matches!(self.ended, RunEnd::Killed | RunEnd::Running) && self.planned() > 0)
            || !self.holes().is_empty()
        {
            ExitStatus::NotJudged
        } else if counts.finished() == counts.skip {
            ExitStatus::NothingToRun
        } else {
            ExitStatus::Success
        }
    }
}

impl RunSummary {
    /// What the run says of the commit that `git bisect run` tries. What the suites list as known is bad all the same: a
    /// list changes how a result is shown, never what it is.
    pub fn git_bisect_status(&self, interrupted: bool) -> GitBisectStatus {
        let counts = self.counts();
        let whole = matches!(self.ended, RunEnd::Finished) && self.holes().is_empty();
        if interrupted {
            GitBisectStatus::Interrupted
        } else if counts.bad > 0 {
            GitBisectStatus::Bad
        } else if counts.good == 0 || counts.other + counts.blind + counts.lost + counts.not_run > 0 || !whole
        {
            GitBisectStatus::Skip
        } else {
            GitBisectStatus::Good
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;
    use crate::verdict::Verdict;

    type Cell = (Verdict, Option<&'static str>);

    fn run(cells: &[Cell], planned: u64) -> RunSummary {
        let mut events = vec![sample::started(planned)];
        for (at, (verdict, known)) in cells.iter().enumerate() {
            let record = sample::record("a::b", &format!("6.{at}"), *verdict);
            events.push(Event::Cell(Box::new(CellRecord { known: known.map(str::to_owned), ..record })));
        }
        events.push(sample::ended(false));
        sample::fold(events)
    }

    #[test]
    fn codes_follow_the_verdicts() {
        use Verdict::*;
        let known = Some("known");
        let cases: [(&[Cell], u64, ExitStatus); 12] = [
            (&[], 0, ExitStatus::NothingToRun),
            (&[(Good, None), (Good, Some("fixed"))], 2, ExitStatus::Success),
            (&[(Good, None), (Skip, None)], 2, ExitStatus::Success),
            (&[(Skip, None)], 1, ExitStatus::NothingToRun),
            (&[(Good, None), (Bad, None)], 2, ExitStatus::TestsFailed),
            (&[(Good, None), (Bad, known)], 2, ExitStatus::Success),
            (&[(Bad, None), (Bad, known)], 2, ExitStatus::TestsFailed),
            (&[(Other, known)], 1, ExitStatus::TestsFailed),
            (&[(Good, None), (Blind, None)], 2, ExitStatus::NotJudged),
            (&[(Good, None), (Lost, None)], 2, ExitStatus::NotJudged),
            (&[(Good, None)], 2, ExitStatus::NotJudged),
            (&[(Bad, None), (Lost, None)], 3, ExitStatus::TestsFailed),
        ];
        for (cells, planned, expected) in cases {
            assert_eq!(
                run(cells, planned).exit_status(ExitPolicy::default()),
                expected,
                "{cells:?} of {planned}"
            );
        }
    }

    #[test]
    fn a_commit_is_bad_by_its_own_symptom_only() {
        use GitBisectStatus::{Bad as IsBad, Good as IsGood, Skip as IsSkip};
        use Verdict::*;
        let cases: [(&[Cell], u64, GitBisectStatus); 10] = [
            (&[(Good, None)], 1, IsGood),
            (&[(Good, None), (Skip, None)], 2, IsGood),
            (&[(Bad, None)], 1, IsBad),
            (&[(Bad, Some("known")), (Lost, None)], 2, IsBad),
            (&[(Other, None)], 1, IsSkip),
            (&[(Blind, None), (Good, None)], 2, IsSkip),
            (&[(Lost, None)], 1, IsSkip),
            (&[(Skip, None)], 1, IsSkip),
            (&[], 0, IsSkip),
            (&[(Good, None)], 2, IsSkip),
        ];
        for (cells, planned, expected) in cases {
            assert_eq!(run(cells, planned).git_bisect_status(false), expected, "{cells:?} of {planned}");
        }
        assert_eq!(run(&[(Bad, None)], 1).git_bisect_status(true), GitBisectStatus::Interrupted);
    }

    #[test]
    fn known_results_can_be_ignored() {
        let run = run(&[(Verdict::Bad, Some("known"))], 1);
        let strict = ExitPolicy { ignore_known: true, ..ExitPolicy::default() };
        assert_eq!(run.exit_status(strict), ExitStatus::TestsFailed);
    }

    #[test]
    fn an_interruption_comes_first() {
        let policy = ExitPolicy { interrupted: true, ..ExitPolicy::default() };
        assert_eq!(run(&[(Verdict::Bad, None)], 2).exit_status(policy), ExitStatus::Interrupted);
    }

    #[test]
    fn a_killed_run_is_no_success() {
        let events = sample::events();
        let all_but_the_last = events.len() - 1;
        let run = sample::fold(events.into_iter().take(all_but_the_last));
        assert_ne!(run.exit_status(ExitPolicy::default()), ExitStatus::Success);
    }
}
