//! One self-contained page, without a script, in well-formed XML.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

use super::{Block, Cell, Document, Kind, Rendered, Renderer, Subject, say};
use crate::bisection;
use crate::report::html::{Scripted, console_links, head, pieces};
use crate::report::matrix::MatrixStyle;
use crate::report::{HTML_FILE, escape};

/// The format.
pub(super) struct Html;

impl Renderer for Html {
    fn name(&self, _of: Kind) -> Option<&'static str> {
        Some("html")
    }

    fn help(&self) -> &'static str {
        "One self-contained page"
    }

    fn file(&self, of: Kind) -> Option<&'static str> {
        match of {
            Kind::Run | Kind::Bisection => Some(HTML_FILE),
            Kind::Backport => Some("backport.html"),
            Kind::Queue => Some("queue.html"),
            Kind::Comparison => None,
        }
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) => pieces(run.summary, run.dir).try_for_each(|piece| say(out, &piece?)),
            Subject::Bisection(report, run) => {
                let mut consoles = HashMap::new();
                for row in &report.tried {
                    let links = console_links(run.summary, run.dir, &report.test, &row.kernel)?;
                    consoles.insert(row.kernel.clone(), links);
                }
                let of = |kernel: &str| consoles.get(kernel).cloned().unwrap_or_default();
                say(out, &bisection::report::html(report, &of))
            }
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => {
                say(out, &layout(&Document::of(subject)?))
            }
        }
    }
}

/// A document without a layout of its own.
fn layout(document: &Document) -> String {
    let title = escape(&document.title);
    let mut out = head(&title, Scripted::No);
    let _ = writeln!(out, "<header>\n<h1>{title}</h1>");
    let all = || document.sections.iter().flat_map(|section| &section.blocks);
    for (text, file) in all().filter_map(link) {
        let _ = writeln!(out, "<p><a href=\"{file}\">{}</a></p>", escape(text));
    }
    out.push_str("</header>\n<main>\n");
    if let Some(answer) = &document.answer {
        let _ = writeln!(out, "<p><strong>{}</strong></p>", escape(answer));
    }
    for section in &document.sections {
        if let Some(heading) = &section.heading {
            let _ = writeln!(out, "<h2>{}</h2>", escape(heading));
        }
        section.blocks.iter().for_each(|block| push(&mut out, block));
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn link(block: &Block) -> Option<(&str, &str)> {
    match block {
        Block::Link { text, file } => Some((text, file)),
        _ => None,
    }
}

fn push(out: &mut String, block: &Block) {
    let _ = match block {
        // links stand above everything else
        Block::Link { .. } => Ok(()),
        Block::Paragraph(text) => writeln!(out, "<p>{}</p>", escape(text)),
        Block::Verbatim(text) => writeln!(out, "<pre>{}</pre>", escape(text)),
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
            writeln!(out, "<ul>\n{items}</ul>")
        }
        Block::Table(table) => {
            let head: String =
                table.head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
            let rows: String = table.rows.iter().map(|row| line(&row.cells)).collect();
            writeln!(
                out,
                "<div class=\"scroll\">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>"
            )
        }
    };
}

fn line(cells: &[Cell]) -> String {
    let text = |cell: &Cell| cell.lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join("<br/>");
    let text = |cell: &Cell| match &cell.link {
        Some(link) => format!("<a href=\"{}\">{}</a>", escape(link), text(cell)),
        None => text(cell),
    };
    let cells = cells.iter().enumerate().map(|(at, cell)| {
        let class = if cell.tone.is_empty() { String::new() } else { format!(" class=\"{}\"", cell.tone) };
        let hint = cell.hint.as_ref().map(|hint| format!(" title=\"{}\"", escape(hint))).unwrap_or_default();
        match at {
            0 => format!("<th scope=\"row\">{}</th>", text(cell)),
            _ => format!("<td{class}{hint}>{}</td>", text(cell)),
        }
    });
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}
