//! Reading a queue from what a user names.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::hole::Lost;
use super::quilt::{self, Entry};
use super::thread::{self, Selection};
use super::{Cover, Missing, Pick, PickError, Queue, QueueKind, Queued, folder};
use crate::diff::{self, Diff, Operation};
use crate::foreign;
use crate::git;
use crate::input::{Form, Input, InputError, Message};
use crate::patch_mail::PatchMail;
use crate::subject::Target;
use crate::text::Line;

/// A queue cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// One of its files is no patch.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file cannot be read.
    #[error(
        "cannot read {name}: {source}; expected a patch, a mail, an mbox, a folder of patches, `-`, or REPOSITORY@A..B"
    )]
    Read {
        /// The file.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A repository without the commits.
    #[error(
        "{repository}: git gives no patch for `{commits}`; expected a commit that is no merge, or a range A..B"
    )]
    NoCommits {
        /// The repository.
        repository: String,
        /// What was asked for.
        commits: String,
    },
    /// A series file that is none.
    #[error("{name}: {why}")]
    Series {
        /// The file.
        name: String,
        /// Where and why.
        why: String,
    },
    /// A folder without patches.
    #[error("{name}: {why}")]
    NoQueue {
        /// The folder.
        name: String,
        /// What was looked for, and what to do.
        why: String,
    },
    /// There is no patch in it.
    #[error("{name}: no patch: {what}")]
    NoPatch {
        /// The input.
        name: String,
        /// What it is instead.
        what: String,
    },
    /// What is picked is not there.
    #[error("{name}: {source}")]
    Pick {
        /// The input.
        name: String,
        /// Why.
        source: PickError,
    },
}

/// A folder and what stands behind the first `@` that follows the name of one.
pub fn at_commit(text: &str) -> Option<(PathBuf, &str)> {
    text.match_indices('@')
        .map(|(at, _)| (PathBuf::from(&text[..at]), &text[at + 1..]))
        .find(|(folder, commit)| folder.is_dir() && !commit.is_empty())
}

impl Queue {
    /// Reads what `text` names: a file, `-` for standard input, a folder, or REPOSITORY@COMMIT and REPOSITORY@A..B.
    ///
    /// # Errors
    /// It cannot be read, holds no patch, or lacks what is picked.
    pub fn open(text: &str, pick: &Pick) -> Result<Queue, QueueError> {
        let path = Path::new(text);
        if text == "-" {
            let mut bytes = Vec::new();
            let name = "standard input";
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map_err(|source| QueueError::Read { name: name.into(), source })?;
            return Queue::of(&Input::read(name, &bytes)?, pick);
        }
        if path.is_dir() {
            return in_folder(text, path, pick);
        }
        if let (false, Some((repository, commits))) = (path.exists(), at_commit(text)) {
            return of_commits(text, &repository, commits, pick);
        }
        Queue::of(&Input::read(text, &bytes_of(path)?)?, pick)
    }

