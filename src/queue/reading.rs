//! A queue on its tree: what every patch says, whether it applies in its place, and what keeps the others out.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::cached::{Cached, HeldFiles};
use super::history::TreeHistory;
use super::impossible::{Change, impossible};
use super::needs;
use crate::arch::Arch;
use crate::event::queue::{Aside, QueueMail, QueuedPatch, SetAside};
use crate::patch::queue::{self, PatchApplication, Queued};
use crate::patch::{Application, HunkResult, Options, Outcome, PatchMail, Queue, Source};

/// A queue that was tried on a tree.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The patches that are tested, in order.
    pub patches: Vec<QueuedPatch>,
    /// The same as they were read.
    pub kept: Vec<Queued>,
    /// Those that are not tested.
    pub set_aside: Vec<SetAside>,
    /// Those that do not apply, with the reasons.
    pub refused: Vec<(Queued, Application)>,
    /// The files of the tree that the patches name, as they are without them.
    pub files: HeldFiles,
}

impl Reading {
    /// Tries `patches` of a queue on a source, each on top of those before it that apply. `history` is that of the source,
    /// where it has one.
    pub fn new(
        queue: &Queue,
        patches: &[Queued],
        source: &dyn Source,
        history: Option<&TreeHistory>,
        options: Options,
        arch: &Arch,
    ) -> Reading {
        let mut source = Cached::new(source);
        let tried = queue::apply(patches, &source, options);
        source.without_explanations();
        let mut reading = Reading {
            patches: Vec::new(),
            kept: Vec::new(),
            set_aside: Vec::new(),
            refused: Vec::new(),
            files: HeldFiles::default(),
        };
        let mut stack: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
        let mut said: BTreeMap<String, usize> = BTreeMap::new();
        let wants = wants_another_line(patches, &source);
        for (queued, one) in patches.iter().zip(&tried.patches) {
            let twice = said.insert(identity(&queued.patch), queued.number);
            if let Some((kind, mut why)) = aside(one, twice, &wants) {
                let mut kind = kind;
                if kind == Aside::DoesNotApply
                    && let Some(commit) = history.and_then(|history| history.has(&queued.patch))
                {
                    (kind, why) = (Aside::There, format!("the tree has it as {commit}"));
                } else if kind == Aside::DoesNotApply
                    && let Some(lost) = lost_before(queued, patches, &reading.set_aside)
                {
                    why += &format!("; patch {lost}, which touches the same file, is not there either");
                }
                if kind == Aside::DoesNotApply {
                    reading.refused.push((queued.clone(), one.result.clone()));
                }
                reading.set_aside.push(SetAside {
                    number: queued.number,
                    title: one.title.clone(),
                    kind,
                    why,
                });
                continue;
            }
            let changed = &one.result.contents;
            let before: BTreeMap<&str, Option<Vec<u8>>> =
                changed.keys().map(|path| (path.as_str(), before(&stack, &source, path))).collect();
            let changes: BTreeMap<&str, Change<'_>> = changed
                .iter()
                .map(|(path, after)| (path.as_str(), (before[path.as_str()].as_deref(), after.as_deref())))
                .collect();
            let mut patch = patch(queued, &one.result);
            patch.impossible = impossible(&queued.patch, &changes, arch);
            stack.extend(changed.iter().map(|(path, after)| (path.as_str(), after.as_deref())));
            reading.patches.push(patch);
            reading.kept.push(queued.clone());
        }
        let needs = needs::needs(&reading.kept, &source, options);
        let numbers: Vec<usize> = reading.patches.iter().map(|patch| patch.number).collect();
        for (patch, needs) in reading.patches.iter_mut().zip(needs) {
            patch.needs = needs.into_iter().map(|at| numbers[at]).collect();
        }
        let left_out = queue.left_out.iter().map(|queued| SetAside {
            number: queued.number,
            title: queued.patch.title().to_owned(),
            kind: match &queued.left_out {
                Some(why) if why.starts_with("the same as") => Aside::Twice,
                _ => Aside::LeftOut,
            },
            why: queued.left_out.clone().unwrap_or_default(),
        });
        reading.set_aside.extend(left_out);
        reading.files = source.held();
        reading
    }
}

/// What a file held before a patch.
fn before(stack: &BTreeMap<&str, Option<&[u8]>>, source: &dyn Source, path: &str) -> Option<Vec<u8>> {
    match stack.get(path) {
        Some(contents) => contents.map(<[u8]>::to_vec),
        None => source.read(path),
    }
}

/// The line that the patches' subjects ask for, where the tree is of another one: both, in words.
fn wants_another_line(patches: &[Queued], source: &dyn Source) -> Option<String> {
    let line = crate::patch::source::line(source)?;
    let target = patches.iter().find_map(|queued| queued.patch.target())?;
    (!target.covers(line.0)).then(|| format!("its subject is for {target}, and the tree is of {line}"))
}

