//! Where a kernel's source comes from, and how it becomes a folder that can be compiled.
//!
//! Every source has a *place* under the cache with a tree of its own, a lock, and the build folders of its
//! configurations. A folder of the user's is compiled where it is as long as nothing is to be patched.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::error::BuildError;
use super::git::{self, CheckOut, Commit};
use super::manifest::Manifest;
use crate::kernel::packages::container::{DEB, PackageError};
use crate::kernel::packages::source::Package;
use crate::kernel::store::{measure, sha256};
use crate::version::KernelVersion;
use kernel_modules::Compression;

/// Where a kernel's source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildSource {
    /// A folder with a kernel's source, as it is now. Nothing is written to it.
    Folder(PathBuf),
    /// A commit of a repository on this host. The repository is only read.
    Git {
        /// The repository: a work tree or a bare one.
        repository: PathBuf,
        /// Anything that `git rev-parse` knows.
        reference: String,
    },
    /// A packed tree: `.tar`, `.tar.xz`, `.tar.gz`, `.tar.zst`.
    Tarball(PathBuf),
    /// A source package of Debian's.
    Debian {
        /// Its name: `linux-source-6.12`.
        package: String,
        /// Its Debian version.
        version: String,
        /// Where it is, for one that has left the index of its suite.
        pinned: Option<Package>,
    },
}

/// A source whose contents are known, before anything of it is unpacked.
#[derive(Debug, Clone)]
pub(super) struct IdentifiedSource {
    /// Says which contents: two sources with the same identity hold the same files.
    pub identity: String,
    /// The name of its place under the cache.
    pub place: String,
    /// What it is called in messages and records.
    pub name: String,
    /// Its version, if that is known without unpacking.
    pub version: Option<KernelVersion>,
    /// For git.
    commit: Option<Commit>,
    /// For a folder.
    manifest: Option<Manifest>,
}

impl IdentifiedSource {
    /// The same in a place that commits of other lines do not share.
    pub(super) fn by_line(mut self) -> IdentifiedSource {
        let line = self.version.as_ref().and_then(KernelVersion::line).filter(|_| self.commit.is_some());
        if let Some(line) = line {
            self.place += &format!("-{}.{}", line.major, line.minor);
        }
        self
    }
}

impl BuildSource {
    /// What it is called in lists and messages.
    pub fn name(&self) -> String {
        match self {
            BuildSource::Folder(folder) => folder.display().to_string(),
            BuildSource::Git { repository, reference } => format!("{reference} of {}", repository.display()),
            BuildSource::Tarball(file) => file.display().to_string(),
            BuildSource::Debian { package, version, .. } => format!("{package} {version}"),
        }
    }

