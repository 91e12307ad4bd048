//! Applying a patch to a source, in memory: the source is read and never written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::budget::{Budget, Pool};
use super::damage::{Damage, DamageKind, Fix};
use super::indent;
use super::patch_mail::PatchMail;
use super::reason::Reason;
use super::section::{Changes, Work};
use super::source::Source;
use super::target::Terms;

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
    pub(super) fn is_as_sent(&self) -> bool {
        matches!(self, HunkResult::Applied(applied) if applied.repaired.is_empty())
    }

    /// The result is known to be what was sent: nothing that was undone is a guess.
    pub(super) fn prove(&mut self) {
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
        let mut work = Work::new(diff, &terms, before);
        let files: Vec<FileOutcome> = diff.files.iter().map(|file| work.file(file)).collect();
        let outcome = files.iter().map(outcome).max().unwrap_or(Outcome::Clean);
        let decoded = options.repair && undone;
        let outcome = if decoded { outcome.max(Outcome::Repaired) } else { outcome };
        let mut changes = work.changes;
        if outcome.applies() {
            changes.doubts.extend(indent::doubts(&changes.seen, diff));
        }
        // what is the author's file to the letter was not changed on its way
        let proven = changes.proven == diff.files.len();
        if undone && !proven {
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
