//! A run as Markdown: for a job summary of a CI system, an issue or a mail. Short: the matrix, and for each cell that
//! is not good its title and the beginning of its crash report.

use std::fmt::Write as _;

use super::defects::{defects, headline};
use super::fold::RunSummary;
use super::matrix::word;
use super::summary::absence;
use super::text::{cut_middle, replace_forbidden};
use crate::expectation::Expectation;
use crate::journal::JournalError;
use crate::plural::counted;
use crate::progress::{clock, printable};
use crate::verdict::Verdict;

/// Cells whose evidence is quoted.
const CELLS_SHOWN: usize = 20;
/// Defects that are listed, and cells that are named of each.
const DEFECTS_SHOWN: usize = 30;
const PLACES_SHOWN: usize = 8;
/// The longest quotation of a crash report, bytes. GitHub takes a mebibyte for a whole job.
const TEXT_LIMIT: usize = 4 << 10;
/// The longest matrix, bytes; of a longer one only tests are shown that failed somewhere.
const MATRIX_LIMIT: usize = 400 << 10;
/// Tests whose good results are rated.
const ABSENCE_SHOWN: usize = 200;

/// The document.
///
/// # Errors
/// The journal cannot be read any more.
pub fn markdown(run: &RunSummary) -> Result<String, JournalError> {
    let tally = run.tally();
    let mut out = format!("# kregress run {}\n\n", inline(&run.id));
    let cells = counted(run.planned(), "cell");
    let _ = writeln!(out, "{cells}: {tally}; {} after {}.", run.ended.word(), clock(run.seconds));
    push_unexpected(&mut out, run)?;
    push_matrix(&mut out, run);
    push_defects(&mut out, run)?;
    push_cells(&mut out, run)?;
    let absence = absence(run);
    if !absence.is_empty() {
        out.push_str("\n## What a good result is worth\n\n");
        for (test, worth) in absence.iter().take(ABSENCE_SHOWN) {
            let _ = writeln!(out, "- {}: {}", inline(test), inline(worth));
        }
        if let Some(more) = absence.len().checked_sub(ABSENCE_SHOWN).filter(|more| *more > 0) {
            let _ = writeln!(out, "- and {more} more tests");
        }
    }
    Ok(out)
}

/// The cells that are bad although the kernel has the fix; nothing in a run says more.
fn push_unexpected(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let mut cells = run.unexpectedly_bad().peekable();
    if cells.peek().is_none() {
        return Ok(());
    }
    out.push_str("\n## Bad on a kernel that should not have the bug\n\n");
    let mut details = run.details();
    for outline in cells.by_ref().take(CELLS_SHOWN) {
        let cell = details.cell(outline.place())?;
        let reason = cell.expectation.as_ref().map(Expectation::reason).unwrap_or_default();
        let _ = writeln!(out, "- {}: {}", inline(&cell.id.to_string()), inline(&reason));
    }
    let more = cells.count();
    if more > 0 {
        let _ = writeln!(out, "- and {more} more");
    }
    Ok(())
}

fn push_matrix(out: &mut String, run: &RunSummary) {
    let kernels = run.kernels();
    if kernels.is_empty() {
        return;
    }
    out.push_str("\n| |");
    for kernel in &kernels {
        let _ = write!(out, " {} |", inline(kernel));
    }
    let _ = writeln!(out, "\n| --- |{}", " --- |".repeat(kernels.len()));
    // a kernel's word and its bars are about so many bytes
    let is_long = run.cells().len() * 8 > MATRIX_LIMIT;
    let (begin, mut left_out) = (out.len(), 0);
    for test in run.tests() {
        let failed = |kernel: &&&str| {
            let verdict = run.find(test, kernel).and_then(|cell| cell.verdict());
            matches!(verdict, Some(Verdict::Bad | Verdict::Other))
        };
        let is_shown = !is_long || kernels.iter().any(|kernel| failed(&kernel));
        if !is_shown || out.len() - begin > MATRIX_LIMIT {
            left_out += 1;
            continue;
        }
        let _ = write!(out, "| {} |", inline(test));
        for kernel in &kernels {
            let (word, _) = word(run.find(test, kernel), true);
            // Emphasis, because Markdown has no colour.
            let strong = matches!(word, "FAIL" | "OTHER");
            let _ = if strong { write!(out, " **{word}** |") } else { write!(out, " {word} |") };
        }
        out.push('\n');
    }
    if left_out > 0 {
        let _ =
            writeln!(out, "\nThe rows of {left_out} more tests are left out; index.html has all of them.");
    }
    let packages = run.packages_to_tell();
    if !packages.is_empty() {
        let packages: Vec<String> =
            packages.iter().map(|(kernel, package)| inline(&format!("{kernel} is {package}"))).collect();
        let _ = writeln!(out, "\nPackages: {}.", packages.join(", "));
    }
}

