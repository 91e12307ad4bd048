//! The document of a queue, and the formats that only a queue has: those of b4, regzbot and syzbot.

use std::io::Write;

use super::document::{Block, Cell, Document};
use super::{Kind, Rendered, Renderer, Subject, say};
use crate::queue::QueueState;
use crate::queue::report::{
    Grade, Origin, PatchRow, QueueReport, Standing, TestRow, answer, checks, regzbot, syzbot,
};
use crate::report::HTML_FILE;
use crate::report::matrix::MatrixStyle;

/// A queue, as its reports show it.
pub struct Queue<'a> {
    /// What is said of it.
    pub report: &'a QueueReport,
    /// The answer to its cover letter, or why there is none.
    pub answer: &'a str,
    /// regzbot's commands; empty: there is no regression.
    pub regzbot: &'a str,
    /// The answer to `#syz test`; empty: nobody asked.
    pub syz: &'a str,
    /// When it began, seconds since 1970.
    pub started: i64,
}

/// A queue with all that is told of it, from which [`Queue`] borrows.
pub struct ToldQueue {
    /// What is said of it.
    pub report: QueueReport,
    answer: String,
    regzbot: String,
    syz: String,
    started: i64,
}

impl ToldQueue {
    /// Puts the answers together. `tester` signs for a queue that nothing speaks against; `started`: seconds since 1970.
    pub fn of(report: QueueReport, state: &QueueState, tester: Option<&str>, started: i64) -> ToldQueue {
        ToldQueue {
            answer: answer(&report, tester).unwrap_or_else(|why| why),
            regzbot: regzbot(&report).unwrap_or_default(),
            syz: syzbot(&report, state).unwrap_or_default(),
            report,
            started,
        }
    }

    /// The queue as formats take it.
    pub fn queue(&self) -> Queue<'_> {
        let ToldQueue { report, answer, regzbot, syz, started } = self;
        Queue { report, answer, regzbot, syz, started: *started }
    }
}

/// The document.
pub(super) fn document(of: &Queue<'_>) -> Document {
    let report = of.report;
    let mut document = Document::new(&report.mail.title);
    let broken = report.tests.iter().filter(|row| row.failure == Some(Origin::Introduced)).count();
    let blamed: Vec<usize> =
        report.patches.iter().filter(|row| !row.breaks.is_empty()).map(|row| row.number).collect();
    document.answer = Some(match (broken, blamed.as_slice()) {
        (0, _) => "No regression was found".to_owned(),
        (_, []) => format!("{broken} of {} tests broken, by no patch that can be named", report.tests.len()),
        (_, blamed) => {
            format!("{broken} of {} tests broken, by {}", report.tests.len(), crate::queue::numbers(blamed))
        }
    });
    let text = "Every attempt with its evidence".to_owned();
    document.section(None, vec![Block::Link { text, file: HTML_FILE }]);
    if let Some(open) = &report.open {
        document.section(None, vec![Block::Paragraph(format!("Not ended: {open}"))]);
    }
    // what one looks for first: a screen has no room for all of it beside long titles
    let head = ["", "patch", "breaks", "its own bug", "applies", "builds", "boots"];
    document.section(Some("Patches"), vec![super::content::table(&head, report.patches.iter().map(patch))]);
    if !report.set_aside.is_empty() {
        let rows = report.set_aside.iter().map(|one| {
            vec![
                Cell::plain(one.number.to_string()),
                Cell::plain(one.title.clone()),
                Cell::toned(one.kind.words(), "skip"),
                Cell { tone: "why", ..Cell::lines(one.why.lines().take(8).map(str::to_owned)) },
            ]
        });
        document
            .section(Some("Not tested"), vec![super::content::table(&["", "patch", "", "because"], rows)]);
    }
    let head = ["test", "result", "without the queue", "with it", "because"];
    document.section(Some("Tests"), vec![super::content::table(&head, report.tests.iter().map(test))]);
    if !report.missing.is_empty() {
        let items = report.missing.iter().map(ToString::to_string).collect();
        document.section(Some("What upstream has besides"), vec![Block::List(items)]);
    }
    if !report.notes.is_empty() {
        document.section(Some("Notes"), vec![Block::List(report.notes.clone())]);
    }
    document.section(Some("Answer"), vec![Block::Verbatim(of.answer.to_owned())]);
    document
}

