//! Getting the kernels of candidates: out of a library, or compiled from commits.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::driver::CandidateKernels;
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::kernel::compile::{BuildError, BuildRequest, BuildSource, Builder};
use crate::kernel::{FetchProgress, Kernel, LargerImage, Library, RequestedKernel};
use crate::plan::{Cell, PlacedTest, flavour};

/// Says with the first kernel that is there where the test stands on this host.
pub type PlaceTest<'a> = dyn Fn(&Kernel) -> PlacedTest + Sync + 'a;

/// The cells that are there, and the test's place once it is known.
struct Pool<'a> {
    place: &'a PlaceTest<'a>,
    placed: OnceLock<PlacedTest>,
    cells: Mutex<HashMap<usize, Cell>>,
}

impl<'a> Pool<'a> {
    fn new(place: &'a PlaceTest<'a>) -> Pool<'a> {
        Pool { place, placed: OnceLock::new(), cells: Mutex::default() }
    }

    fn cell(
        &self,
        node: usize,
        get: impl FnOnce(&dyn Fn(&Kernel) -> PlacedTest) -> Result<Cell, Failure>,
    ) -> Result<Cell, Failure> {
        if let Some(cell) = self.cells.lock().get(&node) {
            return Ok(cell.clone());
        }
        let cell = get(&|kernel| self.placed.get_or_init(|| (self.place)(kernel)).clone())?;
        self.cells.lock().insert(node, cell.clone());
        Ok(cell)
    }
}

/// Kernels of a library, each in the smallest image that suffices for the test.
pub struct Packages<'a> {
    library: &'a Library,
    kernels: Vec<RequestedKernel>,
    progress: &'a (dyn FetchProgress + Sync),
    pool: Pool<'a>,
    /// Whether the small image of a kernel did not suffice for the test: then that of others will not either.
    needs_larger: AtomicBool,
    /// What was downloaded before it was asked for.
    ahead: Mutex<Vec<RequestedKernel>>,
}

impl<'a> Packages<'a> {
    /// The kernels of these candidates.
    pub fn new(
        library: &'a Library,
        kernels: Vec<RequestedKernel>,
        progress: &'a (dyn FetchProgress + Sync),
        place: &'a PlaceTest<'a>,
    ) -> Packages<'a> {
        let (pool, needs_larger, ahead) = (Pool::new(place), AtomicBool::new(false), Mutex::default());
        Packages { library, kernels, progress, pool, needs_larger, ahead }
    }

    fn fetch(&self, wanted: &RequestedKernel) -> Result<Arc<Kernel>, Failure> {
        self.library.fetch(wanted, self.progress).map(Arc::new).map_err(|error| error.into_failure(words))
    }
}

impl CandidateKernels for Packages<'_> {
    fn cell(&self, node: usize) -> Result<Cell, Failure> {
        self.pool.cell(node, |place| {
            let wanted = &self.kernels[node];
            let kernel = self.fetch(wanted)?;
            let larger = self.library.larger_image(wanted);
            let mut split = flavour::split_by_image(&[place(&kernel)], &kernel, &larger);
            if let (LargerImage::Known(large), false) = (&larger, split.needs_larger.is_empty()) {
                self.needs_larger.store(true, Ordering::Relaxed);
                split.cells.extend(flavour::on_larger(&split.needs_larger, &self.fetch(large)?));
            }
            split.cells.pop().ok_or_else(|| Failure::Host("no cell came out of the plan".into()))
        })
    }

    fn is_here(&self, node: usize) -> bool {
        self.kernels[node].is_fetched()
    }

    fn comes_ahead(&self) -> bool {
        true
    }

    fn bring_ahead(&self, node: usize, enough: &Cancel) {
        let small = &self.kernels[node];
        let mut images = vec![small.clone()];
        if let (true, LargerImage::Known(large)) =
            (self.needs_larger.load(Ordering::Relaxed), self.library.larger_image(small))
        {
            images.push(*large);
        }
        for image in images.into_iter().filter(|image| !image.is_fetched()) {
            if !enough.is_set() {
                self.library.download_ahead(&image, enough);
                self.ahead.lock().push(image);
            }
        }
    }
}

impl Drop for Packages<'_> {
    /// What was not needed after all goes. A fetch has removed what it used.
    fn drop(&mut self) {
        let ahead = std::mem::take(self.ahead.get_mut());
        ahead.iter().for_each(|image| self.library.forget_ahead(image));
    }
}

