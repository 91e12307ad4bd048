//! Packages with what they depend on, resolved and fetched by the host's apt with lists of our own, and unpacked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kernel::packages::debian::{host, sources};
use crate::kernel::packages::source::{Settings, SourceError};

/// What is wanted of which packages.
pub(super) struct Plan {
    /// Suites that are asked, where the mirror has them.
    pub suites: Vec<String>,
    /// Debian's names of the architectures, the host's first.
    pub arches: Vec<String>,
    /// Packages that are taken although the host has them installed.
    pub own: fn(&str) -> bool,
    /// Packages that are left out although something depends on them.
    pub unwanted: fn(&str) -> bool,
}

/// apt with lists of its own, below a folder that is removed afterwards.
pub(super) struct PrivateApt {
    root: PathBuf,
    own: fn(&str) -> bool,
    unwanted: fn(&str) -> bool,
}

/// The C library is the host's, as what is unpacked here is of the host's release.
const NEVER: &[&str] = &["libc6", "libc-bin"];

impl PrivateApt {
    /// Fetches the lists.
    pub(super) fn new(folder: &Path, settings: &Settings, plan: &Plan) -> Result<PrivateApt, SourceError> {
        let root = folder.join("apt");
        let host = host::Host::read(settings.apt_config.as_deref())?;
        for below in ["lists/partial", "cache/archives/partial", "sources", "state", "log", "debs"] {
            let path = root.join(below);
            fs::create_dir_all(&path).map_err(|source| SourceError::Io { what: "create", path, source })?;
        }
        let arches: Vec<String> = plan.arches.iter().map(|arch| format!("\"{arch}\"; ")).collect();
        let configuration = format!(
            "{}APT::Architecture \"{}\";\nAPT::Architectures {{ {}}};\n",
            host::resolving(&root, &host.settings)?,
            plan.arches[0],
            arches.concat()
        );
        let suites: Vec<&str> = plan.suites.iter().map(String::as_str).collect();
        let listed = sources::of_suites(&host.sources, &suites, &plan.arches.join(" "));
        for (name, text) in [("apt.conf", configuration), ("sources/debian.sources", listed)] {
            let path = root.join(name);
            fs::write(&path, text).map_err(|source| SourceError::Io { what: "write", path, source })?;
        }
        let apt = PrivateApt { root, own: plan.own, unwanted: plan.unwanted };
        // a suite that is not there, or whose lists are inconsistent, is missed when a package is
        let said = apt.run("apt-get", &["update".into(), "-q".into()])?;
        match apt.run("apt-cache", &["pkgnames".into(), "dpkg".into()]) {
            Ok(names) if !names.trim().is_empty() => Ok(apt),
            _ => Err(SourceError::Failed {
                what: "fetching Debian's package lists (apt-get update)".into(),
                said: last(&said),
            }),
        }
    }

    /// Unpacks the first of these groups that there is, with what it depends on; answers with the packages as `name=version`.
    pub(super) fn unpack_first(
        &self,
        groups: &[Vec<String>],
        into: &Path,
    ) -> Result<Vec<String>, SourceError> {
        let installed = self.installed();
        let mut failure = None;
        for group in groups {
            let mut arguments: Vec<String> =
                ["install", "-s", "-y", "-q", "--no-install-recommends", "--"].map(str::to_owned).to_vec();
            arguments.extend(group.iter().cloned());
            match self.run("apt-get", &arguments) {
                Ok(said) => {
                    let is_wanted = |package: &String| {
                        let name = package.split(['=', ':']).next().unwrap_or_default();
                        let named = group.iter().any(|wanted| wanted.split('/').next() == Some(name));
                        named
                            || !(self.unwanted)(name) && (self.own)(name)
                            || !(self.unwanted)(name) && !installed.contains(name) && !NEVER.contains(&name)
                    };
                    let packages: Vec<String> = planned(&said).into_iter().filter(is_wanted).collect();
                    self.unpack(&packages, into)?;
                    return Ok(packages);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| SourceError::Failed {
            what: "looking for packages".into(),
            said: String::new(),
        }))
    }

    /// Unpacks these packages, `name=version` or `name:architecture=version`, and no others.
    pub(super) fn unpack(&self, packages: &[String], into: &Path) -> Result<(), SourceError> {
        let mut arguments = vec!["download".to_owned(), "-q".to_owned(), "--".to_owned()];
        arguments.extend(packages.iter().cloned());
        self.run("apt-get", &arguments)?;
        let debs = self.root.join("debs");
        let entries =
            fs::read_dir(&debs).map_err(|source| SourceError::Io { what: "read", path: debs, source })?;
        for path in entries.flatten().map(|entry| entry.path()) {
            unpack_deb(&path, into)?;
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    fn run(&self, tool: &str, arguments: &[String]) -> Result<String, SourceError> {
        let mut command = Command::new(tool);
        command
            .args(arguments)
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .env("LC_ALL", "C")
            .current_dir(self.root.join("debs"))
            .stdin(Stdio::null());
        let output =
            command.output().map_err(|source| SourceError::NoApt { tool: tool.to_owned(), source })?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // an update that failed in part has lists all the same
        if output.status.success() || arguments[0] == "update" {
            return Ok(format!("{out}\n{err}"));
        }
        Err(SourceError::Failed { what: format!("{tool} {}", arguments.join(" ")), said: last(&err) })
    }

    /// The host's installed packages.
    fn installed(&self) -> BTreeSet<String> {
        let mut command = Command::new("dpkg-query");
        let output =
            command.args(["-W", "-f", "${Package} ${db:Status-Status}\n"]).stdin(Stdio::null()).output();
        let text =
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
    }
}

/// Unpacks a package's files.
pub(super) fn unpack_deb(package: &Path, into: &Path) -> Result<(), SourceError> {
    let mut command = Command::new("dpkg-deb");
    let output = command.arg("-x").arg(package).arg(into).stdin(Stdio::null()).output();
    let output = output.map_err(|source| SourceError::NoApt { tool: "dpkg-deb".to_owned(), source })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(SourceError::Failed {
            what: format!("unpacking {}", package.display()),
            said: last(&String::from_utf8_lossy(&output.stderr)),
        }),
    }
}

/// What `apt-get install -s` would install: `Inst bash (5.2.15-2 Debian:12/stable [amd64])`.
fn planned(said: &str) -> Vec<String> {
    let package = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split(' ');
        let name = words.next()?;
        let version = words.find_map(|word| word.strip_prefix('('))?;
        Some(format!("{name}={version}"))
    };
    said.lines().filter_map(package).collect()
}

/// The last lines of what a tool said, in one.
fn last(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_would_install_is_read() {
        let said = "Reading package lists...\nInst gcc-12-base (12.2.0-14 Debian:12.1/oldstable [amd64])\n\
                    Inst libc6:arm64 [2.36-9] (2.41-1 Debian:sid [arm64])\nConf gcc-12-base (12.2.0-14 Debian [amd64])\n";
        assert_eq!(planned(said), ["gcc-12-base=12.2.0-14", "libc6:arm64=2.41-1"]);
        assert_eq!(last("a\n\n b\n"), "a; b");
    }
}
