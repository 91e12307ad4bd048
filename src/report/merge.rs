//! Several runs as one: which of them a cell's verdict is from, and what is missing.
//!
//! A cell is never counted twice. Where several runs judged it, a symptom that was seen goes before a crash of another kind,
//! that before a clean run, and any of them before a run that judged nothing; among equals the later run counts. So the
//! result does not depend on the order in which runs are named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use super::cells::{Cells, Outline};
use super::fold::{RunEnd, RunSummary};
use super::records::{MOST_JOURNALS, Records};
use crate::event::{CellId, MergedRun, Split};
use crate::journal::{JournalError, RunDir};
use crate::plural::counted;
use crate::verdict::Verdict;

/// A cell that two runs judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Which one.
    pub cell: CellId,
    /// The run whose verdict counts, and the verdict.
    pub counts: (String, Verdict),
    /// The other run.
    pub other: (String, Verdict),
    /// Whether the two ran on different builds of the kernel.
    pub kernels_differ: bool,
}

impl Overlap {
    /// Why the one counts, a phrase.
    pub fn why(&self) -> &'static str {
        match (self.counts.1, rank(Some(self.counts.1)) == rank(Some(self.other.1))) {
            (_, true) => "it is the later one",
            (Verdict::Bad, false) => "a symptom that was seen was there",
            (Verdict::Other, false) => "a crash is not undone by a clean run",
            (_, false) => "the other one judged nothing",
        }
    }
}

impl std::fmt::Display for Overlap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((run, verdict), (other, not)) = (&self.counts, &self.other);
        let why = self.why();
        write!(
            f,
            "{} was judged twice: {verdict} in {run} counts, {not} in {other} does not, as {why}",
            self.cell
        )?;
        if self.kernels_differ {
            f.write_str("; the two ran on different builds of this kernel")?;
        }
        Ok(())
    }
}

/// What a verdict outweighs.
fn rank(verdict: Option<Verdict>) -> u8 {
    verdict.map_or(0, Verdict::weight)
}

impl RunSummary {
    /// Reads the results of runs as one, and gives the folder that files of it are relative to. The order in which runs are
    /// named does not matter, and one that is named twice counts once.
    ///
    /// # Errors
    /// As [`RunSummary::of`], for each of them.
    pub fn of_runs(dirs: &[RunDir]) -> Result<(RunSummary, RunDir), JournalError> {
        if let [dir] = dirs {
            return Ok((RunSummary::of(dir)?, dir.clone()));
        }
        let real = |dir: &RunDir| std::fs::canonicalize(dir.path()).unwrap_or_else(|_| dir.path().to_owned());
        let places: Vec<PathBuf> = dirs.iter().map(real).collect();
        let root = common(&places);
        let mut parts = Vec::new();
        let mut read = BTreeSet::new();
        for (dir, place) in dirs.iter().zip(&places).filter(|(_, place)| read.insert((*place).clone())) {
            let folder = place.strip_prefix(&root).unwrap_or(place).to_string_lossy();
            parts.extend(RunSummary::parts_of(dir, &folder)?);
        }
        let run = if parts.len() == 1 { parts.remove(0) } else { merged(parts) };
        Ok((run.with_holes(), RunDir::at(&root)))
    }

    /// The runs that are in this one: itself, unless it was merged.
    pub fn members(&self) -> Vec<MergedRun> {
        if !self.split.merged.is_empty() {
            return self.split.merged.clone();
        }
        let partition = self.split.partition.clone();
        vec![MergedRun { run: self.id.clone(), at: self.started, partition }]
    }

    /// Which cells were judged twice when the run was merged, a sentence each for at most so many: those first whose verdicts
    /// or kernels differ. Those that came out the same are counted.
    pub fn overlaps_told(&self, most: usize) -> Vec<String> {
        let differs = |overlap: &&Overlap| overlap.counts.1 != overlap.other.1 || overlap.kernels_differ;
        let differing = self.overlaps.iter().filter(differs).count();
        let mut told: Vec<String> =
            self.overlaps.iter().filter(differs).take(most).map(Overlap::to_string).collect();
        if differing > most {
            told.push(format!("{} more came out differently in two runs", counted(differing - most, "cell")));
        }
        let same = self.overlaps.len() - differing;
        if same > 0 {
            told.push(format!(
                "{} came out the same in two runs; the later one counts",
                counted(same, "cell")
            ));
        }
        told
    }
}

/// The folder that all of these are in.
fn common(places: &[PathBuf]) -> PathBuf {
    let Some((first, others)) = places.split_first() else { return PathBuf::new() };
    let mut root = first.parent().unwrap_or(Path::new("")).to_owned();
    while !others.iter().all(|place| place.starts_with(&root) && *place != root) && root.pop() {}
    debug_assert!(root.components().all(|part| part != Component::ParentDir));
    root
}

