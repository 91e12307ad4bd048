//! What `kregress backport` prints, and the files that it leaves in the run's folder.

use std::sync::Arc;

use super::input::InputPatches;
use crate::backport::{Mail, Related, TreeOutcome, TreeResult, reply};
use crate::cli::format::{ReportFormat, named, print};
use crate::journal::RunDir;
use crate::kernel::compile::Patch;
use crate::patch::PatchMail;
use crate::render::{Backport, Kind, Run, Subject, write_files};
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::summary::shown_path;
use crate::report::{ReportError, RunSummary, file};
use crate::suite::Test;

/// Which tests run, and why those of the bug are.
pub fn plan(about: &[Related], tests: &[Arc<Test>]) -> String {
    let mut out = String::new();
    for one in about {
        out += &format!("test of the bug: {} ({})\n", one.test, one.tie);
    }
    if about.is_empty() {
        out +=
            "no test of the bug was found; --tests names one. What follows can only tell what got worse.\n";
    }
    match tests.len() - about.len() {
        0 => {}
        1 => out += "1 other test must not get worse\n",
        n => out += &format!("{n} other tests must not get worse\n"),
    }
    out
}

/// The answer to the mail.
pub fn reply_to(
    handed: &InputPatches,
    patches: &[&PatchMail],
    trees: &[TreeOutcome],
    tester: Option<&str>,
) -> String {
    let first = patches.first();
    let reported = patches.iter().flat_map(|patch| patch.tags.values("Reported-by"));
    let mail = Mail {
        from: first.and_then(|patch| patch.sender.clone()),
        date: first.and_then(|patch| patch.date.clone()),
        title: first.map(|patch| handed.subject(patch)).unwrap_or_default(),
        reported_by: reported.map(str::to_owned).collect(),
    };
    let results: Vec<TreeResult> = trees.iter().map(|tree| tree.result.clone()).collect();
    reply(&mail, &results, tester)
}

/// Everything that is reported at the end.
pub struct Reports<'a> {
    /// The patch's title.
    pub title: String,
    /// The answer.
    pub reply: String,
    /// The trees.
    pub trees: &'a [TreeOutcome],
    /// The patch as it went into each tree.
    pub patches: Vec<(&'a str, &'a Patch)>,
}

impl Reports<'_> {
    /// Writes the files.
    pub fn write(&self, run: &RunSummary, dir: &RunDir) -> Result<(), ReportError> {
        write_files(&Subject::Run(Run { summary: run, dir, junit_known: JunitKnown::default() }), dir)?;
        let backport = self.backport(run.started.map_or(0, |at| at.as_second()));
        write_files(&Subject::Backport(&backport), dir)?;
        for (number, (tree, patch)) in (1..).zip(&self.patches) {
            let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.+~".contains(c) { c } else { '_' };
            let name: String = tree.chars().map(plain).collect();
            let name = format!("{number}-{}.patch", name.trim_start_matches('.'));
            file::write(&dir.path().join(name), &patch.text)?;
        }
        eprintln!("\nreports: {}", shown_path(&dir.path().join("backport.html")));
        Ok(())
    }

    /// Prints what was asked for. The text for a terminal stands apart from what was printed before.
    pub fn print(&self, format: ReportFormat) -> Result<(), ReportError> {
        let human = named("human", Kind::Backport).0;
        if format.0.name(Kind::Backport) == human.name(Kind::Backport) {
            print!("\n");
        }
        let backport = self.backport(0);
        print(format.0, &Subject::Backport(&backport), MatrixStyle::for_stdout(), &mut std::io::stdout())
    }

    fn backport(&self, started: i64) -> Backport<'_> {
        Backport { title: &self.title, trees: self.trees, reply: &self.reply, started }
    }
}
