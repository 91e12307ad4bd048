//! The document of each kind of subject.

use super::document::{Block, Cell, Document, Row, Table};
use super::{Backport, Run, Subject};
use crate::backport::{others, reasons, took};
use crate::bisection::report::{Report, counted, effort, notes, standing};
use crate::compare::{Comparison, Side};
use crate::journal::JournalError;
use crate::plural;
use crate::progress::{clock, likely};
use crate::report::HTML_FILE;
use crate::report::matrix::word_of;
use crate::report::summary::absence;
use crate::verdict::Verdict;

/// Cells of a run whose evidence is quoted; the matrix has all of them.
const CELLS_QUOTED: usize = 100;

impl Document {
    /// What there is to say of a subject.
    ///
    /// # Errors
    /// The journal cannot be read any more.
    pub fn of(subject: &Subject<'_>) -> Result<Document, JournalError> {
        match subject {
            Subject::Run(run) => of_run(run),
            Subject::Bisection(report, _) => Ok(of_bisection(report)),
            Subject::Backport(backport) => Ok(of_backport(backport)),
            Subject::Comparison(comparison) => Ok(of_comparison(comparison)),
            Subject::Queue(queue) => Ok(super::queue::document(queue)),
        }
    }
}

pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> Block {
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    Block::Table(Table { head, rows: rows.map(|cells| Row { cells }).collect() })
}

fn of_run(of: &Run<'_>) -> Result<Document, JournalError> {
    let run = of.summary;
    let mut document = Document::new(format!("kregress run {}", run.id));
    let tally = run.tally();
    document.answer = Some(format!("{}: {tally}", plural::counted(run.planned(), "cell")));
    let mut facts = vec![format!("duration {}", clock(run.seconds))];
    facts.extend(run.notices.iter().cloned());
    document.section(None, vec![Block::List(facts)]);
    let kernels = run.kernels();
    let head: Vec<&str> = std::iter::once("test").chain(kernels.iter().copied()).collect();
    let rows = run.tests().into_iter().map(|test| {
        let cells = kernels.iter().map(|kernel| match run.find(test, kernel) {
            Some(cell) => {
                let tone = cell.verdict().map_or("", Verdict::word);
                Cell::toned(word_of(cell.verdict(), cell.known()).0, tone)
            }
            None => Cell::plain(""),
        });
        std::iter::once(Cell::plain(test)).chain(cells).collect()
    });
    document.section(None, vec![table(&head, rows)]);
    let mut details = run.details();
    let failing =
        run.cells().filter(|cell| !matches!(cell.verdict(), Some(Verdict::Good | Verdict::Skip) | None));
    for outline in failing.take(CELLS_QUOTED) {
        let cell = details.cell(outline.place())?;
        let Some(record) = &cell.record else { continue };
        let why =
            record.title.as_deref().or(record.reason.as_deref()).unwrap_or_else(|| record.verdict.word());
        let mut blocks = vec![Block::Paragraph(why.to_owned())];
        blocks.extend(cell.deciding_diagnosis().map(|diagnosis| Block::Verbatim(diagnosis.text.clone())));
        document.section(Some(&format!("{}: {}", record.verdict, cell.id)), blocks);
    }
    let worth: Vec<String> =
        absence(run).into_iter().map(|(test, worth)| format!("{test}: {worth}")).collect();
    if !worth.is_empty() {
        document.section(Some("What a good result is worth"), vec![Block::List(worth)]);
    }
    Ok(document)
}

fn of_bisection(report: &Report) -> Document {
    let mut document = Document::new(format!("Bisection of {}", report.test));
    document.answer = Some(report.headline.clone());
    let remarks = report.remarks.iter().chain(&report.notices).cloned().chain([effort(report)]);
    document.section(None, vec![Block::List(remarks.collect())]);
    let rows = report.tried.iter().map(|row| {
        [row.kernel.clone(), counted(row.seen), standing(row), notes(row)].map(Cell::plain).to_vec()
    });
    document.section(Some("Kernels"), vec![table(&["kernel", "symptoms", "standing", "seen"], rows)]);
    let plot = report
        .plot
        .iter()
        .map(|suspect| vec![Cell::plain(suspect.kernel.clone()), Cell::plain(likely(suspect.probability))]);
    document.section(Some("How likely each candidate is"), vec![table(&["candidate", "probability"], plot)]);
    if !report.confirm.is_empty() {
        document.section(Some("To see the same by hand"), vec![Block::Verbatim(report.confirm.join("\n"))]);
    }
    document
}