    /// The queue in one input.
    ///
    /// # Errors
    /// It holds no patch, or lacks what is picked.
    pub fn of(input: &Input, pick: &Pick) -> Result<Queue, QueueError> {
        let kind = match input.form {
            Form::PatchFile => QueueKind::PatchFile,
            Form::Mail => QueueKind::Mail,
            Form::Mbox => QueueKind::Mbox,
            Form::WebPage => QueueKind::WebPage,
        };
        chosen(empty(&input.name, kind), std::slice::from_ref(input), pick)
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, QueueError> {
    std::fs::read(path).map_err(|source| QueueError::Read { name: path.display().to_string(), source })
}

fn empty(name: &str, kind: QueueKind) -> Queue {
    Queue {
        name: name.to_owned(),
        kind,
        messages: 0,
        patches: Vec::new(),
        left_out: Vec::new(),
        missing: Vec::new(),
        notes: Vec::new(),
        alternatives: Vec::new(),
        base_commit: None,
        prerequisites: Vec::new(),
        covers: Vec::new(),
    }
}

/// Fills a queue with the patches of mails, as they belong together.
fn chosen(mut queue: Queue, inputs: &[Input], pick: &Pick) -> Result<Queue, QueueError> {
    let mut patches: Vec<Option<PatchMail>> = Vec::new();
    for input in inputs {
        queue.about(input);
        patches.extend(PatchMail::all(input).into_iter().map(Some));
    }
    let all: Vec<PatchMail> = patches.iter().flatten().cloned().collect();
    let failed = |source| QueueError::Pick { name: queue.name.clone(), source };
    if all.is_empty() {
        let what = instead(inputs.iter().flat_map(|input| &input.messages));
        return Err(QueueError::NoPatch { name: queue.name, what });
    }
    let mut unread = Vec::new();
    for message in inputs.iter().flat_map(|input| &input.messages) {
        let plain = message.parts.iter().any(|part| diff::start(&part.lines).is_some());
        let what = message.parts.iter().find_map(|part| foreign::named(&part.lines)).filter(|_| !plain);
        let subject = crate::subject::parse(message.subject.as_deref().unwrap_or_default());
        let (number, of) = subject.part.unwrap_or((0, 0));
        match what.filter(|_| !subject.reply && (number > 0 || subject.part.is_none())) {
            None => {}
            // a mail that should have a patch
            Some(what) if subject.patch => {
                let name = if of > 0 { format!("{number} of {of}") } else { subject.title };
                unread.push(Missing {
                    number: number as usize,
                    what: format!("{name} (line {}: {what})", message.line),
                });
            }
            Some(what) => queue.notes.push(format!("line {}: {what}", message.line)),
        }
    }
    let Selection { chosen, left_out, missing, notes } = thread::select(&all, pick).map_err(failed)?;
    let behind = chosen.iter().map(|(_, number)| *number).chain(missing.iter().map(|one| one.number)).max();
    for (at, number) in chosen {
        queue.patches.extend(patches[at].take().map(|patch| Queued { number, patch, left_out: None }));
    }
    for (number, (at, why)) in (behind.unwrap_or(0) + 1..).zip(left_out) {
        queue.left_out.extend(patches[at].take().map(|patch| Queued { number, patch, left_out: Some(why) }));
    }
    let lost = |one: &Missing| one.number == 0 || unread.iter().all(|other| other.number != one.number);
    queue.missing.extend(missing.into_iter().filter(lost));
    queue.missing.extend(unread);
    queue.notes.extend(notes);
    let lines = thread::targets(queue.mails().into_iter());
    if let [first, .., last] = lines.as_slice() {
        let pick = queue.patches[0]
            .patch
            .target()
            .and_then(Target::first)
            .map_or(String::new(), |line| line.to_string());
        let between = if lines.len() > 2 { ", …" } else { "" };
        queue.notes.push(format!(
            "for several lines, {first}{between} and {last}: a source gets those of its own; --pick {pick} takes one"
        ));
        queue.alternatives = lines;
    }
    let name = queue.name.clone();
    queue.picked(pick).map_err(|source| QueueError::Pick { name, source })
}

impl Queue {
    /// Reads what a message says of the whole queue.
    fn about(&mut self, input: &Input) {
        self.messages += input.messages.len();
        let lines = || input.messages.iter().flat_map(|message| &message.parts).flat_map(|part| &part.lines);
        let value = |line: &'_ Line, key: &str| {
            let value = line.text.strip_prefix(key)?.trim().to_owned();
            value.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(value).filter(|id| id.len() >= 12)
        };
        if self.base_commit.is_none() {
            self.base_commit = lines().find_map(|line| value(line, "base-commit:"));
        }
        self.prerequisites.extend(lines().filter_map(|line| value(line, "prerequisite-patch-id:")));
        for message in &input.messages {
            let Some(sent) = &message.subject else { continue };
            let subject = crate::subject::parse(sent);
            if subject.part.is_some_and(|(part, _)| part == 0) && !subject.reply {
                self.covers.push(Cover {
                    subject: sent.clone(),
                    from: message.from.clone(),
                    date: message.date.clone(),
                    id: message.id.clone(),
                });
            }
        }
    }
}

fn of_commits(text: &str, repository: &Path, commits: &str, pick: &Pick) -> Result<Queue, QueueError> {
    let mails = git::as_mails(repository, commits).filter(|mails| !mails.is_empty());
    let mails = mails.ok_or_else(|| QueueError::NoCommits {
        repository: repository.display().to_string(),
        commits: commits.to_owned(),
    })?;
    let input = Input::read(text, &mails)?;
    let mut queue = empty(text, QueueKind::Commits);
    match git::merges(repository, commits) {
        0 => {}
        1 => queue.notes.push("one merge is among the commits; git gives no patch for it".into()),
        n => queue.notes.push(format!("{n} merges are among the commits; git gives no patch for them")),
    }
    // their order is git's, whatever the subjects say
    queue.about(&input);
    for (number, patch) in (1..).zip(PatchMail::all(&input)) {
        queue.patches.push(Queued { number, patch, left_out: None });
    }
    let failed = |source| QueueError::Pick { name: text.to_owned(), source };
    if queue.patches.is_empty() {
        let what = instead(&input.messages);
        return Err(QueueError::NoPatch { name: text.to_owned(), what });
    }
    queue.picked(pick).map_err(failed)
}

fn in_folder(text: &str, folder: &Path, pick: &Pick) -> Result<Queue, QueueError> {
    if let Some(series) = quilt::find(folder) {
        return of_quilt(text, &series, pick);
    }
    let no_queue = |why: String| QueueError::NoQueue { name: text.to_owned(), why };
    match folder::stable_queues(folder).as_slice() {
        [] => {}
        [one] => return of_quilt(text, &one.join("series"), pick),
        several => {
            let names: Vec<String> = several.iter().map(|path| folder::name(path)).collect();
            return Err(no_queue(format!(
                "a repository of several queues; name one of {}",
                names.join(", ")
            )));
        }
    }
    let read = |source| QueueError::Read { name: text.to_owned(), source };
    let files = folder::files(folder).map_err(read)?;
    if files.is_empty() {
        let git = folder.join(".git").exists() || folder.join("HEAD").is_file();
        let why = if git {
            format!("a git repository; name the commits: {text}@A..B")
        } else {
            "no queue: neither a file `series` nor one that ends in .patch, .diff, .eml or .mbox".into()
        };
        return Err(no_queue(why));
    }
    let mut queue = empty(text, QueueKind::Folder);
    let mut inputs = Vec::new();
    for path in &files {
        inputs.push(Input::read(&path.display().to_string(), &bytes_of(path)?)?);
    }
    let read: Vec<Vec<PatchMail>> = inputs.iter().map(PatchMail::all).collect();
    if !folder::are_numbered(&files) {
        for ((path, input), patches) in files.iter().zip(&inputs).zip(&read) {
            let is_cover = is_cover(input) || folder::number(path) == Some(0);
            if patches.is_empty() && folder::is_patch_name(path) && !is_cover {
                let what = no_patch(path, input);
                queue.missing.push(Missing { number: 0, what });
            }
        }
        return chosen(queue, &inputs, pick);
    }
    let parts = |patches: &Vec<PatchMail>| patches.first().and_then(PatchMail::part);
    let mut lost = Lost::of(&files, &read.iter().map(parts).collect::<Vec<_>>()).into_iter().peekable();
    for (at, ((path, input), patches)) in files.iter().zip(&inputs).zip(read).enumerate() {
        while let Some(one) = lost.next_if(|one| one.before <= at) {
            queue.lost(one.what);
        }
        queue.about(input);
        let is_cover = is_cover(input) || folder::number(path) == Some(0);
        match (patches.is_empty() && !is_cover, folder::is_patch_name(path)) {
            (true, true) => queue.lost(no_patch(path, input)),
            (true, false) => {
                queue.notes.push(format!("{}: no patch in it: {}", input.name, instead(&input.messages)));
            }
            _ => queue.push(patches),
        }
    }
    lost.for_each(|one| queue.lost(one.what));
    if queue.patches.is_empty() {
        let what = "none of the files has one".to_owned();
        return Err(QueueError::NoPatch { name: text.to_owned(), what });
    }
    queue.picked(pick).map_err(|source| QueueError::Pick { name: text.to_owned(), source })
}

/// A file that should be a patch, with what it is instead.
fn no_patch(path: &Path, input: &Input) -> String {
    format!("{} (no patch in it: {})", folder::name(path), instead(&input.messages))
}

fn is_cover(input: &Input) -> bool {
    let cover = |subject: &str| crate::subject::parse(subject).part.is_some_and(|(part, _)| part == 0);
    input.messages.iter().any(|message| message.subject.as_deref().is_some_and(cover))
}

/// What messages without a patch hold instead.
fn instead<'m>(messages: impl IntoIterator<Item = &'m Message>) -> String {
    let mut parts = messages.into_iter().flat_map(|message| &message.parts);
    let what = parts.find_map(|part| foreign::named(&part.lines));
    what.unwrap_or("no line starts with `diff --git`, or with `--- ` and `+++ ` on two lines").to_owned()
}

