//! The last lines of a run: counts, every cell that is not good with the path of its evidence, what the absence of
//! a bug is worth, and the matrix.

use std::path::{Path, PathBuf};

use console::measure_text_width as width;

use super::cells::Outline;
use super::defects::{defects, headline as distinct_headline};
use super::fold::{CellSummary, RunEnd, RunSummary};
use super::history::Standing;
use super::line::KernelLines;
use super::matrix::{MatrixStyle, matrix};
use super::rerun::rerun;
use crate::event::CellRecord;
use crate::expectation::Agreement;
use crate::journal::{JournalError, RunDir};
use crate::plural::counted;
use crate::progress::{Line, Tone, excerpt, percent, printable, tally};
use crate::verdict::Verdict;

/// Cells that are listed one by one; the reports have all of them.
const CELLS_SHOWN: usize = 100;
/// Failures whose excerpt is shown at the end.
const EXCERPTS_SHOWN: usize = 20;
/// Defects that are named.
const DEFECTS_SHOWN: usize = 10;
/// The longest title of one, characters.
const TITLE_LIMIT: usize = 120;

/// The summary, each line ended. `run_dir` is where the run's files are, in the form in which the user may write it
/// (see [`shown_path`]).
///
/// # Errors
/// The journal cannot be read any more.
pub fn summary(run: &RunSummary, run_dir: &Path, style: MatrixStyle) -> Result<String, JournalError> {
    let mut line = Line::new(style.paint);
    run.kernels().iter().for_each(|kernel| line.make_room(kernel));
    let mut lines = vec![headline(run, &line)];
    let mut details = run.details();
    let kernel_lines = KernelLines::of(run);
    let mut listed = run.cells_to_tell().filter(is_listed);
    for outline in listed.by_ref().take(CELLS_SHOWN) {
        let cell = details.cell(outline.place())?;
        // of what is known, and of a first run, it would be said of every failure
        let is_news = cell.known() != Some("known");
        let standing =
            run.standing(outline.place()).filter(|standing| is_news && *standing != Standing::First);
        let standing = standing.map(|standing| ("history", standing.to_string()));
        let in_line = kernel_lines.standing(run, &cell).filter(|_| is_news);
        let in_line = in_line.map(|standing| ("line", standing.to_string()));
        let outcomes = outcomes(outline).map(|outcomes| ("attempts", outcomes));
        let standings: Vec<_> = outcomes.into_iter().chain(standing).chain(in_line).collect();
        lines.extend(cell_lines(run, &cell, &standings, &line, run_dir, style));
    }
    let more = listed.count();
    if more > 0 {
        lines.push(format!("{} and {more} more", " ".repeat(12)));
    }
    lines.extend(expectations(run, &line));
    if let Some(text) = not_run(run) {
        lines.push(format!("{} {text}", line.status("NOT RUN", Tone::Warn)));
    }
    lines.extend(
        run.holes().iter().map(|hole| format!("{} {}", line.status("MISSING", Tone::Warn), printable(hole))),
    );
    lines.extend(distinct(run, &line)?);
    let absence = absence(run);
    let column = absence.iter().map(|(test, _)| width(test)).max().unwrap_or(0);
    for (at, (test, worth)) in absence.into_iter().enumerate() {
        let label = if at == 0 { line.status("Absence", Tone::Good) } else { " ".repeat(12) };
        lines.push(format!("{label} {test}{}  {worth}", " ".repeat(column - width(&test))));
    }
    let rule = if style.unicode { "─" } else { "-" };
    let rule = style.paint.apply(Tone::Dim, &rule.repeat(style.width.min(60)));
    let matrix = matrix(run, style);
    let mut out = format!("{rule}\n{}\n", lines.join("\n"));
    if !matrix.is_empty() {
        out.push('\n');
        out.push_str(&matrix);
    }
    Ok(out)
}

/// The result and what failed anew, without what is to be read at leisure.
///
/// # Errors
/// The journal cannot be read any more.
pub fn brief(run: &RunSummary, run_dir: &Path, style: MatrixStyle) -> Result<String, JournalError> {
    let mut line = Line::new(style.paint);
    run.kernels().iter().for_each(|kernel| line.make_room(kernel));
    let mut out = headline(run, &line) + "\n";
    let mut details = run.details();
    for cell in run.cells_to_tell().filter(is_new_failure).take(CELLS_SHOWN) {
        let cell = details.cell(cell.place())?;
        cell_lines(run, &cell, &[], &line, run_dir, style)
            .iter()
            .for_each(|line| out = format!("{out}{line}\n"));
    }
    Ok(out)
}

