//! Applying a patch to a source, in memory: the source is read and never written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::blob::{self, Proof};
use super::budget::{Budget, Pool};
use super::damage::{Damage, DamageKind, Fix};
use super::diff::{Diff, FileDiff, Operation};
use super::patch_mail::PatchMail;
use super::reason::{self, Reason};
use super::repair;
use super::source::{LINK, PLAIN, Source, canonical, is_inside};
use super::target::{Target, Terms};
use super::{names, text};

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

impl HunkResult {
    /// Whether it is applied without a repair.
    fn is_as_sent(&self) -> bool {
        matches!(self, HunkResult::Applied(applied) if applied.repaired.is_empty())
    }

    /// The result is known to be what was sent: nothing that was undone is a guess.
    fn prove(&mut self) {
        let HunkResult::Applied(applied) = self else { return };
        for damage in &mut applied.repaired {
            if matches!(damage.fix, Fix::InPart(_)) {
                let text = "as the author had it: git's id of the result is the one that the patch names";
                damage.fix = Fix::OneWay(text.into());
            }
        }
    }
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
    /// What makes it doubtful that this is the whole patch, though it applies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Damage>,
    /// New contents by path, `None` for a file to delete; meaningful only when it applies.
    #[serde(skip)]
    pub contents: BTreeMap<String, Option<Vec<u8>>>,
    /// Modes of files that are new or change it, as git writes them: `100755`.
    #[serde(skip)]
    pub modes: BTreeMap<String, String>,
}

impl Application {
    /// Takes in what became of the next patch of a queue, but for its contents.
    pub(super) fn join(&mut self, next: &Application) {
        self.outcome = self.outcome.max(next.outcome);
        self.files.extend(next.files.iter().cloned());
        self.conflicts.extend(next.conflicts.iter().cloned());
        self.doubts.extend(next.doubts.iter().cloned());
    }

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

/// Applies patches in order. With `repair`, damage is undone only in a patch that does not apply as it was sent, and
/// context is left out only where neither helps.
pub fn apply(patches: &[&PatchMail], source: &dyn Source, options: Options) -> Application {
    let bytes = patches.iter().map(|patch| patch.decoded.bytes()).sum();
    let pool = Pool::applying(patches.len(), bytes);
    let mut all = Application::nothing();
    for (at, patch) in (1..).zip(patches) {
        pool.next(at == patches.len(), |budget| all.add(patch, source, options, budget));
    }
    all.settle();
    all
}

impl Application {
    /// Of no patch.
    pub(super) fn nothing() -> Application {
        Application {
            outcome: Outcome::Clean,
            files: Vec::new(),
            conflicts: Vec::new(),
            doubts: Vec::new(),
            contents: BTreeMap::new(),
            modes: BTreeMap::new(),
        }
    }

    /// One patch alone, within a budget.
    pub(super) fn of(
        patch: &PatchMail,
        source: &dyn Source,
        options: Options,
        budget: &Budget,
    ) -> Application {
        let mut one = Application::nothing();
        one.add(patch, source, options, budget);
        one.settle();
        one
    }

    /// Applies the next patch on top of those before.
    fn add(&mut self, patch: &PatchMail, source: &dyn Source, options: Options, budget: &Budget) {
        let all = self;
        let (files, changes, outcome) = one(patch, source, all, options, budget);
        all.outcome = all.outcome.max(outcome);
        all.files.extend(files);
        all.contents.extend(changes.contents);
        all.doubts.extend(changes.doubts);
        for (path, mode) in changes.modes {
            match mode {
                Some(mode) => all.modes.insert(path, mode),
                None => all.modes.remove(&path),
            };
        }
        let doubt =
            |damage: &&Damage| matches!(damage.kind, DamageKind::StatDiffers | DamageKind::TypographicQuotes);
        all.doubts.extend(patch.damages.iter().filter(doubt).cloned());
    }

