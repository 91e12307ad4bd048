//! Making the catalogue of Debian's kernels.

use std::fs;
use std::path::{Path, PathBuf};

use super::catalogue::{DEBIAN_FILE, debian_text};
use super::debian::{DebianBuild, build, pin};
use super::progress::{FetchProgress, Stage};
use super::store::write_whole;
use super::wanted::LeftOut;
use super::{CatalogueError, KernelError, Library};

impl Library {
    /// Writes the catalogue of Debian's kernels into `folder`, from the package lists as they are now. Kernels that have
    /// left the lists stay in it; packages that have left them are looked up in the pool and pinned by their hash.
    /// Returns the file and the kernels of it that cannot be had.
    pub fn write_catalogue(
        &self,
        folder: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<(PathBuf, Vec<LeftOut>), KernelError> {
        self.update(progress)?;
        let apt = self.apt()?;
        let downloads = self.store.downloads()?;
        let mut builds = self.indexed();
        for build in &mut builds {
            let before = self.catalogue.builds.iter().find(|old| old.is_same(build));
            if build.missing.is_some() {
                progress.report(&build.release, Stage::LookUp);
                pin::complete(&apt, build, before, &downloads)?;
            }
            self.mark_gone(build);
            if build.is_complete()
                && (build.missing.is_some() || before.is_some_and(|old| old.missing.is_some()))
            {
                progress.report(&build.release, Stage::LookUp);
                build.missing = pin::probe(&apt, build, &downloads)?;
            }
        }
        let left: Vec<DebianBuild> = self
            .catalogue
            .builds
            .iter()
            .filter(|old| !builds.iter().any(|new| new.is_same(old)))
            .cloned()
            .collect();
        builds.extend(left.into_iter().map(DebianBuild::without_suites));
        build::sort(&mut builds);
        let path = folder.join(DEBIAN_FILE);
        let write = || {
            fs::create_dir_all(folder)?;
            write_whole(&path, debian_text(&builds).as_bytes())
        };
        write().map_err(|source| CatalogueError::Io { what: "write", path: path.clone(), source })?;
        let lost = builds.iter().filter_map(|build| {
            Some(LeftOut { name: build.release.clone(), reason: build.missing.clone()? })
        });
        Ok((path, lost.collect()))
    }
}