/// The excerpts of new failures, each below the line of its cell.
///
/// # Errors
/// The journal cannot be read any more.
pub fn excerpts(run: &RunSummary, style: MatrixStyle) -> Result<String, JournalError> {
    let mut line = Line::new(style.paint);
    run.kernels().iter().for_each(|kernel| line.make_room(kernel));
    let (mut out, mut details) = (String::new(), run.details());
    for cell in run.cells_to_tell().filter(is_new_failure).take(EXCERPTS_SHOWN) {
        let cell = details.cell(cell.place())?;
        let (Some(record), Some(attempt)) = (&cell.record, cell.deciding_attempt()) else { continue };
        if let Some(text) = excerpt(record, attempt, style.paint) {
            out = format!("{out}{}\n{text}\n", line.cell(record));
        }
    }
    Ok(out)
}

/// Whether a cell failed and no suite lists that.
fn is_new_failure(cell: &Outline<'_>) -> bool {
    matches!(cell.verdict(), Some(Verdict::Bad | Verdict::Other)) && cell.known() != Some("known")
}

/// A path as it can be pasted into a shell: relative to the current folder when it lies in it, quoted when it must be.
pub fn shown_path(path: &Path) -> String {
    // A journal from elsewhere may name files as it likes.
    quoted(&printable(&relative(path)))
}

/// A path relative to the current folder when it lies in it.
pub(super) fn relative(path: &Path) -> String {
    let relative =
        std::env::current_dir().ok().and_then(|cwd| path.strip_prefix(cwd).map(Path::to_owned).ok());
    let path: PathBuf = relative.filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned());
    path.to_string_lossy().into_owned()
}

/// A word as a shell takes it for one.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+~@:,%=".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

impl RunSummary {
    /// How its cells came out, in words; there are some for a run without cells, too.
    pub fn tally(&self) -> String {
        let (known, fixed) = self.known_and_fixed();
        match tally(&self.counts(), known, fixed).as_slice() {
            [] => "nothing to run".to_owned(),
            words => words.join(", "),
        }
    }
}

fn headline(run: &RunSummary, line: &Line) -> String {
    let counts = run.counts();
    let (known, _) = run.known_and_fixed();
    let failed = counts.bad > known || counts.other > 0;
    let doubtful = counts.blind + counts.lost + counts.not_run > 0 || run.ended != RunEnd::Finished;
    let tone = match (failed, doubtful) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Warn,
        (false, false) => Tone::Good,
    };
    let cells = counted(run.planned(), "cell");
    let tally = run.tally();
    let ended = match run.ended {
        RunEnd::Finished => "",
        RunEnd::Cancelled => "; ended before every cell was run",
        RunEnd::Killed => "; the runner was killed",
        RunEnd::Running => "; the run still goes on",
    };
    format!("{} [{:>8.3}s] {cells}: {tally}{ended}", line.status("Summary", tone), run.seconds)
}

/// How many attempts came out in which way, where they did not all in the same.
fn outcomes(cell: Outline<'_>) -> Option<String> {
    let attempts = cell.attempt_verdicts();
    let count = |verdict| (attempts.iter().filter(|said| **said == verdict).count(), verdict);
    let found: Vec<_> = Verdict::ALL.into_iter().map(count).filter(|(count, _)| *count > 0).collect();
    let words = || found.iter().map(|(count, verdict)| format!("{count} {verdict}")).collect::<Vec<_>>();
    (found.len() > 1).then(|| words().join(", "))
}

/// Whether a cell is worth a line of its own at the end.
fn is_listed(cell: &Outline<'_>) -> bool {
    if cell.verdict() == Some(Verdict::Good) && outcomes(*cell).is_some() {
        return true;
    }
    let is_unexpected = cell.agreement() == Some(Agreement::Unexpected);
    cell.verdict().is_some_and(|verdict| verdict != Verdict::Good || cell.known().is_some() || is_unexpected)
}