/// How commits are compiled.
pub struct Recipe {
    /// The repository.
    pub repository: PathBuf,
    /// The configuration: names of fragments joined by `+`.
    pub config: String,
    /// The compiler; gcc if none is named.
    pub compiler: Option<String>,
    /// What they are compiled for.
    pub arch: &'static Arch,
}

/// Kernels compiled from the commits of a repository.
pub struct Commits<'a> {
    /// Compiles them.
    pub builder: &'a Builder,
    /// How.
    pub recipe: Recipe,
    /// For each candidate its name and its commit's hash.
    pub commits: Vec<(String, String)>,
    /// Receives the progress of building.
    pub progress: &'a (dyn FetchProgress + Sync),
    /// Ends it.
    pub cancel: &'a Cancel,
    pool: Pool<'a>,
}

impl<'a> Commits<'a> {
    /// The kernels of these commits.
    pub fn new(
        builder: &'a Builder,
        recipe: Recipe,
        commits: Vec<(String, String)>,
        progress: &'a (dyn FetchProgress + Sync),
        cancel: &'a Cancel,
        place: &'a PlaceTest<'a>,
    ) -> Commits<'a> {
        let pool = Pool::new(place);
        Commits { builder, recipe, commits, progress, cancel, pool }
    }
}

impl CandidateKernels for Commits<'_> {
    fn cell(&self, node: usize) -> Result<Cell, Failure> {
        self.pool.cell(node, |place| {
            let (name, commit) = self.commits[node].clone();
            let Recipe { repository, config, compiler, arch } = &self.recipe;
            let request = BuildRequest {
                name,
                source: BuildSource::Git { repository: repository.clone(), reference: commit },
                patches: Vec::new(),
                config: config.clone(),
                compiler: compiler.clone(),
                arch,
                jobs: None,
            };
            let kernel = self
                .builder
                .build(&request, self.progress, self.cancel)
                .map_err(|error| error.into_failure(words))?;
            Ok(Cell::new(&place(&kernel), Arc::new(kernel)))
        })
    }

    fn is_here(&self, node: usize) -> bool {
        self.pool.cells.lock().contains_key(&node)
    }
}

/// What a journal's line says of a kernel that could not be built.
fn words(error: &BuildError) -> String {
    match error {
        BuildError::Compile { said, log, .. } => {
            let line = first_error_line(said);
            first_lines(&format!("it does not compile: {line}\n{said}\nthe whole log is {}", log.display()))
        }
        error => first_lines(&error.to_string()),
    }
}

/// The line of a compiler's words that names the error, with the file's path as it is in the tree.
fn first_error_line(said: &str) -> &str {
    let line =
        said.lines().find(|line| line.contains("error")).or(said.lines().next()).unwrap_or_default().trim();
    line.split_once("/tree/").map_or(line, |(_, rest)| rest)
}

/// What a journal's line can bear of a compiler's words.
fn first_lines(text: &str) -> String {
    text.lines().take(12).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{KernelError, SourceError};

    #[test]
    fn the_tree_is_blamed_for_what_is_the_trees() {
        let cancelled = BuildError::Cancelled { name: "x".into() };
        assert_eq!(cancelled.into_failure(words), Failure::Cancelled);
        let compile = BuildError::Compile {
            tree: "abc".into(),
            compiler: "gcc".into(),
            said: "  In file included from x.h:3,\n  /cache/build/git-1/tree/fs/x.c:1: error: no such thing"
                .into(),
            log: "x.log".into(),
            hint: String::new(),
        };
        let Failure::Kernel(reason) = compile.into_failure(words) else { panic!("it is the tree's fault") };
        insta::assert_snapshot!(reason, @r"
        it does not compile: fs/x.c:1: error: no such thing
          In file included from x.h:3,
          /cache/build/git-1/tree/fs/x.c:1: error: no such thing
        the whole log is x.log
        ");
        let host = BuildError::Host { name: "x".into(), reason: "its disk is full".into() };
        assert!(matches!(host.into_failure(words), Failure::Host(_)));
        let gone = SourceError::Gone { package: "linux-image".into(), version: "1".into() };
        assert!(matches!(KernelError::from(gone).into_failure(words), Failure::Kernel(_)));
        assert_eq!(KernelError::from(SourceError::Interrupted).into_failure(words), Failure::Cancelled);
    }
}