fn push_defects(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let defects = defects(run)?;
    let Some(headline) = headline(&defects) else { return Ok(()) };
    let _ = writeln!(out, "\n## {headline}\n\n| cells | title | where |\n| --- | --- | --- |");
    for defect in defects.iter().take(DEFECTS_SHOWN) {
        let mut cells: Vec<String> = defect
            .cells
            .iter()
            .take(PLACES_SHOWN)
            .map(|place| inline(&run.outline(place).id().to_string()))
            .collect();
        if defect.cells.len() > PLACES_SHOWN {
            cells.push(format!("and {} more", defect.cells.len() - PLACES_SHOWN));
        }
        let _ =
            writeln!(out, "| {} | {} | {} |", defect.cells.len(), inline(&defect.title), cells.join(", "));
    }
    if defects.len() > DEFECTS_SHOWN {
        let _ = writeln!(out, "\nand {} more", defects.len() - DEFECTS_SHOWN);
    }
    Ok(())
}

fn push_cells(out: &mut String, run: &RunSummary) -> Result<(), JournalError> {
    let mut details = run.details();
    let is_failing =
        |verdict: Option<Verdict>| verdict.is_some_and(|v| !matches!(v, Verdict::Good | Verdict::Skip));
    let mut failing = run.cells_to_tell().filter(|cell| is_failing(cell.verdict()));
    for outline in failing.by_ref().take(CELLS_SHOWN) {
        let cell = details.cell(outline.place())?;
        let (word, _) = word(Some(outline), true);
        let _ = writeln!(out, "\n## {word}: {} on {}\n", inline(&cell.id.test), inline(&cell.id.kernel));
        let said = cell.record.as_ref().and_then(|record| record.title.as_ref().or(record.reason.as_ref()));
        if let Some(text) = said {
            let _ = writeln!(out, "{}", inline(text));
        }
        if let Some(text) = cell.beside_expected() {
            let _ = writeln!(out, "\n{}", inline(&text));
        }
        if let Some(diagnosis) = cell.deciding_diagnosis() {
            push_block(out, &cut_middle(&diagnosis.text, TEXT_LIMIT));
        }
    }
    let more = failing.count();
    if more > 0 {
        let _ = writeln!(out, "\nand {more} more");
    }
    Ok(())
}