fn cell_lines(
    run: &RunSummary,
    cell: &CellSummary,
    standings: &[(&str, String)],
    line: &Line,
    run_dir: &Path,
    style: MatrixStyle,
) -> Vec<String> {
    let Some(record) = &cell.record else { return Vec::new() };
    let expectation = cell.expectation.clone().map(Box::new);
    let mut lines = vec![line.cell(&CellRecord { expectation, ..record.clone() })];
    let label = |word: &str| style.paint.apply(Tone::Dim, &format!("{word:9}"));
    let standing = |(word, text): &(&str, String)| format!("{:>13}{} {}", "", label(word), printable(text));
    lines.extend(standings.iter().map(standing));
    if record.verdict != Verdict::Good
        && let Some(attempt) = cell.deciding_attempt()
    {
        for (word, path) in [("console", &attempt.console), ("reproduce", &attempt.reproduce)] {
            if let Some(path) = path {
                lines.push(format!("{:>13}{} {}", "", label(word), shown_path(&run_dir.join(path))));
            }
        }
        // what is not met stays so
        if record.verdict != Verdict::Skip {
            let label = style.paint.apply(Tone::Dim, "again    ");
            lines.push(format!("{:>13}{label} {}", "", rerun(run, &cell.id)));
        }
    }
    lines
}

/// How many verdicts are as the kernels' histories let one expect, and which packages have one version between them.
fn expectations(run: &RunSummary, line: &Line) -> Vec<String> {
    let mut lines = Vec::new();
    let (expected, unexpected) = run.agreements();
    if expected + unexpected > 0 {
        let bad = run.unexpectedly_bad().count();
        let tone = match (bad, unexpected) {
            (0, 0) => Tone::Good,
            (0, _) => Tone::Warn,
            _ => Tone::Bad,
        };
        let of_them = if bad > 0 { format!(", {bad} of them bad") } else { String::new() };
        let text = format!(
            "{} as the fixes in the kernels say, {unexpected} against that{of_them}",
            counted(expected, "verdict")
        );
        lines.push(format!("{} {text}", line.status("Expected", tone)));
    }
    let packages = run.packages_to_tell();
    if !packages.is_empty() {
        let packages: Vec<String> =
            packages.iter().map(|(kernel, package)| printable(&format!("{kernel} is {package}"))).collect();
        lines.push(format!("{} {}", line.status("Packages", Tone::Dim), packages.join(", ")));
    }
    lines
}

fn not_run(run: &RunSummary) -> Option<String> {
    let mut cells = run.cells().filter(|cell| cell.verdict().is_none());
    let first: Vec<String> = cells.by_ref().take(10).map(|cell| printable(&cell.id().to_string())).collect();
    let mut text = first.join(", ");
    let more = cells.count() as u64 + run.unnamed();
    if more > 0 {
        let and = if text.is_empty() { "" } else { " and " };
        text.push_str(&format!("{and}{more} more"));
    }
    (!text.is_empty()).then_some(text)
}

/// How many different defects the failing cells show, and those that more than one cell shows.
fn distinct(run: &RunSummary, line: &Line) -> Result<Vec<String>, JournalError> {
    let defects = defects(run)?;
    let Some(headline) = distinct_headline(&defects) else { return Ok(Vec::new()) };
    let mut lines = vec![format!("{} {headline}", line.status("Distinct", Tone::Bad))];
    let shared: Vec<_> = defects.iter().filter(|defect| defect.cells.len() > 1).collect();
    for defect in shared.iter().take(DEFECTS_SHOWN) {
        let title: String = printable(&defect.title).chars().take(TITLE_LIMIT).collect();
        lines.push(format!("{:>13}{:>3} cells  {title}", "", defect.cells.len()));
    }
    if shared.len() > DEFECTS_SHOWN {
        lines.push(format!("{:>13}and {} more", "", shared.len() - DEFECTS_SHOWN));
    }
    Ok(lines)
}

/// For each test with a good result, what it is worth.
pub fn absence(run: &RunSummary) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (test, places) in run.cells_by_test() {
        let cells = places.into_iter().map(|place| run.outline(place));
        let good: Vec<_> = cells.filter(|cell| cell.verdict() == Some(Verdict::Good)).collect();
        if good.is_empty() {
            continue;
        }
        let attempts = span(good.iter().map(|cell| cell.attempts()));
        let plural = if attempts == "1" { "attempt" } else { "attempts" };
        let on = if good.len() == 1 { "1 kernel".into() } else { format!("each of {} kernels", good.len()) };
        let chances: Vec<f64> = good.iter().filter_map(|cell| cell.miss_chance()).collect();
        let worth = match chances.iter().copied().reduce(f64::max) {
            Some(most) if chances.len() == good.len() => {
                format!("a bug that is there is missed with a chance of at most {}", percent(most))
            }
            Some(most) => format!(
                "a chance of a miss (at most {}) is known for {} of them",
                percent(most),
                chances.len()
            ),
            None => "the chance to see the bug in one attempt is not known".into(),
        };
        lines.push((printable(test), format!("{attempts} clean {plural} on {on}: {worth}")));
    }
    lines
}

