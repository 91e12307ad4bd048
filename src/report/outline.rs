//! What a run saw, in short, beside its journal: so that a hundred earlier runs can be asked in the time that it takes to
//! read the journal of one.
//!
//! The first line of `outline.jsonl` says what run it is and how many cells have which verdict, each further line is a test:
//! `{"test":"block::x","cells":[["6.17.13","bad",1,0,2]]}`, a kernel, the verdict, and how many attempts were bad, other and
//! good. It is made from the journal and counts only as long as that has the length that it had then.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ReportError;
use super::cells::Outline;
use super::file::{WriteError, write_with};
use super::fold::{RunEnd, RunSummary};
use crate::event::Counts;
use crate::journal::RunDir;
use crate::verdict::Verdict;

/// The file's name in its run's folder.
pub const OUTLINE_FILE: &str = "outline.jsonl";

/// The version of the file's form. One of another version is made again.
const FORM: u32 = 1;

/// What a run is, without its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    outline: u32,
    /// Length of the journal that it was made from, bytes.
    journal: u64,
    /// Its id.
    pub run: String,
    /// When it started.
    pub at: Option<Timestamp>,
    /// How it ended, as [`RunEnd::word`] has it.
    pub ended: String,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Cells that were planned.
    pub cells: u64,
    /// Their verdicts.
    #[serde(flatten)]
    pub counts: Counts,
    /// Of the bad ones those that the suites list as known.
    pub known: u64,
    /// Whether it is a bisection.
    #[serde(default)]
    pub bisection: bool,
    /// The part of a plan that it is: `slice:1/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The runs that it was merged of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// The command line.
    pub command: Vec<String>,
}

/// A cell in short, a list in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, Verdict, u32, u32, u32)", into = "(String, Verdict, u32, u32, u32)")]
pub struct ShortCell {
    /// The kernel's name.
    pub kernel: String,
    /// The cell's verdict.
    pub verdict: Verdict,
    /// Attempts that showed the symptom.
    pub bad: u32,
    /// Attempts in which the kernel broke in another way.
    pub other: u32,
    /// Whole doses without either.
    pub good: u32,
}

impl From<(String, Verdict, u32, u32, u32)> for ShortCell {
    fn from((kernel, verdict, bad, other, good): (String, Verdict, u32, u32, u32)) -> ShortCell {
        ShortCell { kernel, verdict, bad, other, good }
    }
}

impl From<ShortCell> for (String, Verdict, u32, u32, u32) {
    fn from(cell: ShortCell) -> Self {
        (cell.kernel, cell.verdict, cell.bad, cell.other, cell.good)
    }
}

#[derive(Serialize, Deserialize)]
struct TestLine {
    test: String,
    cells: Vec<ShortCell>,
}

impl RunHead {
    /// The head of a run whose journal has this length.
    fn of(run: &RunSummary, journal: u64) -> RunHead {
        RunHead {
            outline: FORM,
            journal,
            run: run.id.clone(),
            at: run.started,
            ended: run.ended.word().to_owned(),
            seconds: run.seconds,
            cells: run.planned(),
            counts: run.counts(),
            known: run.known_and_fixed().0,
            bisection: run.is_bisection,
            partition: run.split.partition.as_ref().map(|partition| partition.to_string()),
            merged: run.split.merged.iter().map(|member| member.run.clone()).collect(),
            command: run.command.clone(),
        }
    }
}

/// A run's outline.
#[derive(Debug)]
pub struct OutlineFile {
    /// What run it is.
    pub head: RunHead,
    lines: Lines,
}

#[derive(Debug)]
enum Lines {
    File(BufReader<File>),
    /// It could not be kept.
    Made(std::vec::IntoIter<(String, Vec<ShortCell>)>),
}

/// The length of a run's journal.
///
/// # Errors
/// It cannot be asked for.
pub fn journal_length(dir: &RunDir) -> io::Result<u64> {
    Ok(std::fs::metadata(dir.journal())?.len())
}

/// Writes the outline of a run that has ended.
///
/// # Errors
/// The folder cannot be written.
pub fn write(run: &RunSummary, dir: &RunDir) -> Result<(), WriteError> {
    let path = dir.path().join(OUTLINE_FILE);
    let failed = |source| WriteError { path: path.clone(), source };
    let head = RunHead::of(run, journal_length(dir).map_err(failed)?);
    write_with(&path, |out| {
        let mut line = |value: &dyn Fn(&mut dyn Write) -> serde_json::Result<()>| {
            value(&mut *out).map_err(io::Error::from).and_then(|()| out.write_all(b"\n")).map_err(failed)
        };
        line(&|out| serde_json::to_writer(out, &head))?;
        for (test, cells) in short(run) {
            let of_test = TestLine { test, cells };
            line(&|out| serde_json::to_writer(out, &of_test))?;
        }
        Ok(())
    })
}

/// The cells that have a verdict, by test.
fn short(run: &RunSummary) -> impl Iterator<Item = (String, Vec<ShortCell>)> {
    let of = |place: usize| short_cell(run.outline(place));
    let tests = run.cells_by_test().into_iter();
    tests.map(move |(test, places)| (test.to_owned(), places.into_iter().filter_map(of).collect()))
}

fn short_cell(cell: Outline<'_>) -> Option<ShortCell> {
    let verdict = cell.verdict()?;
    let attempts = cell.attempt_verdicts();
    let count = |wanted: Verdict| attempts.iter().filter(|said| **said == wanted).count() as u32;
    let (bad, other, good) = (count(Verdict::Bad), count(Verdict::Other), count(Verdict::Good));
    Some(ShortCell { kernel: cell.kernel().to_owned(), verdict, bad, other, good })
}