    /// A source that has some of it already is another one than the patches are for.
    fn settle(&mut self) {
        let there = |result: &HunkResult| matches!(result, HunkResult::Failed(Reason::AlreadyApplied { .. }));
        let mut hunks = self.files.iter().flat_map(|file| &file.hunks);
        if self.outcome == Outcome::AlreadyApplied && !hunks.all(|(_, result)| there(result)) {
            self.outcome = Outcome::DoesNotApply;
        }
    }
}

/// Whether the whole diff was changed on its way, so that it has another reading.
fn is_of_transport(kind: DamageKind) -> bool {
    use DamageKind::{
        CarriageReturns, DoubleSpaced, Entities, Flowed, NoBreakSpaces, Quoted, QuotedPrintable,
    };
    matches!(
        kind,
        CarriageReturns | DoubleSpaced | Entities | Flowed | NoBreakSpaces | QuotedPrintable | Quoted
    )
}

/// What a patch does to a source that has the patches before it.
fn one(
    patch: &PatchMail,
    source: &dyn Source,
    before: &Application,
    options: Options,
    budget: &Budget,
) -> (Vec<FileOutcome>, Changes, Outcome) {
    let (plain, fuzz) = (Options { repair: false, fuzz: 0 }, options.fuzz);
    let attempts = match (options.repair, fuzz) {
        (false, _) => vec![options],
        (true, 0) => vec![plain, options],
        (true, _) => vec![plain, Options { repair: true, fuzz: 0 }, Options { repair: false, fuzz }, options],
    };
    let undone = patch.decoded != patch.as_sent;
    let mut last = None;
    let count = attempts.len();
    for (at, options) in attempts.into_iter().enumerate() {
        let diff = if options.repair { &patch.decoded } else { &patch.as_sent };
        let terms = Terms { source, options, budget, explains: at + 1 == count };
        let mut work = Work {
            diff,
            names: names::Naming::of(diff),
            leaving: leaving(diff),
            terms: &terms,
            before,
            changes: Changes::default(),
        };
        let files: Vec<FileOutcome> = diff.files.iter().map(|file| work.file(file)).collect();
        let outcome = files.iter().map(outcome).max().unwrap_or(Outcome::Clean);
        let decoded = options.repair && undone;
        let outcome = if decoded { outcome.max(Outcome::Repaired) } else { outcome };
        let mut changes = work.changes;
        if undone {
            // where it applies as sent nothing is undone, but what was found stays said
            let said = |damage: &&Damage| !options.repair || matches!(damage.fix, Fix::InPart(_));
            let of_transport = patch.damages.iter().filter(|damage| is_of_transport(damage.kind));
            changes.doubts.extend(of_transport.filter(said).cloned());
        }
        if outcome <= Outcome::AlreadyApplied {
            return (files, changes, outcome);
        }
        last = Some((files, changes, outcome));
    }
    last.unwrap_or((Vec::new(), Changes::default(), Outcome::Clean))
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

/// What a patch changes.
#[derive(Default)]
struct Changes {
    contents: BTreeMap<String, Option<Vec<u8>>>,
    /// `None` where a file is gone.
    modes: BTreeMap<String, Option<String>>,
    /// What makes the result doubtful.
    doubts: Vec<Damage>,
    /// Paths that a section of this patch wrote.
    made: BTreeSet<String>,
}

/// The files of a diff that are renamed or deleted.
fn leaving(diff: &Diff) -> BTreeSet<&str> {
    let files = diff.files.iter().filter(|file| file.renamed() || file.deleted);
    files.filter_map(|file| file.old_path.as_deref()).collect()
}

struct Work<'w> {
    diff: &'w Diff,
    /// What its names show of one another.
    names: names::Naming,
    leaving: BTreeSet<&'w str>,
    terms: &'w Terms<'w>,
    /// The patches before.
    before: &'w Application,
    changes: Changes,
}

impl Work<'_> {
    /// A file as the patches before left it.
    fn earlier(&self, path: &str) -> Option<Vec<u8>> {
        let content =
            self.before.contents.get(path).cloned().unwrap_or_else(|| self.terms.source.read(path))?;
        // a step is worth more bytes than one that are copied
        self.terms.budget.spend(content.len() / 8);
        Some(content)
    }

    /// Whether a file is there, as the sections before left it.
    fn is_there(&self, path: &str) -> bool {
        let known = self.changes.contents.get(path).or_else(|| self.before.contents.get(path));
        known.map_or_else(|| self.terms.source.has(path), Option::is_some)
    }

    /// A file as the sections before left it.
    fn current(&self, path: &str) -> Option<Vec<u8>> {
        self.changes.contents.get(path).cloned().unwrap_or_else(|| self.earlier(path))
    }

    fn file(&mut self, file: &FileDiff) -> FileOutcome {
        if self.terms.budget.is_spent() {
            let problem = Some(Reason::GaveUp { after: self.terms.budget.hunks() });
            return FileOutcome { path: file.path().to_owned(), problem, hunks: Vec::new() };
        }
        let exists = |path: &str| is_inside(path) && self.is_there(path);
        let folder = |path: &str| is_inside(path) && self.terms.source.has_folder(path);
        let file = self.names.resolved(self.diff, file, &exists, &folder);
        let file = file.as_ref();
        let mut outcome = FileOutcome { path: file.path().to_owned(), problem: None, hunks: Vec::new() };
        if file.combined {
            outcome.problem = Some(Reason::Combined);
            return outcome;
        }
        let damages = repair::of_file(file);
        if !damages.is_empty() {
            outcome.problem = Some(Reason::Damaged { damages });
            return outcome;
        }
        let old = match self.old_content(file) {
            Ok(old) => old,
            Err(Reason::Exists) if self.is_made(file) => {
                let there = |line| (line, HunkResult::Failed(Reason::AlreadyApplied { at: 1 }));
                outcome.hunks = file.hunks.iter().map(|hunk| there(hunk.line)).collect();
                return outcome;
            }
            Err(reason) => {
                outcome.problem = Some(reason);
                return outcome;
            }
        };
        // the text is taken apart and put together
        if !self.terms.budget.spend(2 * old.len()) {
            outcome.problem = Some(Reason::GaveUp { after: self.terms.budget.hunks() });
            return outcome;
        }
        let before = text::decode(&old);
        let (hunks, new) = Target::new(&before).apply(file, self.terms);
        outcome.hunks = hunks;
        if outcome.hunks.iter().any(|(_, result)| matches!(result, HunkResult::Failed(_))) {
            return outcome;
        }
        if file.deleted && !new.is_empty() {
            outcome.problem = Some(Reason::LinesLeft { count: new.lines().count() });
            return outcome;
        }
        let new = text::encode(&new);
        let whole = file.hunks.iter().zip(&outcome.hunks).filter(|(_, (_, result))| result.is_as_sent());
        self.changes.doubts.extend(whole.filter_map(|(hunk, _)| repair::loose_end(hunk)));
        match blob::proof(file, &old, &new) {
            Proof::Absent => {}
            Proof::Same => outcome.hunks.iter_mut().for_each(|(_, result)| result.prove()),
            Proof::Other(doubt) => self.changes.doubts.push(doubt),
        }
        self.write(file, new);
        outcome
    }

