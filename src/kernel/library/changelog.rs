//! The changelogs of Debian's kernels. A kernel's package has the whole of it, which is kept beside the kernel; what came into
//! later versions stands in the changelog of a later one. Where there are package lists, the newest one of a line is fetched
//! with one of the smallest packages of its source.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kernel_fixes::Changelog;
use kernel_modules::Compression;

use super::{Library, fetch};
use crate::cancel::Cancel;
use crate::kernel::packages::container::{DEB, PackageError};
use crate::kernel::packages::debian;
use crate::kernel::packages::source::{Package, SourceError};
use crate::kernel::packages::unpack::{CHANGELOG, is_changelog};
use crate::kernel::store::write_whole;
use crate::kernel::{KernelError, KernelOrigin, StoreError};
use crate::version::{KernelVersion, Line, compare_debian};

/// The folder below the cache with those that are no kernel's.
const FOLDER: &str = "changelogs";

/// What a changelog is called there: `linux_6.12.117-1.gz`.
const PREFIX: &str = "linux_";

/// A package that every upload of the kernel's source has, of some two megabytes.
const PACKAGE: &str = "linux-libc-dev";

/// The longest text of one, bytes: fifty times what the longest has.
const LONGEST: u64 = 256 << 20;

/// A changelog in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptChangelog {
    /// The version of the package that it is from.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
}

impl KeptChangelog {
    /// How large its file is.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Removes its file; it is fetched again when a kernel's history is asked for.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn read(&self) -> io::Result<Changelog> {
        let mut text = Vec::new();
        let file = io::BufReader::new(fs::File::open(&self.path)?);
        Compression::Gzip.reader(file)?.take(LONGEST).read_to_end(&mut text)?;
        Ok(Changelog::parse(&String::from_utf8_lossy(&text)))
    }
}

impl Library {
    /// Fetches the changelog of the newest package of this version's line, where the package lists that are there have one that
    /// is better than what is in the cache. Lists are not fetched for it. It ends when `cancel` is set.
    ///
    /// # Errors
    /// There are no lists, or the package cannot be fetched, or the cache cannot be written.
    pub fn fetch_newest_changelog(&self, package_version: &str, cancel: &Cancel) -> Result<(), KernelError> {
        // a source makes its folder, and would have nothing in it
        if self.lists_fetched().is_none() {
            return Ok(());
        }
        let packages = self.settings.open(debian::NAME)?.packages_named(PACKAGE)?;
        let newest = best(packages.iter().map(|package| package.version.as_str()), package_version);
        let kept = self.changelogs();
        let kept = best_changelog(&kept, package_version);
        let is_better = newest
            .is_some_and(|newest| kept.is_none_or(|kept| is_better(newest, &kept.version, package_version)));
        match packages.iter().find(|package| Some(package.version.as_str()) == newest) {
            Some(package) if is_better => self.fetch_changelog(package, cancel),
            _ => Ok(()),
        }
    }

    /// The changelogs of Debian's kernels in the cache.
    pub fn changelogs(&self) -> Vec<KeptChangelog> {
        let of_kernel = |(folder, record): (PathBuf, crate::kernel::store::Record)| {
            let KernelOrigin::Debian { version, .. } = &record.origin else { return None };
            let path = record.files.contains_key(CHANGELOG).then(|| folder.join(CHANGELOG))?;
            Some(KeptChangelog { version: version.clone(), path })
        };
        let kept = self.store.records().into_iter().filter_map(of_kernel);
        kept.chain(self.lone_changelogs()).collect()
    }

    /// Those of them that are no kernel's, in the order of their versions.
    pub fn lone_changelogs(&self) -> Vec<KeptChangelog> {
        let files = fs::read_dir(self.cache.join(FOLDER)).into_iter().flatten().flatten();
        let mut lone: Vec<KeptChangelog> = files
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let version = name.strip_prefix(PREFIX)?.strip_suffix(".gz")?.to_owned();
                Some(KeptChangelog { version, path: entry.path() })
            })
            .collect();
        lone.sort_by(|one, other| compare_debian(&one.version, &other.version));
        lone
    }

    fn fetch_changelog(&self, package: &Package, cancel: &Cancel) -> Result<(), KernelError> {
        let name = format!("{PREFIX}{}", package.version);
        let lock = self.store.lock_unless(cancel, &format!("changelog-{name}"), || ())?;
        let _lock = lock.ok_or(SourceError::Interrupted)?;
        let path = self.cache.join(FOLDER).join(format!("{name}.gz"));
        if path.exists() {
            return Ok(());
        }
        let downloaded = self.store.downloads()?.join(fetch::file_name(package));
        self.settings.open(debian::NAME)?.download(package, &downloaded, &|_| (), Some(cancel))?;
        let packed = packed(&downloaded);
        let _ = fs::remove_file(&downloaded);
        let packed = packed.map_err(|source| KernelError::Read { path: downloaded, source })?;
        let io = |source| StoreError::Io { what: "write", path: path.clone(), source };
        fs::create_dir_all(self.cache.join(FOLDER)).map_err(io)?;
        write_whole(&path, &packed).map_err(io)?;
        Ok(())
    }
}

