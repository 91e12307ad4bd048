//! Markdown, for a job summary, an issue or a mail.

use std::fmt::Write as _;
use std::io::Write;

use super::{Block, Document, Kind, Rendered, Renderer, Subject, say};
use crate::progress::printable;
use crate::report::markdown;
use crate::report::matrix::MatrixStyle;
use crate::{bisection, compare};

/// The format.
pub(super) struct Markdown;

impl Renderer for Markdown {
    fn name(&self, _of: Kind) -> Option<&'static str> {
        Some("markdown")
    }

    fn help(&self) -> &'static str {
        "Markdown, for a job summary, an issue or a mail"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        let text = match subject {
            Subject::Run(run) => markdown::markdown(run.summary)?,
            Subject::Bisection(report, _) => bisection::report::markdown(report),
            Subject::Comparison(comparison) => compare::markdown(comparison),
            Subject::Backport(_) | Subject::Queue(_) => layout(&Document::of(subject)?),
        };
        say(out, &text)
    }
}

/// A document without a layout of its own.
fn layout(document: &Document) -> String {
    let mut out = format!("# {}\n", plain(&document.title));
    if let Some(answer) = &document.answer {
        let _ = writeln!(out, "\n**{}**", plain(answer));
    }
    for section in &document.sections {
        if let Some(heading) = &section.heading {
            let _ = writeln!(out, "\n## {}", plain(heading));
        }
        section.blocks.iter().for_each(|block| push(&mut out, block));
    }
    out
}

fn push(out: &mut String, block: &Block) {
    // the text is read without the run's folder
    if matches!(block, Block::Link { .. }) {
        return;
    }
    out.push('\n');
    match block {
        Block::Link { .. } => {}
        Block::Paragraph(text) => {
            let _ = writeln!(out, "{}", plain(text));
        }
        Block::List(items) => items.iter().for_each(|item| {
            let _ = writeln!(out, "- {}", plain(item));
        }),
        Block::Table(table) => {
            let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out.push_str(&row(table.head.iter().map(|name| plain(name)).collect()));
            out.push_str(&row(table.head.iter().map(|_| "---".to_owned()).collect()));
            for line in &table.rows {
                let lines = |cell: &super::Cell| {
                    let hint = cell.hint.iter().filter(|hint| !hint.is_empty());
                    cell.lines.iter().chain(hint).map(|line| plain(line)).collect::<Vec<_>>().join("<br>")
                };
                out.push_str(&row(line.cells.iter().map(lines).collect()));
            }
        }
        Block::Verbatim(text) => {
            // longer than any run of backticks in the text
            let fence = "`".repeat(3.max(longest_run(text) + 1));
            let text: Vec<String> = text.lines().map(printable).collect();
            let _ = writeln!(out, "{fence}\n{}\n{fence}", text.join("\n"));
        }
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text in which nothing is markup.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for letter in printable(text).chars() {
        if r"\`*_[]<>|#".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