    /// Whether the same words can mean other contents tomorrow.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self, BuildSource::Debian { .. })
    }

    /// The version that it has now, read as cheaply as possible.
    pub(crate) fn version(&self) -> Option<KernelVersion> {
        match self {
            BuildSource::Folder(folder) => version_of(&fs::read_to_string(folder.join("Makefile")).ok()?),
            BuildSource::Git { repository, reference } => {
                let commit = git::resolve(repository, reference).ok()?;
                version_of(&git::show(repository, &commit.hash, "Makefile")?)
            }
            BuildSource::Tarball(_) => None,
            BuildSource::Debian { version, .. } => KernelVersion::from_debian(version).ok(),
        }
    }

    /// Finds out what it holds. `places` is the folder with all places.
    pub(super) fn identify(&self, places: &Path) -> Result<IdentifiedSource, BuildError> {
        let name = self.name();
        let of_path = |kind: &str, path: &Path| -> Result<String, BuildError> {
            let path = fs::canonicalize(path).map_err(BuildError::io("read", path))?;
            Ok(format!("{kind}-{}", &sha256(path.as_os_str().as_encoded_bytes())[..12]))
        };
        let identified = |identity, place| IdentifiedSource {
            identity,
            place,
            name: name.clone(),
            version: None,
            commit: None,
            manifest: None,
        };
        match self {
            BuildSource::Folder(folder) => {
                check(folder, &name)?;
                let place = of_path("folder", folder)?;
                let kept = places.join(&place).join("manifest.json");
                let manifest = Manifest::of(folder, &kept).map_err(BuildError::io("read", folder))?;
                let mut found = identified(format!("files {}", manifest.digest()), place);
                (found.version, found.manifest) = (self.version(), Some(manifest));
                Ok(found)
            }
            BuildSource::Git { repository, reference } => {
                let commit = git::resolve(repository, reference)?;
                let mut found = identified(format!("git tree {}", commit.tree), of_path("git", repository)?);
                found.version = git::show(repository, &commit.hash, "Makefile")
                    .and_then(|makefile| version_of(&makefile));
                let short = &commit.hash[..12];
                found.name = match *reference == commit.hash {
                    true => format!("{short} of {}", repository.display()),
                    false => format!("{reference} ({short}) of {}", repository.display()),
                };
                found.commit = Some(commit);
                Ok(found)
            }
            BuildSource::Tarball(file) => {
                let digest = measure(file).map_err(BuildError::io("read", file))?.sha256;
                Ok(identified(format!("tarball {digest}"), format!("tar-{}", &digest[..12])))
            }
            BuildSource::Debian { package, version, .. } => {
                let mut found =
                    identified(format!("debian {package} {version}"), format!("{package}_{version}"));
                found.version = self.version();
                Ok(found)
            }
        }
    }

    /// Makes the tree that `found` describes and gives its folder. The caller holds the lock of the place and has taken
    /// all patches off. `own` asks for a tree that may be changed; `download` gets a Debian package into a file.
    pub(super) fn prepare(
        &self,
        found: &IdentifiedSource,
        place: &Path,
        own: bool,
        check_out: &CheckOut,
        download: &dyn Fn() -> Result<PathBuf, BuildError>,
    ) -> Result<PathBuf, BuildError> {
        let tree = place.join("tree");
        let stamp = place.join("holds");
        let is_there = fs::read_to_string(&stamp).is_ok_and(|holds| holds == found.identity);
        match self {
            BuildSource::Folder(folder) if !own => {
                return fs::canonicalize(folder).map_err(BuildError::io("read", folder));
            }
            _ if is_there && tree.is_dir() && !matches!(self, BuildSource::Folder(_)) => return Ok(tree),
            _ => {}
        }
        fs::create_dir_all(place).map_err(BuildError::io("create", place))?;
        let _ = fs::remove_file(&stamp);
        match self {
            BuildSource::Folder(folder) => {
                let manifest = found.manifest.clone().unwrap_or_default();
                let kept = place.join("copy.json");
                manifest.mirror(folder, &tree, &kept).map_err(BuildError::io("copy", folder))?;
            }
            BuildSource::Git { repository, .. } => {
                if let Some(commit) = &found.commit {
                    check_out.run(repository, &tree, commit)?;
                }
            }
            BuildSource::Tarball(file) => {
                let open = File::open(file).map_err(BuildError::io("read", file))?;
                unpack(io::BufReader::with_capacity(1 << 20, open), &found.name, place)?;
            }
            BuildSource::Debian { .. } => {
                let file = download()?;
                let unpacked = unpack_package(&file, &found.name, place);
                // a damaged one must not be met again, a good one is not needed any more
                let _ = fs::remove_file(&file);
                unpacked?;
            }
        }
        check(&tree, &found.name)?;
        fs::write(&stamp, &found.identity).map_err(BuildError::io("write", &stamp))?;
        Ok(tree)
    }
}

/// Whether a folder is a kernel's source, and one that can be compiled elsewhere.
fn check(folder: &Path, name: &str) -> Result<(), BuildError> {
    let wrong = |reason: &str| Err(BuildError::source(name, reason));
    if !folder.is_dir() {
        return wrong("there is no such folder");
    }
    if !["Makefile", "Kbuild", "Kconfig"].iter().all(|file| folder.join(file).is_file()) {
        return wrong("it is no kernel's source: Makefile, Kbuild and Kconfig are not all there");
    }
    if folder.join(".config").exists() || folder.join("include/config").exists() {
        return wrong(
            "it has been compiled in place, and kbuild refuses to compile such a tree elsewhere; run `make mrproper` in it \
             (it removes .config, too), or name it as git repository",
        );
    }
    Ok(())
}

