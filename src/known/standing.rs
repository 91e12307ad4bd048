//! One entry and its history, folded over runs from the newest back.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;

use crate::journal::{JournalError, RunDir};
use crate::report::RunSummary;
use crate::suite::{Expiry, Known, Test};
use crate::verdict::Verdict;
use crate::version::KernelVersion;

/// Runs in a row in which an entry has to be good everywhere to be outlived, unless somebody says otherwise.
pub const OUTLIVED: u32 = 15;

/// What a run saw of a cell that an entry speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The kernel.
    pub kernel: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, where it was something.
    pub title: Option<String>,
}

/// An entry that hides failures, and what became of it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The test.
    pub test: Arc<Test>,
    /// The entry.
    pub entry: Known,
    /// The newest run that judged it, and its cells that the entry speaks of.
    pub last: Option<(String, Vec<Seen>)>,
    /// So many of the newest runs that judged it found it good everywhere.
    pub good_in_a_row: u32,
}

/// What is to be done about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has expired: what it speaks of counts as a failure.
    Expired,
    /// What it speaks of was good in so many runs in a row that it should go.
    Outlived,
    /// It holds, and nobody said until when.
    WithoutEnd,
    /// It holds.
    Holds,
}

impl Standing {
    /// What is to be done; `runs` is how many good ones in a row make it outlived.
    pub fn state(&self, today: Date, runs: u32) -> State {
        match self.entry.expires {
            _ if self.entry.is_expired(today) => State::Expired,
            _ if self.good_in_a_row >= runs => State::Outlived,
            Expiry::Unsaid => State::WithoutEnd,
            Expiry::On(_) | Expiry::Never => State::Holds,
        }
    }

    /// Days since it was written, where that is said.
    pub fn age(&self, today: Date) -> Option<i32> {
        let since = self.entry.since?;
        since.until(today).ok().map(|age| age.get_days())
    }

    /// The notice for an entry that is outlived.
    pub fn outlived_notice(&self) -> String {
        let Known { versions, verdict, span, .. } = &self.entry;
        let (id, versions, word) = (self.test.id(), versions.as_str(), verdict.word());
        format!(
            "{span}: that {id} is {word} on {versions} was not seen in {} runs in a row: remove the entry, or narrow its versions",
            self.good_in_a_row
        )
    }
}

/// The entries of these tests that hide failures, with what the runs saw of them. `dirs` are the runs from the newest
/// back; no more of them are read than it takes to tell whether an entry is outlived by `runs` good ones.
///
/// # Errors
/// A journal is damaged.
pub fn standings(
    tests: &[Arc<Test>],
    dirs: impl IntoIterator<Item = RunDir>,
    runs: u32,
) -> Result<Vec<Standing>, JournalError> {
    let mut standings: Vec<Standing> = Vec::new();
    for test in tests {
        for entry in test.known.iter().filter(|entry| entry.hides_failures()) {
            let (test, entry) = (Arc::clone(test), entry.clone());
            standings.push(Standing { test, entry, last: None, good_in_a_row: 0 });
        }
    }
    let mut by_test: HashMap<String, Vec<usize>> = HashMap::new();
    for (nth, standing) in standings.iter().enumerate() {
        by_test.entry(standing.test.id()).or_default().push(nth);
    }
    // where an entry was not good, the runs before say nothing more of it
    let mut open: Vec<bool> = vec![true; standings.len()];
    for dir in dirs {
        if !open.contains(&true) {
            break;
        }
        let run = RunSummary::of(&dir)?;
        let mut seen: HashMap<usize, Vec<Seen>> = HashMap::new();
        let mut details = run.details();
        for cell in run.cells() {
            let Some(verdict) = cell.verdict().filter(|verdict| is_judged(*verdict)) else { continue };
            let version = version_of(cell.kernel(), cell.release());
            for nth in by_test.get(cell.test()).into_iter().flatten().filter(|nth| open[**nth]) {
                let speaks_of = |version: &KernelVersion| standings[*nth].entry.versions.contains(version);
                if version.as_ref().is_some_and(speaks_of) {
                    let title = details.cell(cell.place())?.record.and_then(|record| record.title);
                    let kernel = cell.kernel().to_owned();
                    seen.entry(*nth).or_default().push(Seen { kernel, verdict, title });
                }
            }
        }
        for (nth, seen) in seen {
            let standing = &mut standings[nth];
            let is_good = seen.iter().all(|seen| seen.verdict == Verdict::Good);
            standing.good_in_a_row += u32::from(is_good);
            open[nth] = is_good && standing.good_in_a_row < runs;
            standing.last.get_or_insert_with(|| (dir.id().to_owned(), seen));
        }
    }
    Ok(standings)
}

/// Whether a verdict speaks for or against a failure.
fn is_judged(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Bad | Verdict::Good | Verdict::Other)
}