/// The place of a cell: the number of its run, and the one in there.
type Place = (usize, usize);

/// Makes one run of several.
pub(super) fn merged(parts: Vec<RunSummary>) -> RunSummary {
    let (parts, mut notices) = distinct(parts);
    let mut cells: Vec<Place> = Vec::new();
    let mut overlaps = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        for cell in part.cells() {
            let found = *known.entry((cell.test(), cell.kernel())).or_insert(cells.len());
            let Some(place) = cells.get_mut(found) else {
                cells.push((number, cell.place()));
                continue;
            };
            let earlier = parts[place.0].outline(place.1);
            let replaced = rank(cell.verdict()) >= rank(earlier.verdict()).max(1);
            overlaps.extend(overlap(&parts, (place.0, earlier), (number, cell), replaced));
            if replaced {
                *place = (number, cell.place());
            }
        }
    }
    drop(known);
    in_order_of_the_plan(&parts, &mut cells);
    let members = members(&parts);
    let ended = ended(&parts, &cells);
    let announced = announced(&parts, &members, cells.len() as u64);
    let mut told = BTreeSet::new();
    notices.extend(parts.iter().flat_map(|part| part.notices.iter().cloned()));
    notices.retain(|notice| told.insert(notice.clone()));
    let sources = parts.iter().flat_map(|part| part.records.sources()).cloned().collect();
    let first = parts.first();
    let mut run = RunSummary {
        id: joined(parts.iter().map(|part| part.id.as_str())),
        kregress: first.map(|part| part.kregress.clone()).unwrap_or_default(),
        started: parts.iter().filter_map(|part| part.started).min(),
        command: first.map(|part| part.command.clone()).unwrap_or_default(),
        host: parts.iter().find_map(|part| part.host.clone()),
        seconds: parts.iter().map(|part| part.seconds).sum(),
        split: Split { partition: None, merged: members },
        attempts: parts.iter().map(|part| part.attempts).sum(),
        came_up: parts.iter().map(|part| part.came_up).sum(),
        records: Records::of(sources),
        is_bisection: parts.iter().any(|part| part.is_bisection),
        is_queue: parts.iter().any(|part| part.is_queue),
        notices,
        ended,
        overlaps,
        announced,
        ..RunSummary::default()
    };
    for part in &parts {
        run.abouts.extend(part.abouts.iter().map(|(test, about)| (test.clone(), about.clone())));
    }
    let mut behind = vec![0];
    for part in &parts {
        behind.push(behind[behind.len() - 1] + part.records.sources().len());
    }
    assert!(behind[parts.len()] <= MOST_JOURNALS, "too many runs at once");
    let mut taken = Cells::default();
    for (at, (number, place)) in cells.into_iter().enumerate() {
        let (part, cell) = (&parts[number], parts[number].outline(place));
        taken.adopt(cell, behind[number] as u16);
        let select = part.selects(cell).to_owned();
        let select = (select != cell.kernel()).then_some(select);
        run.again.plan(at, cell.kernel(), select, part.options(cell).into_owned());
    }
    run.cells = taken;
    run
}

/// The runs in the order of time, each once, without those that are in another one.
fn distinct(mut parts: Vec<RunSummary>) -> (Vec<RunSummary>, Vec<String>) {
    let members = |part: &RunSummary| -> BTreeSet<(String, Option<jiff::Timestamp>)> {
        part.members().into_iter().map(|member| (member.run, member.at)).collect()
    };
    // the largest first, so that what is in it is seen
    let judged = |part: &RunSummary| part.cells().filter(|cell| cell.verdict().is_some()).count();
    // and of two copies of a run the one that knows more, as one may have been taken while it went on
    parts.sort_by_cached_key(|part| {
        (std::cmp::Reverse((part.members().len(), judged(part))), part.started, part.id.clone())
    });
    let mut kept: Vec<RunSummary> = Vec::new();
    let mut notices = Vec::new();
    for part in parts {
        let own = members(&part);
        match kept.iter().find(|other| own.is_subset(&members(other))) {
            None => kept.push(part),
            // the same run under two names, or twice
            Some(other) if other.id == part.id => {}
            Some(other) => notices
                .push(format!("run {} is in run {} already, and is not counted again", part.id, other.id)),
        }
    }
    kept.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    (kept, notices)
}