impl Queue {
    /// Appends the patches of one file.
    fn push(&mut self, patches: Vec<PatchMail>) {
        for patch in patches {
            self.patches.push(Queued {
                number: self.patches.len() + self.missing.len() + 1,
                patch,
                left_out: None,
            });
        }
    }
}

fn of_quilt(text: &str, series: &Path, pick: &Pick) -> Result<Queue, QueueError> {
    let name = series.display().to_string();
    let said = String::from_utf8_lossy(&bytes_of(series)?).into_owned();
    let entries = quilt::parse(&said).map_err(|why| QueueError::Series { name: name.clone(), why })?;
    let mut queue = empty(text, QueueKind::Quilt);
    if entries.is_empty() {
        let why = "it names no patch".to_owned();
        return Err(QueueError::Series { name, why });
    }
    let folder = series.parent().unwrap_or(Path::new("."));
    for entry in entries {
        if let Some(guard) = &entry.guard {
            queue.notes.push(format!("{} is left out: it is guarded by `{guard}`", entry.name));
            continue;
        }
        let place = [folder.join(&entry.name), folder.join("patches").join(&entry.name)];
        let Some(path) = place.iter().find(|path| path.is_file()) else {
            queue.lost(format!("{} (line {} of {name})", entry.name, entry.line));
            continue;
        };
        match Input::read(&path.display().to_string(), &bytes_of(path)?) {
            Ok(input) => {
                queue.about(&input);
                let patches = PatchMail::all(&input);
                if patches.is_empty() {
                    queue.notes.push(format!("{}: no patch in it: {}", entry.name, instead(&input.messages)));
                }
                queue.push(patches.into_iter().map(|patch| placed(patch, &entry)).collect());
            }
            // quilt takes an empty one, too
            Err(InputError::Empty { .. }) => queue.notes.push(format!("{}: empty", entry.name)),
            Err(error) => queue.lost(format!("{} ({error})", entry.name)),
        }
    }
    queue.picked(pick).map_err(|source| QueueError::Pick { name: text.to_owned(), source })
}

impl Queue {
    fn lost(&mut self, what: String) {
        let number = self.patches.len() + self.missing.len() + 1;
        self.missing.push(Missing { number, what });
    }
}

/// The patch as its line of the series file wants it.
fn placed(mut patch: PatchMail, entry: &Entry) -> PatchMail {
    for diff in [&mut patch.as_sent, &mut patch.decoded] {
        if let Some(strip) = entry.strip {
            stripped(diff, strip);
        }
        if entry.reverse {
            *diff = quilt::reversed(std::mem::take(diff));
        }
    }
    patch
}

/// Takes as many folders from the names as is said, whatever they are. Names of renames have no prefix.
fn stripped(diff: &mut Diff, strip: usize) {
    for file in diff.files.iter_mut().filter(|file| file.operation == Operation::Change) {
        let name = file.new_name.take().filter(|_| !file.deleted).or(file.old_name.take());
        // no other reading of the names is left
        file.old_name = None;
        if let Some(path) = name.and_then(|name| name.splitn(strip + 1, '/').nth(strip).map(str::to_owned)) {
            file.old_path = Some(path.clone()).filter(|_| !file.created);
            file.new_path = Some(path).filter(|_| !file.deleted);
        }
    }
}
