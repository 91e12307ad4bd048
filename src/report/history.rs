//! Since when a cell fails: what the runs before this one saw of the same test on the same kernel.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;

use super::cells::Outline;
use super::fold::RunSummary;
use super::outline::{OutlineFile, RunHead, journal_length};
use crate::journal::RunDir;
use crate::verdict::Verdict;

/// Earlier runs that are asked, the newest first.
const RUNS_ASKED: usize = 100;

/// Journals without an outline that are read for that, bytes together; after that an outline is there.
const JOURNALS_READ: u64 = 512 << 20;

/// A streak of failures that a flaky cell has with this chance or more is no streak.
const DOUBT: f64 = 0.05;

/// What an earlier run saw of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierRun {
    /// The run's id.
    pub run: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Attempts that failed.
    pub failed: u32,
    /// Attempts that judged.
    pub judged: u32,
}

/// What earlier runs saw of the failures of a run, by the cell's place, the newest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    cells: HashMap<usize, Vec<EarlierRun>>,
    /// Whether anybody was asked.
    asked: bool,
}

/// Since when a cell fails.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// No earlier run judged it.
    First,
    /// Earlier runs judged it good.
    New {
        /// How many in a row.
        good_runs: usize,
        /// The last of them.
        last_good: String,
    },
    /// It was good before, and fails since then.
    Since {
        /// The first run of the streak.
        since: String,
        /// Runs of the streak, this one included.
        runs: usize,
        /// The last run in which it was good.
        last_good: String,
    },
    /// It failed in every run that judged it.
    Always {
        /// The first of them that is still there.
        since: String,
        /// How many they are, this one included.
        runs: usize,
    },
    /// It fails at times.
    Flaky {
        /// Runs in which it failed, this one included.
        failed_runs: usize,
        /// Runs that judged it.
        runs: usize,
        /// Attempts that failed in all of them.
        failed: u64,
        /// Attempts that judged.
        attempts: u64,
    },
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs = |count: usize| if count == 1 { "the run".into() } else { format!("the {count} runs") };
        match self {
            Standing::First => f.write_str("no earlier run here judged it"),
            Standing::New { good_runs, last_good } => {
                write!(f, "new: good in {} before, {last_good}", runs(*good_runs))
            }
            Standing::Since { since, runs, last_good } => {
                write!(f, "failing since {since}, {runs} runs; good in {last_good}")
            }
            Standing::Always { since, runs } => write!(f, "failing in all {runs} runs since {since}"),
            Standing::Flaky { failed_runs, runs, failed, attempts } => {
                write!(f, "flaky: failed in {failed_runs} of {runs} runs, {failed} of {attempts} attempts")
            }
        }
    }
}

/// Whether a run failed; `None`: it did not judge.
fn failed(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Bad | Verdict::Other => Some(true),
        Verdict::Good => Some(false),
        Verdict::Skip | Verdict::Blind | Verdict::Lost => None,
    }
}

impl Standing {
    /// Since when a cell fails that fails now, in `failed_now` of `judged_now` attempts; `before` are the earlier runs, the
    /// newest first.
    fn of(before: &[EarlierRun], failed_now: u32, judged_now: u32) -> Standing {
        let before: Vec<(&EarlierRun, bool)> =
            before.iter().filter_map(|run| Some((run, failed(run.verdict)?))).collect();
        let earlier_failures = before.iter().take_while(|(_, failed)| *failed).count();
        let rest = &before[earlier_failures..];
        let streak = earlier_failures + 1;
        let first_of_streak = earlier_failures.checked_sub(1).map(|last| before[last].0.run.clone());
        match (rest.first(), &first_of_streak) {
            (None, None) => return Standing::First,
            (None, Some(since)) => return Standing::Always { since: since.clone(), runs: streak },
            _ => {}
        }
        let failures = rest.iter().filter(|(_, failed)| *failed).count();
        // how often a cell fails that failed so often before, by Laplace's rule
        let chance = (failures + 1) as f64 / (rest.len() + 2) as f64;
        let by_chance = chance.powi(streak.min(1000) as i32) >= DOUBT;
        if failures > 0 && by_chance {
            let sum = |of: &dyn Fn(&EarlierRun) -> u32| {
                before.iter().map(|(run, _)| u64::from(of(run))).sum::<u64>()
            };
            return Standing::Flaky {
                failed_runs: failures + streak,
                runs: before.len() + 1,
                failed: sum(&|run| run.failed) + u64::from(failed_now),
                attempts: sum(&|run| run.judged) + u64::from(judged_now),
            };
        }
        let last_good = rest[0].0.run.clone();
        match first_of_streak {
            Some(since) => Standing::Since { since, runs: streak, last_good },
            None => {
                Standing::New { good_runs: rest.iter().take_while(|(_, failed)| !failed).count(), last_good }
            }
        }
    }
}

