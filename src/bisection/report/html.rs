//! The report as one self-contained page, without a script, in well-formed XML.

use std::fmt::Write as _;

use super::text::notes;
use super::{Report, counted, likely, standing, wording};
use crate::report::escape;
use crate::report::html::{ConsoleLink, Scripted, head};

/// The document; `consoles` knows those of a kernel's attempts.
pub fn html(report: &Report, consoles: &dyn Fn(&str) -> Vec<ConsoleLink>) -> String {
    let title = escape(&format!("Bisection of {}", report.test));
    let mut out = head(&title, Scripted::No);
    let _ = writeln!(out, "<main>\n<h1>{title}</h1>");
    let _ = writeln!(out, "<p class=\"answer\">{}</p>\n<ul>", escape(&report.headline));
    let effort = wording::effort(report);
    let run = format!("run {}", report.run);
    for remark in report.remarks.iter().chain(&report.notices).chain([&effort, &run]) {
        let _ = writeln!(out, "<li>{}</li>", escape(remark));
    }
    out.push_str(
        "</ul>\n<h2>Kernels</h2>\n<table>\n<thead><tr><th scope=\"col\">kernel</th><th scope=\"col\">symptoms</th>\
         <th scope=\"col\">standing</th><th scope=\"col\">seen</th><th scope=\"col\">consoles</th></tr></thead>\n<tbody>\n",
    );
    for row in &report.tried {
        let culprit = report.culprits.iter().any(|culprit| culprit.name == row.kernel);
        let class = if culprit { " class=\"culprit\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr{class}><th scope=\"row\">{}</th><td class=\"figure\">{}</td><td>{}</td><td class=\"wide\">{}</td><td class=\"wide\">{}</td></tr>",
            escape(&row.kernel),
            counted(row.seen),
            standing(row),
            escape(&notes(row)),
            links(&consoles(&row.kernel))
        );
    }
    out.push_str("</tbody>\n</table>\n<h2>How likely each candidate is</h2>\n<table>\n<tbody>\n");
    for suspect in &report.plot {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"figure\">{}</td><td><span class=\"bar\" style=\"width: {:.2}rem\"></span></td></tr>",
            escape(&suspect.kernel),
            escape(&likely(suspect.probability)),
            20.0 * suspect.probability
        );
    }
    out.push_str("</tbody>\n</table>\n");
    if !report.confirm.is_empty() {
        out.push_str("<h2>To see the same by hand</h2>\n<pre>");
        for command in &report.confirm {
            let _ = writeln!(out, "{}", escape(command));
        }
        out.push_str("</pre>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Links to consoles, each with what its attempt said.
fn links(consoles: &[ConsoleLink]) -> String {
    let link = |console: &ConsoleLink| {
        format!("<a href=\"{}\">{} {}</a>", console.href, console.attempt, console.verdict)
    };
    consoles.iter().map(link).collect::<Vec<_>>().join(", ")
}
