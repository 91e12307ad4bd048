//! The kernel's selftests out of a source package of Debian's.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use kernel_modules::Compression;

use super::{Library, fetch};
use crate::kernel::cache::COLLECTIONS;
use crate::kernel::packages::container::{DEB, PackageError};
use crate::kernel::packages::debian;
use crate::kernel::packages::source::{Package, SourceError};
use crate::kernel::progress::waiting::ASKS_APT;
use crate::kernel::progress::{FetchProgress, Stage};
use crate::kernel::{KernelError, StoreError};
use crate::version::compare_debian;

/// What of a source is kept besides what headers are made of: what selftests are built from, and the kernel's own parser
/// of their output.
const PARTS: &[&str] =
    &["tools/build", "tools/lib", "tools/scripts", "tools/testing/kunit", "tools/testing/selftests"];

/// What `make headers`, which needs no configuration, takes of a source: seen of 6.12, for each architecture here.
pub const HEADERS: &[&str] =
    &["Kbuild", "Makefile", "include/asm-generic", UAPI, "scripts", "tools/arch", "tools/include"];

/// And of an architecture's folder.
pub const HEADERS_OF_ARCHITECTURE: &[&str] = &[
    "Kbuild",
    "Makefile",
    "Makefile.postlink",
    "entry/syscalls",
    "include/asm/Kbuild",
    "include/uapi",
    "kernel/syscalls",
    "tools",
];

/// What a source was kept without before.
const UAPI: &str = "include/uapi";

/// Whether a file of a source is kept.
fn is_kept(path: &Path) -> bool {
    let mut folders = path.components();
    let in_arch = folders.next() == Some(Component::Normal("arch".as_ref())) && folders.next().is_some();
    let below = folders.as_path();
    PARTS.iter().chain(HEADERS).any(|part| path.starts_with(part))
        || in_arch && HEADERS_OF_ARCHITECTURE.iter().any(|part| below.starts_with(part))
}

impl Library {
    /// The folder with the selftests of the newest source package of this name (`linux-source-6.12`), which is fetched if it is
    /// not in the cache. Where the package lists are not to be had, the newest one in the cache will do.
    ///
    /// # Errors
    /// No list has the package, it cannot be fetched or unpacked, or the cache cannot be written.
    pub fn selftests(&self, package: &str, progress: &dyn FetchProgress) -> Result<PathBuf, KernelError> {
        let found = match self.newest_package(package, progress) {
            Ok(found) => found,
            Err(error) => return self.kept_selftests(package).ok_or(error),
        };
        let name = format!("{}_{}", found.name, found.version);
        let waiting = || progress.report(package, Stage::Waiting(ASKS_APT));
        let lock = self.store.lock_unless(&self.cancel, &format!("selftests-{name}"), waiting)?;
        let _lock = lock.ok_or(SourceError::Interrupted)?;
        let folder = self.cache.join(COLLECTIONS).join(&name);
        if folder.join(UAPI).is_dir() {
            return Ok(folder);
        }
        let file = self.store.downloads()?.join(fetch::file_name(&found));
        let total = found.size;
        let report = |done: u64| progress.report(package, Stage::Download { done, total });
        match self.settings.open(debian::NAME)?.download(&found, &file, &report, Some(&self.cancel)) {
            Ok(()) => {}
            // one that was kept without headers is better than none
            Err(_) if folder.is_dir() && !self.cancel.is_set() => return Ok(folder),
            Err(error) => return Err(error.into()),
        }
        progress.report(package, Stage::Unpack);
        let partial = folder.with_file_name(format!(".partial-{name}"));
        let _ = fs::remove_dir_all(&partial);
        let unpacked = unpack(&file, &partial);
        // fetched again rather than kept: a damaged one must not come back
        let _ = fs::remove_file(&file);
        let io = |source| StoreError::Io { what: "write", path: partial.clone(), source };
        unpacked.map_err(io)?;
        if folder.is_dir() {
            fs::remove_dir_all(&folder).map_err(io)?;
        }
        crate::atomic_file::rename_tree(&partial, &folder).map_err(io)?;
        Ok(folder)
    }

