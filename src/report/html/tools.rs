//! What filters the matrix, and the panel in which a cell opens. Both are the script's; without it they are not shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{matrix, word_and_class};
use crate::report::fold::RunSummary;
use crate::report::text::escape;

/// The panel.
pub(super) const PANEL: &str = "\
<dialog id=\"panel\" aria-labelledby=\"panel-title\">\n\
<nav aria-label=\"Cells\"><button type=\"button\" id=\"previous\">Previous (p)</button>\
<button type=\"button\" id=\"next\">Next (n)</button><span class=\"quiet\" id=\"said\" role=\"status\"></span>\
<button type=\"button\" id=\"close\">Close (Esc)</button></nav>\n\
<div id=\"evidence-of\"></div>\n</dialog>\n";

/// The heading of the matrix and its filters.
pub(super) fn bar(run: &RunSummary) -> String {
    let mut out =
        "<section id=\"matrix\" tabindex=\"-1\">\n<h2 id=\"matrix-name\">Tests and kernels</h2>\n".to_owned();
    let options = |names: &[&str]| -> String {
        names.iter().map(|name| format!("<option>{}</option>", escape(name))).collect()
    };
    let mut suites: Vec<&str> = Vec::new();
    for test in run.tests() {
        let suite = test.split("::").next().unwrap_or(test);
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    let mut words: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for cell in run.cells() {
        let (word, class) = word_and_class(cell.verdict(), cell.known());
        words.entry(word).or_insert((0, class)).0 += 1;
    }
    let boxes: String = words
        .iter()
        .map(|(word, (count, class))| {
            format!(
                "<label><input type=\"checkbox\" value=\"{word}\"/> <span class=\"word {class}\">{word}</span> {count}</label>"
            )
        })
        .collect();
    let narrow = if matrix::is_narrow(run) { " checked=\"checked\"" } else { "" };
    let _ = write!(
        out,
        "<div class=\"tools\" role=\"search\">\n\
         <label>Text <input type=\"search\" id=\"find\" placeholder=\"test, kernel, title ( / )\"/></label>\n\
         <label>Suite <select id=\"suite\"><option value=\"\">all</option>{}</select></label>\n\
         <label>Kernel <select id=\"kernel\"><option value=\"\">all</option>{}</select></label>\n\
         <fieldset id=\"verdicts\"><legend>Verdict</legend>{boxes}</fieldset>\n\
         <label><input type=\"checkbox\" id=\"compact\"{narrow}/> Narrow</label>\n\
         <button type=\"button\" id=\"reset\">Show all</button>\n\
         <span id=\"shown\" role=\"status\"></span>\n</div>\n\
         <p class=\"quiet\">Each word leads to its evidence. In the matrix the arrow keys move, Enter opens. Narrow: · PASS, F FAIL, k KNOWN, ✓ FIXED, O OTHER, s SKIP, B BLIND, L LOST, - not run.</p>\n\
         <p id=\"none\" hidden=\"hidden\">No cell fits the filter.</p>\n",
        options(&suites),
        options(&run.kernels()),
    );
    if run.cells().len() == 0 {
        out.push_str("<p>No cell was planned.</p>\n");
    }
    out
}