impl OutlineFile {
    /// Opens the outline of a run, if there is one that is up to date.
    pub fn open(dir: &RunDir) -> Option<OutlineFile> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(dir.path().join(OUTLINE_FILE)).ok()?);
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line).ok()?;
        let head: RunHead = serde_json::from_slice(&line).ok()?;
        let current = head.outline == FORM && Some(head.journal) == journal_length(dir).ok();
        current.then_some(OutlineFile { head, lines: Lines::File(file) })
    }

    /// Opens the outline of a run, or makes it from the journal, and keeps it if the run has ended and its folder can be written.
    ///
    /// # Errors
    /// The journal cannot be read, or is damaged.
    pub fn of(dir: &RunDir) -> Result<OutlineFile, ReportError> {
        if let Some(outline) = OutlineFile::open(dir) {
            return Ok(outline);
        }
        let run = RunSummary::of(dir)?;
        // where it cannot be kept the journal is read again the next time
        if run.ended != RunEnd::Running
            && write(&run, dir).is_ok()
            && let Some(outline) = OutlineFile::open(dir)
        {
            return Ok(outline);
        }
        let head = RunHead::of(&run, journal_length(dir).unwrap_or_default());
        Ok(OutlineFile { head, lines: Lines::Made(short(&run).collect::<Vec<_>>().into_iter()) })
    }

    /// The cells of the tests that are wanted. A damaged line ends them: the file is no evidence, only a help.
    pub fn cells(self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<ShortCell>)> {
        match self.lines {
            Lines::Made(tests) => tests.filter(|(test, _)| wanted(test)).collect(),
            Lines::File(mut file) => {
                let (mut line, mut found) = (Vec::new(), Vec::new());
                loop {
                    line.clear();
                    if !file.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                        return found;
                    }
                    if named(&line).is_some_and(|test| !wanted(test)) {
                        continue;
                    }
                    match serde_json::from_slice::<TestLine>(&line) {
                        Ok(line) if wanted(&line.test) => found.push((line.test, line.cells)),
                        Ok(_) => {}
                        Err(_) => return found,
                    }
                }
            }
        }
    }
}

/// The test of a line, where that can be told without reading all of it.
fn named(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(br#"{"test":""#)?;
    let name = &rest[..memchr::memchr2(b'"', b'\\', rest)?];
    // with a backslash it is another name than it seems
    (rest[name.len()] == b'"').then(|| std::str::from_utf8(name).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::report::sample;

    fn run(root: &std::path::Path) -> RunDir {
        let dir = RunDir::create(root).unwrap();
        let journal = Journal::create(dir.path()).unwrap();
        for event in sample::events() {
            journal.append(&event).unwrap();
        }
        dir
    }

    #[test]
    fn an_outline_says_the_same_as_its_journal() {
        let root = tempfile::tempdir().unwrap();
        let dir = run(root.path());
        assert!(OutlineFile::open(&dir).is_none());
        let first = OutlineFile::of(&dir).unwrap();
        let kept = OutlineFile::open(&dir).expect("it was kept");
        assert_eq!(first.head, kept.head);
        let wanted = |test: &str| test.starts_with("block");
        let cells = kept.cells(wanted);
        assert_eq!(first.cells(wanted), cells);
        let run = RunSummary::of(&dir).unwrap();
        assert_eq!(short(&run).filter(|(test, _)| wanted(test)).collect::<Vec<_>>(), cells);
        let text = std::fs::read_to_string(dir.path().join(OUTLINE_FILE)).unwrap();
        insta::assert_snapshot!(text.lines().nth(1).unwrap(), @r#"{"test":"block::elevator-switch-race","cells":[["6.12.57","good",0,0,3],["6.17.13","bad",1,0,0],["7.2.13","good",0,0,3]]}"#);
    }

    #[test]
    fn a_journal_that_grew_has_no_outline() {
        let root = tempfile::tempdir().unwrap();
        let dir = run(root.path());
        OutlineFile::of(&dir).unwrap();
        let journal = Journal::resume(dir.path()).unwrap();
        journal.append(&sample::started(12)).unwrap();
        assert!(OutlineFile::open(&dir).is_none());
        // nor is one kept of a run that still goes on
        assert_eq!(OutlineFile::of(&dir).unwrap().head.ended, "running");
        assert!(OutlineFile::open(&dir).is_none());
    }

    #[test]
    fn a_damaged_outline_is_none() {
        let root = tempfile::tempdir().unwrap();
        let dir = run(root.path());
        OutlineFile::of(&dir).unwrap();
        let path = dir.path().join(OUTLINE_FILE);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 10, whole.len() / 2, whole.len() - 3] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let cells = OutlineFile::of(&dir).unwrap().cells(|_| true);
            assert!(cells.len() <= 3, "{cut}");
        }
    }

    #[test]
    fn names_are_told_without_the_rest() {
        let table = [
            (r#"{"test":"a::b","cells":[]}"#, Some("a::b")),
            (r#"{"test":"a\"b","cells":[]}"#, None),
            (r#"{"cells":[],"test":"a"}"#, None),
            (r#"{"test":"a"#, None),
        ];
        for (line, name) in table {
            assert_eq!(named(line.as_bytes()), name, "{line}");
        }
    }
}
