//! What the histories of a run's kernels let one expect of its tests, looked up while guests run.
//!
//! No cell waits for it. A cell that ends before its kernel's history is known is told of again afterwards.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kernel_fixes::Changelog;
use parking_lot::{Condvar, Mutex};

use super::supply::Means;
use crate::cancel::Cancel;
use crate::event::{CellId, Event};
use crate::expectation::{Expectation, KernelTree, KnownKernel, TreeError, expectation};
use crate::kernel::{KeptChangelog, Library, RequestedKernel, best_changelog};
use crate::suite::{History, Test};
use crate::version::{KernelVersion, Line};

/// How long the end of a run waits for what is still looked up: a changelog takes some seconds, a large repository as many.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is seen whether the user has ended the run meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// What is expected of the cells of a run.
#[derive(Debug, Default)]
pub struct Expectations {
    state: Mutex<State>,
    /// Told when anything of it changes that somebody waits for.
    changed: Condvar,
    /// Ends the looking up.
    enough: Cancel,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<CellId, Expectation>,
    /// Cells that ended before anything was known of them, and whose test names a fix.
    ended: HashSet<CellId>,
    /// Kernels of which an attempt has begun: their packages are here.
    here: HashSet<String>,
    /// One of them came since they were looked at.
    has_news: bool,
    /// Every cell has ended.
    is_ending: bool,
    /// Everything is looked up.
    is_done: bool,
    /// Nothing is told any more.
    is_over: bool,
}

/// Where histories are looked up.
pub struct Histories<'a> {
    /// Where changelogs are from.
    pub library: &'a Library,
    /// A repository with the kernel's history.
    pub tree: Option<&'a Path>,
    /// Which cells are meant.
    pub means: &'a Means<'a>,
}

/// Whether a test says anything that a kernel's history can be held against.
pub fn names_a_fix(test: &Test) -> bool {
    test.history.fixes().next().is_some() || !test.history.cves.is_empty()
}

/// The event of a cell that will run, or has run meanwhile where something is expected of it.
pub fn planned(test: &Test, kernel: &RequestedKernel, expectation: Option<Expectation>) -> Event {
    Event::Planned {
        cell: CellId { test: test.id(), kernel: kernel.name().to_owned() },
        // which image it ran on is in the record of the cell
        release: Some(kernel.release().to_owned())
            .filter(|release| !release.is_empty() && expectation.is_none()),
        summary: test.summary.clone(),
        expectation: expectation.map(Box::new),
        about: None,
        select: Some(kernel.spec()).filter(|spec| spec != kernel.name()),
        options: Vec::new(),
    }
}

/// The commits that a tree is asked for.
fn commits(tests: &[Arc<Test>]) -> impl Iterator<Item = String> {
    let of = |history: &History| -> Vec<String> {
        let causes = history.introduced.iter().chain(&history.exposed);
        history.fixes().chain(causes).map(|commit| commit.commit.clone()).collect()
    };
    tests.iter().flat_map(move |test| of(&test.history))
}

