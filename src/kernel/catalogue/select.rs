//! Which of the known kernels an expression selects, and what they are called. No disk, no network.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kernel_modules::closest;

use super::spec::{ArchChoice, KernelSpec, Selector};
use super::wanted::{RequestedKernel, Resolution, UnavailableKernel};
use super::{NamedKernel, NamedSource};
use crate::arch::Arch;
use crate::kernel::compile::{BuildError, BuildRequest};
use crate::kernel::packages::local;
use crate::kernel::packages::source::PackagedKernel;
use crate::kernel::store::Record;
use crate::kernel::{Flavour, KernelError};
use crate::version::{KernelVersion, Line, Upstream, compare_debian};

/// A kernel that is known: stored, or named by package lists, or both.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Upstream version and the build's tag.
    pub version: KernelVersion,
    pub release: String,
    pub arch: &'static Arch,
    pub flavour: Option<Flavour>,
    /// Debian version of the packages.
    pub package_version: Option<String>,
    pub stored: Option<(PathBuf, Record)>,
    pub build: Option<PackagedKernel>,
}

impl Candidate {
    /// Why it is unavailable; `None` if it is available.
    pub(crate) fn missing(&self) -> Option<&str> {
        match (&self.stored, &self.build) {
            (Some(_), _) => None,
            (None, Some(build)) => build.missing.as_deref(),
            (None, None) => Some("its packages are not known"),
        }
    }

    /// Which of two builds of one upstream version is taken: one that is available, then the one with the higher Debian
    /// version. As 6.12.117-1~deb12u1 is lower than 6.12.117-1, a release's own build goes before those for older ones.
    pub(crate) fn preference(&self, other: &Candidate) -> Ordering {
        let version = |candidate: &Candidate| candidate.package_version.clone().unwrap_or_default();
        self.missing()
            .is_none()
            .cmp(&other.missing().is_none())
            .then_with(|| compare_debian(&version(self), &version(other)))
    }
}

/// The build that an upstream version stands for: of the wanted flavour, or else cloud if it is available, or else plain.
fn pick<'a>(
    known: &'a [Candidate],
    arch: &Arch,
    upstream: Upstream,
    flavour: Option<Flavour>,
) -> Option<&'a Candidate> {
    let of_flavour = |flavour: Option<Flavour>| {
        known
            .iter()
            .filter(|candidate| candidate.arch == arch && candidate.version.upstream() == upstream)
            .filter(|candidate| flavour.is_none() || candidate.flavour == flavour)
            .max_by(|a, b| a.preference(b).then_with(|| b.flavour.cmp(&a.flavour)))
    };
    match flavour {
        Some(_) => of_flavour(flavour),
        None => {
            let cloud = of_flavour(Some(Flavour::Cloud)).filter(|cloud| cloud.missing().is_none());
            cloud.or_else(|| of_flavour(None))
        }
    }
}

/// The plain image of which `small` is the cloud image, if there is one.
pub(crate) fn larger_of<'a>(known: &'a [Candidate], small: &Candidate) -> Option<&'a Candidate> {
    known.iter().find(|candidate| {
        small.flavour == Some(Flavour::Cloud)
            && candidate.flavour == Some(Flavour::Plain)
            && candidate.arch == small.arch
            && candidate.version == small.version
            && candidate.package_version == small.package_version
    })
}

/// The shortest name that selects `candidate` again.
pub(crate) fn name_of(known: &[Candidate], candidate: &Candidate) -> String {
    candidate.arch.prefix() + &short_name_of(known, candidate)
}

/// The same among the kernels of one architecture.
fn short_name_of(known: &[Candidate], candidate: &Candidate) -> String {
    let upstream = candidate.version.upstream();
    let is = |other: Option<&Candidate>| {
        other
            .is_some_and(|o| o.release == candidate.release && o.package_version == candidate.package_version)
    };
    let default = pick(known, candidate.arch, upstream, None);
    if is(default) {
        return upstream.to_string();
    }
    let mut name = match is(pick(known, candidate.arch, upstream, candidate.flavour)) {
        true => upstream.to_string(),
        false => candidate.version.to_string(),
    };
    if let Some(flavour) =
        candidate.flavour.filter(|flavour| default.is_some_and(|d| d.flavour != Some(*flavour)))
    {
        name = format!("{name}-{flavour}");
    }
    name
}

