//! How long the cells took: for each of the longest tests a line from its shortest cell to its longest one, a mark a cell.

use std::fmt::Write as _;

use super::blocks::{TABLE_END, table_start};
use crate::report::cells::{CellPlaces, Outline};
use crate::report::fold::RunSummary;
use crate::report::text::escape;
use crate::verdict::Verdict;

/// Tests that are drawn.
const TESTS: usize = 25;
/// Marks that are drawn of each; of more, every so many.
const MARKS: usize = 120;
/// The longest name, characters.
const NAME: usize = 40;
/// Pixels: the names, the plot, a row.
const LEFT: f64 = 300.0;
const WIDTH: f64 = 640.0;
const ROW: f64 = 20.0;

/// A test, of whose cells those count that have a verdict and took any time.
struct Row<'r> {
    test: &'r str,
    /// How many they are, and the seconds of the shortest one, that in the middle, the longest one, and of all of them.
    cells: usize,
    shortest: f64,
    median: f64,
    longest: f64,
    total: f64,
    /// Those that are drawn, the shortest first.
    marks: Vec<Outline<'r>>,
}

/// The plot with its heading; nothing where no time is known.
pub(super) fn section(run: &RunSummary) -> String {
    let mut tests: Vec<_> = run
        .cells_by_test()
        .into_iter()
        .map(|(test, places)| (timed(run, &places).map(Outline::seconds).sum::<f64>(), test, places))
        .filter(|(total, ..)| *total > 0.0)
        .collect();
    tests.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let left_out = tests.len().saturating_sub(TESTS);
    tests.truncate(TESTS);
    let rows: Vec<Row<'_>> =
        tests.into_iter().map(|(total, test, places)| row(run, test, &places, total)).collect();
    let longest = rows.iter().map(|row| row.longest).fold(0.0, f64::max);
    if longest <= 0.0 {
        return String::new();
    }
    let mut out = "<h2>How long it took</h2>\n".to_owned();
    if left_out > 0 {
        let _ = writeln!(out, "<p>The {TESTS} tests that took most.</p>");
    }
    push_plot(&mut out, &rows, longest);
    out.push_str("<details><summary>As a table</summary>\n");
    out += &table_start(
        "durations",
        "Seconds of the cells of each test.",
        &["Test", "Cells", "Shortest", "Median", "Longest", "Together"],
    );
    for row in &rows {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"figure\">{}</td><td class=\"figure\">{:.1}</td><td class=\"figure\">{:.1}</td><td class=\"figure\">{:.1}</td><td class=\"figure\">{:.1}</td></tr>",
            escape(row.test),
            row.cells,
            row.shortest,
            row.median,
            row.longest,
            row.total
        );
    }
    out + TABLE_END + "</details>\n"
}

fn row<'r>(run: &'r RunSummary, test: &'r str, places: &CellPlaces, total: f64) -> Row<'r> {
    let mut cells: Vec<Outline<'_>> = timed(run, places).collect();
    cells.sort_by(|a, b| a.seconds().total_cmp(&b.seconds()));
    let seconds = |at: usize| cells.get(at).map_or(0.0, |cell| cell.seconds());
    let last = cells.len().saturating_sub(1);
    let (shortest, median, longest) = (seconds(0), seconds(last / 2), seconds(last));
    // the cells of all these tests may be very many
    let marks = cells.iter().step_by(cells.len().div_ceil(MARKS).max(1)).copied().collect();
    Row { test, cells: cells.len(), shortest, median, longest, total, marks }
}

/// The cells whose time is known.
fn timed<'r>(run: &'r RunSummary, places: &CellPlaces) -> impl Iterator<Item = Outline<'r>> {
    let cells = places.iter().map(|place| run.outline(place));
    cells.filter(|cell| cell.verdict().is_some() && cell.seconds() > 0.0)
}

fn push_plot(out: &mut String, rows: &[Row<'_>], longest: f64) {
    let step = step(longest);
    let scale = WIDTH / (longest / step).ceil() / step;
    let height = ROW * (rows.len() as f64 + 1.5);
    let _ = writeln!(
        out,
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"plot-name\" viewBox=\"0 0 {} {height}\" width=\"{}\">\n<title id=\"plot-name\">Seconds of each cell: a filled circle is good, a cross failed, an empty circle is anything else. The table below has the figures.</title>",
        LEFT + WIDTH + 40.0,
        LEFT + WIDTH + 40.0
    );
    let mut tick = 0.0;
    while tick * scale <= WIDTH + 0.5 {
        let x = LEFT + tick * scale;
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{:.1}\"/><text class=\"quiet\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick} s</text>",
            height - ROW,
            height - 5.0
        );
        tick += step;
    }
    for (number, row) in rows.iter().enumerate() {
        let y = ROW * (number as f64 + 0.5);
        let x = |seconds: f64| LEFT + seconds * scale;
        let mut name: String = row.test.chars().take(NAME).collect();
        if name.len() < row.test.len() {
            name.push('…');
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><line class=\"span\" x1=\"{:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
            LEFT - 10.0,
            y + 4.0,
            escape(&name),
            x(row.shortest),
            x(row.longest)
        );
        let shown = row.marks.iter();
        let is_good = |cell: &&Outline<'_>| cell.verdict() == Some(Verdict::Good);
        // what failed lies above what did not
        for cell in shown.clone().filter(is_good).chain(shown.filter(|cell| !is_good(cell))) {
            let x = x(cell.seconds());
            let _ = match cell.verdict() {
                Some(Verdict::Good) => {
                    write!(out, "<circle class=\"is-good\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>")
                }
                Some(Verdict::Bad | Verdict::Other) => {
                    let (left, right, top, bottom) = (x - 4.0, x + 4.0, y - 4.0, y + 4.0);
                    write!(
                        out,
                        "<path class=\"is-bad\" d=\"M{left:.1} {top:.1}L{right:.1} {bottom:.1}M{left:.1} {bottom:.1}L{right:.1} {top:.1}\"/>"
                    )
                }
                _ => write!(out, "<circle class=\"is-warn\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"),
            };
        }
        out.push('\n');
    }
    out.push_str("</svg>\n");
}

/// A round number of seconds between two ticks, of which there are four to ten.
fn step(longest: f64) -> f64 {
    let mut step = 10f64.powf((longest / 4.0).log10().floor());
    for factor in [2.0, 2.5, 2.0] {
        if longest / step <= 10.0 {
            break;
        }
        step *= factor;
    }
    // what is left over of a power of ten that is no round binary number
    (step * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let table = [(0.9, 0.1), (4.0, 1.0), (10.0, 1.0), (42.3, 10.0), (120.5, 20.0), (86400.0, 10000.0)];
        for (longest, expected) in table {
            assert_eq!(step(longest), expected, "{longest}");
        }
    }
}
