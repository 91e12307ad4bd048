//! Packages that have left the index but not the pool.
//!
//! The index of a backports suite drops the modules of older kernels while it keeps their images. The files stay in the
//! pool, beside those of the same source. No signature covers them any more, so they are only usable with a hash that
//! was written down: this is where that hash comes from.

use std::fs;
use std::path::Path;

use super::sources::Archive;
use crate::kernel::packages::source::{Package, PackageSource, PackagedKernel, SourceError};
use crate::kernel::store::measure;

/// Where the source package of all kernels has its files.
const POOL_FOLDER: &str = "pool/main/l/linux";

/// Adds the packages that `build` lacks, as far as the pool has them, and clears or renews the reason why it is not
/// complete. What `before`, the same build in an older catalogue, knows already is not downloaded again.
pub(crate) fn complete(
    apt: &dyn PackageSource,
    build: &mut PackagedKernel,
    before: Option<&PackagedKernel>,
    downloads: &Path,
) -> Result<(), SourceError> {
    let mut gone = Vec::new();
    for part in ["binary", "modules", "base"] {
        let name = format!("linux-{part}-{}", build.release);
        let unsigned = format!("linux-{part}-unsigned-{}", build.release);
        if build.packages.iter().any(|package| package.name == name || package.name == unsigned) {
            continue;
        }
        let known = before.and_then(|build| build.packages.iter().find(|package| package.name == name));
        match known {
            // an index had it when the older catalogue was made, none has it now
            Some(package) => build.packages.push(Package { suites: Vec::new(), ..package.clone() }),
            None => match look_up(apt, &name, build, downloads)? {
                Some(package) => build.packages.push(package),
                None => gone.push(name),
            },
        }
    }
    build.missing = match gone.is_empty() {
        true => None,
        false => Some(format!("{}: neither in Debian's package index nor in the pool", gone.join(" and "))),
    };
    Ok(())
}

/// Whether the mirror has every package of `build`, and if not, why the kernel is unavailable.
pub(crate) fn probe(
    apt: &dyn PackageSource,
    build: &PackagedKernel,
    downloads: &Path,
) -> Result<Option<String>, SourceError> {
    for package in &build.packages {
        let target = downloads.join(format!("{}_{}_probe.deb", package.name, package.version));
        let result = apt.download_unverified(package, &target);
        let _ = fs::remove_file(&target);
        match result {
            Ok(()) => {}
            Err(SourceError::Gone { package, .. }) => return Ok(Some(gone(&package))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Why a kernel is unavailable one of whose packages the mirror does not have any more.
pub(crate) fn gone(package: &str) -> String {
    format!("{package} is gone from the mirror (404)")
}

/// Downloads a package by its place in the pool to learn its hash; `None` if it is not there.
fn look_up(
    apt: &dyn PackageSource,
    name: &str,
    build: &PackagedKernel,
    downloads: &Path,
) -> Result<Option<Package>, SourceError> {
    let file = format!("{name}_{}_{}.deb", build.package_version, build.arch.debian);
    let target = downloads.join(&file);
    let mut package = Package {
        name: name.to_string(),
        version: build.package_version.clone(),
        archive: Archive::Main,
        path: format!("{POOL_FOLDER}/{file}"),
        size: 0,
        sha256: String::new(),
        suites: Vec::new(),
    };
    match apt.download_unverified(&package, &target) {
        Ok(()) => {}
        Err(SourceError::Gone { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let found =
        measure(&target).map_err(|source| SourceError::Io { what: "read", path: target.clone(), source })?;
    let _ = fs::remove_file(&target);
    (package.size, package.sha256) = (found.bytes, found.sha256);
    Ok(Some(package))
}
