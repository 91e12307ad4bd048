//! Source packages of Debian's, in the lists that there are.

use super::error::BuildError;
use crate::kernel::packages::source::{Package, PackageSource};

/// Finds a source package in the lists that are there, or in new ones.
pub(super) fn find_package(
    debian: &dyn PackageSource,
    package: &str,
    version: &str,
) -> Result<Package, BuildError> {
    let of_name = |packages: Vec<Package>| -> Vec<Package> {
        packages.into_iter().filter(|found| found.name == package).collect()
    };
    let exact = |packages: &[Package]| packages.iter().find(|found| found.version == version).cloned();
    let mut there = of_name(debian.source_packages()?);
    if exact(&there).is_none() {
        debian.update()?;
        there = of_name(debian.source_packages()?);
    }
    exact(&there).ok_or_else(|| {
        let mut versions: Vec<&str> = there.iter().map(|found| found.version.as_str()).collect();
        versions.sort_by(|a, b| crate::version::compare_debian(a, b));
        versions.dedup();
        let hint = match versions.is_empty() {
            true => "no suite has any version of it".to_string(),
            false => format!("there are {}", versions.join(", ")),
        };
        let reason = format!(
            "it is in no package list; {hint}. One that has left the lists is found with its `path`, `size` and `sha256`"
        );
        BuildError::source(format!("{package} {version}"), reason)
    })
}
