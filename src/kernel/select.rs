//! Which of the known kernels an expression selects, and what they are called. No disk, no network.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::catalogue::{Named, NamedSource};
use super::debian::DebianBuild;
use super::store::Record;
use super::wanted::{LeftOut, Resolution, Wanted};
use super::{Flavour, KernelError, KernelSpec, Selector, local, similar};
use crate::version::{KernelVersion, Line, Upstream, compare_debian};

/// A kernel that is known: stored, or named by package lists, or both.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Upstream version and the build's tag.
    pub version: KernelVersion,
    pub release: String,
    pub flavour: Option<Flavour>,
    /// Debian version of the packages.
    pub package_version: Option<String>,
    pub stored: Option<(PathBuf, Record)>,
    pub build: Option<DebianBuild>,
}

impl Candidate {
    /// Why it cannot be had; `None` if it can.
    pub(super) fn missing(&self) -> Option<&str> {
        match (&self.stored, &self.build) {
            (Some(_), _) => None,
            (None, Some(build)) => build.missing.as_deref(),
            (None, None) => Some("its packages are not known"),
        }
    }

    /// Which of two builds of one upstream version is taken: one that can be had, then the one with the higher Debian
    /// version. As 6.12.117-1~deb12u1 is lower than 6.12.117-1, a release's own build goes before those for older ones.
    pub(super) fn preference(&self, other: &Candidate) -> Ordering {
        let version = |candidate: &Candidate| candidate.package_version.clone().unwrap_or_default();
        self.missing()
            .is_none()
            .cmp(&other.missing().is_none())
            .then_with(|| compare_debian(&version(self), &version(other)))
    }
}

