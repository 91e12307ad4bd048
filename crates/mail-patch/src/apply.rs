//! Applying a patch to a source, in memory: the source is read and never written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::damage::Damage;
use super::diff::FileDiff;
use super::patch_mail::PatchMail;
use super::reason::{self, Reason};
use super::source::{LINK, PLAIN, Source, is_inside};
use super::target::Target;
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

/// The result for a hunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HunkResult {
    /// It is applied.
    Applied(Applied),
    /// It is not.
    Failed(Reason),
}

/// The result for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileOutcome {
    /// Its path.
    pub path: String,
    /// Why nothing of it could be tried.
    pub problem: Option<Reason>,
    /// Its hunks: the header's line in the input, and the result.
    pub hunks: Vec<(usize, HunkResult)>,
}

/// The result of a whole patch.
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
    /// The result.
    pub outcome: Outcome,
    /// The files, in order.
    pub files: Vec<FileOutcome>,
    /// Files in which a three-way merge was tried and conflicts, each with the number of places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<(String, usize)>,
    /// New contents by path, `None` for a file to delete; meaningful only when it applies.
    #[serde(skip)]
    pub contents: BTreeMap<String, Option<Vec<u8>>>,
    /// Modes of files that are new or change it, as git writes them: `100755`.
    #[serde(skip)]
    pub modes: BTreeMap<String, String>,
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

/// Applies patches in order.
pub fn apply(patches: &[&PatchMail], source: &dyn Source, options: Options) -> Application {
    let mut all = Application {
        outcome: Outcome::Clean,
        files: Vec::new(),
        conflicts: Vec::new(),
        contents: BTreeMap::new(),
        modes: BTreeMap::new(),
    };
    for patch in patches {
        let diff = if options.repair { &patch.decoded } else { &patch.as_sent };
        for file in &diff.files {
            let outcome =
                Work { source, options, contents: &mut all.contents, modes: &mut all.modes }.file(file);
            all.files.push(outcome);
        }
        let decoded = patch.decoded != patch.as_sent;
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
    modes: &'w mut BTreeMap<String, String>,
}

impl Work<'_> {
    /// A file as the patches before left it.
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
        let mode = self.mode(file);
        if let (Some(old), true) = (&file.old_path, file.renamed() || file.new_path.is_none()) {
            self.contents.insert(old.clone(), None);
            self.modes.remove(old);
        }
        if let Some((path, mode)) = file.new_path.clone().zip(mode) {
            self.modes.insert(path, mode);
        }
        match (&file.new_path, &file.old_path) {
            (Some(path), _) => self.contents.insert(path.clone(), Some(new)),
            (None, Some(path)) => self.contents.insert(path.clone(), None),
            (None, None) => None,
        };
        outcome
    }

    /// The mode that a file gets, where that is not the one that it has.
    fn mode(&self, file: &FileDiff) -> Option<String> {
        let moved = file.old_path.as_ref().filter(|_| file.old_path != file.new_path);
        let with_it = |old: &String| Some(self.current_mode(old)).filter(|mode| mode != PLAIN);
        file.new_mode.clone().or_else(|| moved.and_then(with_it))
    }

    /// The mode that the patches before gave a file.
    fn current_mode(&self, path: &str) -> String {
        self.modes.get(path).cloned().unwrap_or_else(|| self.source.mode(path).to_owned())
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
            Some(path) => {
                let content = self.current(path).ok_or_else(|| reason::missing(path, file, self.source))?;
                let link = self.current_mode(path) == LINK;
                match file.old_mode.as_deref().is_some_and(|mode| (mode == LINK) != link) {
                    true => Err(Reason::OtherKind { link }),
                    false => Ok(content),
                }
            }
        }
    }
}
