//! Two columns of verdicts side by side: what changed, and whether that is more than luck.
//!
//! A flaky test that failed once more is no regression. A change counts as one only when chance explains it badly:
//! by the chance of a miss where the suite knows how often the bug shows, else by Fisher's exact test on the attempts.

mod pair;
mod show;
pub mod statistics;
mod subtests;

pub use pair::{kernels, runs};
pub use show::{markdown, text};
pub use subtests::{SubtestCount, SubtestCounts};

use serde::Serialize;

use crate::event::Diagnosis;
use crate::oops::{Report, ReportKind, same_defect};
use crate::report::{CellSummary, ExitStatus};
use crate::verdict::Verdict;

/// A change that chance explains with this or more is not counted as one.
pub const DOUBT: f64 = 0.05;

/// Whether chance is no explanation. Three attempts against three are exactly one in twenty: rounding shall not decide.
fn convincing(chance: f64) -> bool {
    chance < DOUBT - 1e-9
}

/// The result of the attempts of a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// The kernel's name.
    pub kernel: String,
    /// The verdict; absent: not run.
    pub verdict: Option<Verdict>,
    /// The title of the crash that decided.
    pub title: Option<String>,
    /// Why, where no title says it: the need that is not met, what was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attempts that showed the symptom.
    pub bad: u64,
    /// Attempts that ran the whole dose without it.
    pub good: u64,
    /// Attempts in which the kernel broke in another way.
    pub other: u64,
    /// The chance that a `good` verdict missed the bug, where that is known.
    pub miss_chance: Option<f64>,
    /// The mean of an attempt, seconds.
    pub seconds: f64,
    /// The crashes of all attempts.
    #[serde(skip)]
    pub crashes: Vec<Report>,
    /// The subtests of all attempts.
    #[serde(skip)]
    pub subtests: SubtestCounts,
}

impl Side {
    /// The side of a cell.
    pub fn of(cell: &CellSummary) -> Side {
        let count =
            |verdict| cell.attempts.iter().filter(|attempt| attempt.verdict == verdict).count() as u64;
        let seconds: f64 = cell.attempts.iter().map(|attempt| attempt.seconds).sum();
        Side {
            kernel: cell.id.kernel.clone(),
            verdict: cell.verdict(),
            title: cell.record.as_ref().and_then(|record| record.title.clone()),
            reason: cell.record.as_ref().and_then(|record| record.reason.clone()),
            bad: count(Verdict::Bad),
            good: count(Verdict::Good),
            other: count(Verdict::Other),
            miss_chance: cell.record.as_ref().and_then(|record| record.miss_chance),
            seconds: if cell.attempts.is_empty() { 0.0 } else { seconds / cell.attempts.len() as f64 },
            crashes: cell.attempts.iter().flat_map(|attempt| &attempt.diagnoses).map(report).collect(),
            subtests: subtests::count(cell.attempts.iter()),
        }
    }

    /// This side with the attempts of another cell of the same test on the same kernel.
    pub fn with(mut self, more: Side) -> Side {
        use Verdict::{Bad, Good, Other};
        // what was seen once was there; a cell without a judgement adds nothing
        let rank = |verdict: Option<Verdict>| {
            [None, Some(Good), Some(Other), Some(Bad)].iter().position(|v| *v == verdict)
        };
        if !more.judged() {
            return self;
        }
        let attempts = |side: &Side| (side.bad + side.good + side.other) as f64;
        let (mine, theirs) = (attempts(&self), attempts(&more));
        if mine + theirs > 0.0 {
            self.seconds = (self.seconds * mine + more.seconds * theirs) / (mine + theirs);
        }
        if rank(more.verdict) > rank(self.verdict) {
            (self.verdict, self.title, self.reason) = (more.verdict, more.title, more.reason);
        }
        self.bad += more.bad;
        self.good += more.good;
        self.other += more.other;
        self.miss_chance = self.miss_chance.zip(more.miss_chance).map(|(a, b)| a * b);
        self.crashes.extend(more.crashes);
        subtests::add(&mut self.subtests, more.subtests);
        self
    }

    fn judged(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Bad | Verdict::Good | Verdict::Other))
    }

    fn broken(&self) -> u64 {
        self.bad + self.other
    }
}

/// A crash of the journal as the diagnosis gave it, as far as its sameness needs.
fn report(crash: &Diagnosis) -> Report {
    Report {
        title: crash.title.clone(),
        alt_titles: Vec::new(),
        kind: crash.kind.parse().unwrap_or(ReportKind::Unknown),
        corrupted: crash.corrupted,
        corrupted_reason: None,
        frame: crash.frame.clone(),
        frames: crash.frames.clone(),
        suppressed: false,
        panicked: false,
        start: 0,
        end: 0,
        start_line: crash.line,
        task: None,
        pid: None,
        cpu: None,
    }
}

/// How a cell changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was good and is not any more.
    Worse,
    /// It looks worse, and that can be luck.
    PerhapsWorse,
    /// It broke before and is good now.
    Better,
    /// It looks better, and that can be luck.
    PerhapsBetter,
    /// It has no judgement on at least one side.
    NotComparable,
    /// As before.
    Same,
}

impl Change {
    /// All, worst first.
    pub const ALL: [Change; 6] = [
        Change::Worse,
        Change::PerhapsWorse,
        Change::Better,
        Change::PerhapsBetter,
        Change::NotComparable,
        Change::Same,
    ];

    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Change::Worse => "worse",
            Change::PerhapsWorse => "perhaps worse",
            Change::Better => "better",
            Change::PerhapsBetter => "perhaps better",
            Change::NotComparable => "not comparable",
            Change::Same => "same",
        }
    }
}