/// `3`, or `1 to 3`.
fn span(numbers: impl Iterator<Item = u32> + Clone) -> String {
    let (least, most) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

/// The line that says where the reports are.
pub fn where_reports_are(run: &RunDir, files: &[&str], style: MatrixStyle) -> String {
    let line = Line::new(style.paint);
    let dir = shown_path(run.path());
    format!("{} {dir}: {}\n", line.status("Reports", Tone::Good), files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;

    fn text(run: &RunSummary) -> String {
        summary(run, Path::new("reports/x"), MatrixStyle::PLAIN).unwrap()
    }

    #[test]
    fn a_finished_run() {
        insta::assert_snapshot!(text(&sample::finished()), @r#"
        ────────────────────────────────────────────────────────────
             Summary [  42.300s] 9 cells: 2 bad (1 known), 2 good (1 fixed), 1 other, 1 skip, 1 blind, 1 lost, 1 not run
               KNOWN [   3.212s] 6.17.13 block::elevator-switch-race  BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
                     console   reports/x/attempts/block__elevator-switch-race@6.17.13/1/console.log
                     reproduce reports/x/attempts/block__elevator-switch-race@6.17.13/1/reproduce.sh
                     again     kregress run --exact block::elevator-switch-race -k 6.17.13
               FIXED [  31.000s] 7.2.13  block::elevator-switch-race  (3 attempts, chance of a miss 0.8%)
                FAIL [   3.212s] 6.12.57 cifs::fsconfig-source-leak  leak of 20000 objects in kmalloc-192
                     console   reports/x/attempts/cifs__fsconfig-source-leak@6.12.57/1/console.log
                     reproduce reports/x/attempts/cifs__fsconfig-source-leak@6.12.57/1/reproduce.sh
                     again     kregress run --exact cifs::fsconfig-source-leak -k 6.12.57
                SKIP [   0.000s] 6.17.13 cifs::fsconfig-source-leak  module cifs is not in this kernel's package
               BLIND [   3.212s] 7.2.13  cifs::fsconfig-source-leak  the slab probe could not be read: no /proc/slabinfo
                     console   reports/x/attempts/cifs__fsconfig-source-leak@7.2.13/1/console.log
                     reproduce reports/x/attempts/cifs__fsconfig-source-leak@7.2.13/1/reproduce.sh
                     again     kregress run --exact cifs::fsconfig-source-leak -k 7.2.13
                LOST [ 120.500s] 6.12.57 ext4::mmap-writeback-failure  the agent did not speak within 60 s  (2 attempts)
                     console   reports/x/attempts/ext4__mmap-writeback-failure@6.12.57/1/console.log
                     reproduce reports/x/attempts/ext4__mmap-writeback-failure@6.12.57/1/reproduce.sh
                     again     kregress run --exact ext4::mmap-writeback-failure -k 6.12.57
               OTHER [   3.212s] 6.17.13 ext4::mmap-writeback-failure  WARNING in ext4_iomap_begin
                     console   reports/x/attempts/ext4__mmap-writeback-failure@6.17.13/1/console.log
                     reproduce reports/x/attempts/ext4__mmap-writeback-failure@6.17.13/1/reproduce.sh
                     again     kregress run --exact ext4::mmap-writeback-failure -k 6.17.13
             NOT RUN ext4::mmap-writeback-failure@7.2.13
            Distinct 3 cells, 3 distinct defects
             Absence block::elevator-switch-race  3 clean attempts on each of 2 kernels: a bug that is there is missed with a chance of at most 0.8%

                                      6.12.57  6.17.13  7.2.13
        block::elevator-switch-race   PASS     KNOWN    FIXED
        cifs::fsconfig-source-leak    FAIL     SKIP     BLIND
        ext4::mmap-writeback-failure  LOST     OTHER    -
        "#);
    }

    #[test]
    fn cells_that_crash_alike_are_counted_once() {
        let text = text(&sample::crashing());
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("Distinct")).take(2).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Distinct 3 cells, 2 distinct crashes
                   3 cells  general protection fault in elevator_switch
        "#);
    }

    #[test]
    fn a_killed_run() {
        let mut events = sample::events();
        events.truncate(2 + 9 + 10);
        insta::assert_snapshot!(text(&sample::fold(events)), @r#"
        ────────────────────────────────────────────────────────────
             Summary [  40.112s] 9 cells: 1 bad (1 known), 1 good, 7 not run; the runner was killed
               KNOWN [   3.212s] 6.17.13 block::elevator-switch-race  BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
                     console   reports/x/attempts/block__elevator-switch-race@6.17.13/1/console.log
                     reproduce reports/x/attempts/block__elevator-switch-race@6.17.13/1/reproduce.sh
                     again     kregress run --exact block::elevator-switch-race -k 6.17.13
             NOT RUN block::elevator-switch-race@7.2.13, cifs::fsconfig-source-leak@6.12.57, cifs::fsconfig-source-leak@6.17.13, cifs::fsconfig-source-leak@7.2.13, ext4::mmap-writeback-failure@6.12.57, ext4::mmap-writeback-failure@6.17.13, ext4::mmap-writeback-failure@7.2.13
             Absence block::elevator-switch-race  3 clean attempts on 1 kernel: a bug that is there is missed with a chance of at most 0.8%

                                      6.12.57  6.17.13  7.2.13
        block::elevator-switch-race   PASS     KNOWN    -
        cifs::fsconfig-source-leak    -        -        -
        ext4::mmap-writeback-failure  -        -        -
        "#);
    }

    #[test]
    fn a_clean_and_an_empty_run() {
        let clean = sample::fold([
            sample::started(1),
            Event::Cell(Box::new(sample::record("a::b", "6.1", Verdict::Good))),
            sample::ended(false),
        ]);
        insta::assert_snapshot!(text(&clean), @r#"
        ────────────────────────────────────────────────────────────
             Summary [  42.300s] 1 cell: 1 good
             Absence a::b  1 clean attempt on 1 kernel: the chance to see the bug in one attempt is not known

              6.1
        a::b  PASS
        "#);
        let empty = sample::fold([sample::started(0), sample::ended(true)]);
        insta::assert_snapshot!(text(&empty), @r#"
        ────────────────────────────────────────────────────────────
             Summary [  42.300s] 0 cells: nothing to run; ended before every cell was run
        "#);
    }

    #[test]
    fn many_bad_cells_do_not_fill_the_screen() {
        let bad = |n: u32| Event::Cell(Box::new(sample::record("a::b", &format!("6.1.{n}"), Verdict::Bad)));
        let text = text(&sample::fold((0..500).map(bad)));
        let listed = text.lines().filter(|line| line.starts_with("        FAIL")).count();
        assert_eq!(listed, CELLS_SHOWN);
        assert!(text.contains("and 400 more"));
    }

    #[test]
    fn what_is_known_of_chances_is_said() {
        let good = |kernel, attempts, miss_chance| {
            let record =
                CellRecord { attempts, miss_chance, ..sample::record("a::b", kernel, Verdict::Good) };
            Event::Cell(Box::new(record))
        };
        let lines = |events: &[Event]| {
            let worth = absence(&sample::fold(events.to_vec()));
            worth.into_iter().map(|(test, worth)| format!("{test}  {worth}")).collect::<Vec<_>>().join("\n")
        };
        let text = [
            lines(&[good("6.1", 1, None)]),
            lines(&[good("6.1", 1, None), good("6.2", 3, None)]),
            lines(&[good("6.1", 3, Some(0.01)), good("6.2", 3, Some(0.2))]),
            lines(&[good("6.1", 3, Some(0.01)), good("6.2", 3, None)]),
        ];
        insta::assert_snapshot!(text.join("\n"), @r#"
        a::b  1 clean attempt on 1 kernel: the chance to see the bug in one attempt is not known
        a::b  1 to 3 clean attempts on each of 2 kernels: the chance to see the bug in one attempt is not known
        a::b  3 clean attempts on each of 2 kernels: a bug that is there is missed with a chance of at most 20%
        a::b  3 clean attempts on each of 2 kernels: a chance of a miss (at most 1.0%) is known for 1 of them
        "#);
    }

    #[test]
    fn the_reports_are_named() {
        let run = RunDir::at(Path::new("my reports/2026-11-21T09-12-33-a1b2"));
        let line = where_reports_are(&run, &["junit.xml", "index.html"], MatrixStyle::PLAIN);
        insta::assert_snapshot!(line, @"     Reports 'my reports/2026-11-21T09-12-33-a1b2': junit.xml, index.html");
    }

    #[test]
    fn paths_can_be_pasted() {
        let cases = [
            ("reports/x/attempts/a__b@6.1/1/console.log", "reports/x/attempts/a__b@6.1/1/console.log"),
            ("my reports/x", "'my reports/x'"),
            ("it's", r"'it'\''s'"),
            ("~x", "'~x'"),
            ("", "''"),
        ];
        for (path, expected) in cases {
            assert_eq!(quoted(path), expected);
        }
        let inside = std::env::current_dir().unwrap().join("reports/x");
        assert_eq!(shown_path(&inside), "reports/x");
    }
}
