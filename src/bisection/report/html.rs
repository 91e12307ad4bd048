//! The report as one self-contained page, without a script, in well-formed XML.

use std::fmt::Write as _;

use super::text::notes;
use super::{Report, counted, likely, standing, wording};
use crate::report::escape;
use crate::report::html::head;

const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid; } .culprit { font-weight: bold; } .figure { text-align: right; }
.bar { display: inline-block; height: .8em; background: #c33; min-width: 1px; } pre { overflow-x: auto; }
.answer { font-size: 1.25rem; }
";

/// The document.
pub fn html(report: &Report) -> String {
    let title = escape(&format!("Bisection of {}", report.test));
    let mut out = head(&title, STYLE);
    let _ = writeln!(out, "<main>\n<h1>{title}</h1>");
    let _ = writeln!(out, "<p class=\"answer\">{}</p>\n<ul>", escape(&report.headline));
    let effort = wording::effort(report);
    let run = format!("run {}", report.run);
    for remark in report.remarks.iter().chain(&report.notices).chain([&effort, &run]) {
        let _ = writeln!(out, "<li>{}</li>", escape(remark));
    }
    out.push_str(
        "</ul>\n<h2>Kernels</h2>\n<table>\n<thead><tr><th scope=\"col\">kernel</th><th scope=\"col\">symptoms</th>\
         <th scope=\"col\">standing</th><th scope=\"col\">seen</th></tr></thead>\n<tbody>\n",
    );
    for row in &report.tried {
        let culprit = report.culprits.iter().any(|culprit| culprit.name == row.kernel);
        let class = if culprit { " class=\"culprit\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr{class}><th scope=\"row\">{}</th><td class=\"figure\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&row.kernel),
            counted(row.seen),
            standing(row),
            escape(&notes(row))
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
