//! Debian's archives over HTTP, for hosts without apt.
//!
//! The chain is that of apt: `InRelease` is signed, and names the package lists by size and SHA-256; the lists name the
//! packages in the same way. Nothing is read whose hash differs, and no list is kept whose release file is not signed by a
//! key of the keyring, not current, or of another suite than was asked for.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kernel_modules::Compression;

mod client;
mod keyring;
mod release;
#[cfg(test)]
mod tests;

use client::{Client, Fetched};
use keyring::Keyring;
use release::{Release, ReleaseEntry};

use super::sources::{self, Archive};
use super::{group, lists};
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::kernel::packages::source::{Package, PackageSource, PackagedKernel, SourceError, Updated};
use crate::kernel::store::{measure, write_whole};

/// A release file has some 200 KB, bytes.
const MAX_RELEASE: u64 = 16 << 20;

/// The list of a suite's packages below its folder, without what it is compressed with.
fn list_name(arch: &Arch) -> String {
    format!("main/binary-{}/Packages", arch.debian)
}

/// What the list may be compressed with, the best first.
const COMPRESSIONS: &[&str] = &[".xz", ".gz", ""];

/// Archives that the user has named.
#[derive(Debug)]
pub(super) struct Mirror {
    addresses: Vec<(Archive, String)>,
    keyring: Option<PathBuf>,
    lists: PathBuf,
    client: Client,
    arch: &'static Arch,
}

impl Mirror {
    /// The archives at these addresses, which spaces separate; one that ends in `security` is the security archive.
    pub(super) fn new(
        given: &str,
        keyring: Option<&Path>,
        folder: &Path,
        arch: &'static Arch,
    ) -> Result<Mirror, SourceError> {
        let mut addresses = Vec::new();
        for address in given.split_whitespace() {
            let no_mirror =
                |reason: &str| SourceError::Address { given: given.to_string(), reason: reason.to_string() };
            let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"));
            let Some(rest) = rest else {
                return Err(no_mirror("it starts with neither http:// nor https://"));
            };
            if rest.trim_matches('/').is_empty() {
                return Err(no_mirror("it names no host"));
            }
            let address = address.trim_end_matches('/');
            let archive = match address.ends_with("security") {
                true => Archive::Security,
                false => Archive::Main,
            };
            addresses.push((archive, format!("{address}/")));
        }
        let lists = folder.join("lists");
        Ok(Mirror { addresses, keyring: keyring.map(Path::to_path_buf), lists, client: Client::new(), arch })
    }

    /// The addresses of an archive, in the order in which they were written.
    fn of(&self, archive: Archive) -> impl Iterator<Item = &str> {
        self.addresses.iter().filter(move |(of, _)| *of == archive).map(|(_, address)| address.as_str())
    }

    fn list(&self, suite: &str) -> PathBuf {
        self.lists.join(suite)
    }

    /// Fetches a suite's list, if the archive has the suite; whether it has.
    fn update_suite(&self, address: &str, suite: &str, keyring: &Keyring) -> Result<bool, SourceError> {
        let what = format!("dists/{suite}/InRelease");
        let Some(signed) = self.client.get(&format!("{address}{what}"), MAX_RELEASE)? else {
            return Ok(false);
        };
        let unbelievable = |said: String| SourceError::Unbelievable { what: what.clone(), said };
        let text = keyring.verify(&signed, SystemTime::now()).map_err(unbelievable)?;
        let release = Release::parse(&text).map_err(unbelievable)?;
        release.check(suite, SystemTime::now()).map_err(unbelievable)?;
        let list = list_name(self.arch);
        let listed = COMPRESSIONS.iter().find_map(|end| release.file(&format!("{list}{end}")));
        let Some(listed) = listed else { return Err(unbelievable(format!("it names no {list}"))) };
        let target = self.list(suite);
        if !is(&target, &listed) {
            self.fetch_list(&format!("{address}dists/{suite}/"), &listed, release.by_hash, &target)?;
        }
        Ok(true)
    }

    /// Downloads a package list and keeps it, if it is the one that was signed.
    fn fetch_list(
        &self,
        base: &str,
        listed: &ReleaseEntry,
        by_hash: bool,
        target: &Path,
    ) -> Result<(), SourceError> {
        let folder = listed.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // under its hash it is there while the mirror is being updated, too
        let mut names = vec![listed.path.clone()];
        if by_hash {
            names.insert(0, format!("{folder}/by-hash/SHA256/{}", listed.sha256));
        }
        for name in names {
            let Some(bytes) = self.client.get(&format!("{base}{name}"), listed.size)? else { continue };
            if bytes.len() as u64 != listed.size || crate::kernel::store::sha256(&bytes) != listed.sha256 {
                let said = "its size or SHA-256 is not that of the signed release file".to_string();
                return Err(SourceError::Unbelievable { what: listed.path.clone(), said });
            }
            return write_whole(target, &bytes).map_err(io("write", target));
        }
        let what = format!("fetching {base}{}", listed.path);
        Err(SourceError::Mirror { what, said: "the mirror does not have it (404)".to_string() })
    }

