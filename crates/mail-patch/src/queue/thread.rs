//! Which patches of several mails belong together: the newest complete version of each series, in its order.

use std::collections::{BTreeMap, HashMap};
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
    let mut all: Vec<Series> = Vec::new();
    let mut seen: HashMap<u64, usize> = HashMap::new();
    for (at, patch) in patches.iter().enumerate() {
        if is_reply(patch) && !only_replies {
            selection.left_out.push((at, "a reply that carries a diff".into()));
        } else if let Some(twice) = seen.get(&identity(patch)) {
            let twice: &PatchMail = &patches[*twice];
            selection.left_out.push((at, format!("the same as that of line {}", twice.line)));
        } else {
            seen.insert(identity(patch), at);
            place(&mut all, patches, at, &mut selection.left_out);
        }
    }
    let mut chosen = Vec::new();
    for family in families(all, patches) {
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

/// Puts a patch into the series that it is a part of, or begins one.
fn place(all: &mut Vec<Series>, patches: &[PatchMail], at: usize, left_out: &mut Vec<(usize, String)>) {
    let patch = &patches[at];
    let version = patch.version();
    let Some((part, of)) = patch.part() else {
        all.push(Series { version, of: None, parts: BTreeMap::from([(1, at)]) });
        return;
    };
    let alike = |series: &&mut Series| {
        let other = &patches[series.first()];
        let meant = |patch: &PatchMail| patch.subject.as_ref().map(|s| (s.tree.clone(), s.target.clone()));
        series.version == version
            && series.of == Some(of)
            && other.sender == patch.sender
            && meant(other) == meant(patch)
    };
    let newer = |other: usize| revision(patch) > revision(&patches[other]);
    for series in all.iter_mut().filter(|series| alike(series)) {
        match series.parts.get(&part).copied() {
            None => {
                series.parts.insert(part, at);
                return;
            }
            Some(other) if newer(other) => {
                series.parts.insert(part, at);
                left_out.push((other, format!("replaced by that of line {}", patch.line)));
                return;
            }
            Some(_) => {}
        }
    }
    all.push(Series { version, of: Some(of), parts: BTreeMap::from([(part, at)]) });
}

/// What makes one of two patches of a version the later one.
fn revision(patch: &PatchMail) -> (u32, bool) {
    let subject = patch.subject.as_ref();
    let resend = subject.is_some_and(|subject| subject.resend);
    (subject.and_then(|subject| subject.revision).unwrap_or(0), resend)
}

/// Puts versions of one series together.
fn families(all: Vec<Series>, patches: &[PatchMail]) -> Vec<Vec<Series>> {
    let mut families: Vec<Vec<Series>> = Vec::new();
    for series in all {
        let related = |other: &Series| {
            let resent = |series: &Series| revision(&patches[series.first()]) > (0, false);
            let versions = other.version != series.version || resent(other) != resent(&series);
            let title = |at: &usize| patches[*at].title();
            let shared = series.parts.values().any(|at| other.parts.values().any(|o| title(o) == title(at)));
            let thread = |series: &Series| patches[series.first()].thread();
            let numbered = series.of.is_some() && other.of.is_some();
            versions && (shared || (numbered && thread(other).is_some() && thread(other) == thread(&series)))
        };
        match families.iter_mut().find(|family| family.iter().any(related)) {
            Some(family) => family.push(series),
            None => families.push(vec![series]),
        }
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

/// What makes two patches one that was sent twice: all that it says, without its place in the input.
fn identity(patch: &PatchMail) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (patch.title(), patch.part(), patch.version(), &patch.attachment).hash(&mut hasher);
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
