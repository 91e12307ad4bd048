//! Where a hunk belongs in a file.

use super::diff::{HunkLine, Kind};

/// Where a hunk fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// At this line (from 0), with so many context lines left out at its start and its end.
    At {
        /// The first line of what was compared.
        line: usize,
        /// Context lines left out at the start.
        skipped_start: usize,
        /// And at the end.
        skipped_end: usize,
    },
    /// At several lines, and nothing says which is meant.
    Several(Vec<usize>),
    /// Nowhere.
    Nowhere,
}

/// The old side of a hunk with its context.
pub fn old_side(lines: &[HunkLine]) -> Vec<&HunkLine> {
    lines.iter().filter(|line| line.kind != Kind::Add).collect()
}

/// Context lines at the start and at the end.
fn edges(lines: &[HunkLine]) -> (usize, usize) {
    let context = |line: &&HunkLine| line.kind == Kind::Context;
    (lines.iter().take_while(context).count(), lines.iter().rev().take_while(context).count())
}

/// Looks for the hunk in the file's lines from `from` on. `wanted` is where it should be (from 0), moved by what the
/// hunks before it were moved; `section` is the text of its header. Up to `fuzz` context lines may be left out at
/// either end.
pub fn place(
    file: &[&str],
    from: usize,
    hunk: &[HunkLine],
    wanted: usize,
    section: &str,
    fuzz: usize,
) -> Fit {
    let old = old_side(hunk);
    let (start, end) = edges(hunk);
    for level in 0..=fuzz {
        let (skip_start, skip_end) = (level.min(start), level.min(end));
        if level > 0 && (skip_start, skip_end) == ((level - 1).min(start), (level - 1).min(end)) {
            break;
        }
        let texts: Vec<&str> =
            old[skip_start..old.len() - skip_end].iter().map(|line| line.text.as_str()).collect();
        // as git has it: no context below means the end of the file, line 1 its start
        let at_end = level == 0 && end == 0 && start > 0;
        let places: Vec<usize> = (from..=file.len().saturating_sub(texts.len()))
            .filter(|at| file.len() >= at + texts.len() && file[*at..*at + texts.len()] == texts[..])
            .filter(|at| !at_end || at + texts.len() == file.len())
            .collect();
        let here = wanted + skip_start;
        match choose(file, &places, here, section) {
            Fit::Nowhere => {}
            Fit::At { line, .. } => {
                return Fit::At { line, skipped_start: skip_start, skipped_end: skip_end };
            }
            several => return several,
        }
    }
    Fit::Nowhere
}

/// The place that is meant: the wanted one, the only one, or the only one below the line that the header shows.
pub fn choose(file: &[&str], places: &[usize], wanted: usize, section: &str) -> Fit {
    let at = |line: usize| Fit::At { line, skipped_start: 0, skipped_end: 0 };
    match places {
        [] => Fit::Nowhere,
        [only] => at(*only),
        several if several.contains(&wanted) => at(wanted),
        several => {
            let below: Vec<usize> =
                several.iter().copied().filter(|place| is_below(file, *place, section)).collect();
            if let [only] = below.as_slice() { at(*only) } else { Fit::Several(several.to_vec()) }
        }
    }
}

/// Whether the closest line above that starts a function is the one that the header shows.
fn is_below(file: &[&str], place: usize, section: &str) -> bool {
    let section = section.trim();
    if section.is_empty() {
        return false;
    }
    let starts = |line: &&&str| line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    let above = file[..place].iter().rev().find(starts);
    above.is_some_and(|line| line.trim_end().starts_with(section) || section.starts_with(line.trim_end()))
}