impl RunSummary {
    /// Since when a cell fails; `None` where it does not, or no earlier runs were asked.
    pub fn standing(&self, place: usize) -> Option<Standing> {
        let cell = self.outline(place);
        if !self.history.asked || failed(cell.verdict()?) != Some(true) {
            return None;
        }
        let attempts = cell.attempt_verdicts();
        let count =
            |wanted: bool| attempts.iter().filter(|said| failed(**said) == Some(wanted)).count() as u32;
        let (failed, good) = (count(true), count(false));
        let before = self.history.cells.get(&place).map_or(&[][..], Vec::as_slice);
        Some(Standing::of(before, failed, failed + good))
    }

    /// Whether a cell fails at times, so that so many clean attempts of another kernel may be luck: it is flaky by what
    /// earlier runs saw, or attempts of it are good as well and it fails too seldom.
    pub fn may_be_luck(&self, cell: Outline<'_>, clean_elsewhere: u32) -> bool {
        if matches!(self.standing(cell.place()), Some(Standing::Flaky { .. })) {
            return true;
        }
        let attempts = cell.attempt_verdicts();
        let own = |wanted: bool| attempts.iter().filter(|said| failed(**said) == Some(wanted)).count() as u32;
        let earlier = self.history.cells.get(&cell.place()).map_or(&[][..], Vec::as_slice);
        let bad = own(true) + earlier.iter().map(|run| run.failed).sum::<u32>();
        let all = own(true) + own(false) + earlier.iter().map(|run| run.judged).sum::<u32>();
        let chance = f64::from(bad) / f64::from(all.max(1));
        own(false) > 0 && (1.0 - chance).powi(clean_elsewhere.min(1000) as i32) >= DOUBT
    }

    /// Asks the runs of a folder that began before this one what they saw of its failures. What cannot be read is left out:
    /// history is a help, never the answer.
    pub fn with_history(mut self, root: &Path) -> RunSummary {
        self.ask(root);
        self
    }

    /// As [`RunSummary::with_history`].
    pub fn ask(&mut self, root: &Path) {
        let is_failing = |cell: &Outline<'_>| cell.verdict().and_then(failed) == Some(true);
        let mut history = History { asked: true, ..History::default() };
        let tests: BTreeSet<&str> = self.cells().filter(is_failing).map(Outline::test).collect();
        if !tests.is_empty() && !self.is_bisection {
            for outline in self.earlier(root) {
                let run = outline.head.run.clone();
                for (test, cells) in outline.cells(|test| tests.contains(test)) {
                    for cell in cells {
                        if let Some(failing) = self.find(&test, &cell.kernel).filter(is_failing) {
                            let failed = cell.bad + cell.other;
                            let (verdict, judged) = (cell.verdict, failed + cell.good);
                            let seen = EarlierRun { run: run.clone(), verdict, failed, judged };
                            history.cells.entry(failing.place()).or_default().push(seen);
                        }
                    }
                }
            }
        }
        self.history = history;
    }

