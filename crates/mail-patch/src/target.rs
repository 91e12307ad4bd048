//! Hunks laid into one file.

use std::cell::OnceCell;

use super::align::{self, NoMatch};
use super::apply::{Applied, HunkResult, Options};
use super::budget::Budget;
use super::damage::{Damage, DamageKind, Fix};
use super::diff::{FileDiff, Hunk, HunkLine, Kind};
use super::header::Header;
use super::place::{self, Fit, HunkTarget, Text};
use super::reading::Reading;
use super::reason::{self, Reason};
use super::repair;
use super::source::Source;
use super::text;

/// What the hunks of a file are applied with.
pub(super) struct Terms<'t> {
    pub(super) source: &'t dyn Source,
    pub(super) options: Options,
    pub(super) budget: &'t Budget,
    /// Whether somebody reads why a hunk does not fit.
    pub(super) explains: bool,
}

/// A file that hunks are applied to.
pub(super) struct Target<'t> {
    lines: Vec<&'t str>,
    newline: bool,
    /// The lines with their white space squeezed.
    words: OnceCell<Vec<String>>,
}

/// A hunk with all that is known of it without the file.
struct Prepared<'h> {
    hunk: &'h Hunk,
    readings: Vec<Reading>,
    damages: Vec<Damage>,
    /// Where it belongs before any offset, from 0.
    wanted: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    start: usize,
    lines: Vec<HunkLine>,
    fuzz: (usize, usize),
    damage: Vec<Damage>,
}

impl Found {
    fn old_len(&self) -> usize {
        place::old_side(&self.lines).len()
    }
}

impl<'h> Prepared<'h> {
    fn new(hunk: &'h Hunk, terms: &Terms<'_>) -> Prepared<'h> {
        // an empty old side names the line before it
        let wanted = if hunk.old.len == 0 { hunk.old.start } else { hunk.old.start.saturating_sub(1) };
        let whole = hunk.lines().filter(|_| hunk.header == Header::Exact);
        let repair = repair::repair(hunk, terms.budget);
        let readings = match whole {
            Some(lines) => vec![Reading::of(lines.to_vec())],
            None if terms.options.repair => repair.readings,
            None => Vec::new(),
        };
        Prepared { hunk, readings, damages: repair.damages, wanted }
    }

    /// What is looked for to place a reading of it.
    fn sought<'r>(&'r self, reading: &'r Reading, at: usize) -> HunkTarget<'r> {
        let section = reading.section.as_deref().unwrap_or(&self.hunk.section);
        HunkTarget { lines: &reading.lines, first: self.hunk.old.start, at, section }
    }
}

impl<'t> Target<'t> {
    /// A file with this text.
    pub(super) fn new(text: &'t str) -> Target<'t> {
        let newline = text.ends_with('\n') || text.is_empty();
        let lines = if text.is_empty() {
            Vec::new()
        } else {
            text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
        };
        Target { lines, newline, words: OnceCell::new() }
    }

    fn words(&self) -> &[String] {
        self.words.get_or_init(|| self.lines.iter().map(|line| text::squeezed(line)).collect())
    }

    fn text(&self) -> Text<'_> {
        Text { lines: &self.lines, newline: self.newline }
    }

    /// Applies the hunks of a file's section; answers each hunk's header line with its result, and the new text, which
    /// means something only where all are applied.
    pub(super) fn apply(&self, file: &FileDiff, terms: &Terms<'_>) -> (Vec<(usize, HunkResult)>, String) {
        let hunks: Vec<Prepared<'_>> = file.hunks.iter().map(|hunk| Prepared::new(hunk, terms)).collect();
        let mut placed = self.in_order(&hunks, file, terms);
        if placed.iter().any(|(_, found)| found.is_err())
            && terms.budget.compare(self.lines.len().saturating_mul(hunks.len()))
            && let Some(together) = self.together(&hunks)
        {
            placed = together;
        }
        let mut results = Vec::new();
        let mut all: Vec<&Found> = Vec::new();
        for (hunk, (wanted, found)) in hunks.iter().zip(&placed) {
            let result = match found {
                Ok(found) => {
                    all.push(found);
                    HunkResult::Applied(applied(hunk, *wanted, found))
                }
                Err(reason) => HunkResult::Failed(self.why(reason, hunk, *wanted, file, terms)),
            };
            results.push((hunk.hunk.line, result));
        }
        (results, self.with(all))
    }