/// The changelog that tells the most of the Debian package of this version: the newest one of its line, else that of the next
/// line, which goes on from it; `None` where there is neither.
pub fn best_changelog<'k>(kept: &'k [KeptChangelog], package_version: &str) -> Option<&'k KeptChangelog> {
    let best = best(kept.iter().map(|kept| kept.version.as_str()), package_version)?;
    kept.iter().find(|kept| kept.version == best)
}

/// The packed changelog in a package.
fn packed(package: &Path) -> io::Result<Vec<u8>> {
    let mut found: Option<io::Result<Vec<u8>>> = None;
    DEB.for_each_file(package, |path: &str, _size, contents: &mut dyn Read| {
        if !is_changelog(path.strip_prefix("usr/").unwrap_or(path)) {
            return Ok::<_, PackageError>(ControlFlow::Continue(()));
        }
        let mut bytes = Vec::new();
        found = Some(contents.take(LONGEST).read_to_end(&mut bytes).map(|_| bytes));
        Ok(ControlFlow::Break(()))
    })
    .map_err(io::Error::other)?;
    found.unwrap_or_else(|| Err(io::Error::other("it has no changelog")))
}

/// Of these versions the one whose changelog tells the most of `wanted`: the newest of its line that is not older, else the
/// newest of the line that is next to it.
fn best<'v>(versions: impl Iterator<Item = &'v str>, wanted: &str) -> Option<&'v str> {
    versions
        .filter(|version| rank(version, wanted).is_some())
        .reduce(|best, version| if is_better(version, best, wanted) { version } else { best })
}

/// Whether the changelog of `version` tells more of `wanted` than that of `other`.
fn is_better(version: &str, other: &str, wanted: &str) -> bool {
    let of = |version| rank(version, wanted);
    match (of(version), of(other)) {
        (Some(one), Some(two)) if one == two => compare_debian(version, other).is_gt(),
        (Some(one), Some(two)) => one < two,
        (one, _) => one.is_some(),
    }
}

/// The line of `version`, of which the one of `wanted` itself or the one next behind it is the best; `None` where it is older.
fn rank(version: &str, wanted: &str) -> Option<Line> {
    let line = |version| KernelVersion::from_debian(version).ok()?.line();
    let (found, own) = (line(version)?, line(wanted)?);
    let upstream = |version| KernelVersion::from_debian(version).ok().map(|version| version.upstream());
    (found >= own && upstream(version) >= upstream(wanted)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_changelog_of_the_line_is_the_best() {
        let versions = [
            "5.10.262-1",
            "6.1.176-1",
            "6.1.192-3",
            "6.12.57-1~bpo12+1",
            "6.12.117-1",
            "6.12.117-1~deb12u1",
            "7.2.13-1",
            "7.3.4-1~exp1",
        ];
        for (wanted, expected) in [
            ("6.1.170-1", Some("6.1.192-3")),
            ("6.12.57-1", Some("6.12.117-1")),
            ("6.12.57-1~bpo12+1", Some("6.12.117-1")),
            // a line that has left the lists is in the next changelog that goes on from it
            ("6.17.13-1~bpo13+1", Some("7.2.13-1")),
            ("6.12.118-1", Some("7.2.13-1")),
            ("7.3.4-1~bpo13+1", Some("7.3.4-1~exp1")),
            ("7.4-1", None),
        ] {
            assert_eq!(best(versions.into_iter(), wanted), expected, "{wanted}");
        }
    }

    #[test]
    fn a_changelog_is_read_as_a_package_has_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let text = "linux (6.1.40-1) stable; urgency=high\n\n  * block: take the lock\n\n -- A <a@example.org>  Mon\n";
        io::Write::write_all(&mut packed, text.as_bytes()).expect("memory");
        let path = folder.path().join("linux_6.1.40-1.gz");
        fs::write(&path, packed.finish().expect("memory")).expect("a file");
        let kept = KeptChangelog { version: "6.1.40-1".into(), path };
        let changelog = kept.read().expect("it is whole");
        assert_eq!(changelog.entries()[0].items[0].title, "block: take the lock");
    }
}
