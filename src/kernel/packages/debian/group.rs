//! Which packages make up a kernel.
//!
//! Up to 6.18 `linux-image-RELEASE` holds everything. From 6.19 on that is an empty package, the image is in
//! `linux-binary-RELEASE`, the modules in `linux-modules-RELEASE`, configuration and the list of built-in modules in
//! `linux-base-RELEASE`. The newest uploads of either kind are only
//! there unsigned for a while (`linux-image-RELEASE-unsigned`, `linux-binary-unsigned-RELEASE`); the signature makes no
//! difference to what the kernel does.

use std::collections::BTreeMap;

use crate::arch::Arch;
use crate::kernel::Flavour;
use crate::kernel::packages::source::{Package, PackagedKernel};
use crate::version::{KernelVersion, Upstream, compare_debian};

/// A `linux-image` below this size, in bytes, only depends on others.
const EMPTY_PACKAGE: u64 = 1 << 20;

/// What a package contributes to a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Image,
    Binary,
    Modules,
    Base,
}

/// A package that could be part of a kernel: what it contributes, whether it is unsigned, itself.
type Contribution = (Part, bool, Package);

/// Takes a package name apart: what it contributes, whether it is unsigned, the release. `None` for anything that is no
/// kernel for this architecture, real-time kernels and packages that only depend on the newest one included.
fn part_of<'a>(arch: &Arch, name: &'a str) -> Option<(Part, bool, &'a str)> {
    let table = [
        ("linux-image-", Part::Image),
        ("linux-binary-unsigned-", Part::Binary),
        ("linux-binary-", Part::Binary),
        ("linux-modules-", Part::Modules),
        ("linux-base-", Part::Base),
    ];
    let (rest, part, prefix) =
        table.iter().find_map(|(prefix, part)| Some((name.strip_prefix(prefix)?, *part, *prefix)))?;
    let (release, unsigned_at_end) = match rest.strip_suffix("-unsigned") {
        Some(release) => (release, true),
        None => (rest, false),
    };
    let base = base_of(arch, release)?;
    if base.ends_with("-rt")
        || base == "cloud"
        || base == "rt"
        || !release.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    Some((part, unsigned_at_end || prefix.contains("unsigned"), release))
}

/// A release without the architecture at its end; `None` for one of another architecture.
fn base_of<'a>(arch: &Arch, release: &'a str) -> Option<&'a str> {
    release.strip_suffix(arch.flavour)?.strip_suffix('-')
}

/// Whether these are all packages that a kernel of one of the layouts consists of.
pub(crate) fn has_all_parts(arch: &Arch, packages: &[Package]) -> bool {
    let parts: Vec<Part> =
        packages.iter().filter_map(|package| Some(part_of(arch, &package.name)?.0)).collect();
    let all = |wanted: &[Part]| wanted.iter().all(|part| parts.contains(part));
    all(&[Part::Image]) || all(&[Part::Binary, Part::Modules, Part::Base])
}

/// Whether a name is worth reading the rest of a package's index entry.
pub(crate) fn is_kernel_package(arch: &Arch, name: &str) -> bool {
    part_of(arch, name).is_some()
}

/// Puts packages together to kernels, oldest first.
pub(crate) fn group(arch: &'static Arch, packages: impl IntoIterator<Item = Package>) -> Vec<PackagedKernel> {
    // (release, Debian version) -> the packages that are candidates for it
    let mut kernels: BTreeMap<(String, String), Vec<Contribution>> = BTreeMap::new();
    for package in packages {
        let Some((part, unsigned, release)) = part_of(arch, &package.name) else { continue };
        let candidates = kernels.entry((release.to_string(), package.version.clone())).or_default();
        match candidates
            .iter_mut()
            .find(|(_, _, seen)| seen.name == package.name && seen.sha256 == package.sha256)
        {
            Some((_, _, seen)) => {
                for suite in package.suites {
                    if !seen.suites.contains(&suite) {
                        seen.suites.push(suite);
                    }
                }
            }
            None => candidates.push((part, unsigned, package)),
        }
    }
    let mut builds: Vec<PackagedKernel> = kernels
        .into_iter()
        .filter_map(|((release, version), parts)| assemble(arch, release, version, parts))
        .collect();
    sort(&mut builds);
    builds
}

/// From old to new; the build that a version stands for is the last one of it.
pub(crate) fn sort(builds: &mut [PackagedKernel]) {
    builds.sort_by(|a, b| {
        let versions = a.version.upstream().cmp(&b.version.upstream());
        versions
            .then_with(|| compare_debian(&a.package_version, &b.package_version))
            .then_with(|| a.flavour.cmp(&b.flavour))
    });
}