/// What `specs` select among `known`.
pub(crate) fn select(
    known: &[Candidate],
    named: &BTreeMap<String, NamedKernel>,
    specs: &[KernelSpec],
) -> Result<Resolution, KernelError> {
    let all: KernelSpec = "all".parse()?;
    let specs: Vec<KernelSpec> = specs.iter().flat_map(KernelSpec::for_each_arch).collect();
    let excludes: Vec<&KernelSpec> = specs.iter().filter(|spec| spec.exclude).collect();
    let mut includes: Vec<&KernelSpec> = specs.iter().filter(|spec| !spec.exclude).collect();
    if includes.is_empty() && !excludes.is_empty() {
        includes.push(&all);
    }
    let mut selection = Selection { known, resolution: Resolution::default(), seen: BTreeSet::new() };
    for spec in includes {
        match &spec.selector {
            Selector::File { image, modules } => {
                selection.add_local(None, spec, image, modules.as_deref())?
            }
            Selector::Name(name) if named.get(name).is_some_and(|entry| entry.is_to_build()) => {
                let request = named.get(name).and_then(|entry| entry.request(name));
                if let Some(mut request) = request.transpose().map_err(BuildError::from)? {
                    if let ArchChoice::One(arch) = spec.arch
                        && arch != request.arch
                    {
                        request.name = format!("{}{}", arch.prefix(), request.name);
                        request.arch = arch;
                    }
                    selection.add_built(request);
                }
            }
            Selector::Name(name) => match named.get(name).map(|entry| &entry.source) {
                Some(NamedSource::Local { image, modules }) => {
                    selection.add_local(Some(name), spec, image, modules.as_deref())?;
                }
                Some(NamedSource::Package(file)) => selection.add_local(Some(name), spec, file, None)?,
                Some(NamedSource::Debian(version)) => {
                    let version: KernelSpec = version.parse()?;
                    for found in matching(known, &version)? {
                        let open = selection.is_open(&version, &excludes, found);
                        selection.add(Some(name), found, open);
                    }
                }
                // the arm before has those that are compiled
                _ => return Err(unknown_name(name, named)),
            },
            selector => {
                let found = match matching(known, spec) {
                    Ok(found) => found,
                    // one of several architectures
                    Err(error) if spec.is_one_of_several => {
                        let (name, reason) = (spec.to_string(), error.to_string());
                        selection.resolution.left_out.push(UnavailableKernel { name, reason });
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let excluded =
                    |candidate: &&Candidate| excludes.iter().any(|exclude| covers(known, exclude, candidate));
                for candidate in found.into_iter().filter(|candidate| !excluded(candidate)) {
                    let open = selection.is_open(spec, &excludes, candidate);
                    match (selector, candidate.missing()) {
                        (Selector::Version(_), _) | (_, None) => selection.add(None, candidate, open),
                        (_, Some(reason)) => selection.leave_out(candidate, reason),
                    }
                }
            }
        }
    }
    Ok(selection.resolution)
}

/// What has been selected so far.
struct Selection<'a> {
    known: &'a [Candidate],
    resolution: Resolution,
    /// Releases, for local images with their digest.
    seen: BTreeSet<String>,
}

impl Selection<'_> {
    /// Whether a spec leaves it open which image of the candidate's version is meant.
    fn is_open(&self, spec: &KernelSpec, excludes: &[&KernelSpec], candidate: &Candidate) -> bool {
        let named = match &spec.selector {
            Selector::Version(_) => spec.text() == candidate.release,
            // a release has a dash, and so has the name of a plain image
            Selector::Glob(pattern) => pattern.contains('-'),
            _ => false,
        };
        let excluded = || {
            larger_of(self.known, candidate)
                .is_some_and(|large| excludes.iter().any(|exclude| covers(self.known, exclude, large)))
        };
        spec.flavour.is_none() && !named && !excluded()
    }

    fn add(&mut self, name: Option<&str>, candidate: &Candidate, open: bool) {
        if !self.seen.insert(candidate.release.clone()) {
            return;
        }
        let name = name.map_or_else(|| name_of(self.known, candidate), String::from);
        self.resolution.wanted.push(RequestedKernel::known(name, candidate, open));
    }

    fn leave_out(&mut self, candidate: &Candidate, reason: &str) {
        if self.seen.insert(candidate.release.clone()) {
            let name = name_of(self.known, candidate);
            self.resolution.left_out.push(UnavailableKernel { name, reason: reason.to_string() });
        }
    }

    fn add_built(&mut self, request: BuildRequest) {
        if self.seen.insert(format!("name {}", request.name)) {
            self.resolution.wanted.push(RequestedKernel::built(request, None));
        }
    }

    fn add_local(
        &mut self,
        name: Option<&str>,
        spec: &KernelSpec,
        image: &Path,
        modules: Option<&Path>,
    ) -> Result<(), KernelError> {
        let image = local::inspect(image, modules)?;
        if let ArchChoice::One(wanted) = spec.arch
            && image.arch != wanted
        {
            let (path, found) = (image.given, image.arch.debian);
            return Err(KernelError::OtherArchitecture { path, found, wanted: wanted.debian });
        }
        if self.seen.insert(format!("{} {}", image.release, image.digest)) {
            // two images of one release have to have different names
            let taken = self.resolution.wanted.iter().any(|wanted| wanted.name() == image.release);
            let name = match (name, taken) {
                (Some(name), _) => name.to_string(),
                (None, true) => format!("{}@{}", image.release, &image.digest[..8]),
                (None, false) => image.release.clone(),
            };
            self.resolution.wanted.push(RequestedKernel::local(name, image));
        }
        Ok(())
    }
}

