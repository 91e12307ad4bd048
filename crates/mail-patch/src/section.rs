//! A section of a diff, applied to its file as the sections and patches before left it.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Application, FileOutcome, HunkResult};
use super::blob::{self, Proof};
use super::damage::Damage;
use super::diff::{Diff, FileDiff, Hunk, Operation};
use super::indent::Seen;
use super::reason::{self, Reason};
use super::repair;
use super::source::{LINK, PLAIN, canonical, is_inside};
use super::target::{Target, Terms};
use super::{names, text};

/// What a patch changes.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) contents: BTreeMap<String, Option<Vec<u8>>>,
    /// `None` where a file is gone.
    pub(super) modes: BTreeMap<String, Option<String>>,
    /// What makes the result doubtful.
    pub(super) doubts: Vec<Damage>,
    /// Paths that a section of this patch wrote.
    made: BTreeSet<String>,
    /// Files that the ids of the patch prove to be the author's.
    pub(super) proven: usize,
    /// How files and added lines are indented where no id proves the result.
    pub(super) seen: Vec<Seen>,
}

/// The files of a diff that are renamed or deleted.
fn leaving(diff: &Diff) -> BTreeSet<&str> {
    let files = diff.files.iter().filter(|file| file.renamed() || file.deleted);
    files.filter_map(|file| file.old_path.as_deref()).collect()
}

/// A diff on its way into a source.
pub(super) struct Work<'w> {
    diff: &'w Diff,
    /// What its names show of one another.
    names: names::Naming,
    leaving: BTreeSet<&'w str>,
    terms: &'w Terms<'w>,
    /// The patches before.
    before: &'w Application,
    pub(super) changes: Changes,
}

impl<'w> Work<'w> {
    /// A diff on top of the patches before.
    pub(super) fn new(diff: &'w Diff, terms: &'w Terms<'w>, before: &'w Application) -> Work<'w> {
        Work {
            diff,
            names: names::Naming::of(diff),
            leaving: leaving(diff),
            terms,
            before,
            changes: Changes::default(),
        }
    }

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

    /// Applies a section.
    pub(super) fn file(&mut self, file: &FileDiff) -> FileOutcome {
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
            Proof::Absent => self.changes.seen.push(Seen::of(file, &outcome, &before)),
            Proof::Same => {
                self.changes.proven += 1;
                outcome.hunks.iter_mut().for_each(|(_, result)| result.prove());
            }
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
            return Err(Reason::Binary { contents: file.binary_contents });
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
                    let made = |hunk: &Hunk| (hunk.old.start, hunk.old.len) == (0, 0);
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
