//! Documents of runs, bisections, backports and comparisons, a format a file.
//!
//! A [`Subject`] is what a document is about, a [`Renderer`] is a format, and [`FORMATS`] is the list of them: a new one
//! is a file of this folder and a line in that list. A format lays every kind of subject out by itself, or it takes the
//! [`Document`] of a subject, which says the same for every kind in headings, paragraphs, lists and tables.

mod content;
mod document;
mod github;
mod html;
mod json;
mod junit;
mod kcidb;
mod kernels;
mod mail;
mod markdown;
mod matrix;
mod queue;
mod reply;
mod summary;
mod tap;

use std::io::Write;
use std::path::Path;

pub use document::{Block, Cell, Document, Row, Table};
pub use queue::{Queue, ToldQueue};

use crate::backport::TreeOutcome;
use crate::bisection::report::Report;
use crate::compare::Comparison;
use crate::journal::RunDir;
use crate::report::junit::JunitKnown;
use crate::report::matrix::MatrixStyle;
use crate::report::{ReportError, RunSummary, file};

/// What a document is about.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// A run of cells.
    Run(Run<'a>),
    /// A bisection, with the run that holds its attempts.
    Bisection(&'a Report, Run<'a>),
    /// The validation of a patch.
    Backport(&'a Backport<'a>),
    /// What changed between two runs or kernels.
    Comparison(&'a Comparison),
    /// A queue of patches.
    Queue(&'a Queue<'a>),
}

/// A run and the folder of its files.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What the journal says.
    pub summary: &'a RunSummary,
    /// Where consoles are, for formats that quote them.
    pub dir: &'a RunDir,
    /// How JUnit shows known failures.
    pub junit_known: JunitKnown,
}

/// The validation of a patch, as its reports show it.
pub struct Backport<'a> {
    /// The patch's title.
    pub title: &'a str,
    /// The trees.
    pub trees: &'a [TreeOutcome],
    /// The answer to the patch's mail.
    pub reply: &'a str,
    /// When it began, seconds since 1970.
    pub started: i64,
}

impl Subject<'_> {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Subject::Run(_) => Kind::Run,
            Subject::Bisection(..) => Kind::Bisection,
            Subject::Backport(_) => Kind::Backport,
            Subject::Comparison(_) => Kind::Comparison,
            Subject::Queue(_) => Kind::Queue,
        }
    }
}

/// The kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A run of cells.
    Run,
    /// A bisection. `--format` has the names of a run for it, as both are made from a run's folder.
    Bisection,
    /// The validation of a patch.
    Backport,
    /// A comparison.
    Comparison,
    /// A queue of patches.
    Queue,
}

/// Whether a document was written.
pub type Rendered = Result<(), ReportError>;

/// A format of documents.
pub trait Renderer: Sync {
    /// The word by which `--format` names this format for subjects of a kind; `None`: there is no such document.
    fn name(&self, of: Kind) -> Option<&'static str>;

    /// One line for the help.
    fn help(&self) -> &'static str;

    /// The file in the run's folder that the end of a run leaves in this format; `None`: it leaves none.
    fn file(&self, of: Kind) -> Option<&'static str> {
        let _ = of;
        None
    }

    /// Writes the document. `style` is that of the terminal or file behind `out`.
    ///
    /// # Errors
    /// The journal cannot be read any more, or `out` cannot be written to.
    fn render(&self, subject: &Subject<'_>, style: MatrixStyle, out: &mut dyn Write) -> Rendered;
}

/// Every format, in the order of the help.
pub const FORMATS: &[&dyn Renderer] = &[
    &summary::Summary,
    &matrix::Matrix,
    &kernels::Kernels,
    &junit::Junit,
    &tap::Tap,
    &tap::Tap14,
    &kcidb::Kcidb,
    &github::Github,
    &mail::Mail,
    &json::Json,
    &markdown::Markdown,
    &html::Html,
    &reply::Reply,
    &queue::B4,
    &queue::Regzbot,
    &queue::Syz,
];

/// The format that `--format` calls by this name for subjects of a kind.
pub fn by_name(name: &str, of: Kind) -> Option<&'static dyn Renderer> {
    FORMATS.iter().copied().find(|format| format.name(of) == Some(name))
}

/// Writes the files that the end of a run leaves in its folder, several at a time, and returns their names. Each is
/// tried: a failure of one does not keep the others from being written.
///
/// # Errors
/// The first failure.
pub fn write_files(subject: &Subject<'_>, dir: &RunDir) -> Result<Vec<&'static str>, ReportError> {
    let files: Vec<_> =
        FORMATS.iter().filter_map(|format| Some((*format, format.file(subject.kind())?))).collect();
    let written: Vec<Result<(), ReportError>> = std::thread::scope(|scope| {
        let write = |(format, name): &(&'static dyn Renderer, &str)| {
            let (format, path) = (*format, dir.path().join(name));
            scope.spawn(move || write_file(format, subject, &path))
        };
        let threads: Vec<_> = files.iter().map(write).collect();
        let joined = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(joined).collect()
    });
    written.into_iter().collect::<Result<(), _>>()?;
    Ok(files.into_iter().map(|(_, name)| name).collect())
}

/// Writes a document to a file, which appears whole or not at all.
///
/// # Errors
/// The document cannot be made or the file cannot be written.
pub fn write_file(format: &dyn Renderer, subject: &Subject<'_>, path: &Path) -> Result<(), ReportError> {
    file::write_with(path, |out| format.render(subject, MatrixStyle::PLAIN, out)).map_err(|error| match error
    {
        ReportError::Output(source) => file::WriteError { path: path.to_owned(), source }.into(),
        error => error,
    })
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), ReportError> {
    out.write_all(text.as_bytes()).map_err(ReportError::Output)
}

#[cfg(test)]
mod tests;