/// The kernels that one spec adds, oldest first. One that is named itself is there or an error; one among many may be
/// there without being obtainable.
fn matching<'a>(known: &'a [Candidate], spec: &KernelSpec) -> Result<Vec<&'a Candidate>, KernelError> {
    let arch = spec.arch();
    let versions: BTreeSet<Upstream> = known
        .iter()
        .filter(|candidate| candidate.arch == arch)
        .map(|candidate| candidate.version.upstream())
        .collect();
    let picked = |upstream: &Upstream| pick(known, arch, *upstream, spec.flavour);
    let obtainable = |upstream: &Upstream| picked(upstream).filter(|candidate| candidate.missing().is_none());
    let of_line = |line: Line| {
        versions.iter().filter(move |upstream| KernelVersion::upstream_only(**upstream).line() == Some(line))
    };
    let found: Vec<&Candidate> = match &spec.selector {
        Selector::Version(version) => return Ok(vec![exactly(known, spec, version)?]),
        // these are no versions; the caller has looked at them before
        Selector::Name(_) | Selector::File { .. } => Vec::new(),
        Selector::Latest(line) | Selector::Oldest(line) => {
            let mut of_line = of_line(*line).filter_map(obtainable);
            let end = match spec.selector {
                Selector::Latest(_) => of_line.next_back(),
                _ => of_line.next(),
            };
            let end = end.ok_or_else(|| KernelError::UnknownLine {
                spec: spec.to_string(),
                line: line.to_string(),
                known: lines_of(known, arch),
            })?;
            vec![end]
        }
        Selector::EachLine => {
            let lines: BTreeSet<Line> =
                versions.iter().filter_map(|v| KernelVersion::upstream_only(*v).line()).collect();
            lines.into_iter().filter_map(|line| of_line(line).filter_map(obtainable).next_back()).collect()
        }
        Selector::Range(_) | Selector::All | Selector::Glob(_) => {
            versions.iter().filter_map(picked).filter(|candidate| covers(known, spec, candidate)).collect()
        }
    };
    if found.is_empty() {
        return Err(KernelError::Empty { spec: spec.to_string(), known: lines_of(known, arch) });
    }
    Ok(found)
}

/// The one kernel that a version names.
fn exactly<'a>(
    known: &'a [Candidate],
    spec: &KernelSpec,
    version: &KernelVersion,
) -> Result<&'a Candidate, KernelError> {
    let (text, arch) = (spec.text(), spec.arch());
    // a release names its architecture
    let by_release = known.iter().find(|candidate| candidate.release == text);
    let by_build = || {
        known
            .iter()
            .filter(|candidate| candidate.arch == arch && candidate.version == *version)
            .filter(|candidate| spec.flavour.is_none() || candidate.flavour == spec.flavour)
            // cloud sorts before plain
            .max_by(|a, b| a.preference(b).then_with(|| b.flavour.cmp(&a.flavour)))
    };
    let found = match version.local() {
        "" => by_release.or_else(|| pick(known, arch, version.upstream(), spec.flavour)),
        _ => by_release.or_else(by_build),
    };
    let found = found.ok_or_else(|| unknown(known, spec, &version.to_string()))?;
    match found.missing() {
        None => Ok(found),
        // the mirror is asked again for what was named explicitly
        Some(_) if found.build.as_ref().is_some_and(PackagedKernel::is_complete) => Ok(found),
        Some(reason) => {
            Err(KernelError::Unavailable { name: name_of(known, found), reason: reason.to_string() })
        }
    }
}

