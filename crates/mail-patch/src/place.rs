//! Where a hunk belongs in a file.

use std::ops::RangeInclusive;

use super::diff::{HunkLine, Kind};

/// A file as lines.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t> {
    /// The lines without their newlines.
    pub lines: &'t [&'t str],
    /// Whether the last one ends with a newline.
    pub newline: bool,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct HunkTarget<'h> {
    /// The hunk's lines.
    pub lines: &'h [HunkLine],
    /// The first line of its old side as its header has it, from 1.
    pub first: usize,
    /// Where it should be, from 0: moved by what the hunks before it were moved.
    pub at: usize,
    /// The text of its header.
    pub section: &'h str,
}

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

/// Which ends of the file a hunk must be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// Those of `git apply`: a hunk of line 1 belongs to the start, one without context below its changes to the end.
    Git,
    /// None: where the words are, for a message.
    Anywhere,
    /// Those of GNU `patch` with so much fuzz: where context is missing at one end only, that is the file's.
    Patch(usize),
}

/// The old side of a hunk with its context.
pub fn old_side(lines: &[HunkLine]) -> Vec<&HunkLine> {
    lines.iter().filter(|line| line.kind != Kind::Add).collect()
}

/// The hunk that undoes this one.
pub fn reversed(lines: &[HunkLine]) -> Vec<HunkLine> {
    let kind = |kind| match kind {
        Kind::Context => Kind::Context,
        Kind::Remove => Kind::Add,
        Kind::Add => Kind::Remove,
    };
    lines.iter().map(|line| HunkLine { kind: kind(line.kind), ..line.clone() }).collect()
}

/// Context lines at the start and at the end.
fn edges(lines: &[HunkLine]) -> (usize, usize) {
    let context = |line: &&HunkLine| line.kind == Kind::Context;
    let start = lines.iter().take_while(context).count();
    (start, lines.iter().rev().take_while(context).count().min(lines.len() - start))
}

/// Looks for the hunk in the file's lines from `from` on. Up to `fuzz` context lines may be left out at either end.
pub fn place(file: Text<'_>, from: usize, wanted: HunkTarget<'_>, fuzz: usize) -> Fit {
    let (start, end) = edges(wanted.lines);
    let mut levels = vec![Rules::Git];
    if fuzz > 0 {
        levels.extend((0..=fuzz).map(Rules::Patch));
    }
    for rules in levels {
        let level = if let Rules::Patch(level) = rules { level } else { 0 };
        let skip = (level.min(start), level.min(end));
        if level > 0 && skip == ((level - 1).min(start), (level - 1).min(end)) {
            break;
        }
        let found = within(file, from..=usize::MAX, wanted, skip, rules);
        match choose(file.lines, &found, wanted.at + skip.0, wanted.section) {
            Fit::Nowhere => {}
            Fit::At { line, .. } => return Fit::At { line, skipped_start: skip.0, skipped_end: skip.1 },
            several => return several,
        }
    }
    Fit::Nowhere
}

/// Whether the whole hunk fits where it should be.
pub fn where_wanted(file: Text<'_>, from: usize, wanted: HunkTarget<'_>) -> bool {
    wanted.at >= from && !within(file, wanted.at..=wanted.at, wanted, (0, 0), Rules::Git).is_empty()
}

/// All lines from `from` on, from 0, where the whole hunk fits.
pub fn places(file: Text<'_>, from: usize, wanted: HunkTarget<'_>) -> Vec<usize> {
    within(file, from..=usize::MAX, wanted, (0, 0), Rules::Git)
}

/// The first place where the hunk's old side is, but that it must be at the file's start or end, or has another newline at
/// the end.
pub fn elsewhere(file: Text<'_>, wanted: HunkTarget<'_>) -> Option<usize> {
    within(file, 0..=usize::MAX, wanted, (0, 0), Rules::Anywhere)
        .first()
        .copied()
        .filter(|_| wanted.first > 0)
}

fn within(
    file: Text<'_>,
    range: RangeInclusive<usize>,
    wanted: HunkTarget<'_>,
    skip: (usize, usize),
    rules: Rules,
) -> Vec<usize> {
    let count = file.lines.len();
    let all = old_side(wanted.lines);
    let old = &all[skip.0..all.len() - skip.1];
    if all.is_empty() {
        // a file to be made, or lines to be put in where nothing can be compared
        let open = wanted.at < count || wanted.at == count && file.newline;
        let fits = if wanted.first == 0 { count == 0 } else { open };
        return if fits && range.contains(&wanted.at) { vec![wanted.at] } else { Vec::new() };
    }
    // nothing is left to compare, or more than the file has
    let Some(last) = count.checked_sub(old.len()).filter(|_| !old.is_empty()) else { return Vec::new() };
    let (start, end) = edges(wanted.lines);
    let (at_start, at_end) = match rules {
        Rules::Git if start == 0 && end == 0 => (false, false),
        Rules::Git => (wanted.first <= 1, end == 0),
        Rules::Anywhere => (false, false),
        Rules::Patch(level) => (wanted.first <= 1 && start + level < end, end + level < start),
    };
    // a file's end has a newline or not, and the hunk must agree
    let (old_ends, new_ends) = (old.last().is_none_or(|line| line.newline), newline(wanted.lines, skip.1));
    let broken = old.iter().rev().skip(1).any(|line| !line.newline);
    (*range.start()..=last.min(*range.end()))
        .filter(|at| file.lines[*at..*at + old.len()].iter().zip(old).all(|(text, line)| **text == line.text))
        .filter(|at| !at_start || *at == 0)
        .filter(|at| !at_end || at + old.len() == count)
        .filter(|at| match at + old.len() == count {
            _ if rules == Rules::Anywhere => true,
            true => old_ends == file.newline,
            false => old_ends && new_ends,
        })
        .filter(|_| !broken)
        .collect()
}

