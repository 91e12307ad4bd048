//! Making the catalogue of Debian's kernels.

use std::fs;
use std::path::{Path, PathBuf};

use super::Library;
use crate::arch::GUEST;
use crate::kernel::catalogue::wanted::UnavailableKernel;
use crate::kernel::catalogue::{DEBIAN_FILE, debian_text};
use crate::kernel::packages::debian::{self, group, pin};
use crate::kernel::packages::source::PackagedKernel;
use crate::kernel::progress::{FetchProgress, Stage};
use crate::kernel::store::write_whole;
use crate::kernel::{CatalogueError, KernelError};

impl Library {
    /// Writes the catalogue of Debian's kernels into `folder`, from the package lists as they are now. Kernels that have
    /// left the lists stay in it; packages that have left them are looked up in the pool and pinned by their hash.
    /// Returns the file and the kernels of it that are unavailable.
    pub fn write_catalogue(
        &self,
        folder: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<(PathBuf, Vec<UnavailableKernel>), KernelError> {
        self.update(progress)?;
        let debian = self.settings.open(debian::NAME)?;
        let downloads = self.store.downloads()?;
        let mut builds = self.indexed();
        builds.retain(|build| build.distribution == debian::NAME && build.arch == GUEST);
        for build in &mut builds {
            let before = self.catalogue.builds.iter().find(|old| old.is_same(build));
            if build.missing.is_some() {
                progress.report(&build.release, Stage::LookUp);
                pin::complete(debian.as_ref(), build, before, &downloads)?;
            }
            self.mark_gone(build);
            if build.is_complete()
                && (build.missing.is_some() || before.is_some_and(|old| old.missing.is_some()))
            {
                progress.report(&build.release, Stage::LookUp);
                build.missing = pin::probe(debian.as_ref(), build, &downloads)?;
            }
        }
        let left: Vec<PackagedKernel> = self
            .catalogue
            .builds
            .iter()
            .filter(|old| !builds.iter().any(|new| new.is_same(old)))
            .cloned()
            .collect();
        builds.extend(left.into_iter().map(PackagedKernel::without_suites));
        group::sort(&mut builds);
        let path = folder.join(DEBIAN_FILE);
        let write = || {
            fs::create_dir_all(folder)?;
            write_whole(&path, debian_text(&builds).as_bytes())
        };
        write().map_err(|source| CatalogueError::Io { what: "write", path: path.clone(), source })?;
        let lost = builds.iter().filter_map(|build| {
            Some(UnavailableKernel { name: build.release.clone(), reason: build.missing.clone()? })
        });
        Ok((path, lost.collect()))
    }
}
