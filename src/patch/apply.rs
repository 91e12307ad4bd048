//! Applying a patch to a source, in memory: the source is read and never written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::align::{self, Misfit};
use super::damage::Damage;
use super::diff::{FileDiff, Hunk, HunkLine, Kind};
use super::letter::{Letter, readings};
use super::place::{self, Fit};
use super::reason::{self, Reason};
use super::repair::{self, Reading};
use super::source::{Source, is_inside};
use super::text;

/// What is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Undo damage where there is exactly one way.
    pub repair: bool,
    /// Context lines that may be left out at either end of a hunk.
    pub fuzz: usize,
}

/// How a hunk was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The line of the file, from 1.
    pub at: usize,
    /// Lines that this is away from where the patch says, hunks before it allowed for.
    pub offset: i64,
    /// Context lines that were left out.
    pub fuzz: usize,
    /// What was undone for it.
    pub repaired: Vec<Damage>,
}

/// What became of a hunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HunkResult {
    /// It is applied.
    Applied(Applied),
    /// It is not.
    Failed(Reason),
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileOutcome {
    /// Its path.
    pub path: String,
    /// Why nothing of it could be tried.
    pub problem: Option<Reason>,
    /// Its hunks: the header's line in the input, and the result.
    pub hunks: Vec<(usize, HunkResult)>,
}

/// What the whole patch comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every hunk where it says.
    Clean,
    /// Some at other lines.
    WithOffset,
    /// Some with less context.
    WithFuzz,
    /// By a three-way merge with the file that it was made for.
    Merged,
    /// Some after damage was undone.
    Repaired,
    /// The source has it already.
    AlreadyApplied,
    /// It is damaged.
    Damaged,
    /// It does not fit.
    DoesNotApply,
}

impl Outcome {
    /// In a table.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Clean => "applies",
            Outcome::WithOffset => "applies with offset",
            Outcome::WithFuzz => "applies with fuzz",
            Outcome::Merged => "applies by three-way merge",
            Outcome::Repaired => "applies after repair",
            Outcome::AlreadyApplied => "already applied",
            Outcome::Damaged => "damaged",
            Outcome::DoesNotApply => "does not apply",
        }
    }

    /// Whether there is a patched source.
    pub fn applies(self) -> bool {
        self <= Outcome::Repaired
    }
}

/// The result for a patch or a series.
#[derive(Clone, Debug, Serialize)]
pub struct Application {
    /// What it comes to.
    pub outcome: Outcome,
    /// The files, in order.
    pub files: Vec<FileOutcome>,
    /// Files in which a three-way merge was tried and conflicts, each with the number of places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<(String, usize)>,
    /// New contents by path, `None` for a file to delete; meaningful only when it applies.
    #[serde(skip)]
    pub contents: BTreeMap<String, Option<Vec<u8>>>,
}

impl Application {
    /// Why it does not apply, in a line: the first thing that failed, and how many more there are.
    pub fn why(&self) -> String {
        if self.outcome == Outcome::AlreadyApplied {
            return "the tree has it already".into();
        }
        let mut failed: Vec<String> = Vec::new();
        for file in &self.files {
            failed.extend(file.problem.iter().map(|reason| format!("{}: {reason}", file.path)));
            let hunks = file.hunks.iter().filter_map(|(line, result)| match result {
                HunkResult::Failed(reason) => Some(format!("{}, hunk of line {line}: {reason}", file.path)),
                HunkResult::Applied(_) => None,
            });
            failed.extend(hunks);
        }
        let mut why = failed.first().cloned().unwrap_or_default();
        match failed.len().saturating_sub(1) {
            0 => {}
            1 => why += "; and one more hunk",
            more => why += &format!("; and {more} more hunks"),
        }
        let conflicts: Vec<&str> = self.conflicts.iter().map(|(path, _)| path.as_str()).collect();
        if !conflicts.is_empty() {
            why += &format!("; a three-way merge conflicts in {}", conflicts.join(", "));
        }
        if self.outcome == Outcome::Damaged {
            why += "; --repair undoes damage where there is exactly one way";
        }
        why
    }
}

/// Applies letters in order.
pub fn apply(letters: &[&Letter], source: &dyn Source, options: Options) -> Application {
    let mut all = Application {
        outcome: Outcome::Clean,
        files: Vec::new(),
        conflicts: Vec::new(),
        contents: BTreeMap::new(),
    };
    for letter in letters {
        let diff = if options.repair { &letter.decoded } else { &letter.as_sent };
        for file in &diff.files {
            let outcome = Work { source, options, contents: &mut all.contents }.file(file);
            all.files.push(outcome);
        }
        let decoded = letter.decoded != letter.as_sent;
        if decoded && options.repair {
            all.outcome = Outcome::Repaired;
        }
    }
    all.outcome = all.files.iter().map(outcome).fold(all.outcome, Outcome::max);
    let hunks = || all.files.iter().flat_map(|file| &file.hunks);
    let there = |result: &HunkResult| matches!(result, HunkResult::Failed(Reason::AlreadyApplied { .. }));
    // a source that has some of it already is another one than the patch is for
    if all.outcome == Outcome::AlreadyApplied && !hunks().all(|(_, result)| there(result)) {
        all.outcome = Outcome::DoesNotApply;
    }
    all
}

