//! The matrix tests × kernels as text.

use console::measure_text_width as width;

use super::cells::Outline;
use super::fold::RunSummary;
use crate::progress::{Paint, Tone, printable, status_word};
use crate::verdict::Verdict;

/// Blanks between two columns.
const GAP: usize = 2;

/// How a matrix is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixStyle {
    /// Columns of the screen or page; a wider matrix is cut into several blocks of kernels.
    pub width: usize,
    /// Whether status words are coloured.
    pub paint: Paint,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
}

impl MatrixStyle {
    /// For a file or a pipe: no colour, 120 columns.
    pub const PLAIN: MatrixStyle = MatrixStyle { width: 120, paint: Paint::OFF, unicode: true };

    /// As standard output wants it.
    pub fn for_stdout() -> MatrixStyle {
        MatrixStyle::for_terminal(&console::Term::stdout(), Paint::for_stdout())
    }

    /// As standard error wants it.
    pub fn for_stderr() -> MatrixStyle {
        MatrixStyle::for_terminal(&console::Term::stderr(), Paint::for_stderr())
    }

    fn for_terminal(term: &console::Term, paint: Paint) -> MatrixStyle {
        let width = term.size_checked().map_or(MatrixStyle::PLAIN.width, |(_, columns)| usize::from(columns));
        MatrixStyle { width, paint, unicode: locale_is_utf8(|name| std::env::var(name).ok()) }
    }
}

/// Whether the locale that the environment sets has characters beyond ASCII. Without any setting it is assumed: a
/// machine for continuous integration has none, and its log viewer reads UTF-8.
fn locale_is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    set.is_none_or(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

/// The matrix, each line ended. Status words are those of the live view; `-` marks a cell that was planned and not
/// run, `·` (`.` in ASCII) one that was not planned. Empty for a run without cells.
pub fn matrix(run: &RunSummary, style: MatrixStyle) -> String {
    let tests = run.tests();
    let kernels = run.kernels();
    let name = |name: &str| clean(name, style.unicode);
    let test_column = tests.iter().map(|test| width(&name(test))).max().unwrap_or(0);
    let columns: Vec<Column<'_>> =
        kernels.iter().map(|kernel| Column::new(run, kernel, &tests, style)).collect();
    let mut out = String::new();
    for block in blocks(&columns, style.width.saturating_sub(test_column)) {
        if !out.is_empty() {
            out.push('\n');
        }
        let header = block.iter().map(|column| (column.kernel.clone(), column.kernel.clone(), column.width));
        push_row(&mut out, "", test_column, header);
        for test in &tests {
            let cells = block.iter().map(|column| {
                let (word, tone) = word(run.find(test, column.name), style.unicode);
                (
                    word.to_owned(),
                    tone.map_or_else(|| word.to_owned(), |tone| style.paint.apply(tone, word)),
                    column.width,
                )
            });
            push_row(&mut out, &name(test), test_column, cells);
        }
    }
    out
}

/// One kernel's column.
struct Column<'r> {
    name: &'r str,
    kernel: String,
    width: usize,
}

impl<'r> Column<'r> {
    fn new(run: &RunSummary, name: &'r str, tests: &[&str], style: MatrixStyle) -> Column<'r> {
        let words = tests.iter().map(|test| word(run.find(test, name), style.unicode).0);
        let kernel = clean(name, style.unicode);
        Column { name, width: words.map(width).max().unwrap_or(0).max(width(&kernel)), kernel }
    }
}

/// The word for a cell and its tone.
pub(super) fn word(cell: Option<Outline<'_>>, unicode: bool) -> (&'static str, Option<Tone>) {
    match cell {
        None => (if unicode { "·" } else { "." }, Some(Tone::Dim)),
        Some(cell) => word_of(cell.verdict(), cell.known()),
    }
}

/// The word for a planned cell and its tone.
pub fn word_of(verdict: Option<Verdict>, known: Option<&str>) -> (&'static str, Option<Tone>) {
    let Some(verdict) = verdict else { return ("-", Some(Tone::Warn)) };
    let (word, tone) = status_word(verdict, known);
    (word, Some(tone))
}

fn clean(name: &str, unicode: bool) -> String {
    let name = printable(name);
    if unicode { name } else { name.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect() }
}

/// Cuts the columns into blocks that fit into `room`; a block has at least one.
fn blocks<'c, 'r>(columns: &'c [Column<'r>], room: usize) -> Vec<&'c [Column<'r>]> {
    let mut blocks = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, column) in columns.iter().enumerate() {
        let needed = GAP + column.width;
        if at > start && used + needed > room {
            blocks.push(&columns[start..at]);
            (start, used) = (at, 0);
        }
        used += needed;
    }
    if start < columns.len() {
        blocks.push(&columns[start..]);
    }
    blocks
}

