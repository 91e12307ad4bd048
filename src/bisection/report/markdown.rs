//! The report for an issue or a job's summary.

use std::fmt::Write as _;

use super::text::{bar, notes};
use super::{Report, counted, likely, standing, wording};
use crate::progress::printable;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("## Bisection of {}\n\n", code(&report.test));
    let _ = writeln!(out, "**{}**\n", plain(&report.headline));
    for remark in report.remarks.iter().chain([&wording::effort(report)]) {
        let _ = writeln!(out, "- {}", plain(remark));
    }
    out.push_str("\n| kernel | symptoms | standing | |\n| --- | ---: | --- | --- |\n");
    for row in &report.tried {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            code(&row.kernel),
            counted(row.seen),
            standing(row),
            plain(&notes(row))
        );
    }
    if !report.plot.is_empty() {
        out.push_str("\n```\n");
        for suspect in &report.plot {
            let bar = bar(suspect.probability, 32, true);
            let line = format!("{:24} {:>6} {bar}", printable(&suspect.kernel), likely(suspect.probability));
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out.push_str("```\n");
    }
    if !report.confirm.is_empty() {
        out.push_str("\nTo see the same by hand:\n\n```sh\n");
        for command in &report.confirm {
            let _ = writeln!(out, "{}", printable(command));
        }
        out.push_str("```\n");
    }
    out
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

fn code(text: &str) -> String {
    format!("`{}`", printable(text).replace(['`', '|'], "'"))
}
