//! Hunks laid into one file, from its start to its end.

use super::align::{self, NoMatch};
use super::apply::{Applied, HunkResult, Options};
use super::damage::Damage;
use super::diff::{FileDiff, Hunk, HunkLine, Kind};
use super::patch_mail::readings;
use super::place::{self, Fit};
use super::reason::{self, Reason};
use super::repair::{self, Reading};
use super::source::Source;

/// A file that hunks are applied to.
pub(super) struct Target<'t> {
    lines: Vec<&'t str>,
    newline: bool,
    out: Vec<String>,
    /// Lines of the file that are dealt with.
    done: usize,
    /// How far the hunk before was from its place.
    offset: i64,
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
        Target { lines, newline, out: Vec::new(), done: 0, offset: 0 }
    }

    /// Applies the next hunk.
    pub(super) fn take(
        &mut self,
        hunk: &Hunk,
        file: &FileDiff,
        source: &dyn Source,
        options: Options,
    ) -> HunkResult {
        // an empty old side names the line before it
        let first = if hunk.old.len == 0 { hunk.old.start } else { hunk.old.start.saturating_sub(1) };
        let wanted = usize::try_from(i64::try_from(first).unwrap_or(0) + self.offset).unwrap_or(0);
        let mut readings = readings(hunk);
        let mut damages = repair::repair(hunk).damages;
        if hunk.lines().is_none() && (!options.repair || readings.is_empty()) {
            return HunkResult::Failed(Reason::Damaged { damages });
        }
        let mut found: Vec<Found> = Vec::new();
        let mut no_match = None;
        for reading in &readings {
            match self.find(reading, hunk, wanted, file.path(), options) {
                Ok(one) => {
                    if !found.iter().any(|other| other.lines == one.lines && other.start == one.start) {
                        found.push(one);
                    }
                }
                Err(reason) => no_match = Some(reason),
            }
        }
        if found.is_empty()
            && options.repair
            && let Some((reading, damage)) = repair::with_tail(hunk)
            && let Ok(one) = self.find(&reading, hunk, wanted, file.path(), options)
        {
            damages.push(damage);
            readings = vec![reading];
            found.push(one);
        }
        match found.as_slice() {
            [one] => {
                let one = one.clone();
                let offset =
                    i64::try_from(one.start).unwrap_or(0) - i64::try_from(wanted + one.fuzz.0).unwrap_or(0);
                // an empty line that was lost at the hunk's start moves it without meaning
                let lost = readings.iter().map(|reading| reading.lost_blanks).max().unwrap_or(0);
                let offset =
                    if (0..=i64::try_from(lost).unwrap_or(0)).contains(&offset) { 0 } else { offset };
                let mut repaired = damages;
                repaired.extend(one.damage.clone());
                let at = one.start + 1;
                let fuzz = one.fuzz.0.max(one.fuzz.1);
                self.put(&one);
                self.offset += offset;
                HunkResult::Applied(Applied { at, offset, fuzz, repaired })
            }
            [] => {
                let reason = no_match.unwrap_or(NoMatch::Nowhere);
                HunkResult::Failed(self.why(reason, &readings, hunk, wanted, file, source))
            }
            several => {
                let lines = several.iter().map(|one| one.start + 1).collect();
                HunkResult::Failed(Reason::Several { lines })
            }
        }
    }

    fn find(
        &self,
        reading: &Reading,
        hunk: &Hunk,
        wanted: usize,
        path: &str,
        options: Options,
    ) -> Result<Found, NoMatch> {
        let section = reading.section.as_deref().unwrap_or(&hunk.section);
        if !reading.loose {
            let lines = &reading.lines;
            if place::old_side(lines).is_empty() {
                let at = wanted.min(self.lines.len());
                return Ok(Found { start: at, lines: lines.clone(), fuzz: (0, 0), damage: None });
            }
            match place::place(&self.lines, self.done, lines, wanted, section, options.fuzz) {
                Fit::At { line, skipped_start, skipped_end } => {
                    let lines = lines[skipped_start..lines.len() - skipped_end].to_vec();
                    return Ok(Found {
                        start: line,
                        lines,
                        fuzz: (skipped_start, skipped_end),
                        damage: None,
                    });
                }
                Fit::Several(lines) => return Err(NoMatch::Several(lines)),
                Fit::Nowhere if !options.repair => return Err(NoMatch::Nowhere),
                Fit::Nowhere => {}
            }
        }
        let aligned = align::align(&self.lines, self.done, reading, wanted, section, path)?;
        Ok(Found { start: aligned.start, lines: aligned.lines, fuzz: (0, 0), damage: aligned.damage })
    }

    fn put(&mut self, found: &Found) {
        self.out.extend(self.lines[self.done..found.start].iter().map(|line| (*line).to_owned()));
        let mut new = found.lines.iter().filter(|line| line.kind != Kind::Remove);
        self.out.extend(new.clone().map(|line| line.text.clone()));
        self.done = found.start + place::old_side(&found.lines).len();
        if self.done == self.lines.len()
            && let Some(last) = new.next_back()
        {
            self.newline = last.newline;
        }
    }

    fn why(
        &self,
        no_match: NoMatch,
        readings: &[Reading],
        hunk: &Hunk,
        wanted: usize,
        file: &FileDiff,
        source: &dyn Source,
    ) -> Reason {
        match no_match {
            NoMatch::Several(lines) => Reason::Several { lines: lines.iter().map(|line| line + 1).collect() },
            NoMatch::Unknowable(text) => Reason::WhiteSpace { text },
            NoMatch::Nowhere => match readings.first() {
                Some(reading) => reason::nowhere(&self.lines, reading, hunk, wanted, file.path(), source),
                None => Reason::Damaged { damages: repair::repair(hunk).damages },
            },
        }
    }

    /// The file's new text.
    pub(super) fn finished(mut self) -> String {
        self.out.extend(self.lines[self.done..].iter().map(|line| (*line).to_owned()));
        let mut text = self.out.join("\n");
        if self.newline && !self.out.is_empty() {
            text.push('\n');
        }
        text
    }
}

#[derive(Clone, Debug)]
struct Found {
    start: usize,
    lines: Vec<HunkLine>,
    fuzz: (usize, usize),
    damage: Option<Damage>,
}