    fn packages(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Package>, SourceError> {
        let mut packages = Vec::new();
        for (archive, suite) in sources::suites() {
            let path = self.list(suite);
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(io("read", &path)(error)),
            };
            let mut start = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(&file, 8), &mut start)
                .map_err(io("read", &path))?;
            let file = BufReader::new(File::open(&path).map_err(io("read", &path))?);
            let reader = match Compression::of(&start) {
                Some(compression) => compression.reader(file).map_err(io("read", &path))?,
                None => Box::new(file),
            };
            let reader = BufReader::with_capacity(1 << 18, reader);
            lists::read_packages(reader, suite, archive, wanted, &mut packages).map_err(io("read", &path))?;
        }
        Ok(packages)
    }
}

impl PackageSource for Mirror {
    /// A suite that the mirror does not have is no error, and its list of another mirror is removed.
    fn update(&self) -> Result<Updated, SourceError> {
        let keyring = Keyring::find(self.keyring.as_deref())?;
        fs::create_dir_all(&self.lists).map_err(io("create", &self.lists))?;
        if self.of(Archive::Main).next().is_none() {
            return Err(SourceError::NoMirror { archive: Archive::Main });
        }
        let (mut problems, mut reached) = (Vec::new(), 0);
        for (archive, suite) in sources::suites() {
            let mut found = false;
            for address in self.of(archive) {
                match self.update_suite(address, suite, &keyring) {
                    Ok(there) => found |= there,
                    // one suite that is out of date or damaged spoils no other
                    Err(error) => {
                        problems.push(error);
                        found = true;
                    }
                }
                if found {
                    break;
                }
            }
            reached += usize::from(found);
            if !found {
                let _ = fs::remove_file(self.list(suite));
            }
        }
        if reached == problems.len() {
            let nothing = || SourceError::Mirror {
                what: "fetching Debian's package lists".to_string(),
                said: "there is no suite of Debian's at any address".to_string(),
            };
            return Err(if problems.is_empty() { nothing() } else { problems.swap_remove(0) });
        }
        Ok(Updated { problems: problems.iter().map(ToString::to_string).collect() })
    }

    fn kernels(&self) -> Result<Vec<PackagedKernel>, SourceError> {
        let arch = self.arch;
        Ok(group::group(arch, self.packages(&|name| group::is_kernel_package(arch, name))?))
    }

    fn source_packages(&self) -> Result<Vec<Package>, SourceError> {
        self.packages(&|name| name.starts_with("linux-source-"))
    }

    fn packages_named(&self, name: &str) -> Result<Vec<Package>, SourceError> {
        self.packages(&|found| found == name)
    }

    fn download(
        &self,
        package: &Package,
        target: &Path,
        progress: &(dyn Fn(u64) + Sync),
        cancel: Option<&Cancel>,
    ) -> Result<(), SourceError> {
        let (name, version) = (package.name.clone(), package.version.clone());
        let mut failure = SourceError::NoMirror { archive: package.archive };
        for address in self.of(package.archive) {
            // a part that was there already may be what is wrong
            for continued in [target.exists(), false] {
                match self.client.download(
                    &format!("{address}{}", package.path),
                    target,
                    package.size,
                    progress,
                    cancel,
                )? {
                    Fetched::Missing => {
                        failure = SourceError::Gone { package: name.clone(), version: version.clone() };
                        break;
                    }
                    Fetched::Whole => {}
                }
                let found = measure(target).map_err(io("read", target))?;
                if found.bytes == package.size && found.sha256 == package.sha256 {
                    return Ok(());
                }
                fs::remove_file(target).map_err(io("remove", target))?;
                let said = format!("{} bytes with SHA-256 {} came", found.bytes, found.sha256);
                failure = SourceError::Hash { package: name.clone(), version: version.clone(), said };
                if !continued {
                    break;
                }
            }
        }
        Err(failure)
    }

    fn download_unverified(&self, package: &Package, target: &Path) -> Result<(), SourceError> {
        for address in self.of(package.archive) {
            let url = format!("{address}{}", package.path);
            match self.client.download(&url, target, u64::MAX, &|_| {}, None)? {
                Fetched::Whole => return Ok(()),
                Fetched::Missing => {}
            }
        }
        Err(SourceError::Gone { package: package.name.clone(), version: package.version.clone() })
    }
}

/// Whether a list that is here is the one that a release file names.
fn is(path: &Path, listed: &ReleaseEntry) -> bool {
    measure(path).is_ok_and(|found| found.bytes == listed.size && found.sha256 == listed.sha256)
}

/// A failed use of a file, for `map_err`.
fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_path_buf();
    move |source| SourceError::Io { what, path, source }
}