impl Expectations {
    /// Takes in what happens: adds to the record of a cell that has ended what is expected of it, and notes which kernels are here.
    pub fn attach(&self, event: &mut Event) {
        match event {
            Event::AttemptStarted { cell, .. } => {
                let mut state = self.state.lock();
                if !state.is_done && state.here.insert(cell.kernel.clone()) {
                    state.has_news = true;
                    self.changed.notify_all();
                }
            }
            Event::Cell(record) => {
                let mut state = self.state.lock();
                match state.known.get(&record.id()) {
                    Some(known) => record.expectation = Some(Box::new(known.clone())),
                    None if !state.is_done => _ = state.ended.insert(record.id()),
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Looks up what is expected of the cells until the run ends, and tells of those that have ended already. What is not to
    /// be had leaves a cell without an expectation.
    pub fn look_up(
        &self,
        from: &Histories<'_>,
        wanted: &[RequestedKernel],
        tests: &[Arc<Test>],
        sink: &(dyn Fn(Event) + Sync),
    ) {
        let tests: Vec<Arc<Test>> = tests.iter().filter(|test| names_a_fix(test)).cloned().collect();
        if !tests.is_empty() {
            let mut looking = LookUp::new(from, &tests);
            looking.fetch_newest(wanted, &self.enough);
            looking.round(self, wanted, sink);
            while self.wait_for_news() && !self.enough.is_set() {
                looking.round(self, wanted, sink);
            }
        }
        self.state.lock().is_done = true;
        self.changed.notify_all();
    }

    /// Waits until another kernel is here; `false` where the run ends instead.
    fn wait_for_news(&self) -> bool {
        let mut state = self.state.lock();
        while !state.has_news && !state.is_ending {
            self.changed.wait(&mut state);
        }
        std::mem::take(&mut state.has_news)
    }

    /// Keeps what is expected of a kernel's cells, and tells of those that have ended.
    fn tell(
        &self,
        kernel: &RequestedKernel,
        found: Vec<(&Test, Expectation)>,
        sink: &(dyn Fn(Event) + Sync),
    ) {
        // held while it is told: nothing may follow the last event of a run
        let mut state = self.state.lock();
        for (test, expectation) in found {
            let cell = CellId { test: test.id(), kernel: kernel.name().to_owned() };
            if state.ended.remove(&cell) && !state.is_over {
                sink(planned(test, kernel, Some(expectation.clone())));
            }
            state.known.insert(cell, expectation);
        }
    }

    /// Waits for what is still looked up, not for long, and not when the user has ended the run; nothing is told afterwards.
    pub fn finish(&self, cancel: &Cancel) {
        let mut state = self.state.lock();
        state.is_ending = true;
        self.changed.notify_all();
        let mut left = PATIENCE;
        while !state.is_done && !cancel.is_set() && !left.is_zero() {
            let _ = self.changed.wait_for(&mut state, LOOK);
            left = left.saturating_sub(LOOK);
        }
        state.is_over = true;
        drop(state);
        self.enough.set();
    }
}

/// What has been looked up so far.
struct LookUp<'a> {
    from: &'a Histories<'a>,
    tests: &'a [Arc<Test>],
    trees: HashMap<PathBuf, Option<Arc<KernelTree>>>,
    changelogs: HashMap<PathBuf, Option<Arc<Changelog>>>,
    /// Which changelog told of a kernel, by the kernel's name.
    told_by: HashMap<String, Option<PathBuf>>,
}

impl<'a> LookUp<'a> {
    fn new(from: &'a Histories<'a>, tests: &'a [Arc<Test>]) -> LookUp<'a> {
        let (trees, changelogs, told_by) = (HashMap::new(), HashMap::new(), HashMap::new());
        LookUp { from, tests, trees, changelogs, told_by }
    }

    fn meant(&self, kernel: &RequestedKernel) -> Vec<&'a Arc<Test>> {
        self.tests.iter().filter(|test| (self.from.means)(test, kernel)).collect()
    }

    /// Fetches the newest changelog of each line, as far as there are package lists. A host that is offline has no reason to
    /// hear of it in every run.
    fn fetch_newest(&self, wanted: &[RequestedKernel], enough: &Cancel) {
        let mut lines: HashSet<Line> = HashSet::new();
        for kernel in wanted.iter().filter(|kernel| !self.meant(kernel).is_empty()) {
            let Some(version) = kernel.provenance().debian_version else { continue };
            let line = KernelVersion::from_debian(&version).ok().and_then(|version| version.line());
            if line.is_some_and(|line| lines.insert(line)) && !enough.is_set() {
                let _ = self.from.library.fetch_newest_changelog(&version, enough);
            }
        }
    }

    /// Looks at every kernel of which more is known than in the round before.
    fn round(
        &mut self,
        expectations: &Expectations,
        wanted: &[RequestedKernel],
        sink: &(dyn Fn(Event) + Sync),
    ) {
        let kept = self.from.library.changelogs();
        for kernel in wanted {
            if expectations.enough.is_set() {
                return;
            }
            let meant = self.meant(kernel);
            let provenance = kernel.provenance();
            let debian = provenance.debian_version.as_deref();
            let best = debian.and_then(|version| best_changelog(&kept, version));
            let best = best.map(|kept| kept.path.clone());
            if meant.is_empty() || self.told_by.get(kernel.name()) == Some(&best) {
                continue;
            }
            let changelog = best.as_ref().and_then(|path| self.changelog(&kept, path));
            let tree = provenance.repository.as_deref().or(self.from.tree);
            let tree = tree.and_then(|repository| self.tree(repository));
            let at = tree.as_ref().and_then(|tree| tree.place(&provenance.references).ok().flatten());
            self.told_by.insert(kernel.name().to_owned(), best);
            let known = KnownKernel {
                tree: tree.as_deref().zip(at),
                changelog: changelog.zip(debian.map(str::to_owned)),
                upstream: provenance.upstream,
                may_have_more: provenance.may_have_more,
            };
            let expected = |test: &'a Arc<Test>| Some((test.as_ref(), expectation(&test.history, &known)?));
            expectations.tell(kernel, meant.into_iter().filter_map(expected).collect(), sink);
        }
    }

    fn tree(&mut self, repository: &Path) -> Option<Arc<KernelTree>> {
        let open = || KernelTree::open(repository, commits(self.tests)).ok().map(Arc::new);
        self.trees.entry(repository.to_owned()).or_insert_with(open).clone()
    }

    fn changelog(&mut self, kept: &[KeptChangelog], path: &Path) -> Option<Arc<Changelog>> {
        let read = || kept.iter().find(|kept| kept.path == path)?.read().ok().map(Arc::new);
        self.changelogs.entry(path.to_owned()).or_insert_with(read).clone()
    }
}

/// Opens a repository that the user has named, to say at once what is wrong with it.
///
/// # Errors
/// It is none, or there is no git.
pub fn check_tree(repository: &Path) -> Result<(), TreeError> {
    KernelTree::open(repository, []).map(|_| ())
}

#[cfg(test)]
mod tests;
