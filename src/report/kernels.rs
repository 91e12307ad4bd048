//! How the kernels of a run started: each image, the time from power-on to the agent, and the results of its cells.

use console::measure_text_width as width;

use super::cells::CellPlaces;
use super::fold::RunSummary;
use crate::event::Counts;
use crate::journal::JournalError;
use crate::progress::{printable, tally};

/// Blanks between two columns.
const GAP: &str = "  ";

/// The table, each line ended: one row for each image, as tests that need more than the small one get another. `BOOT` is
/// the median time from the start of the virtual machine to the agent's first message, `BOOTED` says how many of the
/// attempts came so far. Empty for a run without cells.
///
/// # Errors
/// The journal cannot be read any more.
pub fn kernels(run: &RunSummary) -> Result<String, JournalError> {
    let mut rows = vec![["KERNEL", "RELEASE", "BOOT", "BOOTED", "CELLS"].map(str::to_owned)];
    for (kernel, cells) in run.cells_by_kernel() {
        for (release, cells) in by_release(run, &cells) {
            rows.push(row(run, kernel, release, &cells)?);
        }
    }
    if rows.len() == 1 {
        return Ok(String::new());
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|at| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, (text, column)) in row.iter().zip(&widths).enumerate() {
            let blanks = " ".repeat(column - width(text));
            // numbers stand below each other
            let is_number = at == 2 || at == 3;
            line += &if is_number { blanks + text } else { text.clone() + &blanks };
            line += GAP;
        }
        out += line.trim_end();
        out.push('\n');
    }
    Ok(out)
}

fn by_release<'r>(run: &'r RunSummary, cells: &CellPlaces) -> Vec<(&'r str, Vec<usize>)> {
    let mut images: Vec<(&str, Vec<usize>)> = Vec::new();
    for place in cells.iter() {
        let release = run.outline(place).release().unwrap_or("-");
        match images.iter_mut().find(|(known, _)| *known == release) {
            Some((_, cells)) => cells.push(place),
            None => images.push((release, vec![place])),
        }
    }
    images
}

fn row(run: &RunSummary, kernel: &str, release: &str, cells: &[usize]) -> Result<[String; 5], JournalError> {
    let mut details = run.details();
    let (mut attempts, mut seconds) = (0, Vec::new());
    for place in cells {
        let cell = details.cell(*place)?;
        attempts += cell.attempts.len();
        seconds.extend(cell.attempts.iter().filter_map(|attempt| attempt.boot_seconds));
    }
    seconds.sort_by(f64::total_cmp);
    let boot = seconds.get(seconds.len() / 2).map_or("-".to_owned(), |median| format!("{median:.3} s"));
    let mut counts = Counts::default();
    let of =
        |word: &str| cells.iter().filter(|place| run.outline(**place).known() == Some(word)).count() as u64;
    let (known, fixed) = (of("known"), of("fixed"));
    for place in cells {
        match run.outline(*place).verdict() {
            Some(verdict) => counts.add(verdict),
            None => counts.not_run += 1,
        }
    }
    let booted = format!("{}/{attempts}", seconds.len());
    Ok([printable(kernel), printable(release), boot, booted, tally(&counts, known, fixed).join(", ")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::sample;

    #[test]
    fn each_image_with_its_boot_time_and_cells() {
        let mut run = sample::finished();
        // a test that needed the large image
        run.apply(Event::Planned {
            cell: run.outline(8).id(),
            release: Some("7.2.13+deb14-amd64-large".into()),
            summary: String::new(),
            expectation: None,
            about: None,
            select: None,
            options: Vec::new(),
        });
        insta::assert_snapshot!(kernels(&run).unwrap(), @"
        KERNEL   RELEASE                       BOOT  BOOTED  CELLS
        6.12.57  6.12.57+deb13-cloud-amd64  1.104 s     4/6  1 bad, 1 good, 1 lost
        6.17.13  6.17.13+deb13-cloud-amd64  1.104 s     2/2  1 bad (1 known), 1 other, 1 skip
        7.2.13   7.2.13+deb14-amd64         1.104 s     4/4  1 good (1 fixed), 1 blind
        7.2.13   7.2.13+deb14-amd64-large         -     0/0  1 not run
        ");
        assert_eq!(kernels(&RunSummary::default()).unwrap(), "");
    }
}