/// One test on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `suite::test`.
    pub test: String,
    /// Before.
    pub before: Side,
    /// After.
    pub after: Side,
    /// How it changed.
    pub change: Change,
    /// The chance that two equal kernels differ as much; absent where nothing changed.
    pub chance: Option<f64>,
    /// Crashes that only the second side has.
    pub new_crashes: Vec<String>,
    /// Subtests that fail on the second side, and did not on the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_failures: Vec<String>,
}

impl Row {
    /// Compares one cell with another.
    pub fn of(test: &str, before: Side, after: Side) -> Row {
        let (mut change, chance) = change(&before, &after);
        let news = subtests::new_failures(&before.subtests, &after.subtests);
        // where the cell fails as before, a part of it that passed and fails now is news all the same
        if matches!(change, Change::Same | Change::PerhapsWorse) && !news.is_empty() {
            let sure = news.iter().any(|(_, convincing)| *convincing);
            change = if sure { Change::Worse } else { Change::PerhapsWorse };
        }
        let new_failures = news.into_iter().map(|(name, _)| name).collect();
        let mut new_crashes: Vec<String> = Vec::new();
        for crash in &after.crashes {
            let known = before.crashes.iter().any(|old| same_defect(old, crash).is_same());
            if !known && !new_crashes.contains(&crash.title) {
                new_crashes.push(crash.title.clone());
            }
        }
        Row { test: test.to_owned(), before, after, change, chance, new_crashes, new_failures }
    }

    /// The test, with its kernel where that is the same on both sides.
    pub fn label(&self) -> String {
        if self.before.kernel == self.after.kernel {
            format!("{}@{}", self.test, self.after.kernel)
        } else {
            self.test.clone()
        }
    }
}

fn change(before: &Side, after: &Side) -> (Change, Option<f64>) {
    use Verdict::{Bad, Good, Other, Skip};
    if before.verdict == Some(Skip) && after.verdict == Some(Skip) {
        return (Change::Same, None);
    }
    if !before.judged() || !after.judged() {
        return (Change::NotComparable, None);
    }
    // the good side may have missed what the other one saw
    let luck = |good: &Side, broken: &Side| {
        let fisher = statistics::fisher_one_sided(broken.broken(), broken.good, good.broken(), good.good);
        // the chance of a miss is about the test's own symptom
        good.miss_chance.filter(|_| broken.verdict == Some(Bad)).unwrap_or(fisher)
    };
    match (before.verdict, after.verdict) {
        (Some(Good), Some(Bad | Other)) => {
            let chance = luck(before, after);
            (if convincing(chance) { Change::Worse } else { Change::PerhapsWorse }, Some(chance))
        }
        (Some(Bad | Other), Some(Good)) => {
            let chance = luck(after, before);
            (if convincing(chance) { Change::Better } else { Change::PerhapsBetter }, Some(chance))
        }
        // the symptom gave way to another crash, which says nothing about the bug
        (Some(Bad), Some(Other)) => (Change::PerhapsWorse, None),
        (Some(Other), Some(Bad)) => (Change::PerhapsWorse, None),
        _ => {
            let chance =
                statistics::fisher_one_sided(after.broken(), after.good, before.broken(), before.good);
            if convincing(chance) && after.good + before.good > 0 {
                (Change::PerhapsWorse, Some(chance))
            } else {
                (Change::Same, None)
            }
        }
    }
}

/// Two columns side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What the first column is.
    pub before: String,
    /// What the second column is.
    pub after: String,
    /// The tests that both have, worst first.
    pub rows: Vec<Row>,
    /// Cells that only the first has.
    pub only_before: Vec<String>,
    /// Cells that only the second has.
    pub only_after: Vec<String>,
}

impl Comparison {
    /// How many rows changed like this.
    pub fn count(&self, change: Change) -> usize {
        self.rows.iter().filter(|row| row.change == change).count()
    }

    /// 100 when something got worse, 4 when there is nothing to compare, 102 when something may have got worse or
    /// cannot be compared.
    pub fn exit_status(&self) -> ExitStatus {
        let unsure = self.count(Change::PerhapsWorse) + self.count(Change::NotComparable);
        if self.rows.is_empty() {
            ExitStatus::NothingToRun
        } else if self.count(Change::Worse) > 0 {
            ExitStatus::TestsFailed
        } else if unsure > 0 {
            ExitStatus::NotJudged
        } else {
            ExitStatus::Success
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(verdict: Verdict, bad: u64, good: u64, miss_chance: Option<f64>) -> Side {
        Side { verdict: Some(verdict), bad, good, miss_chance, ..Side::default() }
    }

    #[test]
    fn luck_is_told_from_a_change() {
        use Verdict::{Bad, Blind, Good};
        let table = [
            (side(Good, 0, 3, Some(0.008)), side(Bad, 1, 0, None), Change::Worse),
            (side(Good, 0, 3, None), side(Bad, 1, 0, None), Change::PerhapsWorse),
            (side(Good, 0, 20, None), side(Bad, 1, 0, None), Change::Worse),
            (side(Bad, 1, 2, None), side(Good, 0, 3, None), Change::PerhapsBetter),
            (side(Bad, 4, 0, None), side(Good, 0, 4, None), Change::Better),
            (side(Bad, 1, 9, None), side(Bad, 2, 8, None), Change::Same),
            (side(Bad, 1, 19, None), side(Bad, 12, 8, None), Change::PerhapsWorse),
            (side(Bad, 1, 0, None), side(Bad, 1, 0, None), Change::Same),
            (side(Good, 0, 3, None), side(Blind, 0, 0, None), Change::NotComparable),
        ];
        for (before, after, expected) in table {
            assert_eq!(change(&before, &after).0, expected, "{before:?} {after:?}");
        }
    }
}