/// `text` as plain words within a line: what Markdown would take for markup is escaped.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in replace_forbidden(&printable(text)).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // No mention of a user and no reference to an issue is meant.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A block of code, fenced by more backticks than it has in a row.
fn push_block(out: &mut String, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let _ = writeln!(out, "\n{fence}text\n{}\n{fence}", replace_forbidden(text.trim_end()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;

    #[test]
    fn a_run_of_nothing_and_of_one_cell() {
        let first = |run: &RunSummary| {
            let (markdown, mail) = (markdown(run).unwrap(), crate::report::mail::mail(run).unwrap());
            [markdown.lines().nth(2).unwrap(), mail.lines().next().unwrap()].join("\n")
        };
        let one = sample::fold([
            sample::started(1),
            Event::Cell(Box::new(sample::record("a::b", "6.1", Verdict::Good))),
            sample::ended(false),
        ]);
        let said = [first(&sample::fold([sample::started(0), sample::ended(false)])), first(&one)];
        insta::assert_snapshot!(said.join("\n"), @r"
        0 cells: nothing to run; finished after 00:42.
        kregress run of 2026-11-21: 0 cells, nothing to run; finished after
        1 cell: 1 good; finished after 00:42.
        kregress run of 2026-11-21: 1 cell, 1 good; finished after 00:42.
        ");
    }

    #[test]
    fn a_finished_run() {
        insta::assert_snapshot!(markdown(&sample::finished()).unwrap(), @r#"
        # kregress run 2026-11-21T09-12-33-a1b2

        9 cells: 2 bad (1 known), 2 good (1 fixed), 1 other, 1 skip, 1 blind, 1 lost, 1 not run; finished after 00:42.

        | | 6.12.57 | 6.17.13 | 7.2.13 |
        | --- | --- | --- | --- |
        | block::elevator-switch-race | PASS | KNOWN | FIXED |
        | cifs::fsconfig-source-leak | **FAIL** | SKIP | BLIND |
        | ext4::mmap-writeback-failure | LOST | **OTHER** | - |

        ## 3 cells, 3 distinct defects

        | cells | title | where |
        | --- | --- | --- |
        | 1 | BUG: unable to handle kernel NULL pointer dereference in blk\_mq\_free\_request | block::elevator-switch-race&#64;6.17.13 |
        | 1 | leak of 20000 objects in kmalloc-192 | cifs::fsconfig-source-leak&#64;6.12.57 |
        | 1 | WARNING in ext4\_iomap\_begin | ext4::mmap-writeback-failure&#64;6.17.13 |

        ## KNOWN: block::elevator-switch-race on 6.17.13

        BUG: unable to handle kernel NULL pointer dereference in blk\_mq\_free\_request

        ```text
        BUG: kernel NULL pointer dereference, address: 0000000000000008
        RIP: 0010:blk_mq_free_request+0x12/0x90 ]]> <&�[31m
        ```

        ## FAIL: cifs::fsconfig-source-leak on 6.12.57

        leak of 20000 objects in kmalloc-192

        ## BLIND: cifs::fsconfig-source-leak on 7.2.13

        the slab probe could not be read: no /proc/slabinfo

        ## LOST: ext4::mmap-writeback-failure on 6.12.57

        the agent did not speak within 60 s

        ## OTHER: ext4::mmap-writeback-failure on 6.17.13

        WARNING in ext4\_iomap\_begin

        ```text
        WARNING: CPU: 1 PID: 99 at fs/ext4/inode.c:3423
        ```

        ## What a good result is worth

        - block::elevator-switch-race: 3 clean attempts on each of 2 kernels: a bug that is there is missed with a chance of at most 0.8%
        "#);
    }

    #[test]
    fn cells_that_crash_alike_are_one_row() {
        let mut out = String::new();
        push_defects(&mut out, &sample::crashing()).unwrap();
        insta::assert_snapshot!(out, @r#"
        ## 3 cells, 2 distinct crashes

        | cells | title | where |
        | --- | --- | --- |
        | 3 | general protection fault in elevator\_switch | block::elevator-switch-race&#64;6.12.57, block::elevator-switch-race&#64;6.17.13, ext4::mmap-writeback-failure&#64;7.2.13 |
        | 1 | general protection fault in ext4\_map\_blocks | block::elevator-switch-race&#64;6.12.57 |
        "#);
    }

    #[test]
    fn text_does_not_become_markup() {
        assert_eq!(inline("a|b `c` <d> *e* @f #1\n# g"), r"a\|b \`c\` &lt;d> \*e\* &#64;f &#35;1 &#35; g");
        let mut out = String::new();
        push_block(&mut out, "x\n````\ny");
        assert!(out.starts_with("\n`````text\n") && out.ends_with("\n`````\n"));
    }

    #[test]
    fn many_cells_stay_short() {
        let bad = |n: u32| {
            let record = sample::record("a::b", &n.to_string(), Verdict::Bad);
            Event::Cell(Box::new(CellRecord { title: Some("x".into()), ..record }))
        };
        let text = markdown(&sample::fold((0..100).map(bad))).unwrap();
        assert_eq!(text.matches("\n## FAIL").count(), CELLS_SHOWN);
        assert!(text.contains("and 80 more"));
    }
}