/// A patch before this one that does not apply and touches one of its files.
fn lost_before(queued: &Queued, patches: &[Queued], set_aside: &[SetAside]) -> Option<usize> {
    let paths = needs::paths(&queued.patch);
    let lost = set_aside.iter().filter(|one| matches!(one.kind, Aside::DoesNotApply | Aside::Damaged));
    let of = |number: usize| patches.iter().find(|other| other.number == number);
    let mut numbers = lost.map(|one| one.number);
    numbers.find(|number| of(*number).is_some_and(|other| !needs::paths(&other.patch).is_disjoint(&paths)))
}

/// What keeps a patch out, if anything does.
fn aside(one: &PatchApplication, twice: Option<usize>, wants: &Option<String>) -> Option<(Aside, String)> {
    let because = |why: String| match wants {
        Some(wants) => format!("{why} ({wants})"),
        None => why,
    };
    match (one.result.outcome, twice) {
        (outcome, _) if outcome.applies() => None,
        (Outcome::AlreadyApplied, Some(first)) => {
            Some((Aside::Twice, format!("the same change as patch {first}")))
        }
        (Outcome::AlreadyApplied, None) => Some((Aside::There, "the tree has all that it changes".into())),
        (Outcome::Damaged, _) => Some((Aside::Damaged, one.result.why())),
        _ => Some((Aside::DoesNotApply, because(one.result.why()))),
    }
}

fn patch(queued: &Queued, result: &Application) -> QueuedPatch {
    let Queued { number, patch, .. } = queued;
    let stable = patch.tags.stable.as_ref();
    QueuedPatch {
        number: *number,
        title: match &patch.subject {
            Some(subject) => subject.title.clone(),
            None => patch.file.rsplit('/').next().unwrap_or_default().to_owned(),
        },
        author: patch.author.clone(),
        mail: patch.id.clone(),
        upstream: patch.tags.upstream.clone(),
        fixes: patch.tags.fixes.iter().map(|fixes| fixes.commit.clone()).collect(),
        stable: stable.map(|stable| stable.note.clone().unwrap_or_else(|| "asked for".into())),
        files: patch.decoded.files.iter().map(|file| file.path().to_owned()).collect(),
        applies: how(result),
        impossible: None,
        needs: Vec::new(),
        reported_by: patch.tags.values("Reported-by").map(str::to_owned).collect(),
        syzbot: patch.tags.syzbot.clone(),
    }
}

/// How a patch applies: the outcome, with the largest offset and fuzz.
fn how(result: &Application) -> String {
    let hunks = result.files.iter().flat_map(|file| &file.hunks).filter_map(|(_, hunk)| match hunk {
        HunkResult::Applied(applied) => Some(applied),
        HunkResult::Failed(_) => None,
    });
    let (mut offset, mut fuzz) = (0i64, 0);
    for hunk in hunks {
        if hunk.offset.abs() > offset.abs() {
            offset = hunk.offset;
        }
        fuzz = fuzz.max(hunk.fuzz);
    }
    let mut details = Vec::new();
    if offset != 0 {
        details.push(format!("{offset:+} lines"));
    }
    if fuzz > 0 {
        details.push(format!("fuzz {fuzz}"));
    }
    if !result.doubts.is_empty() {
        details.push("doubtful".to_owned());
    }
    let words = result.outcome.words();
    if details.is_empty() { words.to_owned() } else { format!("{words} ({})", details.join(", ")) }
}

/// What a patch changes, whatever its mail says and wherever in the files that is.
fn identity(patch: &PatchMail) -> String {
    let mut text = String::new();
    for file in &patch.decoded.files {
        text += &format!("{:?} {:?}\n", file.old_path, file.new_path);
        for line in file.hunks.iter().filter_map(|hunk| hunk.lines()).flatten() {
            text.push(line.kind.mark());
            text += &line.text;
            text.push('\n');
        }
        // what is not read whole is like nothing else
        if file.hunks.iter().any(|hunk| hunk.lines().is_none()) {
            text += &format!("{} {}", patch.file, file.line);
        }
    }
    text
}

/// Digest of what patches say, by which a run that is gone on with knows that they are the same.
pub fn digest(patches: &[Queued]) -> String {
    let mut hash = Sha256::new();
    for queued in patches {
        hash.update(queued.number.to_le_bytes());
        hash.update(queued.patch.title());
        hash.update(identity(&queued.patch));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The mail that an answer is for: the cover letter, else the first patch.
pub fn mail(queue: &Queue) -> QueueMail {
    if let Some(cover) = queue.cover() {
        return QueueMail {
            title: cover.subject.clone(),
            from: cover.from.clone(),
            date: cover.date.clone(),
            id: cover.id.clone(),
        };
    }
    let several = queue.patches.len() > 1;
    match queue.patches.first().map(|queued| &queued.patch) {
        // a folder or a range of commits is no thread
        Some(first) if !several || first.part().is_some() => QueueMail {
            title: first.sent_as.clone().unwrap_or_else(|| first.title().to_owned()),
            from: first.sender.clone(),
            date: first.date.clone(),
            id: first.id.clone(),
        },
        _ => QueueMail { title: queue.name.clone(), ..QueueMail::default() },
    }
}
