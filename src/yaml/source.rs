//! The text of a file that a user wrote, taken from the disk within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use terminal_text::is_deceptive;

use super::file_kind::FileKind;
use super::problem::Location;
use super::problem::{Problem, ProblemKind};

/// Largest file, in bytes. The longest honest one is a few dozen KiB.
const LARGEST: u64 = 1 << 20;
/// Longest line, in characters; a message about it has to show it.
const LONGEST_LINE: usize = 1000;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The text of a file, and what is needed to point into it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub format: &'static FileKind,
    pub path: PathBuf,
    pub text: Arc<str>,
    named: Arc<NamedSource<Arc<str>>>,
    line_starts: Vec<usize>,
}

impl Source {
    /// Reads a file. What is not a regular file, too large, not UTF-8 or not text is refused before it is parsed.
    pub fn read(format: &'static FileKind, path: &Path) -> Result<Self, Problem> {
        let noun = format.noun;
        let unreadable = |error: io::Error| {
            Problem::new(
                format,
                ProblemKind::Unreadable,
                path,
                format!("cannot read the {noun}: {}", plain(&error)),
            )
            .help("check the path and the file's permissions".to_owned())
        };
        let metadata = std::fs::metadata(path).map_err(|error| match std::fs::read_link(path) {
            Ok(target) if error.kind() == io::ErrorKind::NotFound => {
                let found = format!("found a link to {}, which is not there", target.display());
                Problem::new(
                    format,
                    ProblemKind::Unreadable,
                    path,
                    format!("{found}, expected a {noun} file"),
                )
                .help("make the link lead to a file, or remove it".to_owned())
            }
            _ => unreadable(error),
        })?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() { "a folder" } else { "a device, pipe or socket" };
            return Err(Problem::new(
                format,
                ProblemKind::Unreadable,
                path,
                format!("found {found}, expected a {noun} file"),
            )
            .help(format!("name a file such as {}", format.path)));
        }
        let mut bytes = Vec::new();
        if metadata.len() <= LARGEST {
            // The file may grow while it is read.
            File::open(path)
                .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
                .map_err(unreadable)?;
        }
        let length = metadata.len().max(bytes.len() as u64);
        if length > LARGEST {
            let headline = format!("the file has {length} bytes, a {noun} has at most {LARGEST} (1 MiB)");
            return Err(Problem::new(format, ProblemKind::TooLarge, path, headline)
                .help(format!("split it into several {noun}s; put large data into files of their own")));
        }
        Self::from_bytes(format, path, bytes)
    }

    /// Takes text that was read already.
    pub fn from_bytes(format: &'static FileKind, path: &Path, mut bytes: Vec<u8>) -> Result<Self, Problem> {
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let at = |line_starts: &[usize], text: &[u8], offset: usize| locate(path, line_starts, text, offset);
        let line_starts = line_starts(&bytes);
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let byte = error.as_bytes()[offset];
                return Err(Problem::new(
                    format,
                    ProblemKind::Syntax,
                    path,
                    format!("found the byte 0x{byte:02x}, expected UTF-8 text"),
                )
                .at(at(&line_starts, error.as_bytes(), offset), None)
                .help("save the file as UTF-8".to_owned()));
            }
        };
        // Checked before any line is shown: a message must not send control characters to a terminal.
        if let Some((offset, c)) = control_character(&text) {
            let headline = format!("found the control character U+{:04X}, expected text", c as u32);
            return Err(Problem::new(format, ProblemKind::Syntax, path, headline)
                .at(at(&line_starts, text.as_bytes(), offset), None)
                .help("remove it; in a \"double-quoted\" text it can be written `\\xNN`".to_owned()));
        }
        if let Some((nth, line)) =
            text.lines().enumerate().find(|(_, line)| line.chars().count() > LONGEST_LINE)
        {
            let headline = format!(
                "line {} has {} characters, at most {LONGEST_LINE} are taken",
                nth + 1,
                line.chars().count()
            );
            return Err(Problem::new(format, ProblemKind::TooLarge, path, headline)
                .at(Location { file: path.to_owned(), line: nth + 1, column: 1 }, None)
                .help("break it, or put the data into a file of its own".to_owned()));
        }
        let text: Arc<str> = text.into();
        let shown = if text.contains(is_deceptive) { undeceptive(&text).into() } else { Arc::clone(&text) };
        let named = Arc::new(NamedSource::new(terminal_text::line(&path.display().to_string()), shown));
        Ok(Self { format, path: path.to_owned(), text, named, line_starts })
    }

    /// A problem at some bytes of this file.
    pub fn problem(&self, kind: ProblemKind, span: Range<usize>, headline: String, label: String) -> Problem {
        Problem::new(self.format, kind, &self.path, headline)
            .at(self.location(span.start), Some(&self.named))
            .label(span, label)
    }

    /// The place of a byte.
    pub fn location(&self, offset: usize) -> Location {
        locate(&self.path, &self.line_starts, self.text.as_bytes(), offset)
    }

    /// The byte of a place given as line from 1 and column in characters from 0; clipped to the line's end.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let Some(&start) = self.line_starts.get(line.saturating_sub(1)) else { return self.text.len() };
        let rest = &self.text[start..];
        let rest = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
        start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
    }

    /// The line that holds a byte, without its end, and where it starts.
    pub fn line_of(&self, offset: usize) -> (usize, &str) {
        let start = self.line_starts[self.line_starts.partition_point(|start| *start <= offset) - 1];
        let rest = &self.text[start..];
        (start, &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())])
    }
}