fn assemble(
    arch: &'static Arch,
    release: String,
    package_version: String,
    mut parts: Vec<Contribution>,
) -> Option<PackagedKernel> {
    let upstream = KernelVersion::from_debian(&package_version).ok()?;
    // the signed one first
    parts.sort_by_key(|(part, unsigned, _)| (*part, *unsigned));
    let first = |wanted: Part, at_least: u64| {
        parts
            .iter()
            .find(|(part, _, package)| *part == wanted && package.size >= at_least)
            .map(|(_, _, p)| p.clone())
    };
    let (packages, missing) = match first(Part::Image, EMPTY_PACKAGE) {
        Some(image) => (vec![image], None),
        None => {
            let binary = first(Part::Binary, 0);
            let modules = first(Part::Modules, 0);
            // only the empty linux-image, or nothing of the kind
            if binary.is_none() && modules.is_none() {
                return None;
            }
            let base = first(Part::Base, 0);
            let parts = [("binary", &binary), ("modules", &modules), ("base", &base)];
            let lost: Vec<String> = parts
                .iter()
                .filter(|(_, package)| package.is_none())
                .map(|(part, _)| format!("linux-{part}-{release}"))
                .collect();
            let missing = match lost.as_slice() {
                [] => None,
                [one] => Some(format!("{one} has left Debian's package index")),
                several => Some(format!("{} have left Debian's package index", several.join(" and "))),
            };
            (binary.into_iter().chain(modules).chain(base).collect(), missing)
        }
    };
    let flavour = match base_of(arch, &release) {
        Some(base) if base.ends_with("-cloud") => Flavour::Cloud,
        _ => Flavour::Plain,
    };
    let version = upstream.with_local(build_tag(arch, &upstream, &release));
    Some(PackagedKernel {
        distribution: super::NAME.to_string(),
        arch,
        version,
        release,
        flavour,
        package_version,
        packages,
        missing,
    })
}