fn of_backport(of: &Backport<'_>) -> Document {
    let mut document = Document::new(of.title);
    let rows = of.trees.iter().map(|tree| {
        let result = &tree.result;
        let lines = reasons(&result.verdict).into_iter().chain(others(result)).chain(took(&tree.steps));
        vec![
            Cell::plain(result.tree.clone()),
            Cell::toned(result.verdict.words(), result.verdict.tone()),
            Cell::plain(result.version.clone()),
            Cell::plain(result.applied.clone()),
            Cell { tone: "why", ..Cell::lines(lines) },
        ]
    });
    let text = "Every attempt with its evidence".to_owned();
    document.section(None, vec![Block::Link { text, file: HTML_FILE }]);
    document.section(None, vec![table(&["tree", "result", "version", "patch", "because"], rows)]);
    for tree in of.trees {
        let Some(comparison) = &tree.comparison else { continue };
        let rows = comparison.rows.iter().map(|row| {
            vec![
                Cell::plain(row.test.clone()),
                linked(hinted(&row.before), &row.test, &comparison.before),
                linked(hinted(&row.after), &row.test, &comparison.after),
                Cell::plain(row.change.words()),
            ]
        });
        document.section(Some(&tree.result.tree), vec![table(&["test", "without", "with", "change"], rows)]);
    }
    document.section(Some("Answer"), vec![Block::Verbatim(of.reply.to_owned())]);
    document
}

fn of_comparison(comparison: &Comparison) -> Document {
    let mut document = Document::new(format!("{} → {}", comparison.before, comparison.after));
    let rows = comparison.rows.iter().map(|row| {
        vec![
            Cell::plain(row.change.words()),
            Cell::plain(row.label()),
            side(&row.before),
            side(&row.after),
            Cell::lines(row.new_crashes.iter().cloned()),
        ]
    });
    document.section(None, vec![table(&["change", "test", "before", "after", "new crashes"], rows)]);
    let alone = |cells: &[String], side: &str| {
        (!cells.is_empty()).then(|| format!("only {side}: {}", cells.join(", ")))
    };
    let alone: Vec<String> = alone(&comparison.only_before, "before")
        .into_iter()
        .chain(alone(&comparison.only_after, "after"))
        .collect();
    if !alone.is_empty() {
        document.section(None, vec![Block::List(alone)]);
    }
    document
}

/// A cell that leads to its evidence on the run's page.
fn linked(cell: Cell, test: &str, kernel: &str) -> Cell {
    let escaped: String = format!("{test}@{kernel}")
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    Cell { link: Some(format!("{HTML_FILE}#cell={escaped}")), ..cell }
}

/// A verdict with how many attempts broke; why is its hint.
fn hinted(side: &Side) -> Cell {
    let Some(verdict) = side.verdict else { return Cell::plain("not run") };
    let attempts = side.bad + side.good + side.other;
    let rate =
        if attempts > 0 { format!(" ({} of {attempts})", side.bad + side.other) } else { String::new() };
    let why = side.title.as_deref().or(side.reason.as_deref()).unwrap_or_default().to_owned();
    Cell { hint: Some(why), ..Cell::toned(format!("{verdict}{rate}"), verdict.word()) }
}

/// The same with why as a line of its own.
fn side(side: &Side) -> Cell {
    let cell = hinted(side);
    let why = cell.hint.filter(|why| !why.is_empty());
    Cell { lines: cell.lines.into_iter().chain(why).collect(), tone: cell.tone, ..Cell::default() }
}