fn patch(row: &PatchRow) -> Vec<Cell> {
    let standing = |standing: &Standing| {
        let hint = match standing {
            Standing::No(why) => Some(why.clone()),
            _ => None,
        };
        let tone = match standing {
            Standing::Yes => "good",
            Standing::No(_) => "bad",
            Standing::WithTheOthers | Standing::Unknown => "",
        };
        Cell { hint, ..Cell::toned(standing.words(), tone) }
    };
    let own = row.own_bug.iter().map(|(test, result)| format!("{result}: {test}"));
    let breaks = row.breaks.iter().map(|(test, _)| test.clone());
    let tone = match row.grade {
        Grade::Fail => "bad",
        Grade::Warn => "other",
        Grade::Pass => "",
    };
    let warnings = (!row.warnings.is_empty()).then(|| row.warnings.join("\n"));
    vec![
        Cell::toned(row.number.to_string(), tone),
        Cell { hint: row.impossible.clone(), ..Cell::plain(row.title.clone()) },
        Cell { tone: if row.breaks.is_empty() { "" } else { "bad" }, ..Cell::lines(breaks) },
        Cell::lines(own),
        Cell::plain(row.applies.clone()),
        Cell { hint: warnings.or(standing(&row.builds).hint), ..standing(&row.builds) },
        standing(&row.boots),
    ]
}

fn test(row: &TestRow) -> Vec<Cell> {
    let tone = match (row.failure, row.open.is_some()) {
        (Some(Origin::Introduced), _) => "bad",
        (Some(_), _) | (None, true) => "other",
        (None, false) if row.tip.judged() == 0 => "skip",
        (None, false) => "good",
    };
    let counted = |tally: crate::triage::Tally| match tally.judged() {
        0 => String::new(),
        judged => format!("{} of {judged} bad", tally.bad),
    };
    let title = row.title.iter().filter(|_| row.failure.is_some() || row.tip.judged() == 0).cloned();
    let otherwise = row.otherwise.iter().map(|title| format!("without the queue: {title}"));
    vec![
        Cell { hint: Some(row.summary.clone()), ..Cell::plain(row.test.clone()) },
        Cell::toned(row.result.clone(), tone),
        Cell::plain(counted(row.baseline)),
        Cell::plain(counted(row.tip)),
        Cell { tone: "why", ..Cell::lines(title.chain(otherwise).chain(row.open.clone())) },
    ]
}

/// Checks of a review.
pub(super) struct B4;

impl Renderer for B4 {
    fn name(&self, of: Kind) -> Option<&'static str> {
        (of == Kind::Queue).then_some("b4")
    }

    fn help(&self) -> &'static str {
        "The JSON array that b4 takes from the checks of a review"
    }

    fn file(&self, of: Kind) -> Option<&'static str> {
        (of == Kind::Queue).then_some("b4.json")
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Queue(queue) => super::json::write(&checks(queue.report), out),
            _ => Ok(()),
        }
    }
}

/// Commands for regzbot.
pub(super) struct Regzbot;

impl Renderer for Regzbot {
    fn name(&self, of: Kind) -> Option<&'static str> {
        (of == Kind::Queue).then_some("regzbot")
    }

    fn help(&self) -> &'static str {
        "regzbot's commands for the regressions, to put into a report"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Queue(queue) => say(out, queue.regzbot),
            _ => Ok(()),
        }
    }
}

/// The answer to `#syz test`.
pub(super) struct Syz;

impl Renderer for Syz {
    fn name(&self, of: Kind) -> Option<&'static str> {
        (of == Kind::Queue).then_some("syz")
    }

    fn help(&self) -> &'static str {
        "The answer to a mail with #syz test, in syzbot's form"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Queue(queue) => say(out, queue.syz),
            _ => Ok(()),
        }
    }
}
