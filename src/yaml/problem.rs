//! What is wrong with a file that a user wrote: every problem with its place, as miette diagnostics.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use super::file_kind::FileKind;

/// Everything that is wrong with the files of one load, in the order of files and lines; never empty.
#[derive(Debug, Clone)]
pub struct LoadError {
    problems: Vec<Problem>,
}

impl LoadError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// All problems with the lines they are about, fit for a terminal of `width` columns.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false);
        let mut text = String::new();
        for problem in &self.problems {
            // Writing into a String cannot fail; a label outside of its source is drawn without the line.
            let _ = handler.render_report(&mut text, problem);
        }
        text
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{}: {}", only.place(), only.headline),
            problems => {
                let mut files: Vec<_> = problems.iter().map(Problem::file).collect();
                files.dedup();
                write!(f, "{} problems in ", problems.len())?;
                match files.as_slice() {
                    [file] => write!(f, "{}", file.display()),
                    files => write!(f, "{} files", files.len()),
                }
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Diagnostic for LoadError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

/// A place in a file, shown as `FILE:LINE:COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file as it was named to the loader.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// What sort of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The file or folder cannot be read, or holds nothing that could be loaded.
    Unreadable,
    /// The file is larger, deeper, wider or more repetitive than it may be.
    TooLarge,
    /// The text is not YAML, or YAML of a sort that is not used here.
    Syntax,
    /// A key that the format does not have.
    UnknownKey,
    /// A key or a name stands twice.
    Duplicate,
    /// A key that must be there is not.
    MissingKey,
    /// A list where a mapping is expected, and the like.
    WrongType,
    /// The type is right, the value is not.
    WrongValue,
    /// Values that are right by themselves and do not fit together.
    Contradiction,
    /// A file that is named does not exist.
    MissingFile,
}

impl ProblemKind {
    /// The second half of the code that diagnostics show: `suite::unknown-key`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too-large",
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown-key",
            Self::Duplicate => "duplicate",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::WrongValue => "wrong-value",
            Self::Contradiction => "contradiction",
            Self::MissingFile => "missing-file",
        }
    }
}

/// One thing that is wrong with a file. Its `Display` is the headline, after the place where no line is shown.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What sort of file it is in: `suite`.
    format: &'static FileKind,
    kind: ProblemKind,
    headline: Box<str>,
    help: Option<Box<str>>,
    place: ProblemLocation,
    source_text: Option<Arc<NamedSource<Arc<str>>>>,
    labels: Vec<(Range<usize>, String)>,
}

#[derive(Debug, Clone)]
enum ProblemLocation {
    File(PathBuf),
    At(Location),
}

impl Problem {
    /// A problem with a whole file.
    pub(crate) fn new(
        format: &'static FileKind,
        kind: ProblemKind,
        file: impl Into<PathBuf>,
        headline: impl Into<String>,
    ) -> Self {
        Self {
            format,
            kind,
            headline: terminal_text::lines(&headline.into()).into(),
            help: None,
            place: ProblemLocation::File(file.into()),
            source_text: None,
            labels: Vec::new(),
        }
    }

    /// Says where; without `source` the line is not shown.
    pub(crate) fn at(mut self, location: Location, source: Option<&Arc<NamedSource<Arc<str>>>>) -> Self {
        self.place = ProblemLocation::At(location);
        self.source_text = source.cloned();
        self
    }

    /// Marks bytes of the source; the first label is the place of the problem.
    pub(crate) fn label(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push((span, terminal_text::lines(&text.into())));
        self
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().map(|help| terminal_text::lines(&help).into());
        self
    }

    /// What sort of problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Where it is; `None` if it is about a whole file.
    pub fn location(&self) -> Option<&Location> {
        match &self.place {
            ProblemLocation::File(_) => None,
            ProblemLocation::At(location) => Some(location),
        }
    }

    /// `FILE:LINE:COLUMN`, or the file alone.
    pub fn place(&self) -> String {
        match &self.place {
            ProblemLocation::File(file) => file.display().to_string(),
            ProblemLocation::At(location) => location.to_string(),
        }
    }

    /// The file or folder.
    pub fn file(&self) -> &Path {
        match &self.place {
            ProblemLocation::File(file) => file,
            ProblemLocation::At(location) => &location.file,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source_text.is_none() {
            write!(f, "{}: ", self.place())?;
        }
        f.write_str(&self.headline)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("{}::{}", self.format.noun, self.kind.code())))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source_text.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source_text.as_ref()?;
        let labels = self.labels.iter().enumerate().map(|(nth, (span, text))| {
            let (text, start, length) = (Some(text.clone()), span.start, span.len());
            if nth == 0 {
                LabeledSpan::new_primary_with_span(text, (start, length))
            } else {
                LabeledSpan::new(text, start, length)
            }
        });
        Some(Box::new(labels))
    }
}