fn outcome(file: &FileOutcome) -> Outcome {
    let of = |reason: &Reason| match reason {
        Reason::Damaged { .. } => Outcome::Damaged,
        Reason::AlreadyApplied { .. } => Outcome::AlreadyApplied,
        _ => Outcome::DoesNotApply,
    };
    let hunks = file.hunks.iter().map(|(_, result)| match result {
        HunkResult::Failed(reason) => of(reason),
        HunkResult::Applied(applied) if !applied.repaired.is_empty() => Outcome::Repaired,
        HunkResult::Applied(applied) if applied.fuzz > 0 => Outcome::WithFuzz,
        HunkResult::Applied(applied) if applied.offset != 0 => Outcome::WithOffset,
        HunkResult::Applied(_) => Outcome::Clean,
    });
    hunks.chain(file.problem.as_ref().map(of)).max().unwrap_or(Outcome::Clean)
}

struct Work<'w> {
    source: &'w dyn Source,
    options: Options,
    contents: &'w mut BTreeMap<String, Option<Vec<u8>>>,
}

impl Work<'_> {
    /// A file as the letters before left it.
    fn current(&self, path: &str) -> Option<Vec<u8>> {
        self.contents.get(path).cloned().unwrap_or_else(|| self.source.read(path))
    }

    fn file(self, file: &FileDiff) -> FileOutcome {
        let mut outcome = FileOutcome { path: file.path().to_owned(), problem: None, hunks: Vec::new() };
        let old = match self.old_content(file) {
            Ok(old) => old,
            Err(reason) => {
                outcome.problem = Some(reason);
                return outcome;
            }
        };
        let old = text::decode(&old);
        let mut target = Target::new(&old);
        for hunk in &file.hunks {
            let result = target.take(hunk, file, self.source, self.options);
            outcome.hunks.push((hunk.line, result));
        }
        let new = text::encode(&target.finished());
        if let (Some(old), true) = (&file.old_path, file.renamed()) {
            self.contents.insert(old.clone(), None);
        }
        match (&file.new_path, &file.old_path) {
            (Some(path), _) => self.contents.insert(path.clone(), Some(new)),
            (None, Some(path)) => self.contents.insert(path.clone(), None),
            (None, None) => None,
        };
        outcome
    }

    fn old_content(&self, file: &FileDiff) -> Result<Vec<u8>, Reason> {
        let paths = [&file.old_path, &file.new_path];
        if let Some(path) = paths.into_iter().flatten().find(|path| !is_inside(path)) {
            return Err(Reason::Outside { path: path.clone() });
        }
        if file.binary {
            return Err(Reason::Binary);
        }
        match &file.old_path {
            None => match self.current(file.path()) {
                Some(_) => Err(Reason::Exists),
                None => Ok(Vec::new()),
            },
            Some(path) => self.current(path).ok_or_else(|| reason::missing(path, file, self.source)),
        }
    }
}

/// A file that hunks are applied to, from its start to its end.
struct Target<'t> {
    lines: Vec<&'t str>,
    newline: bool,
    out: Vec<String>,
    /// Lines of the file that are dealt with.
    done: usize,
    /// How far the hunk before was from its place.
    offset: i64,
}

impl<'t> Target<'t> {
    fn new(text: &'t str) -> Target<'t> {
        let newline = text.ends_with('\n') || text.is_empty();
        let lines = if text.is_empty() {
            Vec::new()
        } else {
            text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
        };
        Target { lines, newline, out: Vec::new(), done: 0, offset: 0 }
    }

    fn take(&mut self, hunk: &Hunk, file: &FileDiff, source: &dyn Source, options: Options) -> HunkResult {
        // an empty old side names the line before it
        let first = if hunk.old.len == 0 { hunk.old.start } else { hunk.old.start.saturating_sub(1) };
        let wanted = usize::try_from(i64::try_from(first).unwrap_or(0) + self.offset).unwrap_or(0);
        let mut readings = readings(hunk);
        let mut damages = repair::mend(hunk).damages;
        if hunk.lines().is_none() && (!options.repair || readings.is_empty()) {
            return HunkResult::Failed(Reason::Damaged { damages });
        }
        let mut found: Vec<Found> = Vec::new();
        let mut misfit = None;
        for reading in &readings {
            match self.find(reading, hunk, wanted, file.path(), options) {
                Ok(one) => {
                    if !found.iter().any(|other| other.lines == one.lines && other.start == one.start) {
                        found.push(one);
                    }
                }
                Err(reason) => misfit = Some(reason),
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
                let reason = misfit.unwrap_or(Misfit::Nowhere);
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
    ) -> Result<Found, Misfit> {
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
                Fit::Several(lines) => return Err(Misfit::Several(lines)),
                Fit::Nowhere if !options.repair => return Err(Misfit::Nowhere),
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
        misfit: Misfit,
        readings: &[Reading],
        hunk: &Hunk,
        wanted: usize,
        file: &FileDiff,
        source: &dyn Source,
    ) -> Reason {
        match misfit {
            Misfit::Several(lines) => Reason::Several { lines: lines.iter().map(|line| line + 1).collect() },
            Misfit::Unknowable(text) => Reason::WhiteSpace { text },
            Misfit::Nowhere => match readings.first() {
                Some(reading) => reason::nowhere(&self.lines, reading, hunk, wanted, file.path(), source),
                None => Reason::Damaged { damages: repair::mend(hunk).damages },
            },
        }
    }

    fn finished(mut self) -> String {
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