/// Whether the new side ends with a newline.
fn newline(lines: &[HunkLine], skipped: usize) -> bool {
    let kept = &lines[..lines.len() - skipped];
    kept.iter().rev().find(|line| line.kind != Kind::Remove).is_none_or(|line| line.newline)
}

/// The place that is meant: the wanted one, the only one, or the only one below the line that the header shows.
pub fn choose(file: &[&str], places: &[usize], wanted: usize, section: &str) -> Fit {
    let at = |line: usize| Fit::At { line, skipped_start: 0, skipped_end: 0 };
    match places {
        [] => Fit::Nowhere,
        [only] => at(*only),
        several if several.contains(&wanted) => at(wanted),
        several => {
            let below = below(file, several, section);
            if let [only] = below.as_slice() { at(*only) } else { Fit::Several(several.to_vec()) }
        }
    }
}

/// The places, in rising order, whose closest line above that starts a function is the one that the header shows.
fn below(file: &[&str], places: &[usize], section: &str) -> Vec<usize> {
    let section = section.trim();
    let starts = |line: &&&str| line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    let (mut above, mut seen, mut found) = (None, 0, Vec::new());
    for place in places.iter().filter(|_| !section.is_empty()) {
        above = file[seen..*place].iter().rev().find(starts).or(above);
        seen = *place;
        if above
            .is_some_and(|line| line.trim_end().starts_with(section) || section.starts_with(line.trim_end()))
        {
            found.push(*place);
        }
    }
    found
}

/// One place for each hunk of a file, where hunks that fit at several lines, or only out of their order, fit together in
/// one way. `candidates` has the places of each hunk, in rising order, `lengths` the lines that it covers and `wanted` where
/// it should be.
pub fn together(candidates: &[Vec<usize>], lengths: &[usize], wanted: &[usize]) -> Option<Vec<usize>> {
    /// Hunks of more places are in a file that repeats itself.
    const MOST: usize = 1000;
    if candidates.iter().any(|places| places.is_empty() || places.len() > MOST) {
        return None;
    }
    // ways to go on from each place, counted up to two
    let mut ways: Vec<Vec<u8>> = candidates.iter().map(|places| vec![1; places.len()]).collect();
    for hunk in (0..candidates.len().saturating_sub(1)).rev() {
        for (at, place) in candidates[hunk].iter().enumerate() {
            let next = candidates[hunk + 1].iter().zip(&ways[hunk + 1]);
            let on = next.filter(|(next, _)| **next >= place + lengths[hunk]);
            ways[hunk][at] = on.map(|(_, ways)| *ways).fold(0_u8, u8::saturating_add).min(2);
        }
    }
    let chains = ways.first()?.iter().copied().fold(0_u8, u8::saturating_add);
    if chains == 1 {
        let mut chain: Vec<usize> = Vec::new();
        for hunk in 0..candidates.len() {
            let after = chain.last().map_or(0, |place| place + lengths[hunk - 1]);
            let mut open = candidates[hunk].iter().zip(&ways[hunk]);
            chain.push(*open.find(|(place, ways)| **place >= after && **ways > 0)?.0);
        }
        return Some(chain);
    }
    if chains > 1 {
        // all moved alike
        let shifted = |by: isize| -> Option<Vec<usize>> {
            let all: Option<Vec<usize>> = wanted.iter().map(|wanted| wanted.checked_add_signed(by)).collect();
            all.filter(|all| {
                all.iter().zip(candidates).all(|(place, places)| places.binary_search(place).is_ok())
            })
        };
        let by = candidates[0].iter().map(|place| place.wrapping_sub(wanted[0]).cast_signed());
        let mut alike = by.filter_map(shifted);
        let first = alike.next();
        return first.filter(|_| alike.next().is_none());
    }
    // out of order, each in its only place
    let single: Option<Vec<usize>> = candidates
        .iter()
        .map(|places| if let [only] = places.as_slice() { Some(*only) } else { None })
        .collect();
    let mut sorted: Vec<(usize, usize)> =
        single.iter().flatten().copied().zip(lengths.iter().copied()).collect();
    sorted.sort_unstable();
    single.filter(|_| sorted.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_that_fit_only_together_are_placed() {
        // the first fits twice, the second only behind one of them
        assert_eq!(together(&[vec![10, 50], vec![30]], &[5, 5], &[0, 20]), Some(vec![10, 30]));
        assert_eq!(together(&[vec![10, 50], vec![20, 60]], &[5, 5], &[0, 10]), None);
        assert_eq!(together(&[vec![10, 50], vec![20, 61]], &[5, 5], &[0, 10]), Some(vec![10, 20]));
        assert_eq!(together(&[vec![50], vec![20]], &[5, 5], &[0, 10]), Some(vec![50, 20]));
        assert_eq!(together(&[vec![50], vec![52]], &[5, 5], &[0, 10]), None);
        assert_eq!(together(&[vec![50], vec![]], &[5, 5], &[0, 10]), None);
    }
}
