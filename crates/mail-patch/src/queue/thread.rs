//! Which patches of several mails belong together: the newest complete version of each series, in its order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use super::{Missing, Pick, PickError};
use crate::damage::ranges;
use crate::patch_mail::PatchMail;

/// What is applied, by the patches' places in the input.
#[derive(Debug, Default)]
pub struct Selection {
    /// In order, each with its number.
    pub chosen: Vec<(usize, usize)>,
    /// Each with the reason.
    pub left_out: Vec<(usize, String)>,
    /// Parts of the series that are not there.
    pub missing: Vec<Missing>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// A series, or a patch without a number.
#[derive(Debug)]
struct Series {
    version: u32,
    /// Number of its parts; absent for a patch without one.
    of: Option<u32>,
    /// Parts by their numbers.
    parts: BTreeMap<u32, usize>,
}

impl Series {
    fn first(&self) -> usize {
        self.parts.values().copied().min().unwrap_or(0)
    }

    fn lost(&self) -> Vec<u32> {
        (1..=self.of.unwrap_or(0)).filter(|part| !self.parts.contains_key(part)).collect()
    }

    fn name(&self) -> String {
        format!("version {}", self.version)
    }
}

/// Chooses among the patches of an input, in its order. With a version, only its patches are taken.
pub fn select(patches: &[PatchMail], pick: &Pick) -> Result<Selection, PickError> {
    let mut selection = Selection::default();
    let is_reply = |patch: &PatchMail| patch.subject.as_ref().is_some_and(|subject| subject.reply);
    let only_replies = patches.iter().all(is_reply);
    let mut all = All::default();
    let mut seen: HashMap<u64, usize> = HashMap::new();
    for (at, patch) in patches.iter().enumerate() {
        if is_reply(patch) && !only_replies {
            selection.left_out.push((at, "a reply that carries a diff".into()));
        } else if let Some(twice) = seen.get(&identity(patch)) {
            let twice: &PatchMail = &patches[*twice];
            selection.left_out.push((at, format!("the same as that of line {}", twice.line)));
        } else {
            seen.insert(identity(patch), at);
            all.place(patches, at, &mut selection.left_out);
        }
    }
    let mut chosen = Vec::new();
    for family in families(all.series, patches) {
        chosen.extend(best(family, pick, &mut selection));
    }
    if let Some(version) = pick.version
        && chosen.is_empty()
    {
        let mut versions: Vec<u32> = patches.iter().map(PatchMail::version).collect();
        versions.sort_unstable();
        versions.dedup();
        let there: Vec<String> = versions.iter().map(|version| format!("v{version}")).collect();
        return Err(PickError::NoVersion { version, there: there.join(", ") });
    }
    chosen.sort_by_key(Series::first);
    if let Some(line) = pick.line {
        let (taken, others): (Vec<Series>, Vec<Series>) =
            chosen.into_iter().partition(|series| patches[series.first()].is_for(line));
        if taken.is_empty() {
            let there = targets(others.iter().map(|series| &patches[series.first()]));
            return Err(PickError::NoLine { line, there: there.join(", ") });
        }
        for other in others {
            let of = patches[other.first()].target().map(ToString::to_string).unwrap_or_default();
            let why = format!("for {of}; {line} is picked");
            selection.left_out.extend(other.parts.values().map(|at| (*at, why.clone())));
        }
        chosen = taken;
    }
    let alone = chosen.len() == 1;
    for series in chosen {
        let lost = series.lost();
        // a single patch out of a series was chosen by whoever handed it in
        if series.parts.len() > 1 {
            selection.missing.extend(lost.iter().map(|part| {
                let number = if alone { *part as usize } else { 0 };
                Missing { number, what: format!("{part} of {}", series.of.unwrap_or(0)) }
            }));
        }
        for (part, at) in series.parts {
            let number =
                if alone && series.of.is_some() { part as usize } else { selection.chosen.len() + 1 };
            selection.chosen.push((at, number));
        }
    }
    selection.left_out.sort_by_key(|(at, _)| *at);
    Ok(selection)
}

/// What the parts of one series have in common: version, length, sender, tree and lines.
type Kind = (u32, u32, Option<String>, Option<String>, Option<String>);
/// What makes one of two patches of a version the later one: `v2.1`, and whether it was sent again.
type Revision = (u32, bool);

/// For a part of a kind of series: the first of them that may lack it, and those that have it by its revision.
type Places = (usize, BTreeMap<Revision, BTreeSet<usize>>);

/// The series of an input, found by what their parts have in common.
#[derive(Default)]
struct All {
    series: Vec<Series>,
    /// Of each kind, in order.
    kinds: HashMap<Kind, Vec<usize>>,
    /// Of each kind and part the first series of the kind that may lack it, and those that have it by its revision.
    parts: HashMap<(Kind, u32), Places>,
}

impl All {
    /// Puts a patch into the series that it is a part of, or begins one.
    fn place(&mut self, patches: &[PatchMail], at: usize, left_out: &mut Vec<(usize, String)>) {
        let patch = &patches[at];
        let version = patch.version();
        let Some((part, of)) = patch.part() else {
            self.series.push(Series { version, of: None, parts: BTreeMap::from([(1, at)]) });
            return;
        };
        let tree = patch.subject.as_ref().and_then(|subject| subject.tree.clone());
        let lines = patch.target().map(ToString::to_string);
        let kind = (version, of, patch.sender.clone(), tree, lines);
        let (free, held) = self.parts.entry((kind.clone(), part)).or_default();
        let alike = self.kinds.entry(kind).or_default();
        while alike.get(*free).is_some_and(|place| self.series[*place].parts.contains_key(&part)) {
            *free += 1;
        }
        let revision = revision(patch);
        let older = held.range(..revision).filter_map(|(_, all)| all.first().copied()).min();
        let place = older.filter(|older| older < free).unwrap_or(*free);
        held.entry(revision).or_default().insert(place);
        match alike.get(place) {
            Some(series) => {
                if let Some(other) = self.series[*series].parts.insert(part, at) {
                    left_out.push((other, format!("replaced by that of line {}", patch.line)));
                    held.entry(self::revision(&patches[other])).or_default().remove(&place);
                }
            }
            None => {
                alike.push(self.series.len());
                self.series.push(Series { version, of: Some(of), parts: BTreeMap::from([(part, at)]) });
            }
        }
    }
}

fn revision(patch: &PatchMail) -> Revision {
    let subject = patch.subject.as_ref();
    let resend = subject.is_some_and(|subject| subject.resend);
    (subject.and_then(|subject| subject.revision).unwrap_or(0), resend)
}

/// What two versions of one series share: the title of a part, or the thread of numbered ones; and the lines that they are
/// for.
#[derive(Hash, PartialEq, Eq)]
enum Shared<'p> {
    Title(&'p str),
    Thread(&'p str),
}

/// The first family of each version, with whether it was sent again and the lines that it is for.
type Versions = BTreeMap<(u32, bool, Option<String>), usize>;

/// Puts versions of one series together.
fn families(all: Vec<Series>, patches: &[PatchMail]) -> Vec<Vec<Series>> {
    let mut families: Vec<Vec<Series>> = Vec::new();
    // the first family of each version that shares it, and of each set of lines
    let mut known: HashMap<Shared<'_>, Versions> = HashMap::new();
    for series in all {
        let first = &patches[series.first()];
        let lines = first.target().map(ToString::to_string);
        let version = (series.version, revision(first) > (0, false));
        let titles = series.parts.values().map(|at| Shared::Title(patches[*at].title()));
        let thread = first.thread().filter(|_| series.of.is_some()).map(Shared::Thread);
        let shared: Vec<Shared<'_>> = titles.chain(thread).collect();
        let related = |of: &Versions| {
            // what names no line may be of any
            let same_lines = |other: &Option<String>| lines.is_none() || other.is_none() || *other == lines;
            let others = of
                .iter()
                .filter(|((number, resent, other), _)| (*number, *resent) != version && same_lines(other));
            others.map(|(_, family)| *family).min()
        };
        let family = shared.iter().filter_map(|one| known.get(one)).filter_map(related).min();
        let family = family.unwrap_or_else(|| {
            families.push(Vec::new());
            families.len() - 1
        });
        for one in shared {
            let of = known.entry(one).or_default();
            let least = of.entry((version.0, version.1, lines.clone())).or_insert(family);
            *least = family.min(*least);
        }
        families[family].push(series);
    }
    families
}

/// The series to apply: the newest complete version, or the one that is picked.
fn best(mut family: Vec<Series>, pick: &Pick, selection: &mut Selection) -> Option<Series> {
    family.sort_by_key(|series| (series.version, series.first()));
    let complete = |series: &Series| series.lost().is_empty();
    let at = match pick.version {
        Some(version) => family.iter().rposition(|series| series.version == version),
        None => family.iter().rposition(complete).or(family.len().checked_sub(1)),
    };
    let best = at.map(|at| family.remove(at));
    for other in family {
        let lost: Vec<usize> = other.lost().iter().map(|part| *part as usize).collect();
        let newer = best.as_ref().is_some_and(|best| best.version > other.version);
        let why = match &best {
            None => format!("of {}, which is not picked", other.name()),
            Some(best) if newer => format!("of {}; {} is newer", other.name(), best.name()),
            Some(_) if !lost.is_empty() => {
                let parts = ranges(&lost).replace("lines ", "").replace("line ", "");
                format!(
                    "of {}, which is not whole: {parts} of {} is missing",
                    other.name(),
                    other.of.unwrap_or(0)
                )
            }
            Some(best) => format!("of {}; {} is picked", other.name(), best.name()),
        };
        selection.left_out.extend(other.parts.values().map(|at| (*at, why.clone())));
    }
    best
}

/// The sets of lines that patches name, each once, in their order.
pub fn targets<'p>(patches: impl Iterator<Item = &'p PatchMail>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    patches
        .filter_map(PatchMail::target)
        .map(ToString::to_string)
        .filter(|one| seen.insert(one.clone()))
        .collect()
}

/// What makes two patches one that was sent twice: all that it says, without its place in the input.
fn identity(patch: &PatchMail) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    let lines = patch.target().map(ToString::to_string);
    (patch.title(), patch.part(), patch.version(), &patch.attachment, lines).hash(&mut hasher);
    if !patch.decoded.is_whole() {
        // what it says is not known
        (&patch.file, patch.line).hash(&mut hasher);
    }
    for file in &patch.decoded.files {
        (&file.old_path, &file.new_path).hash(&mut hasher);
        for hunk in &file.hunks {
            (hunk.old.start, hunk.old.len, hunk.new.start, hunk.new.len).hash(&mut hasher);
            for line in hunk.lines().unwrap_or_default() {
                (line.kind, &line.text).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