    fn newest_package(&self, name: &str, progress: &dyn FetchProgress) -> Result<Package, KernelError> {
        let _lock = self.store.lock("apt", || progress.report("", Stage::Waiting(ASKS_APT)))?;
        let source = self.settings.open(debian::NAME)?;
        let newest = || -> Result<Option<Package>, SourceError> {
            let packages = source.packages_named(name)?.into_iter();
            Ok(packages.max_by(|a, b| compare_debian(&a.version, &b.version)))
        };
        // without any list there is nothing to read
        if let Ok(Some(found)) = newest() {
            return Ok(found);
        }
        progress.report("", Stage::Lists);
        source.update_unless(&self.cancel)?;
        newest()?.ok_or_else(|| {
            let what = format!("looking for {name}");
            SourceError::Failed { what, said: format!("no package list has `{name}`") }.into()
        })
    }

    /// The newest selftests of this package that are in the cache.
    fn kept_selftests(&self, package: &str) -> Option<PathBuf> {
        let folders = fs::read_dir(self.cache.join(COLLECTIONS)).ok()?;
        let version = |name: &str| Some(name.strip_prefix(package)?.strip_prefix('_')?.to_owned());
        let kept = folders
            .flatten()
            .filter_map(|entry| Some((version(&entry.file_name().to_string_lossy())?, entry.path())));
        kept.max_by(|(a, _), (b, _)| compare_debian(a, b)).map(|(_, path)| path)
    }
}

/// Unpacks what is kept of the tarball in a source package.
fn unpack(package: &Path, into: &Path) -> io::Result<()> {
    let mut unpacked = None;
    let walked = DEB.for_each_file(package, |path: &str, _size, contents: &mut dyn Read| {
        if !path.starts_with("usr/src/linux-source") || !path.contains(".tar") {
            return Ok::<_, PackageError>(ControlFlow::Continue(()));
        }
        unpacked = Some(unpack_tarball(contents, into));
        Ok(ControlFlow::Break(()))
    });
    walked.map_err(io::Error::other)?;
    match unpacked {
        Some(Ok(0)) | None => Err(io::Error::other("the package has no selftests in it")),
        Some(result) => result.map(|_| ()),
    }
}

/// Unpacks what is kept of a tarball with one folder at its top; answers with how many entries that were.
fn unpack_tarball(mut packed: &mut dyn Read, into: &Path) -> io::Result<u64> {
    let mut start = [0; 8];
    packed.read_exact(&mut start)?;
    let whole = start.chain(&mut packed);
    let reader: Box<dyn Read + '_> = match Compression::of(&start) {
        Some(compression) => compression.reader(whole)?,
        None => Box::new(whole),
    };
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, reader));
    // whoever packed it is nobody here
    archive.set_preserve_ownerships(false);
    let mut entries = 0;
    fs::create_dir_all(into)?;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path: PathBuf = entry.path()?.components().skip(1).collect();
        if !is_kept(&path) {
            continue;
        }
        let target = into.join(&path);
        // neither way leads out of the folder
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        let is_link = entry.header().entry_type().is_hard_link();
        if !is_inside || is_link {
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        entry.unpack(&target)?;
        entries += 1;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_passed_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut tar = tar::Builder::new(Vec::new());
        for path in [
            "linux-source-6.12/Makefile",
            "linux-source-6.12/drivers/x.c",
            "linux-source-6.12/arch/x86/include/uapi/asm/x.h",
            "linux-source-6.12/arch/x86/kernel/x.c",
            "linux-source-6.12/arch/Kconfig",
            "linux-source-6.12/tools/testing/selftests/timers/posix_timers.c",
            "linux-source-6.12/tools/testing/selftests-not/x.c",
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, &b"x"[..]).expect("memory");
        }
        let packed = tar.into_inner().expect("memory");
        let into = folder.path().join("out");
        assert_eq!(unpack_tarball(&mut &packed[..], &into).expect("it is whole"), 3);
        assert!(
            into.join("arch/x86/include/uapi/asm/x.h").is_file() && !into.join("arch/x86/kernel").exists()
        );
        assert!(into.join("tools/testing/selftests/timers/posix_timers.c").is_file());
        assert!(into.join("Makefile").is_file() && !into.join("drivers").exists());
    }
}
