//! A run as plain text for a mailing list: lines of at most 72 columns, besides names and commands that cannot be broken.

use std::fmt::Write as _;

use super::defects::{Defect, defects, headline};
use super::evidence::said;
use super::fold::RunSummary;
use super::matrix::word_of;
use super::rerun::rerun;
use super::summary::absence;
use crate::expectation::Expectation;
use crate::journal::JournalError;
use crate::plural::counted;
use crate::progress::{clock, printable};
use crate::verdict::Verdict;

/// Columns that a line has.
const COLUMNS: usize = 72;
/// Cells of each list.
const LISTED: usize = 30;
/// Lines of a crash report, and columns of each: a quoted log is not wrapped.
const EXCERPT_LINES: usize = 30;
const EXCERPT_COLUMNS: usize = COLUMNS - 2;
/// Defects whose crash report is quoted.
const QUOTED: usize = 3;

/// The document.
///
/// # Errors
/// The journal cannot be read any more.
pub fn mail(run: &RunSummary) -> Result<String, JournalError> {
    let mut out = String::new();
    let cells = counted(run.planned(), "cell");
    let tally = run.tally();
    let when = run.started.map(|at| at.strftime(" of %Y-%m-%d").to_string()).unwrap_or_default();
    wrap(
        &mut out,
        "",
        "",
        &format!("kregress run{when}: {cells}, {tally}; {} after {}.", run.ended.word(), clock(run.seconds)),
    );
    let kernels: Vec<&str> = run.kernels();
    wrap(&mut out, "Kernels: ", "         ", &kernels.join(", "));
    if let Some(host) = &run.host {
        wrap(&mut out, "Machine: ", "         ", &format!("QEMU {} with {}", host.qemu, host.accel));
    }
    push_failures(&mut out, run)?;
    push_defects(&mut out, run)?;
    push_others(&mut out, run)?;
    let absence = absence(run);
    if !absence.is_empty() {
        out.push_str("\nWhat a good result is worth\n\n");
        for (test, worth) in absence.iter().take(LISTED) {
            wrap(&mut out, "  ", "    ", &format!("{test}: {worth}"));
        }
        rest(&mut out, absence.len());
    }
    Ok(out)
}

/// What is new, what it is and what runs it again.
fn push_failures(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let is_new =
        |verdict, known| matches!(verdict, Some(Verdict::Bad | Verdict::Other)) && known != Some("known");
    let failing: Vec<usize> = run
        .cells_to_tell()
        .filter(|cell| is_new(cell.verdict(), cell.known()))
        .map(|cell| cell.place())
        .collect();
    if failing.is_empty() {
        out.push_str("\nNo new failure.\n");
        return Ok(());
    }
    let _ = writeln!(out, "\nNew failures ({})\n", failing.len());
    let mut details = run.details();
    for place in failing.iter().take(LISTED) {
        let cell = details.cell(*place)?;
        let (word, _) = word_of(cell.verdict(), cell.known());
        wrap(out, "  ", "    ", &format!("{word} {} on {}", cell.id.test, cell.id.kernel));
        wrap(out, "    ", "    ", &said(&cell, run.ended));
        if run.outline(*place).is_unexpectedly_bad() {
            let reason = cell.expectation.as_ref().map(Expectation::reason).unwrap_or_default();
            wrap(out, "    ", "    ", &format!("although that kernel should not have the bug: {reason}"));
        }
        let _ = writeln!(out, "    $ {}", rerun(run, &cell.id));
    }
    rest(out, failing.len());
    Ok(())
}

fn push_defects(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let defects = defects(run)?;
    if let Some(headline) = headline(&defects) {
        let _ = writeln!(out, "\nDefects: {headline}\n");
        for defect in defects.iter().take(LISTED) {
            wrap(out, &format!("{:>4}  ", defect.cells.len()), "      ", &defect.title);
        }
        rest(out, defects.len());
    }
    defects.iter().take(QUOTED).try_for_each(|defect| push_excerpt(out, run, defect))
}