    /// The outlines of the runs before this one, the newest first. A run that is in another one is not asked twice, nor are the
    /// parts of this one.
    fn earlier(&self, root: &Path) -> Vec<OutlineFile> {
        let mut left = JOURNALS_READ;
        let mut affordable = |dir: &RunDir| {
            let length = journal_length(dir).unwrap_or(u64::MAX);
            let paid = left.checked_sub(length);
            left = paid.unwrap_or(left);
            paid.is_some()
        };
        let own: BTreeSet<String> = self.members().into_iter().map(|member| member.run).collect();
        let is_before =
            |head: &RunHead| head.run != self.id && (head.at, &head.run) < (self.started, &self.id);
        let mut found: Vec<OutlineFile> = Vec::new();
        for dir in RunDir::all(root).into_iter().rev() {
            if found.len() == RUNS_ASKED {
                break;
            }
            if dir.id() == self.id || dir.is_running() {
                continue;
            }
            let outline = OutlineFile::open(&dir);
            let outline = outline.or_else(|| affordable(&dir).then(|| OutlineFile::of(&dir).ok()).flatten());
            let is_own = |head: &RunHead| {
                own.contains(&head.run)
                    || (!head.merged.is_empty() && head.merged.iter().all(|run| own.contains(run)))
                    || head.merged.contains(&self.id)
            };
            found.extend(outline.filter(|o| is_before(&o.head) && !o.head.bisection && !is_own(&o.head)));
        }
        let inside: BTreeSet<String> = found.iter().flat_map(|outline| outline.head.merged.clone()).collect();
        found.retain(|outline| !inside.contains(&outline.head.run));
        found.sort_by(|a, b| (b.head.at, &b.head.run).cmp(&(a.head.at, &a.head.run)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::line::KernelLines;
    use crate::report::sample;

    /// Runs as letters, the newest first: `b`ad, `o`ther, `g`ood, `s`kip, `l`ost.
    fn standing(before: &str) -> String {
        let of = |(n, letter): (usize, char)| {
            let verdict = match letter {
                'b' => Verdict::Bad,
                'o' => Verdict::Other,
                'g' => Verdict::Good,
                's' => Verdict::Skip,
                _ => Verdict::Lost,
            };
            EarlierRun { run: format!("r{n}"), verdict, failed: u32::from(letter == 'b'), judged: 2 }
        };
        Standing::of(&before.chars().enumerate().map(of).collect::<Vec<_>>(), 1, 3).to_string()
    }

    #[test]
    fn a_flaky_cell_is_no_regression_of_its_line() {
        let bad = |verdict, kernel| Event::Cell(Box::new(sample::record("a::b", kernel, verdict)));
        let good = CellRecord { attempts: 100, ..sample::record("a::b", "6.12.57", Verdict::Good) };
        let mut run = sample::fold([Event::Cell(Box::new(good)), bad(Verdict::Bad, "6.12.117")]);
        let in_line = |run: &RunSummary| {
            let cell = run.details().cell(1).unwrap();
            KernelLines::of(run).standing(run, &cell).unwrap().to_string()
        };
        assert_eq!(in_line(&run), "a regression: 6.12.57 is good");
        let earlier = |verdict| EarlierRun {
            run: "r".into(),
            verdict,
            failed: u32::from(verdict == Verdict::Bad),
            judged: 1,
        };
        let before = vec![earlier(Verdict::Good), earlier(Verdict::Bad)];
        run.history = History { cells: HashMap::from([(1, before)]), asked: true };
        assert!(matches!(run.standing(1), Some(Standing::Flaky { .. })));
        assert_eq!(
            in_line(&run),
            "it fails at times, which is no regression by itself, though 6.12.57 is good"
        );
    }

    #[test]
    fn since_when() {
        let table = [
            "",
            "ls",
            "g",
            "gggg",
            "sgg",
            "b",
            "bob",
            "bg",
            "blbgg",
            "gb",
            "gbgbg",
            "bgb",
            "ggggggb",
            "bbbbbbgggb",
            "bbbggggggggb",
        ];
        let table: Vec<String> =
            table.iter().map(|before| format!("{before:13}{}", standing(before))).collect();
        insta::assert_snapshot!(table.join("\n"), @r"
                     no earlier run here judged it
        ls           no earlier run here judged it
        g            new: good in the run before, r0
        gggg         new: good in the 4 runs before, r0
        sgg          new: good in the 2 runs before, r1
        b            failing in all 2 runs since r0
        bob          failing in all 4 runs since r2
        bg           failing since r0, 2 runs; good in r1
        blbgg        failing since r2, 3 runs; good in r3
        gb           flaky: failed in 2 of 3 runs, 2 of 7 attempts
        gbgbg        flaky: failed in 3 of 6 runs, 3 of 13 attempts
        bgb          flaky: failed in 3 of 4 runs, 3 of 9 attempts
        ggggggb      flaky: failed in 2 of 8 runs, 2 of 17 attempts
        bbbbbbgggb   failing since r5, 7 runs; good in r6
        bbbggggggggb failing since r2, 4 runs; good in r3
        ");
    }
}
