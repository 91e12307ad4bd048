//! A queue on a source: every patch on top of those before it that apply.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Queued;
use crate::apply::{Application, Options, Outcome};
use crate::budget::Pool;
use crate::source::{EXECUTABLE, LINK, PLAIN, Source};

/// What becomes of one patch in its place.
#[derive(Clone, Debug, Serialize)]
pub struct PatchApplication {
    /// Its number in the queue.
    pub number: usize,
    /// Its title; the file's name where it has none.
    pub title: String,
    /// What becomes of it. One that does not apply is set aside: those behind it do not see it.
    pub result: Application,
}

/// What becomes of a queue.
#[derive(Clone, Debug)]
pub struct QueueApplication {
    /// The patches, in order.
    pub patches: Vec<PatchApplication>,
    /// The queue as a whole: it applies where each of its patches does.
    pub whole: Application,
}

impl QueueApplication {
    /// How many patches apply in their places.
    pub fn applied(&self) -> usize {
        self.patches.iter().filter(|patch| patch.result.outcome.applies()).count()
    }
}

/// Applies a queue in order.
pub fn apply(queue: &[Queued], source: &dyn Source, options: Options) -> QueueApplication {
    let mut stack = Stack { source, contents: BTreeMap::new(), modes: BTreeMap::new() };
    let mut patches = Vec::new();
    let mut whole = Application::nothing();
    let bytes = queue.iter().map(|queued| queued.patch.decoded.bytes()).sum();
    let pool = Pool::applying(queue.len(), bytes);
    for (at, queued) in (1..).zip(queue) {
        let result =
            pool.next(at == queue.len(), |budget| Application::of(&queued.patch, &stack, options, budget));
        if result.outcome.applies() {
            stack.contents.extend(result.contents.clone());
            for path in result.contents.keys() {
                stack.modes.remove(path);
            }
            stack.modes.extend(result.modes.clone());
        }
        whole.join(&result);
        let title = match &queued.patch.subject {
            Some(subject) => subject.title.clone(),
            None => queued.patch.file.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        patches.push(PatchApplication { number: queued.number, title, result });
    }
    // a source that has some of them already is another one than the queue is for
    let there = |patch: &PatchApplication| patch.result.outcome == Outcome::AlreadyApplied;
    if whole.outcome == Outcome::AlreadyApplied && !patches.iter().all(there) {
        whole.outcome = Outcome::DoesNotApply;
    }
    whole.contents = stack.contents;
    whole.modes = stack.modes;
    QueueApplication { patches, whole }
}

/// A source with the patches before.
struct Stack<'s> {
    source: &'s dyn Source,
    contents: BTreeMap<String, Option<Vec<u8>>>,
    modes: BTreeMap<String, String>,
}

impl Source for Stack<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.contents.get(path).cloned().unwrap_or_else(|| self.source.read(path))
    }

    fn has(&self, path: &str) -> bool {
        self.contents.get(path).map_or_else(|| self.source.has(path), Option::is_some)
    }

    fn mode(&self, path: &str) -> &'static str {
        match self.modes.get(path).map(String::as_str) {
            Some(EXECUTABLE) => EXECUTABLE,
            Some(LINK) => LINK,
            Some(_) => PLAIN,
            None => self.source.mode(path),
        }
    }

    fn has_folder(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let behind = self.contents.range(folder.clone()..);
        let mut inside = behind.take_while(|(made, _)| made.starts_with(&folder));
        inside.any(|(_, contents)| contents.is_some()) || self.source.has_folder(path)
    }

    fn named(&self, name: &str) -> Vec<String> {
        let is_named = |path: &&String| path.rsplit('/').next() == Some(name);
        let kept = |path: &String| !matches!(self.contents.get(path), Some(None));
        let mut found: Vec<String> = self.source.named(name).into_iter().filter(kept).collect();
        let made = self.contents.iter().filter(|(_, contents)| contents.is_some()).map(|(path, _)| path);
        found.extend(made.filter(is_named).cloned());
        found.sort();
        found.dedup();
        found
    }

    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String> {
        self.source.touched(path, first, last)
    }
}