/// What tells builds of one upstream version apart, with a leading `+`: the suffix that Debian gives the release
/// (`+deb13.1`), or where the release has the old kind of number (6.1.0-56), that number.
fn build_tag(arch: &Arch, upstream: &KernelVersion, release: &str) -> String {
    let base = base_of(arch, release).unwrap_or(release);
    let base = base.strip_suffix("-cloud").unwrap_or(base);
    let tag = match base.split_once('+') {
        Some((_, tag)) => tag,
        None => match base.split_once('-') {
            Some((_, abi)) => abi.strip_prefix("0.").unwrap_or(abi),
            None => "",
        },
    };
    let candidate = matches!(upstream.upstream(), Upstream::Release { rc: Some(_), .. });
    if tag.is_empty() || candidate && tag.starts_with("rc") { String::new() } else { format!("+{tag}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{AARCH64, GUEST};
    use crate::kernel::packages::debian::Archive;

    fn package(name: &str, version: &str, size: u64, suite: &str) -> Package {
        Package {
            name: name.to_string(),
            version: version.to_string(),
            archive: Archive::Main,
            path: format!("pool/{name}_{version}_amd64.deb"),
            size,
            sha256: format!("{size:064x}"),
            suites: vec![suite.to_string()],
        }
    }

    #[test]
    fn each_architecture_has_the_kernels_whose_releases_end_in_its_name() {
        let names = [
            "linux-image-6.12.117+deb13-cloud-arm64",
            "linux-image-6.12.117+deb13-arm64",
            "linux-image-6.12.117+deb13-arm64-16k",
            "linux-image-6.12.117+deb13-rt-arm64",
            "linux-image-6.12.117+deb13-amd64",
        ];
        let packages = names.map(|name| package(name, "6.12.117-1", 20 << 20, "trixie"));
        let builds = group(&AARCH64, packages);
        let shown: Vec<String> = builds
            .iter()
            .map(|build| format!("{} {:?} {}", build.arch.debian, build.flavour, build.release))
            .collect();
        assert_eq!(shown, ["arm64 Cloud 6.12.117+deb13-cloud-arm64", "arm64 Plain 6.12.117+deb13-arm64"]);
        assert!(builds[0].version.to_string() == "6.12.117+deb13");
    }

    #[test]
    fn puts_kernels_of_every_layout_together() {
        let big = 20 << 20;
        let builds = group(
            GUEST,
            [
                package(
                    "linux-image-6.17.13+deb13-cloud-amd64",
                    "6.17.13-1~bpo13+1",
                    big,
                    "trixie-backports",
                ),
                package("linux-image-6.17.13+deb13-amd64", "6.17.13-1~bpo13+1", big, "trixie-backports"),
                package("linux-image-6.17.13+deb13-rt-amd64", "6.17.13-1~bpo13+1", big, "trixie-backports"),
                package("linux-image-6.1.0-52-cloud-amd64", "6.1.180-1", big, "bookworm-security"),
                package(
                    "linux-image-6.1.0-0.deb11.52-cloud-amd64",
                    "6.1.180-1~deb11u1",
                    big,
                    "bullseye-security",
                ),
                package("linux-image-6.12.94+deb13-amd64-unsigned", "6.12.94-1", big, "trixie"),
                package("linux-image-6.12.94+deb13-amd64", "6.12.94-1", big + 1, "trixie"),
                package("linux-image-6.12.94+deb13-amd64", "6.12.94-1", big + 1, "trixie-security"),
                package("linux-image-6.19.6+deb13-amd64", "6.19.6-2~bpo13+1", 2040, "trixie-backports"),
                package("linux-binary-6.19.6+deb13-amd64", "6.19.6-2~bpo13+1", big, "trixie-backports"),
                package("linux-base-7.3.4+deb13-amd64", "7.3.4-1~bpo13+1", 417_436, "trixie-backports"),
                package("linux-modules-7.3.4+deb13-amd64", "7.3.4-1~bpo13+1", big, "trixie-backports"),
                package(
                    "linux-binary-unsigned-7.3.4+deb13-amd64",
                    "7.3.4-1~bpo13+1",
                    big,
                    "trixie-backports",
                ),
                package("linux-base-7.3-amd64", "7.3~rc7-1~exp1", 417_436, "experimental"),
                package("linux-binary-7.3-amd64", "7.3~rc7-1~exp1", big, "experimental"),
                package("linux-modules-7.3-amd64", "7.3~rc7-1~exp1", big, "experimental"),
                package("linux-image-amd64", "7.2.13-1", 1692, "sid"),
                package("linux-image-cloud-amd64", "7.2.13-1", 1692, "sid"),
                package("linux-image-amd64-signed-template", "6.12.117-1", big, "trixie"),
                package("linux-image-6.1.0-9-arm64", "6.1.27-1", big, "bookworm"),
            ],
        );
        let shown: String = builds
            .iter()
            .map(|build| {
                let packages: Vec<_> = build.packages.iter().map(|p| p.name.as_str()).collect();
                let missing = build.missing.as_deref().unwrap_or("-");
                let suites = build.suites().join(",");
                format!(
                    "{} {:?} {} [{}] {suites}; missing: {missing}\n",
                    build.version,
                    build.flavour,
                    build.release,
                    packages.join(" ")
                )
            })
            .collect();
        insta::assert_snapshot!(shown, @"
        6.1.180+deb11.52 Cloud 6.1.0-0.deb11.52-cloud-amd64 [linux-image-6.1.0-0.deb11.52-cloud-amd64] bullseye-security; missing: -
        6.1.180+52 Cloud 6.1.0-52-cloud-amd64 [linux-image-6.1.0-52-cloud-amd64] bookworm-security; missing: -
        6.12.94+deb13 Plain 6.12.94+deb13-amd64 [linux-image-6.12.94+deb13-amd64] trixie,trixie-security; missing: -
        6.17.13+deb13 Cloud 6.17.13+deb13-cloud-amd64 [linux-image-6.17.13+deb13-cloud-amd64] trixie-backports; missing: -
        6.17.13+deb13 Plain 6.17.13+deb13-amd64 [linux-image-6.17.13+deb13-amd64] trixie-backports; missing: -
        6.19.6+deb13 Plain 6.19.6+deb13-amd64 [linux-binary-6.19.6+deb13-amd64] trixie-backports; missing: linux-modules-6.19.6+deb13-amd64 and linux-base-6.19.6+deb13-amd64 have left Debian's package index
        7.3-rc7 Plain 7.3-amd64 [linux-binary-7.3-amd64 linux-modules-7.3-amd64 linux-base-7.3-amd64] experimental; missing: -
        7.3.4+deb13 Plain 7.3.4+deb13-amd64 [linux-binary-unsigned-7.3.4+deb13-amd64 linux-modules-7.3.4+deb13-amd64 linux-base-7.3.4+deb13-amd64] trixie-backports; missing: -
        ");
    }
}