/// Adds a line: the test, then (text, the same text coloured, width of its column) for each cell.
fn push_row(
    out: &mut String,
    test: &str,
    test_column: usize,
    cells: impl Iterator<Item = (String, String, usize)>,
) {
    let mut line = format!("{test}{}", " ".repeat(test_column.saturating_sub(width(test))));
    for (text, coloured, column) in cells {
        line.push_str(&" ".repeat(GAP));
        line.push_str(&coloured);
        line.push_str(&" ".repeat(column.saturating_sub(width(&text))));
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;

    #[test]
    fn every_word() {
        let mut events = sample::events();
        let alone = CellRecord { ..sample::record("nfs::only-here", "7.2.13", Verdict::Good) };
        events.insert(11, Event::Cell(Box::new(alone)));
        insta::assert_snapshot!(matrix(&sample::fold(events), MatrixStyle::PLAIN), @r#"
                                      6.12.57  6.17.13  7.2.13
        block::elevator-switch-race   PASS     KNOWN    FIXED
        cifs::fsconfig-source-leak    FAIL     SKIP     BLIND
        ext4::mmap-writeback-failure  LOST     OTHER    -
        nfs::only-here                ·        ·        PASS
        "#);
    }

    #[test]
    fn a_narrow_screen_gets_blocks() {
        let style = MatrixStyle { width: 48, ..MatrixStyle::PLAIN };
        insta::assert_snapshot!(matrix(&sample::finished(), style), @r#"
                                      6.12.57  6.17.13
        block::elevator-switch-race   PASS     KNOWN
        cifs::fsconfig-source-leak    FAIL     SKIP
        ext4::mmap-writeback-failure  LOST     OTHER

                                      7.2.13
        block::elevator-switch-race   FIXED
        cifs::fsconfig-source-leak    BLIND
        ext4::mmap-writeback-failure  -
        "#);
        for width in [0, 1, 20, 37, 38] {
            let text = matrix(&sample::finished(), MatrixStyle { width, ..style });
            assert_eq!(text.matches("6.17.13").count(), 1, "{width}");
        }
    }

    #[test]
    fn colour_does_not_move_columns() {
        let coloured = matrix(&sample::finished(), MatrixStyle { paint: Paint::ON, ..MatrixStyle::PLAIN });
        assert!(coloured.contains("\u{1b}[31m"));
        assert_eq!(console::strip_ansi_codes(&coloured), matrix(&sample::finished(), MatrixStyle::PLAIN));
    }

    #[test]
    fn ascii_stays_ascii() {
        let events = [
            Event::Cell(Box::new(sample::record("a::ü\u{1b}", "6.1-β", Verdict::Bad))),
            Event::Cell(Box::new(sample::record("a::b", "6.2", Verdict::Good))),
        ];
        let text = matrix(&sample::fold(events), MatrixStyle { unicode: false, ..MatrixStyle::PLAIN });
        insta::assert_snapshot!(text, @r#"
               6.1-?  6.2
        a::??  FAIL   .
        a::b   .      PASS
        "#);
        assert!(text.is_ascii());
    }

    #[test]
    fn no_cells_no_matrix() {
        assert_eq!(matrix(&RunSummary::default(), MatrixStyle::PLAIN), "");
    }

    #[test]
    fn the_locale_decides_about_characters() {
        let with = |pairs: &'static [(&str, &str)]| {
            locale_is_utf8(|name| {
                pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(with(&[]));
        assert!(with(&[("LANG", "de_DE.UTF-8")]));
        assert!(!with(&[("LANG", "C")]));
        assert!(!with(&[("LC_ALL", "POSIX"), ("LANG", "en_US.utf8")]));
        assert!(with(&[("LC_ALL", ""), ("LANG", "C.utf8")]));
    }
}