fn push_excerpt(out: &mut String, run: &RunSummary, defect: &Defect) -> Result<(), JournalError> {
    let Some(place) = defect.cells.first() else { return Ok(()) };
    let cell = run.details().cell(place)?;
    let reports = cell.attempts.iter().flat_map(|attempt| &attempt.diagnoses);
    let Some(report) = reports.into_iter().find(|report| report.title == defect.title) else { return Ok(()) };
    out.push('\n');
    wrap(out, "", "", &format!("{} on {}:", cell.id.test, cell.id.kernel));
    out.push('\n');
    let lines: Vec<&str> = report.text.trim_end().lines().collect();
    for line in lines.iter().take(EXCERPT_LINES) {
        let line: String = printable(line).chars().take(EXCERPT_COLUMNS).collect();
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > EXCERPT_LINES {
        out.push_str("  […]\n");
    }
    Ok(())
}

/// What could not be judged, and what is known.
fn push_others(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let mut details = run.details();
    for (title, wanted) in
        [("Not judged", [Verdict::Blind, Verdict::Lost]), ("Known", [Verdict::Bad, Verdict::Bad])]
    {
        let places: Vec<usize> = run
            .cells()
            .filter(|cell| cell.verdict().is_some_and(|verdict| wanted.contains(&verdict)))
            .filter(|cell| title != "Known" || cell.known() == Some("known"))
            .map(|cell| cell.place())
            .collect();
        if places.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title} ({})\n", places.len());
        for place in places.iter().take(LISTED) {
            let cell = details.cell(*place)?;
            wrap(
                out,
                "  ",
                "    ",
                &format!("{} on {}: {}", cell.id.test, cell.id.kernel, said(&cell, run.ended)),
            );
        }
        rest(out, places.len());
    }
    let not_run = run.counts().not_run;
    if not_run > 0 {
        let _ = writeln!(out, "\nNot run: {not_run}");
    }
    Ok(())
}

fn rest(out: &mut String, all: usize) {
    if let Some(more) = all.checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more");
    }
}

/// Adds a text, broken between its words.
fn wrap(out: &mut String, first: &str, others: &str, text: &str) {
    let mut line = first.to_owned();
    let mut any = false;
    for word in printable(text).split_whitespace() {
        let width = console::measure_text_width(&line) + usize::from(any) + console::measure_text_width(word);
        if any && width > COLUMNS {
            let _ = writeln!(out, "{line}");
            line = others.to_owned();
            any = false;
        }
        if any {
            line.push(' ');
        }
        line.push_str(word);
        any = true;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_finished_run() {
        let text = mail(&sample::finished()).unwrap();
        insta::assert_snapshot!(text, @"
        kregress run of 2026-11-21: 9 cells, 2 bad (1 known), 2 good (1 fixed),
        1 other, 1 skip, 1 blind, 1 lost, 1 not run; finished after 00:42.
        Kernels: 6.12.57, 6.17.13, 7.2.13
        Machine: QEMU 10.0.2 with tcg

        New failures (2)

          FAIL cifs::fsconfig-source-leak on 6.12.57
            leak of 20000 objects in kmalloc-192
            $ kregress run --exact cifs::fsconfig-source-leak -k 6.12.57
          OTHER ext4::mmap-writeback-failure on 6.17.13
            WARNING in ext4_iomap_begin
            $ kregress run --exact ext4::mmap-writeback-failure -k 6.17.13

        Defects: 3 cells, 3 distinct defects

           1  BUG: unable to handle kernel NULL pointer dereference in
              blk_mq_free_request
           1  leak of 20000 objects in kmalloc-192
           1  WARNING in ext4_iomap_begin

        block::elevator-switch-race on 6.17.13:

          BUG: kernel NULL pointer dereference, address: 0000000000000008
          RIP: 0010:blk_mq_free_request+0x12/0x90 ]]> <&�[31m

        ext4::mmap-writeback-failure on 6.17.13:

          WARNING: CPU: 1 PID: 99 at fs/ext4/inode.c:3423

        Not judged (2)

          cifs::fsconfig-source-leak on 7.2.13: the slab probe could not be
            read: no /proc/slabinfo
          ext4::mmap-writeback-failure on 6.12.57: the agent did not speak
            within 60 s

        Known (1)

          block::elevator-switch-race on 6.17.13: BUG: unable to handle kernel
            NULL pointer dereference in blk_mq_free_request

        Not run: 1

        What a good result is worth

          block::elevator-switch-race: 3 clean attempts on each of 2 kernels: a
            bug that is there is missed with a chance of at most 0.8%
        ");
        let too_long =
            |line: &&str| console::measure_text_width(line) > COLUMNS && !line.contains("$ kregress");
        assert_eq!(text.lines().find(too_long), None);
    }

    #[test]
    fn a_flood_is_cut() {
        let bad = |n: u32| {
            crate::event::Event::Cell(Box::new(sample::record("a::b", &format!("6.1.{n}"), Verdict::Bad)))
        };
        let text = mail(&sample::fold((0..500).map(bad))).unwrap();
        assert!(text.contains("and 470 more") && text.len() < 20_000);
    }
}