/// The version in the first lines of a kernel's Makefile.
fn version_of(makefile: &str) -> Option<KernelVersion> {
    let value = |name: &str| {
        let line = makefile.lines().take(20).find(|line| line.split(['=', ' ']).next() == Some(name))?;
        line.split_once('=').map(|(_, value)| value.trim().to_string())
    };
    let (major, minor) = (value("VERSION")?, value("PATCHLEVEL")?);
    let patch = value("SUBLEVEL").filter(|patch| !patch.is_empty() && patch != "0");
    let patch = patch.map_or(String::new(), |patch| format!(".{patch}"));
    format!("{major}.{minor}{patch}{}", value("EXTRAVERSION").unwrap_or_default()).parse().ok()
}

/// Unpacks the tarball in a source package of Debian's.
fn unpack_package(file: &Path, name: &str, place: &Path) -> Result<(), BuildError> {
    enum Failure {
        Deb(PackageError),
        Other(BuildError),
    }
    impl From<PackageError> for Failure {
        fn from(error: PackageError) -> Self {
            Failure::Deb(error)
        }
    }
    let mut found = false;
    let walked = DEB.for_each_file(file, |path, _, contents| {
        if path.starts_with("usr/src/linux-source") && path.contains(".tar") {
            found = true;
            unpack(contents, name, place).map_err(Failure::Other)?;
        }
        Ok::<_, Failure>(ControlFlow::Continue(()))
    });
    match walked {
        Err(Failure::Other(error)) => Err(error),
        Err(Failure::Deb(error)) => Err(BuildError::source(name, format!("{error}; build the kernel again"))),
        Ok(()) if !found => {
            Err(BuildError::source(name, "there is no usr/src/linux-source-….tar.xz in the package"))
        }
        Ok(()) => Ok(()),
    }
}

/// Unpacks a tarball with one folder at its top into `place/tree`.
fn unpack(mut packed: impl Read, name: &str, place: &Path) -> Result<(), BuildError> {
    let failed = |reason: String| BuildError::source(name, reason);
    let (tree, partial) = (place.join("tree"), place.join("tree.partial"));
    for folder in [&tree, &partial] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(BuildError::io("remove", folder))?;
        }
    }
    let mut start = [0; 8];
    packed.read_exact(&mut start).map_err(|error| failed(format!("it cannot be read: {error}")))?;
    let whole = start.chain(packed);
    let reader: Box<dyn Read + '_> = match Compression::of(&start) {
        Some(compression) => {
            compression.reader(whole).map_err(|error| failed(format!("it cannot be unpacked: {error}")))?
        }
        None => Box::new(whole),
    };
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, reader));
    // whoever packed it is nobody here
    archive.set_preserve_ownerships(false);
    if let Err(error) = archive.unpack(&partial) {
        let _ = fs::remove_dir_all(&partial);
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        return Err(failed(format!("it cannot be unpacked to {}: {error}{cause}", place.display())));
    }
    let top: Vec<PathBuf> = fs::read_dir(&partial)
        .map_err(BuildError::io("read", &partial))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    let from = match top.as_slice() {
        [one] if !partial.join("Makefile").exists() => one,
        _ => &partial,
    };
    fs::rename(from, &tree).map_err(BuildError::io("rename", from))?;
    let _ = fs::remove_dir_all(&partial);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_of_a_makefile() {
        let makefile = |patch: &str, extra: &str| {
            format!(
                "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = {patch}\nEXTRAVERSION ={extra}\nNAME = Baby\n"
            )
        };
        let table = [
            (makefile("57", ""), Some("6.12.57")),
            (makefile("0", " -rc3"), Some("6.12-rc3")),
            (makefile("0", ""), Some("6.12")),
            ("all:\n".to_string(), None),
        ];
        for (makefile, expected) in table {
            assert_eq!(version_of(&makefile).map(|version| version.to_string()).as_deref(), expected);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_folder() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("linux");
        let said = || {
            let error =
                BuildSource::Folder(folder.clone()).identify(root.path()).expect_err("no source").to_string();
            error.replace(&root.path().display().to_string(), "") + "\n"
        };
        let mut all = said();
        fs::create_dir(&folder).expect("it is writable");
        all += &said();
        for file in ["Makefile", "Kbuild", "Kconfig", ".config"] {
            fs::write(folder.join(file), "").expect("it is writable");
        }
        all += &said();
        insta::assert_snapshot!(all, @r"
        /linux: there is no such folder
        /linux: it is no kernel's source: Makefile, Kbuild and Kconfig are not all there
        /linux: it has been compiled in place, and kbuild refuses to compile such a tree elsewhere; run `make mrproper` in it (it removes .config, too), or name it as git repository
        ");
    }
}