/// Whether a spec covers a kernel, for taking away as for ranges.
fn covers(known: &[Candidate], spec: &KernelSpec, candidate: &Candidate) -> bool {
    if candidate.arch != spec.arch() || spec.flavour.is_some_and(|flavour| candidate.flavour != Some(flavour))
    {
        return false;
    }
    match &spec.selector {
        Selector::All => true,
        Selector::Range(range) => range.contains(&candidate.version),
        Selector::Glob(pattern) => globset::Glob::new(pattern).is_ok_and(|glob| {
            let glob = glob.compile_matcher();
            glob.is_match(short_name_of(known, candidate)) || glob.is_match(&candidate.release)
        }),
        Selector::Version(version) if version.local().is_empty() => {
            candidate.version.upstream() == version.upstream()
        }
        Selector::Version(_) | Selector::Latest(_) | Selector::Oldest(_) | Selector::EachLine => {
            matching(known, spec)
                .is_ok_and(|found| found.iter().any(|other| other.release == candidate.release))
        }
        Selector::Name(_) | Selector::File { .. } => false,
    }
}

fn unknown(known: &[Candidate], spec: &KernelSpec, wanted: &str) -> KernelError {
    let arch = spec.arch();
    let of_arch = || known.iter().filter(|candidate| candidate.arch == arch);
    let names: Vec<String> = of_arch().map(|candidate| name_of(known, candidate)).collect();
    let line = match &spec.selector {
        Selector::Version(version) => version.line(),
        _ => None,
    };
    let of_line: BTreeSet<Upstream> = of_arch()
        .filter(|candidate| line.is_some() && candidate.version.line() == line)
        .map(|candidate| candidate.version.upstream())
        .collect();
    let is_line = wanted.parse::<Line>().is_ok();
    let other_flavour = match (&spec.selector, spec.flavour) {
        (Selector::Version(version), Some(flavour)) => pick(known, arch, version.upstream(), None)
            .and_then(|candidate| candidate.flavour)
            .map(|other| format!("; it exists, but as {other} image only, not as {flavour}")),
        _ => None,
    };
    let hint = match (line, of_line.len()) {
        _ if other_flavour.is_some() => other_flavour.unwrap_or_default(),
        (Some(line), 1..) if is_line => {
            format!(
                "; {line} is a line of {} kernels: write latest:{line}, oldest:{line} or {line}.y",
                of_line.len()
            )
        }
        (Some(line), 1..) => {
            let shown: Vec<String> = of_line.iter().map(Upstream::to_string).collect();
            format!("; of {line} there are {}", shown.join(", "))
        }
        _ => match closest(wanted, names.iter().map(String::as_str)) {
            Some(closest) => format!("; did you mean `{closest}`?"),
            None => format!("; there are {}", lines_of(known, arch)),
        },
    };
    KernelError::UnknownVersion { spec: spec.to_string(), hint }
}

fn unknown_name(name: &str, named: &BTreeMap<String, NamedKernel>) -> KernelError {
    let words = ["all", "each-line", "cloud", "plain", "latest:", "oldest:"]
        .into_iter()
        .chain(named.keys().map(String::as_str));
    let hint = match closest(name, words) {
        Some(closest) => format!("; did you mean `{closest}`?"),
        None if named.is_empty() => {
            "; there are no named kernels at all, versions are written like 6.17.13 or latest:6.12"
                .to_string()
        }
        None => format!("; there are {}", named.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    KernelError::UnknownName { name: name.to_string(), hint }
}

/// The known lines for a message.
fn lines_of(known: &[Candidate], arch: &Arch) -> String {
    let of_arch = known.iter().filter(|candidate| candidate.arch == arch);
    let lines: BTreeSet<Line> = of_arch.filter_map(|candidate| candidate.version.line()).collect();
    match lines.is_empty() {
        true => {
            "none at all (kregress kernels list --available --update fetches the package lists)".to_string()
        }
        false => format!(
            "kernels of the lines {}",
            lines.iter().map(Line::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