/// The version of a kernel that a run names: `6.12.57`, `arm64:6.12.57`, or what `uname -r` says.
fn version_of(name: &str, release: Option<&str>) -> Option<KernelVersion> {
    let name = name.rsplit(':').next().unwrap_or(name);
    let upstream = |text: &str| text.split(['-', '+']).next().and_then(|start| start.parse().ok());
    name.parse()
        .ok()
        .or_else(|| release.and_then(|release| release.parse().ok().or_else(|| upstream(release))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::journal::Journal;
    use crate::plan::sample;
    use crate::report::sample::{record, started};

    fn test(known: &str) -> Arc<Test> {
        sample::placed("race", &format!("known: [{known}]")).test
    }

    /// Verdicts by kernel.
    type Cells<'a> = &'a [(&'a str, Verdict)];

    /// The runs of a folder, the oldest first: each has a verdict for some kernels.
    fn runs(runs: &[Cells<'_>]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (nth, cells) in runs.iter().enumerate() {
            let path = folder.path().join(format!("2026-11-{:02}T10-00-00-abcd", nth + 1));
            std::fs::create_dir(&path).unwrap();
            let journal = Journal::create(&path).unwrap();
            journal.append(&started(cells.len() as u64)).unwrap();
            for (kernel, verdict) in *cells {
                journal.append(&Event::Cell(Box::new(record("s::race", kernel, *verdict)))).unwrap();
            }
        }
        folder
    }

    fn one(known: &str, folder: &tempfile::TempDir, most: u32) -> Standing {
        let dirs = RunDir::all(folder.path()).into_iter().rev();
        standings(&[test(known)], dirs, most).unwrap().remove(0)
    }

    const BAD: &str = "{versions: 6.12..6.12.100, verdict: bad}";

    #[test]
    fn good_runs_are_counted_back_to_the_first_that_is_not() {
        use Verdict::{Bad, Good, Lost, Other, Skip};
        let good: Cells<'_> = &[("6.12.57", Good)];
        let table: &[(&[Cells<'_>], u32)] = &[
            (&[], 0),
            (&[good, good, good], 3),
            (&[good, &[("6.12.57", Bad)], good], 1),
            (&[good, good, &[("6.12.57", Other)]], 0),
            (&[good, &[("6.12.57", Skip)], &[("6.12.57", Lost)], good], 2),
            (&[good, &[("6.17.13", Bad)], good], 2),
            (&[&[("6.12.57", Good), ("6.12.90", Bad)], good], 1),
            (&[&[("arm64:6.12.57", Good)]], 1),
            (&[good, good, good, good, good, good], 5),
        ];
        for (table, wanted) in table {
            assert_eq!(one(BAD, &runs(table), 5).good_in_a_row, *wanted, "{table:?}");
        }
    }

    #[test]
    fn the_newest_run_that_judged_it_is_what_it_hides() {
        let seen = one(BAD, &runs(&[&[("6.12.57", Verdict::Bad)], &[("6.12.57", Verdict::Skip)]]), 5).last;
        let (run, seen) = seen.unwrap();
        assert_eq!(run, "2026-11-01T10-00-00-abcd");
        assert_eq!(seen, [Seen { kernel: "6.12.57".into(), verdict: Verdict::Bad, title: None }]);
    }

    #[test]
    fn an_entry_says_what_is_to_be_done() {
        let today: Date = "2026-11-29".parse().unwrap();
        let good = runs(&[&[("6.12.57", Verdict::Good)], &[("6.12.57", Verdict::Good)]]);
        let none = runs(&[]);
        let entry = |more: &str| format!("{{versions: 6.12.57, verdict: bad{more}}}");
        let table = [
            ("", &none, State::WithoutEnd, None),
            ("", &good, State::Outlived, None),
            (", expires: never", &none, State::Holds, None),
            (", since: 2026-11-01", &none, State::Holds, Some(28)),
            (", since: 2026-06-01", &none, State::Expired, Some(181)),
            (", since: 2026-06-02", &none, State::Holds, Some(180)),
            (", since: 2026-01-01, expires: 2027-01-01", &none, State::Holds, Some(332)),
            (", expires: 2026-11-28", &good, State::Expired, None),
            (", expires: 2026-11-29", &none, State::Holds, None),
            (", expires: never", &good, State::Outlived, None),
        ];
        for (more, folder, state, age) in table {
            let standing = one(&entry(more), folder, 2);
            assert_eq!((standing.state(today, 2), standing.age(today)), (state, age), "{more}");
        }
    }

    #[test]
    fn only_failures_are_hidden() {
        let known = "{versions: 6.12.57, verdict: good}, {versions: 6.12.57, verdict: other}";
        let standings = standings(&[test(known)], [], 5).unwrap();
        assert_eq!(standings.len(), 1);
    }

    #[test]
    fn versions_are_found_in_names_and_releases() {
        for (name, release, wanted) in [
            ("6.12.57", None, Some("6.12.57")),
            ("arm64:6.12.57", None, Some("6.12.57")),
            ("mine", Some("6.12.57-small+kasan"), Some("6.12.57")),
            ("mine", None, None),
        ] {
            let found = version_of(name, release).map(|version| version.upstream().to_string());
            assert_eq!(found.as_deref(), wanted, "{name}");
        }
    }
}
