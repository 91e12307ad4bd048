//! The trees as one self-contained page, beside that of the run.

use std::fmt::Write;

use super::table::{others, reasons, took};
use super::validate::TreeOutcome;
use crate::compare::Side;
use crate::report::HTML_FILE;
use crate::report::html::{STYLE, head};
use crate::report::text::escape;

/// The page: trees, every test on both kernels, and the answer to the mail.
pub fn page(title: &str, trees: &[TreeOutcome], reply: &str) -> String {
    let title = escape(title);
    let mut out = head(&title, STYLE);
    let _ = write!(
        out,
        r#"<header>
<h1>{title}</h1>
<p><a href="{HTML_FILE}">Every attempt with its evidence</a></p>
</header>
<main>
<div class="scroll">
<table>
<thead><tr><th scope="col">tree</th><th scope="col">result</th><th scope="col">version</th><th scope="col">patch</th><th scope="col">because</th></tr></thead>
<tbody>
"#
    );
    for tree in trees {
        let result = &tree.result;
        let lines = reasons(&result.verdict).into_iter().chain(others(result)).chain(took(&tree.steps));
        let lines: Vec<String> = lines.map(|line| escape(&line)).collect();
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"{}\">{}</td><td>{}</td><td>{}</td><td class=\"why\">{}</td></tr>",
            escape(&result.tree),
            result.verdict.tone(),
            result.verdict.words(),
            escape(&result.version),
            escape(&result.applied),
            lines.join("<br/>")
        );
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    trees.iter().for_each(|tree| rows(&mut out, tree));
    let _ = writeln!(out, "<h2>Answer</h2>\n<pre>{}</pre>", escape(reply));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn rows(out: &mut String, tree: &TreeOutcome) {
    let Some(comparison) = &tree.comparison else { return };
    let _ = writeln!(
        out,
        "<h2>{}</h2>\n<div class=\"scroll\">\n<table>\n<thead><tr><th scope=\"col\">test</th><th scope=\"col\">without</th>\
         <th scope=\"col\">with</th><th scope=\"col\">change</th></tr></thead>\n<tbody>",
        escape(&tree.result.tree)
    );
    for row in &comparison.rows {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th>{}{}<td>{}</td></tr>",
            escape(&row.test),
            cell(&row.before),
            cell(&row.after),
            row.change.words()
        );
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn cell(side: &Side) -> String {
    let Some(verdict) = side.verdict else { return "<td>not run</td>".into() };
    let attempts = side.bad + side.good + side.other;
    let counted =
        if attempts > 0 { format!(" ({} of {attempts})", side.bad + side.other) } else { String::new() };
    let why = side.title.as_deref().or(side.reason.as_deref()).unwrap_or_default();
    format!("<td class=\"{0}\" title=\"{1}\">{0}{counted}</td>", verdict.word(), escape(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_well_formed_and_escapes() {
        let trees = super::super::table::tests::sample();
        let text = page("[PATCH] x <script>", &trees, "> [PATCH] x\n\n<b>");
        assert!(!text.contains("<script>") && !text.contains("<b>"));
        let mut reader = quick_xml::Reader::from_str(&text);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event() {
                Ok(quick_xml::events::Event::Eof) => break,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(trees.iter().all(|tree| text.contains(tree.result.verdict.words())));
    }
}