/// The reason without the error number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn line_starts(text: &[u8]) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text).map(|at| at + 1)).collect()
}

/// The first character that has no business in such a file, with its place.
fn control_character(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(at, c)| match c {
        '\n' | '\t' | '\u{85}' => false,
        '\r' => !text[at + 1..].starts_with('\n'),
        c => c.is_control(),
    })
}

fn locate(path: &Path, line_starts: &[usize], text: &[u8], offset: usize) -> Location {
    let line = line_starts.partition_point(|start| *start <= offset);
    let start = line_starts[line - 1];
    let column = String::from_utf8_lossy(&text[start..offset.min(text.len()).max(start)]).chars().count() + 1;
    Location { file: path.to_owned(), line, column }
}

/// The text as it is shown: what would turn round the text beside it has a sign in its place, of as many bytes, so that places stay.
fn undeceptive(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.len_utf8() {
            _ if !is_deceptive(c) => shown.push(c),
            2 => shown.push('¿'),
            3 => shown.push('\u{fffd}'),
            _ => shown.push_str("\u{fffd}?"),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from_bytes(&crate::yaml::file_kind::PLAIN, Path::new("x.yaml"), text.into()).unwrap()
    }

    #[test]
    fn offsets_and_places_agree() {
        let source = source("a: é\r\nbé: c\n");
        for (line, column, rest) in [(1, 3, "é\r\n"), (2, 4, "c\n"), (2, 9, "\n"), (3, 0, ""), (9, 0, "")] {
            let offset = source.offset(line, column);
            assert!(source.text[offset..].starts_with(rest), "{line}:{column}");
            assert_eq!(source.line_of(offset).1.is_empty(), rest.is_empty());
        }
        assert_eq!(source.location(source.offset(2, 4)).to_string(), "x.yaml:2:5");
        assert_eq!(source.location(source.text.len()).to_string(), "x.yaml:3:1");
    }

    #[test]
    fn what_a_file_says_turns_nothing_round_where_its_line_is_shown() {
        let source = source("summary: \u{61c}\u{202e}\u{e0041}ä\nwrong: x\n");
        let span = source.offset(2, 0)..source.offset(2, 5);
        let (headline, label) = ("found \u{1b}[2J\u{202e}".to_owned(), "\u{9b}here".to_owned());
        let problem = source.problem(ProblemKind::UnknownKey, span, headline, label);
        let said = format!("{:?}", miette::Report::new(problem.help("or \u{1b}]0;t\u{7}".to_owned())));
        let harmful = |c: char| c.is_control() && c != '\n' || is_deceptive(c);
        assert!(!said.contains(harmful), "{said:?}");
        assert!(said.contains("summary: ¿\u{fffd}\u{fffd}?ä") && said.contains("x.yaml:2:1"), "{said}");
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let refusal = |bytes: &[u8]| {
            let problem =
                Source::from_bytes(&crate::yaml::file_kind::PLAIN, Path::new("x.yaml"), bytes.to_vec())
                    .unwrap_err();
            format!("{}: {problem}", problem.place())
        };
        insta::assert_snapshot!(refusal(b"suite: x\nsummary: \xff"), @"x.yaml:2:10: x.yaml:2:10: found the byte 0xff, expected UTF-8 text");
        insta::assert_snapshot!(refusal(b"suite: \x1b[31m"), @"x.yaml:1:8: x.yaml:1:8: found the control character U+001B, expected text");
        insta::assert_snapshot!(refusal(b"suite: x\rsummary: y"), @"x.yaml:1:9: x.yaml:1:9: found the control character U+000D, expected text");
        insta::assert_snapshot!(refusal(format!("a: b\n# {}", "x".repeat(5000)).as_bytes()), @"x.yaml:2:1: x.yaml:2:1: line 2 has 5002 characters, at most 1000 are taken");
    }
}