fn overlap(
    parts: &[RunSummary],
    (one, earlier): (usize, Outline<'_>),
    (two, later): (usize, Outline<'_>),
    replaced: bool,
) -> Option<Overlap> {
    let (was, is) = (earlier.verdict()?, later.verdict()?);
    let (earlier_run, later_run) = (parts[one].id.clone(), parts[two].id.clone());
    let (old, new) = ((earlier_run, was), (later_run, is));
    let (counts, other) = if replaced { (new, old) } else { (old, new) };
    let kernels_differ = earlier.release().zip(later.release()).is_some_and(|(one, other)| one != other);
    Some(Overlap { cell: later.id(), counts, other, kernels_differ })
}

/// Puts the cells in the order that they have in the plan of which the runs are parts, where that is known.
fn in_order_of_the_plan(parts: &[RunSummary], cells: &mut [Place]) {
    let members: Vec<MergedRun> = parts.iter().flat_map(RunSummary::members).collect();
    let plan =
        members.iter().filter_map(|member| member.partition.as_deref()).find(|plan| !plan.kernels.is_empty());
    let Some(plan) = plan else { return };
    let places = |names: &[String]| -> HashMap<String, usize> { names.iter().cloned().zip(0..).collect() };
    let (kernels, tests) = (places(&plan.kernels), places(&plan.tests));
    let at = |names: &HashMap<String, usize>, name: &str| names.get(name).copied().unwrap_or(usize::MAX);
    cells.sort_by_key(|(number, place)| {
        let cell = parts[*number].outline(*place);
        (at(&kernels, cell.kernel()), at(&tests, cell.test()))
    });
}

/// The runs that are in these, each once. Only the first part of a plan keeps the lists of it.
fn members(parts: &[RunSummary]) -> Vec<MergedRun> {
    let mut members: Vec<MergedRun> = parts.iter().flat_map(RunSummary::members).collect();
    members.sort_by(|a, b| (a.at, &a.run).cmp(&(b.at, &b.run)));
    members.dedup_by(|later, earlier| later.run == earlier.run && later.at == earlier.at);
    let lists: BTreeMap<String, (Vec<String>, Vec<String>)> = members
        .iter()
        .filter_map(|member| member.partition.as_deref())
        .filter(|partition| !partition.kernels.is_empty())
        .map(|partition| (partition.plan.clone(), (partition.kernels.clone(), partition.tests.clone())))
        .collect();
    let mut listed = BTreeSet::new();
    for partition in members.iter_mut().filter_map(|member| member.partition.as_deref_mut()) {
        let first = listed.insert(partition.plan.clone());
        let list = lists.get(&partition.plan).filter(|_| first).cloned();
        (partition.kernels, partition.tests) = list.unwrap_or_default();
    }
    members
}

fn ended(parts: &[RunSummary], cells: &[Place]) -> RunEnd {
    let all_judged = cells.iter().all(|(number, place)| parts[*number].outline(*place).verdict().is_some());
    let any = |end: RunEnd| parts.iter().any(|part| part.ended == end);
    match () {
        () if any(RunEnd::Running) => RunEnd::Running,
        // what one of them left others have run
        () if all_judged && parts.iter().all(|part| part.unnamed() == 0) => RunEnd::Finished,
        () if any(RunEnd::Killed) => RunEnd::Killed,
        () if any(RunEnd::Cancelled) => RunEnd::Cancelled,
        () => RunEnd::Finished,
    }
}

/// How many cells there should be: those of missing parts are counted, though nobody has named them.
fn announced(parts: &[RunSummary], members: &[MergedRun], named: u64) -> u64 {
    let partitions = members.iter().filter_map(|member| member.partition.as_deref());
    let plans: BTreeMap<&str, u64> = partitions.map(|plan| (plan.plan.as_str(), plan.cells)).collect();
    let of_plan = |part: &RunSummary, plan: &str| {
        part.members().iter().any(|member| member.partition.as_ref().is_some_and(|p| p.plan == plan))
    };
    let is_part = |part: &&RunSummary| part.members().iter().any(|member| member.partition.is_some());
    let unnamed: u64 = parts.iter().filter(|part| !is_part(part)).map(RunSummary::unnamed).sum();
    let plans: Vec<(&str, u64)> = plans.into_iter().collect();
    match plans.as_slice() {
        [] => named + unnamed,
        [(_, cells)] => named.max(*cells) + unnamed,
        several => {
            let lacking = several.iter().map(|(plan, cells)| {
                let here: u64 = parts
                    .iter()
                    .filter(|part| of_plan(part, plan))
                    .map(|part| part.cells().len() as u64)
                    .sum();
                cells.saturating_sub(here)
            });
            named + unnamed + lacking.sum::<u64>()
        }
    }
}

/// A name for runs together.
fn joined<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> String {
    const NAMED: usize = 3;
    let more = ids.len().saturating_sub(NAMED);
    let named: Vec<&str> = ids.take(NAMED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(" + "))
}
