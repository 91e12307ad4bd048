//! Workflow commands of GitHub Actions
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>): what failed, at the line of the
//! suite where its test begins.

use std::io::Write;
use std::path::Path;

use super::ReportError;
use super::evidence::said;
use super::fold::{CellSummary, RunEnd, RunSummary};
use super::matrix::word_of;
use super::rerun::rerun;
use super::summary::relative;
use crate::plural::counted;
use crate::progress::printable;
use crate::verdict::Verdict;

/// Annotations of each kind: GitHub shows ten of a step.
const OF_A_KIND: usize = 10;

/// Writes a line for each of the first cells that failed, was not judged or is known to fail, and says how many are left.
///
/// # Errors
/// The journal cannot be read any more, or `out` cannot be written to.
pub fn write(run: &RunSummary, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut details = run.details();
    for kind in ["error", "warning", "notice"] {
        let mut cells =
            run.cells_to_tell().filter(|cell| kind_of(cell.verdict(), cell.known()) == Some(kind));
        for outline in cells.by_ref().take(OF_A_KIND) {
            let line = line(run, &details.cell(outline.place())?, kind);
            out.write_all(line.as_bytes()).map_err(ReportError::Output)?;
        }
        let more = cells.count();
        if more > 0 {
            writeln!(
                out,
                "{} {} an annotation of the kind {kind}, of which GitHub shows {OF_A_KIND}",
                counted(more, "more cell"),
                if more == 1 { "has" } else { "have" }
            )
            .map_err(ReportError::Output)?;
        }
    }
    if let Some(text) = not_run(run) {
        writeln!(out, "::warning title=NOT RUN::{}", data(&text)).map_err(ReportError::Output)?;
    }
    Ok(())
}

/// What was planned and has no verdict, and which parts of a plan are missing: one annotation for all of it.
fn not_run(run: &RunSummary) -> Option<String> {
    /// Cells that are named.
    const NAMED: usize = 10;
    let holes = run.holes();
    let count = run.counts().not_run;
    if count == 0 && holes.is_empty() {
        return None;
    }
    let cells = run.cells().filter(|cell| cell.verdict().is_none());
    let named: Vec<String> = cells.take(NAMED).map(|cell| printable(&cell.id().to_string())).collect();
    let mut lines = Vec::new();
    if count > 0 {
        let why = match run.ended {
            RunEnd::Finished => "",
            RunEnd::Cancelled => ", as the run was ended before",
            RunEnd::Killed => ", as the runner was killed",
            RunEnd::Running => " yet, as the run still goes on",
        };
        let more = count - (named.len() as u64).min(count);
        let more = (more > 0).then(|| match named.is_empty() {
            true => format!("{more} that were not named yet"),
            false => format!("{more} more"),
        });
        let which: Vec<String> = named.into_iter().chain(more).collect();
        let planned = counted(run.planned(), "planned cell");
        lines.push(format!("{count} of {planned} did not run{why}: {}", which.join(", ")));
    }
    lines.extend(holes.iter().map(|hole| printable(hole)));
    Some(lines.join("\n"))
}

fn kind_of(verdict: Option<Verdict>, known: Option<&str>) -> Option<&'static str> {
    match (verdict?, known) {
        (Verdict::Bad, Some("known")) => Some("notice"),
        (Verdict::Bad | Verdict::Other, _) => Some("error"),
        (Verdict::Blind | Verdict::Lost, _) => Some("warning"),
        (Verdict::Good | Verdict::Skip, _) => None,
    }
}