    /// Whether the source has the very file that this section makes.
    fn is_made(&self, file: &FileDiff) -> bool {
        let (hunks, new) = Target::new("").apply(file, self.terms);
        let all =
            !hunks.is_empty() && hunks.iter().all(|(_, result)| matches!(result, HunkResult::Applied(_)));
        all && self.current(file.path()) == Some(text::encode(&new))
    }

    fn write(&mut self, file: &FileDiff, new: Vec<u8>) {
        let mode = self.mode(file);
        if let (Some(old), true) = (&file.old_path, file.renamed() || file.deleted)
            && !self.changes.made.contains(old)
        {
            self.changes.contents.insert(old.clone(), None);
            self.changes.modes.insert(old.clone(), None);
        }
        if let Some(path) = &file.new_path {
            if let Some(mode) = mode {
                self.changes.modes.insert(path.clone(), Some(mode));
            }
            self.changes.contents.insert(path.clone(), Some(new));
            self.changes.made.insert(path.clone());
        }
    }

    /// The mode that a file gets, where that is not the one that it has.
    fn mode(&self, file: &FileDiff) -> Option<String> {
        let moved = file.old_path.as_ref().filter(|_| file.old_path != file.new_path);
        let with_it = |old: &String| Some(self.current_mode(old)).filter(|mode| mode != PLAIN);
        let stated = file.new_mode.as_deref().and_then(canonical).map(str::to_owned);
        stated.or_else(|| moved.and_then(with_it))
    }

    /// The mode that the sections and patches before gave a file.
    fn current_mode(&self, path: &str) -> String {
        match self.changes.modes.get(path) {
            Some(mode) => mode.clone(),
            None => self.before.modes.get(path).cloned(),
        }
        .unwrap_or_else(|| self.terms.source.mode(path).to_owned())
    }

    fn old_content(&self, file: &FileDiff) -> Result<Vec<u8>, Reason> {
        let paths = [&file.old_path, &file.new_path];
        if let Some(path) = paths.into_iter().flatten().find(|path| !is_inside(path)) {
            return Err(Reason::Outside { path: path.clone() });
        }
        let modes = [&file.old_mode, &file.new_mode].into_iter().flatten();
        if let Some(mode) = modes.into_iter().find(|mode| canonical(mode).is_none()) {
            return Err(Reason::NoFile { mode: mode.clone() });
        }
        if file.binary {
            return Err(Reason::Binary);
        }
        // git reads what it moves as it was before the diff, so that two files can change places
        let moves = file.operation != Operation::Change;
        if let Some(new) = file.new_path.as_deref().filter(|_| moves)
            && self.is_there(new)
            && !self.leaving.contains(new)
        {
            let gone = file.renamed() && file.old_path.as_deref().is_some_and(|old| !self.is_there(old));
            return Err(if gone { Reason::AlreadyApplied { at: 1 } } else { Reason::Exists });
        }
        match &file.old_path {
            None if self.is_there(file.path()) => Err(Reason::Exists),
            None => Ok(Vec::new()),
            Some(path) => {
                let found = if moves { self.earlier(path) } else { self.current(path) };
                let Some(content) = found else {
                    let made = |hunk: &super::diff::Hunk| (hunk.old.start, hunk.old.len) == (0, 0);
                    // `diff -uN` of a file that was not there, without a date that says so
                    return match file.hunks.as_slice() {
                        [only] if !moves && !file.deleted && made(only) => Ok(Vec::new()),
                        _ => Err(reason::missing(path, file, self.terms.source)),
                    };
                };
                let link = self.current_mode(path) == LINK;
                match file.old_mode.as_deref().is_some_and(|mode| (mode == LINK) != link) {
                    true => Err(Reason::OtherKind { link }),
                    false => Ok(content),
                }
            }
        }
    }
}
