//! What the suite says of a test: what it does, what it looks for, where more is said.

use std::fmt::Write as _;

use super::blocks::{push_block, push_list};
use crate::report::fold::RunSummary;
use crate::report::text::escape;

/// Adds the block of a test, which the panel shows below a cell.
pub(super) fn push(out: &mut String, run: &RunSummary, test: &str, summary: &str, number: usize) {
    let about = run.about(test);
    if summary.is_empty() && about.is_none() {
        return;
    }
    let _ = write!(out, "<noscript id=\"about-{number}\"><section class=\"about\">\n<h5>The test</h5>\n");
    if !summary.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(summary));
    }
    if let Some(about) = about {
        let _ = writeln!(
            out,
            "<p class=\"quiet\">{}</p>",
            escape(&format!("{}, line {}", about.file, about.line))
        );
        let fixes = about.fixes.iter().map(|fix| format!("fixed by {}", escape(fix)));
        let items: Vec<String> = about.links.iter().map(|text| link(text)).chain(fixes).collect();
        push_list(out, &items);
        for (title, text) in [("Symptom", &about.symptom), ("Program", &about.program)] {
            if !text.is_empty() {
                let _ = writeln!(out, "<details><summary>{title}</summary>");
                push_block(out, text);
                out.push_str("</details>\n");
            }
        }
    }
    out.push_str("</section></noscript>\n");
}

/// A link that leads to a page, or the text alone.
fn link(text: &str) -> String {
    let shown = escape(text);
    let is_page = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    if is_page { format!("<a href=\"{shown}\" rel=\"noreferrer\">{shown}</a>") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_become_links() {
        assert_eq!(
            link("https://a/b?c&d"),
            "<a href=\"https://a/b?c&amp;d\" rel=\"noreferrer\">https://a/b?c&amp;d</a>"
        );
        assert_eq!(link("javascript:alert(1)"), "javascript:alert(1)");
        assert_eq!(link("\"><script>"), "&quot;&gt;&lt;script&gt;");
    }
}