fn line(run: &RunSummary, cell: &CellSummary, kind: &str) -> String {
    let (word, _) = word_of(cell.verdict(), cell.known());
    let title = format!("{word} {} on {}", cell.id.test, cell.id.kernel);
    // a file outside of the repository, such as a suite that is built in, has no line that could be shown
    let place = run.about(&cell.id.test).and_then(|about| {
        let file = relative(Path::new(&about.file));
        (!file.starts_with(['/', '.'])).then(|| format!("file={},line={},", property(&file), about.line))
    });
    let mut text = printable(&said(cell, run.ended));
    if let Some(beside) = cell.beside_expected() {
        text.push('\n');
        text.push_str(&printable(&beside));
    }
    text.push_str(&format!("\nrun it again: {}", rerun(run, &cell.id)));
    format!("::{kind} {}title={}::{}\n", place.unwrap_or_default(), property(&printable(&title)), data(&text))
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;

    fn lines(run: &RunSummary) -> String {
        let mut out = Vec::new();
        write(run, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn failures_stand_at_the_line_of_their_test() {
        insta::assert_snapshot!(lines(&sample::finished()), @"
        ::error file=suites/cifs.yaml,line=12,title=FAIL cifs%3A%3Afsconfig-source-leak on 6.12.57::leak of 20000 objects in kmalloc-192%0Arun it again: kregress run --exact cifs::fsconfig-source-leak -k 6.12.57
        ::error file=suites/ext4.yaml,line=12,title=OTHER ext4%3A%3Ammap-writeback-failure on 6.17.13::WARNING in ext4_iomap_begin%0Arun it again: kregress run --exact ext4::mmap-writeback-failure -k 6.17.13
        ::warning file=suites/cifs.yaml,line=12,title=BLIND cifs%3A%3Afsconfig-source-leak on 7.2.13::the slab probe could not be read: no /proc/slabinfo%0Arun it again: kregress run --exact cifs::fsconfig-source-leak -k 7.2.13
        ::warning file=suites/ext4.yaml,line=12,title=LOST ext4%3A%3Ammap-writeback-failure on 6.12.57::the agent did not speak within 60 s%0Arun it again: kregress run --exact ext4::mmap-writeback-failure -k 6.12.57
        ::notice file=suites/block.yaml,line=12,title=KNOWN block%3A%3Aelevator-switch-race on 6.17.13::BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request%0Arun it again: kregress run --exact block::elevator-switch-race -k 6.17.13
        ::warning title=NOT RUN::1 of 9 planned cells did not run: ext4::mmap-writeback-failure@7.2.13
        ");
    }

    #[test]
    fn what_a_guest_says_is_no_command() {
        let title = Some("100%\n::error::forged, a: b\r\n".to_owned());
        let record = CellRecord { title, ..sample::record("a::b,c:d", "6.1", Verdict::Bad) };
        let text = lines(&sample::fold([Event::Cell(Box::new(record))]));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.starts_with(
                "::error title=FAIL a%3A%3Ab%2Cc%3Ad on 6.1::100%25 ::error::forged, a: b%0Arun"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_did_not_run_has_one_annotation() {
        let events = sample::events();
        let started = events.len() - 12;
        let text = lines(&sample::fold(events.into_iter().take(started)));
        let said: Vec<&str> = text.lines().filter(|line| line.contains("NOT RUN")).collect();
        insta::assert_snapshot!(said.join("\n"), @"::warning title=NOT RUN::4 of 9 planned cells did not run, as the runner was killed: cifs::fsconfig-source-leak@7.2.13, ext4::mmap-writeback-failure@6.12.57, ext4::mmap-writeback-failure@6.17.13, ext4::mmap-writeback-failure@7.2.13");
        let cut = lines(&sample::fold([sample::started(3), sample::ended(true)]));
        insta::assert_snapshot!(cut, @"::warning title=NOT RUN::3 of 3 planned cells did not run, as the run was ended before: 3 that were not named yet");
        let none = sample::fold([
            sample::started(1),
            Event::Cell(Box::new(sample::record("a::b", "6.1", Verdict::Good))),
            sample::ended(false),
        ]);
        assert_eq!(lines(&none), "");
    }

    #[test]
    fn the_rest_is_counted() {
        let bad = |n: u32| Event::Cell(Box::new(sample::record("a::b", &format!("6.1.{n}"), Verdict::Bad)));
        let text = lines(&sample::fold((0..13).map(bad)));
        assert_eq!(text.lines().count(), 11);
        assert!(
            text.ends_with("3 more cells have an annotation of the kind error, of which GitHub shows 10\n")
        );
    }
}