/// The build that an upstream version stands for: of the wanted flavour, or else cloud if it can be had, or else plain.
fn pick(known: &[Candidate], upstream: Upstream, flavour: Option<Flavour>) -> Option<&Candidate> {
    let of_flavour = |flavour: Option<Flavour>| {
        known
            .iter()
            .filter(|candidate| candidate.version.upstream() == upstream)
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

/// The shortest name that selects `candidate` again.
pub(super) fn name_of(known: &[Candidate], candidate: &Candidate) -> String {
    let upstream = candidate.version.upstream();
    let is = |other: Option<&Candidate>| {
        other
            .is_some_and(|o| o.release == candidate.release && o.package_version == candidate.package_version)
    };
    let default = pick(known, upstream, None);
    if is(default) {
        return upstream.to_string();
    }
    let mut name = match is(pick(known, upstream, candidate.flavour)) {
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
pub(super) fn select(
    known: &[Candidate],
    named: &BTreeMap<String, Named>,
    specs: &[KernelSpec],
) -> Result<Resolution, KernelError> {
    let all: KernelSpec = "all".parse()?;
    let excludes: Vec<&KernelSpec> = specs.iter().filter(|spec| spec.exclude).collect();
    let mut includes: Vec<&KernelSpec> = specs.iter().filter(|spec| !spec.exclude).collect();
    if includes.is_empty() && !excludes.is_empty() {
        includes.push(&all);
    }
    let mut resolution = Resolution::default();
    let mut seen = BTreeSet::new();
    for spec in includes {
        let as_named = match &spec.selector {
            Selector::Name(name) => named.get(name).map(|entry| (Some(name.clone()), entry.source.clone())),
            Selector::File { image, modules } => {
                Some((None, NamedSource::Local { image: image.clone(), modules: modules.clone() }))
            }
            _ => None,
        };
        match as_named {
            Some((name, NamedSource::Local { image, modules })) => {
                let image = local::inspect(&image, modules.as_deref())?;
                if seen.insert(format!("{} {}", image.release, image.digest)) {
                    // two images of one release have to have different names
                    let taken = resolution.wanted.iter().any(|wanted| wanted.name() == image.release);
                    let name = name.unwrap_or_else(|| match taken {
                        true => format!("{}@{}", image.release, &image.digest[..8]),
                        false => image.release.clone(),
                    });
                    resolution.wanted.push(Wanted::local(name, image));
                }
                continue;
            }
            Some((name, NamedSource::Debian(version))) => {
                let spec: KernelSpec = version.parse()?;
                for candidate in matching(known, &spec)?.into_iter().take(1) {
                    if seen.insert(candidate.release.clone()) {
                        let name = name.clone().unwrap_or_else(|| name_of(known, candidate));
                        resolution.wanted.push(Wanted::known(name, candidate));
                    }
                }
                continue;
            }
            None => {}
        }
        for candidate in matching(known, spec)? {
            let name = name_of(known, candidate);
            if excludes.iter().any(|exclude| covers(known, exclude, candidate))
                || !seen.insert(candidate.release.clone())
            {
                continue;
            }
            match candidate.missing() {
                None => resolution.wanted.push(Wanted::known(name, candidate)),
                Some(reason) => resolution.left_out.push(LeftOut { name, reason: reason.to_string() }),
            }
        }
    }
    Ok(resolution)
}

/// The kernels that one spec adds, oldest first. One that is named itself is there or an error; one among many may be
/// there without being obtainable.
fn matching<'a>(known: &'a [Candidate], spec: &KernelSpec) -> Result<Vec<&'a Candidate>, KernelError> {
    let versions: BTreeSet<Upstream> = known.iter().map(|candidate| candidate.version.upstream()).collect();
    let picked = |upstream: &Upstream| pick(known, *upstream, spec.flavour);
    let obtainable = |upstream: &Upstream| picked(upstream).filter(|candidate| candidate.missing().is_none());
    let of_line = |line: Line| {
        versions.iter().filter(move |upstream| KernelVersion::upstream_only(**upstream).line() == Some(line))
    };
    let found: Vec<&Candidate> = match &spec.selector {
        Selector::Version(version) => return Ok(vec![exactly(known, spec, version)?]),
        Selector::Name(name) => return Err(unknown(known, spec, name)),
        Selector::File { .. } => Vec::new(),
        Selector::Latest(line) | Selector::Oldest(line) => {
            let mut of_line = of_line(*line).filter_map(obtainable);
            let end = match spec.selector {
                Selector::Latest(_) => of_line.next_back(),
                _ => of_line.next(),
            };
            let end = end.ok_or_else(|| KernelError::UnknownLine {
                spec: spec.to_string(),
                line: line.to_string(),
                known: lines_of(known),
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
        return Err(KernelError::Empty { spec: spec.to_string(), known: lines_of(known) });
    }
    Ok(found)
}

/// The one kernel that a version names.
fn exactly<'a>(
    known: &'a [Candidate],
    spec: &KernelSpec,
    version: &KernelVersion,
) -> Result<&'a Candidate, KernelError> {
    let text = spec.to_string();
    let by_release = known.iter().find(|candidate| candidate.release == text);
    let by_build = || {
        known
            .iter()
            .filter(|candidate| candidate.version == *version)
            .filter(|candidate| spec.flavour.is_none() || candidate.flavour == spec.flavour)
            // cloud sorts before plain
            .max_by(|a, b| a.preference(b).then_with(|| b.flavour.cmp(&a.flavour)))
    };
    let found = match version.local() {
        "" => by_release.or_else(|| pick(known, version.upstream(), spec.flavour)),
        _ => by_release.or_else(by_build),
    };
    let found = found.ok_or_else(|| unknown(known, spec, &version.to_string()))?;
    match found.missing() {
        None => Ok(found),
        Some(reason) => {
            Err(KernelError::Unavailable { name: name_of(known, found), reason: reason.to_string() })
        }
    }
}

/// Whether a spec covers a kernel, for taking away as for ranges.
fn covers(known: &[Candidate], spec: &KernelSpec, candidate: &Candidate) -> bool {
    if spec.flavour.is_some_and(|flavour| candidate.flavour != Some(flavour)) {
        return false;
    }
    match &spec.selector {
        Selector::All => true,
        Selector::Range(range) => range.contains(&candidate.version),
        Selector::Glob(pattern) => globset::Glob::new(pattern).is_ok_and(|glob| {
            let glob = glob.compile_matcher();
            glob.is_match(name_of(known, candidate)) || glob.is_match(&candidate.release)
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
    let names: Vec<String> = known.iter().map(|candidate| name_of(known, candidate)).collect();
    let line = match &spec.selector {
        Selector::Version(version) => version.line(),
        _ => None,
    };
    let of_line: BTreeSet<Upstream> = known
        .iter()
        .filter(|candidate| line.is_some() && candidate.version.line() == line)
        .map(|candidate| candidate.version.upstream())
        .collect();
    let is_line = wanted.parse::<Line>().is_ok();
    let other_flavour = match (&spec.selector, spec.flavour) {
        (Selector::Version(version), Some(flavour)) => pick(known, version.upstream(), None)
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
        _ => match similar::closest(wanted, names.iter().map(String::as_str)) {
            Some(closest) => format!("; did you mean `{closest}`?"),
            None => format!("; there are {}", lines_of(known)),
        },
    };
    KernelError::UnknownVersion { spec: spec.to_string(), hint }
}

/// The known lines for a message.
fn lines_of(known: &[Candidate]) -> String {
    let lines: BTreeSet<Line> = known.iter().filter_map(|candidate| candidate.version.line()).collect();
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
mod tests {
    use super::*;

    /// (release, Debian version); one without packages is marked by `-` at its end.
    fn known() -> Vec<Candidate> {
        let table = [
            ("5.10.0-46-cloud-amd64", "5.10.262-1"),
            ("6.1.0-0.deb11.52-cloud-amd64", "6.1.180-1~deb11u1"),
            ("6.1.0-52-cloud-amd64", "6.1.180-1"),
            ("6.12.57+deb12-cloud-amd64", "6.12.57-1~bpo12+1"),
            ("6.12.90+deb13-cloud-amd64", "6.12.90-1"),
            ("6.12.90+deb13.1-cloud-amd64", "6.12.90-2"),
            ("6.12.117+deb12-cloud-amd64", "6.12.117-1~deb12u1"),
            ("6.12.117+deb13-cloud-amd64", "6.12.117-1"),
            ("6.12.117+deb13-amd64", "6.12.117-1"),
            ("6.16.3+deb13-amd64", "6.16.3-1~bpo13+1"),
            ("6.19.6+deb13-cloud-amd64-", "6.19.6-2~bpo13+1"),
            ("7.3-cloud-amd64", "7.3~rc7-1~exp1"),
            ("7.3.4+deb13-cloud-amd64-", "7.3.4-1~bpo13+1"),
            ("7.3.4+deb13-amd64", "7.3.4-1~bpo13+1"),
        ];
        let candidate = |(release, package_version): &(&str, &str)| {
            let gone = release.ends_with('-');
            let release = release.trim_end_matches('-').to_string();
            let upstream = KernelVersion::from_debian(package_version).expect("a version");
            let tag = release.split_once('+').and_then(|(_, tag)| tag.split('-').next());
            let tag =
                tag.or_else(|| release.strip_suffix("-cloud-amd64")?.split_once("-").map(|(_, abi)| abi));
            let version = upstream.with_local(tag.map_or(String::new(), |tag| format!("+{tag}")));
            let flavour = if release.contains("-cloud") { Flavour::Cloud } else { Flavour::Plain };
            let build = DebianBuild {
                version: version.clone(),
                release: release.clone(),
                flavour,
                package_version: (*package_version).to_string(),
                packages: Vec::new(),
                missing: gone.then(|| "its modules are gone".to_string()),
            };
            let package_version = Some((*package_version).to_string());
            Candidate {
                version,
                release,
                flavour: Some(flavour),
                package_version,
                stored: None,
                build: Some(build),
            }
        };
        table.iter().map(candidate).collect()
    }

    fn resolve(specs: &str) -> String {
        let specs: Vec<KernelSpec> =
            specs.split(' ').map(|spec| spec.parse().unwrap_or_else(|error| panic!("{error}"))).collect();
        match select(&known(), &BTreeMap::new(), &specs) {
            Ok(resolution) => {
                let wanted: Vec<String> =
                    resolution.wanted.iter().map(|w| format!("{} ({})", w.name(), w.release())).collect();
                let left_out: Vec<&str> = resolution.left_out.iter().map(|out| out.name.as_str()).collect();
                let without = if left_out.is_empty() {
                    String::new()
                } else {
                    format!(" without {}", left_out.join(" "))
                };
                format!("{}{without}", wanted.join(", "))
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn selects_what_is_meant() {
        let table = [
            "6.12.117",
            "6.12.117+deb12",
            "6.12.117-plain",
            "6.12.117/plain",
            "6.12.90",
            "6.12.90+deb13",
            "6.1.180",
            "6.1.180+0.deb11.52",
            "6.12.117+deb13-amd64",
            "7.3-rc7",
            "7.3.4",
            "6.16.3",
            "latest:6.12",
            "oldest:6.12",
            "latest:7.3",
            "each-line",
            "6.12..6.19",
            "6.12.y/plain",
            "6.12.1*",
            "6.1.180 6.1.180 latest:6.1",
            "all !6.12.y !5.10*",
            "!6.1..",
            "each-line !latest:7.3",
        ];
        let shown: String = table.iter().map(|specs| format!("{specs}: {}\n", resolve(specs))).collect();
        insta::assert_snapshot!(shown, @"
        6.12.117: 6.12.117 (6.12.117+deb13-cloud-amd64)
        6.12.117+deb12: 6.12.117+deb12 (6.12.117+deb12-cloud-amd64)
        6.12.117-plain: 6.12.117-plain (6.12.117+deb13-amd64)
        6.12.117/plain: 6.12.117-plain (6.12.117+deb13-amd64)
        6.12.90: 6.12.90 (6.12.90+deb13.1-cloud-amd64)
        6.12.90+deb13: 6.12.90+deb13 (6.12.90+deb13-cloud-amd64)
        6.1.180: 6.1.180 (6.1.0-52-cloud-amd64)
        6.1.180+0.deb11.52: 6.1.180+0.deb11.52 (6.1.0-0.deb11.52-cloud-amd64)
        6.12.117+deb13-amd64: 6.12.117-plain (6.12.117+deb13-amd64)
        7.3-rc7: 7.3-rc7 (7.3-cloud-amd64)
        7.3.4: 7.3.4 (7.3.4+deb13-amd64)
        6.16.3: 6.16.3 (6.16.3+deb13-amd64)
        latest:6.12: 6.12.117 (6.12.117+deb13-cloud-amd64)
        oldest:6.12: 6.12.57 (6.12.57+deb12-cloud-amd64)
        latest:7.3: 7.3.4 (7.3.4+deb13-amd64)
        each-line: 5.10.262 (5.10.0-46-cloud-amd64), 6.1.180 (6.1.0-52-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64), 7.3.4 (7.3.4+deb13-amd64)
        6.12..6.19: 6.12.57 (6.12.57+deb12-cloud-amd64), 6.12.90 (6.12.90+deb13.1-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64) without 6.19.6
        6.12.y/plain: 6.12.117-plain (6.12.117+deb13-amd64)
        6.12.1*: 6.12.117 (6.12.117+deb13-cloud-amd64)
        6.1.180 6.1.180 latest:6.1: 6.1.180 (6.1.0-52-cloud-amd64)
        all !6.12.y !5.10*: 6.1.180 (6.1.0-52-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64), 7.3-rc7 (7.3-cloud-amd64), 7.3.4 (7.3.4+deb13-amd64) without 6.19.6
        !6.1..: 5.10.262 (5.10.0-46-cloud-amd64)
        each-line !latest:7.3: 5.10.262 (5.10.0-46-cloud-amd64), 6.1.180 (6.1.0-52-cloud-amd64), 6.12.117 (6.12.117+deb13-cloud-amd64), 6.16.3 (6.16.3+deb13-amd64)
        ");
    }

    #[test]
    fn says_what_there_is_instead() {
        let table = [
            "6.12",
            "6.12.58",
            "6.13.1",
            "latest:6.13",
            "6.13..6.14",
            "9*",
            "6.19.6",
            "5.10.262/plain",
            "smal",
        ];
        let shown: String = table.iter().map(|specs| format!("{}\n", resolve(specs))).collect();
        insta::assert_snapshot!(shown, @"
        error: no known kernel is `6.12`; 6.12 is a line of 3 kernels: write latest:6.12, oldest:6.12 or 6.12.y
        error: no known kernel is `6.12.58`; of 6.12 there are 6.12.57, 6.12.90, 6.12.117
        error: no known kernel is `6.13.1`; did you mean `6.16.3`?
        error: `latest:6.13`: no known kernel is of the line 6.13; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
        error: `6.13..6.14` selects no known kernel; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
        error: `9*` selects no known kernel; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
        error: 6.19.6 cannot be fetched: its modules are gone; choose another version (kregress kernels list --available)
        error: no known kernel is `5.10.262/plain`; it exists, but as cloud image only, not as plain
        error: no known kernel is `smal`; there are kernels of the lines 5.10, 6.1, 6.12, 6.16, 6.19, 7.3
        ");
        let nothing = select(&[], &BTreeMap::new(), &["6.12.57".parse().expect("a version")])
            .expect_err("nothing is known");
        insta::assert_snapshot!(nothing, @"");
    }

    #[test]
    fn every_name_selects_its_kernel_again() {
        let known = known();
        for candidate in known.iter().filter(|candidate| candidate.missing().is_none()) {
            let name = name_of(&known, candidate);
            let spec = name.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            let resolution =
                select(&known, &BTreeMap::new(), &[spec]).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(resolution.wanted[0].release(), candidate.release, "{name}");
            assert_eq!(resolution.wanted[0].name(), name);
        }
    }
}