    /// Each hunk below the one before, near where its header and the offset of the one before say.
    fn in_order(
        &self,
        hunks: &[Prepared<'_>],
        file: &FileDiff,
        terms: &Terms<'_>,
    ) -> Vec<(usize, Result<Found, NoMatch>)> {
        let (mut done, mut moved) = (0, 0_i64);
        let mut placed = Vec::new();
        for hunk in hunks {
            let wanted = usize::try_from(signed(hunk.wanted).saturating_add(moved)).unwrap_or(0);
            terms.budget.hunk();
            let found = self.one(hunk, done, wanted, file.path(), terms);
            if let Ok(found) = &found {
                done = found.start + found.old_len();
                moved += offset(hunk, wanted, found);
            }
            placed.push((wanted, found));
        }
        placed
    }

    /// All hunks where they fit only as a whole; `None` where that is in no or in several ways.
    fn together(&self, hunks: &[Prepared<'_>]) -> Option<Vec<(usize, Result<Found, NoMatch>)>> {
        let exact = |hunk: &Prepared<'_>| match hunk.readings.as_slice() {
            [only] if hunk.damages.is_empty() && !only.loose && hunk.hunk.old.len > 0 => Some(only.clone()),
            _ => None,
        };
        let readings: Vec<Reading> = hunks.iter().map(exact).collect::<Option<_>>()?;
        let both = || hunks.iter().zip(&readings);
        let candidates: Vec<Vec<usize>> = both()
            .map(|(hunk, reading)| place::places(self.text(), 0, hunk.sought(reading, hunk.wanted)))
            .collect();
        let lengths: Vec<usize> =
            readings.iter().map(|reading| place::old_side(&reading.lines).len()).collect();
        let wanted: Vec<usize> = hunks.iter().map(|hunk| hunk.wanted).collect();
        let starts = place::together(&candidates, &lengths, &wanted)?;
        let mut moved = 0_i64;
        let mut placed = Vec::new();
        for ((hunk, reading), start) in both().zip(starts) {
            let wanted = usize::try_from(signed(hunk.wanted).saturating_add(moved)).unwrap_or(0);
            let found = Found { start, lines: reading.lines.clone(), fuzz: (0, 0), damage: Vec::new() };
            if self.goes_on(hunk.hunk, &found) {
                return None;
            }
            moved += offset(hunk, wanted, &found);
            placed.push((wanted, Ok(found)));
        }
        Some(placed)
    }

    /// The one place and reading of a hunk.
    fn one(
        &self,
        hunk: &Prepared<'_>,
        from: usize,
        wanted: usize,
        path: &str,
        terms: &Terms<'_>,
    ) -> Result<Found, NoMatch> {
        if hunk.readings.is_empty() {
            return Err(NoMatch::Damaged(hunk.damages.clone()));
        }
        let mut found: Vec<Found> = Vec::new();
        let mut no_match = NoMatch::Nowhere;
        for reading in &hunk.readings {
            match self.find(hunk, reading, from, wanted, path, terms) {
                Ok(one) => {
                    if !found.iter().any(|other| other.lines == one.lines && other.start == one.start) {
                        found.push(one);
                    }
                }
                Err(reason) => no_match = reason,
            }
        }
        if found.is_empty() && terms.options.repair && !matches!(no_match, NoMatch::Already(_)) {
            for (reading, damage) in others(hunk) {
                if let Ok(mut one) = self.find(hunk, &reading, from, wanted, path, terms) {
                    one.damage.insert(0, damage);
                    found.push(one);
                    break;
                }
            }
        }
        match found.len() {
            0 => Err(no_match),
            1 => {
                let one = found.remove(0);
                if self.goes_on(hunk.hunk, &one) {
                    return Err(NoMatch::Damaged(vec![more_lines(hunk.hunk)]));
                }
                Ok(one)
            }
            _ => Err(NoMatch::Several(found.iter().map(|one| one.start).collect())),
        }
    }

    /// Whether the source goes on below the hunk as the diff does, so that the header announces too few lines.
    fn goes_on(&self, hunk: &Hunk, found: &Found) -> bool {
        let next = self.lines.get(found.start + found.old_len());
        let more = hunk.surplus.iter().find(|line| line.kind != Kind::Add);
        more.is_some_and(|more| !more.text.trim().is_empty() && next.is_some_and(|next| **next == more.text))
    }

    fn find(
        &self,
        hunk: &Prepared<'_>,
        reading: &Reading,
        from: usize,
        wanted: usize,
        path: &str,
        terms: &Terms<'_>,
    ) -> Result<Found, NoMatch> {
        let sought = hunk.sought(reading, wanted);
        let unknown = if hunk.readings.len() > 1 { reading.unknown.clone() } else { None };
        if !reading.loose {
            let mut fit = match place::where_wanted(self.text(), from, sought) {
                true => Fit::At { line: wanted, skipped_start: 0, skipped_end: 0 },
                false if !terms.budget.compare(self.lines.len()) => return Err(NoMatch::GaveUp),
                false => place::place(self.text(), from, sought, 0),
            };
            if fit == Fit::Nowhere && terms.options.fuzz > 0 {
                // with less context a change that is there already could be made once more
                if !terms.budget.compare(self.lines.len().saturating_mul(2 * terms.options.fuzz)) {
                    return Err(NoMatch::GaveUp);
                }
                let first = hunk.hunk.new.start;
                if let Some(line) = reason::undone(self.text(), HunkTarget { first, ..sought }) {
                    return Err(NoMatch::Already(line));
                }
                fit = place::place(self.text(), from, sought, terms.options.fuzz);
            }
            match fit {
                Fit::At { line, skipped_start, skipped_end } => {
                    let lines = reading.lines[skipped_start..reading.lines.len() - skipped_end].to_vec();
                    let fuzz = (skipped_start, skipped_end);
                    return Ok(Found { start: line, lines, fuzz, damage: unknown.into_iter().collect() });
                }
                Fit::Several(lines) => return Err(NoMatch::Several(lines)),
                Fit::Nowhere if !terms.options.repair => return Err(NoMatch::Nowhere),
                Fit::Nowhere => {}
            }
        }
        // the hunk's own lines are taken apart for each reading
        let squeezing = if self.words.get().is_none() { 40 } else { 0 };
        let steps = self.lines.len().saturating_mul(4 + squeezing) + reading.lines.len().saturating_mul(200);
        if !terms.budget.compare(steps) {
            return Err(NoMatch::GaveUp);
        }
        let aligned = align::align(&self.lines, self.words(), from, reading, wanted, sought.section, path)?;
        // nothing was damaged: it is here, but git's rules for a file's start and end keep it from it
        if !reading.loose && aligned.damage.is_empty() && aligned.lines == reading.lines {
            return Err(NoMatch::Nowhere);
        }
        let damage = aligned.damage.into_iter().chain(unknown).collect();
        let mut found = Found { start: aligned.start, lines: aligned.lines, fuzz: (0, 0), damage };
        let at_end = found.start + found.old_len() == self.lines.len();
        if let Some(last) = found.lines.last_mut().filter(|last| at_end && last.kind == Kind::Context) {
            last.newline = self.newline;
        }
        Ok(found)
    }

    fn why(
        &self,
        no_match: &NoMatch,
        hunk: &Prepared<'_>,
        wanted: usize,
        file: &FileDiff,
        terms: &Terms<'_>,
    ) -> Reason {
        match no_match {
            NoMatch::Damaged(damages) => Reason::Damaged { damages: damages.clone() },
            NoMatch::Already(line) => Reason::AlreadyApplied { at: line + 1 },
            NoMatch::Several(lines) => Reason::Several { lines: lines.iter().map(|line| line + 1).collect() },
            NoMatch::Unknowable(text) => Reason::WhiteSpace { text: text.clone() },
            NoMatch::GaveUp => Reason::GaveUp { after: terms.budget.hunks() },
            NoMatch::Nowhere => {
                let Some(reading) = hunk.readings.first() else {
                    return Reason::Damaged { damages: hunk.damages.clone() };
                };
                let sought = HunkTarget { first: hunk.hunk.new.start, ..hunk.sought(reading, wanted) };
                if !terms.budget.compare(self.lines.len()) {
                    return Reason::GaveUp { after: terms.budget.hunks() };
                }
                if let Some(line) = reason::undone(self.text(), sought) {
                    return Reason::AlreadyApplied { at: line + 1 };
                }
                let compared = reading.lines.len().min(reason::MOST_COMPARED);
                let steps = self.lines.len().saturating_mul(120) + compared * compared;
                if !terms.explains || !terms.budget.compare(steps) {
                    return Reason::GaveUp { after: terms.budget.hunks() };
                }
                reason::at_an_end(self.text(), hunk.sought(reading, wanted)).unwrap_or_else(|| {
                    reason::nowhere(self.text(), self.words(), reading, wanted, file.path(), terms.source)
                })
            }
        }
    }

    /// The file's text with these hunks, which do not overlap.
    fn with(&self, mut hunks: Vec<&Found>) -> String {
        hunks.sort_by_key(|found| found.start);
        let last = self.lines.len();
        let kept = |range: std::ops::Range<usize>| {
            range.filter_map(|at| Some((*self.lines.get(at)?, at + 1 < last || self.newline)))
        };
        let (mut text, mut done) = (String::new(), 0);
        let mut add = |line: &str, newline: bool| {
            text.push_str(line);
            if newline {
                text.push('\n');
            }
        };
        for found in hunks {
            kept(done..found.start).for_each(|(line, newline)| add(line, newline));
            done = found.start + found.old_len();
            for line in found.lines.iter().filter(|line| line.kind != Kind::Remove) {
                add(&line.text, line.newline);
            }
        }
        kept(done..last).for_each(|(line, newline)| add(line, newline));
        text
    }
}

fn signed(line: usize) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

/// Lines that a hunk is away from where it should be.
fn offset(hunk: &Prepared<'_>, wanted: usize, found: &Found) -> i64 {
    let offset = signed(found.start) - signed(wanted.saturating_add(found.fuzz.0));
    // an empty line that was lost at the hunk's start moves it without meaning
    let lost = hunk.readings.iter().map(|reading| reading.lost_blanks).max().unwrap_or(0);
    if (0..=signed(lost)).contains(&offset) { 0 } else { offset }
}

fn applied(hunk: &Prepared<'_>, wanted: usize, found: &Found) -> Applied {
    let repaired = [hunk.damages.clone(), found.damage.clone()].concat();
    Applied {
        at: found.start + 1,
        offset: offset(hunk, wanted, found),
        fuzz: found.fuzz.0.max(found.fuzz.1),
        repaired,
    }
}

/// A hunk whose header announces fewer lines than stand below it.
fn more_lines(hunk: &Hunk) -> Damage {
    Damage {
        kind: DamageKind::Miscounted,
        lines: vec![hunk.line],
        proof: format!(
            "the hunk announces {} old and {} new lines, and the line below them is the source's next one",
            hunk.old.len, hunk.new.len
        ),
        fix: Fix::None("what belongs to the hunk is not known; fetch the raw mail".into()),
    }
}

/// Readings of a whole hunk that fits nowhere, each with the damage that it would have.
fn others(hunk: &Prepared<'_>) -> Vec<(Reading, Damage)> {
    let mut others: Vec<(Reading, Damage)> = repair::with_tail(hunk.hunk).into_iter().collect();
    for (read, from) in
        [(text::latin_to_utf8 as fn(&str) -> String, "ISO-8859-1"), (text::utf8_to_latin, "UTF-8")]
    {
        for reading in &hunk.readings {
            let mut other = reading.clone();
            other.lines.iter_mut().for_each(|line| line.text = read(&line.text));
            if other.lines == reading.lines {
                continue;
            }
            let changed = |(old, new): &(&HunkLine, &HunkLine)| old.text != new.text;
            let lines = reading.lines.iter().zip(&other.lines).filter(changed).map(|(line, _)| line.line);
            let damage = Damage {
                kind: DamageKind::Charset,
                lines: lines.collect(),
                proof: format!("the context is in the source when these lines are read as {from}"),
                fix: Fix::OneWay("the bytes become those of the source's character set".into()),
            };
            others.push((other, damage));
        }
    }
    others
}
