//! A source that remembers what was read of it: a queue is tried on it many times, and a repository answers each question
//! with a process.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::patch::{PLAIN, Source};

/// What is remembered of a file: its contents and its mode.
type Remembered = (Option<Vec<u8>>, &'static str);

/// A source with a memory.
pub struct Cached<'s> {
    source: &'s (dyn Source + 's),
    files: Mutex<BTreeMap<String, Remembered>>,
    /// Whether questions that only explain why something does not fit are asked.
    explains: bool,
}

impl<'s> Cached<'s> {
    /// The same source, each file of which is read once.
    pub fn new(source: &'s (dyn Source + 's)) -> Cached<'s> {
        Cached { source, files: Mutex::default(), explains: true }
    }

    /// From now on nothing is looked for that only explains a failure: moved files, commits that touched a place.
    pub fn without_explanations(&mut self) {
        self.explains = false;
    }

    fn file(&self, path: &str) -> Remembered {
        if let Some(known) = self.files.lock().get(path) {
            return known.clone();
        }
        let contents = self.source.read(path);
        let mode = if contents.is_some() { self.source.mode(path) } else { PLAIN };
        self.files.lock().insert(path.to_owned(), (contents.clone(), mode));
        (contents, mode)
    }
}

/// The files of a source that patches name, held in memory: the source itself may change meanwhile, as the tree does in which
/// kernels are compiled.
#[derive(Clone, Debug, Default)]
pub struct HeldFiles {
    files: BTreeMap<String, Remembered>,
}

impl Cached<'_> {
    /// Everything that was read.
    pub fn held(self) -> HeldFiles {
        HeldFiles { files: self.files.into_inner() }
    }
}

impl Source for HeldFiles {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path).and_then(|(contents, _)| contents.clone())
    }

    fn mode(&self, path: &str) -> &'static str {
        self.files.get(path).map_or(PLAIN, |(_, mode)| mode)
    }

    fn has_folder(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.iter().any(|(path, (contents, _))| contents.is_some() && path.starts_with(&folder))
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}

impl Source for Cached<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.file(path).0
    }

    fn mode(&self, path: &str) -> &'static str {
        self.file(path).1
    }

    fn has_folder(&self, path: &str) -> bool {
        self.source.has_folder(path)
    }

    fn named(&self, name: &str) -> Vec<String> {
        if self.explains { self.source.named(name) } else { Vec::new() }
    }

    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String> {
        if self.explains { self.source.touched(path, first, last) } else { Vec::new() }
    }
}
