//! Looking at a source before anything of it is compiled, and giving it back as it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::patched::Patched;
use super::source::BuildSource;
use super::{BuildError, BuildRequest, Builder, Job};
use crate::cancel::Cancel;
use crate::kernel::progress::waiting::USES_SOURCE;
use crate::kernel::progress::{FetchProgress, Stage};

impl Builder {
    /// Compiles sources without and with patches in turn. Folders are compiled in copies, also where nothing is to be
    /// patched: then what is compiled for a folder without a patch serves the same folder with it. Each line of a repository
    /// has a tree of its own: of two lines, neither can use what is compiled for the other.
    pub fn for_patches(mut self) -> Builder {
        self.for_patches = true;
        self
    }

    /// Shows `inspect` the folder with the source of a request, its patches on. No other build changes the folder meanwhile;
    /// a folder of the user's is shown as it is where nothing is to be patched.
    ///
    /// # Errors
    /// As [`Builder::build`], but for what only compiling can find.
    pub fn inspect<T>(
        &self,
        request: &BuildRequest,
        progress: &dyn FetchProgress,
        cancel: &Cancel,
        inspect: impl FnOnce(&Path) -> T,
    ) -> Result<T, BuildError> {
        if let (BuildSource::Folder(folder), true) = (&request.source, request.patches.is_empty()) {
            self.identify(&request.source)?;
            return Ok(inspect(folder));
        }
        let composed = self.composed(&request.config, request.arch)?;
        let compiler = self.compiler(request, progress)?;
        let found = self.identify(&request.source)?;
        let waiting = || progress.report(&request.name, Stage::Waiting(USES_SOURCE));
        let lock = self.store.lock(&format!("build-{}", found.place), waiting)?;
        let place = self.places().join(&found.place);
        progress.report(&request.name, Stage::Prepare(format!("the source {}", found.name)));
        let job = Job { request, composed, compiler, found, key: String::new(), progress, cancel };
        let tree = self.tree(&job, &place, &lock)?;
        let shown = inspect(&tree);
        drop(lock);
        Ok(shown)
    }

    /// Takes all patches off the tree that is kept of this source. The folder of that tree, if there is one.
    ///
    /// # Errors
    /// The tree cannot be written.
    pub fn take_patches_off(
        &self,
        source: &BuildSource,
        progress: &dyn FetchProgress,
    ) -> Result<Option<PathBuf>, BuildError> {
        let found = self.identify(source)?;
        let place = self.places().join(&found.place);
        let (tree, kept) = (place.join("tree"), place.join("patched"));
        let _lock = self.store.lock(&format!("build-{}", found.place), || {
            progress.report(&found.name, Stage::Waiting(USES_SOURCE))
        })?;
        let patched = Patched { tree: &tree, kept: &kept, name: &found.name };
        patched.take_off().map_err(BuildError::io("restore the files of", &tree))?;
        Ok(tree.is_dir().then_some(tree))
    }

    /// The folder in which a tree of this source is kept, where there is one. Sources that share it are compiled in turn.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn tree_of(&self, source: &BuildSource) -> Result<PathBuf, BuildError> {
        Ok(self.places().join(self.identify(source)?.place).join("tree"))
    }

    /// The folder of the tree that is kept of this source.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn kept_tree(&self, source: &BuildSource) -> Result<Option<PathBuf>, BuildError> {
        let tree = self.tree_of(source)?;
        Ok(fs::exists(&tree).unwrap_or(false).then_some(tree))
    }
}
