//! Where the history of a kernel can be looked up, before it is fetched.

use std::path::PathBuf;

use super::KernelOrigin;
use super::catalogue::wanted::{RequestedKernel, Source};
use super::compile::BuildSource;
use super::packages::debian;
use crate::version::{KernelVersion, Upstream};

/// What a kernel was made of, as far as that tells of its commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The git repository that it is compiled from.
    pub repository: Option<PathBuf>,
    /// What it is called in a repository of the kernel, the most exact name first.
    pub references: Vec<String>,
    /// The version of the Debian package that it is, or is compiled from.
    pub debian_version: Option<String>,
    /// Its version.
    pub upstream: Option<Upstream>,
    /// Whether it may have patches that none of these shows.
    pub may_have_more: bool,
}

impl RequestedKernel {
    /// What it was made of.
    pub fn provenance(&self) -> Provenance {
        let version = self.version();
        let tag = version.as_ref().map(tag_of);
        let upstream = version.as_ref().map(KernelVersion::upstream);
        let found = Provenance { upstream, ..Provenance::default() };
        match self.source() {
            Source::Known(_) => Provenance {
                references: tag.into_iter().collect(),
                debian_version: self.debian_version().map(str::to_owned),
                may_have_more: self.debian_version().is_none(),
                ..found
            },
            Source::Local(local) => {
                let exact = commit_of(&local.release);
                let may_have_more = exact.is_none();
                let references = exact.map(str::to_owned).into_iter().chain(tag).collect();
                Provenance { references, may_have_more, ..found }
            }
            Source::Built(request, _) => {
                let may_have_more = !request.patches.is_empty();
                match &request.source {
                    BuildSource::Git { repository, reference } => Provenance {
                        repository: Some(repository.clone()),
                        references: vec![reference.clone()],
                        may_have_more,
                        ..found
                    },
                    BuildSource::Debian { version, .. } => Provenance {
                        references: tag.into_iter().collect(),
                        debian_version: Some(version.clone()),
                        may_have_more,
                        ..found
                    },
                    // what was changed in it since is not known
                    BuildSource::Folder(_) | BuildSource::Tarball(_) => {
                        Provenance { references: tag.into_iter().collect(), may_have_more: true, ..found }
                    }
                }
            }
        }
    }

    /// The version of the Debian packages that it is in, with their revision: `6.12.57-1~bpo12+1`.
    pub fn debian_version(&self) -> Option<&str> {
        let Source::Known(candidate) = self.source() else { return None };
        let built = candidate.build.as_ref().map(|build| build.distribution == debian::NAME);
        let is_debian = built.unwrap_or_else(|| {
            candidate
                .stored
                .as_ref()
                .is_some_and(|(_, record)| matches!(record.origin, KernelOrigin::Debian { .. }))
        });
        candidate.package_version.as_deref().filter(|_| is_debian)
    }
}

/// The tag of a version in mainline's and the stable repositories: `v6.12.57`, `v7.3-rc7`, `next-20260306`.
fn tag_of(version: &KernelVersion) -> String {
    match version.upstream() {
        Upstream::Next(date) => format!("next-{date}"),
        release => format!("v{release}"),
    }
}

/// The commit that `scripts/setlocalversion` puts into a release, unless the tree had changes beyond it: `6.19.0-rc3-00012-gabcdef012345`.
fn commit_of(release: &str) -> Option<&str> {
    let (_, commit) = release.rsplit_once("-g")?;
    let is_hash = commit.len() >= 8 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_releases_name_tags_and_commits() {
        let tag = |text: &str| tag_of(&text.parse().expect(text));
        assert_eq!(
            ["6.12.57+deb13-cloud-amd64", "7.3-rc7", "6.19", "6.12.0"].map(tag),
            ["v6.12.57", "v7.3-rc7", "v6.19", "v6.12"]
        );
        for (release, commit) in [
            ("6.19.0-rc3-00012-gabcdef012345", Some("abcdef012345")),
            ("6.19.0-rc3-00012-gabcdef012345-dirty", None),
            ("6.19.0-generic", None),
            ("6.19.0", None),
        ] {
            assert_eq!(commit_of(release), commit, "{release}");
        }
    }
}
