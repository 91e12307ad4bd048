//! The evidence for one cell.

mod attempts;
mod console;

use std::fmt::Write as _;

use super::blocks::{push_block, push_list};
use super::word_and_class;
use crate::journal::RunDir;
use crate::observation::{Subtest, SubtestResult};
use crate::progress::percent;
use crate::report::evidence::{readings, said};
use crate::report::fold::{CellSummary, RunSummary};
use crate::report::rerun::rerun;
use crate::report::summary::shown_path;
use crate::report::text::{cut_middle, escape};
use crate::report::timeline::Timeline;
use crate::verdict::Verdict;

/// The longest program's output, bytes.
const TEXT_LIMIT: usize = 16 << 10;
/// Subtests that are shown one by one.
const SUBTESTS_SHOWN: usize = 500;

/// A cell and what it is shown with.
pub(super) struct CellView<'a> {
    pub(super) run: &'a RunSummary,
    pub(super) dir: &'a RunDir,
    pub(super) history: &'a Timeline,
    /// The number of its test on the page.
    pub(super) test: usize,
    pub(super) cell: &'a CellSummary,
    pub(super) place: usize,
}

impl CellView<'_> {
    /// Adds the section, with further attributes.
    pub(super) fn push(&self, out: &mut String, attributes: &str) {
        let cell = self.cell;
        let (word, class) = word_and_class(cell.verdict(), cell.known());
        let release = cell.release.as_ref().filter(|release| **release != cell.id.kernel);
        let release =
            release.map_or_else(String::new, |r| format!(" <span class=\"quiet\">{}</span>", escape(r)));
        let _ = writeln!(
            out,
            "<section class=\"cell\" data-test=\"{}\"{attributes}>\n<h4><span class=\"word {class}\">{word}</span> {} on {}{release}</h4>",
            self.test,
            escape(&cell.id.test),
            escape(&cell.id.kernel)
        );
        let _ = writeln!(out, "<p>{}</p>", escape(&self.headline()));
        if let Some(text) = cell.beside_expected() {
            let words = cell.expectation.as_ref().map_or("", |expectation| expectation.words.as_str());
            let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
            let _ = writeln!(out, "<p>{}</p>", escape(&format!("{text}{words}")));
        }
        self.push_history(out);
        if let Some(diagnosis) = cell.deciding_diagnosis() {
            console::push_diagnosis(out, diagnosis);
        }
        attempts::push(out, cell, self.dir);
        if let Some(attempt) = cell.deciding_attempt() {
            push_list(out, &readings(attempt).iter().map(|line| escape(line)).collect::<Vec<_>>());
            push_subtests(out, &attempt.program.subtests);
            if cell.verdict() != Some(Verdict::Good) {
                console::push_excerpt(out, cell, attempt, self.dir);
            }
            let output = attempt.program.output.trim_end();
            if !output.is_empty() {
                out.push_str("<details><summary>What the program wrote last</summary>\n");
                push_block(out, &cut_middle(output, TEXT_LIMIT));
                out.push_str("</details>\n");
            }
        }
        self.push_commands(out);
        out.push_str("</section>\n");
    }

    fn headline(&self) -> String {
        let mut text = said(self.cell, self.run.ended);
        match self.cell.known() {
            Some("known") => text.push_str(" — the suite lists this kernel as one that has the bug"),
            Some("fixed") => text.push_str(" — although the suite lists this kernel as one that has the bug"),
            _ => {}
        }
        if let Some(chance) = self.cell.record.as_ref().and_then(|record| record.miss_chance) {
            let _ = write!(text, "; the chance of a miss is {}", percent(chance));
        }
        text
    }

    /// The results of earlier runs, oldest first, and this one.
    fn push_history(&self, out: &mut String) {
        let results = self.history.cell(self.place);
        if results.is_empty() {
            return;
        }
        out.push_str("<h5>Earlier runs, oldest first</h5>\n<ol class=\"strip\">");
        for result in results {
            let known = result.is_known.then_some("known");
            let (word, class) = word_and_class(Some(result.verdict), known);
            let run = self.history.run(*result);
            let _ = write!(
                out,
                "<li class=\"{class}\"><a href=\"../{}/index.html#cell={}\" title=\"{}\">{word}</a></li>",
                path(run),
                path(&self.cell.id.to_string()),
                escape(run)
            );
        }
        let (word, class) = word_and_class(self.cell.verdict(), self.cell.known());
        let _ = writeln!(out, "<li class=\"{class}\"><span>{word}, this run</span></li></ol>");
    }

    fn push_commands(&self, out: &mut String) {
        let mut commands = vec![("Run it again", rerun(self.run, &self.cell.id))];
        let attempt = self.cell.deciding_attempt();
        let file = |path: &Option<String>| {
            path.as_deref().and_then(|path| self.dir.file(path)).map(|path| shown_path(&path))
        };
        if let Some(attempt) = attempt.filter(|_| self.cell.verdict() != Some(Verdict::Good)) {
            let console = file(&attempt.console).filter(|_| !attempt.diagnoses.is_empty());
            commands.extend(console.map(|path| ("Explain its console", format!("kregress explain {path}"))));
            commands
                .extend(file(&attempt.reproduce).map(|path| ("A shell in its guest", format!("sh {path}"))));
        }
        out.push_str("<h5>Commands</h5>\n<dl>\n");
        for (name, command) in commands {
            let _ = writeln!(out, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(&command));
        }
        out.push_str("</dl>\n");
    }
}

/// The subtests in a table, those that failed first.
fn push_subtests(out: &mut String, subtests: &[Subtest]) {
    if subtests.is_empty() {
        return;
    }
    let mut sorted: Vec<&Subtest> = subtests.iter().collect();
    sorted.sort_by_key(|subtest| subtest.result != SubtestResult::Failed);
    let failed = sorted.iter().filter(|subtest| subtest.result == SubtestResult::Failed).count();
    let open = if failed > 0 { " open=\"open\"" } else { "" };
    let _ = write!(
        out,
        "<details{open}><summary>Subtests: {failed} of {} failed</summary>\n<table>\n<thead><tr><th scope=\"col\">Subtest</th><th scope=\"col\">Result</th></tr></thead>\n<tbody>\n",
        sorted.len()
    );
    for subtest in sorted.iter().take(SUBTESTS_SHOWN) {
        let class = match subtest.result {
            SubtestResult::Failed => "bad",
            SubtestResult::Passed => "good",
            SubtestResult::Skipped => "skip",
            SubtestResult::ExpectedFailure => "known",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"wide\">{}</th><td class=\"{class}\">{}</td></tr>",
            escape(&subtest.name),
            subtest.result.word()
        );
    }
    out.push_str("</tbody>\n</table>\n");
    if let Some(more) = sorted.len().checked_sub(SUBTESTS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "<p>{more} more</p>");
    }
    out.push_str("</details>\n");
}

/// A link to a file of the run, relative to `index.html`; absent when the name leads elsewhere.
pub(in crate::report) fn href(file: &str, dir: &RunDir) -> Option<String> {
    dir.file(file)?;
    Some(format!("./{}", path(file)))
}

/// A text as part of a link.
fn path(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/@+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
