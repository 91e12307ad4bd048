//! What apt's tools print, read.

use crate::error::UserlandError;
use crate::process::one_line;
use crate::resolve::{Package, split_name};

/// What `apt-get install -s` would install, as `name=version` or `name:architecture=version`:
/// `Inst bash (5.2.15-2 Debian:12/stable [amd64])`.
pub(super) fn installed(out: &str) -> Vec<String> {
    let package = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split(' ');
        let name = words.next()?;
        let version = words.find_map(|word| word.strip_prefix('('))?;
        Some(format!("{name}={version}"))
    };
    out.lines().filter_map(package).collect()
}

/// The packages of `apt-cache show`.
pub(super) fn described(out: &str) -> Vec<Package> {
    let package = |stanza: &str| {
        let field = |name: &str| {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(|value| value.trim().to_string())
        };
        Some(Package {
            name: field("Package")?,
            version: field("Version")?,
            architecture: field("Architecture")?,
            size: field("Size")?.parse().ok()?,
            sha256: field("SHA256").filter(|sum| sum.len() == 64)?.to_ascii_lowercase(),
        })
    };
    out.split("\n\n").filter_map(package).collect()
}

/// Whether a package is the one of a `name=version` or `name:architecture=version`.
pub(super) fn is_meant(exactly: &str, package: &Package) -> bool {
    let (name, architecture, version) = split_name(exactly);
    name == package.name
        && version.is_none_or(|version| version == package.version)
        && architecture.is_none_or(|architecture| architecture == package.architecture)
}

/// The versions in the answer of `apt-cache madison`: `bash | 5.2 | …`.
pub(super) fn madison(out: &str) -> Vec<String> {
    let mut versions: Vec<String> =
        out.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_string())).collect();
    versions.dedup();
    versions
}

/// Whether an update reached any source.
pub(super) fn any_list(out: &str) -> bool {
    out.lines().any(|line| line.starts_with("Hit:") || line.starts_with("Get:"))
}

/// The errors and warnings in what apt said, without their letter.
pub(super) fn problems(err: &str) -> Vec<String> {
    const SUMMARY: &str = "Some index files failed to download";
    err.lines()
        .filter(|line| line.starts_with("E: ") || line.starts_with("W: "))
        .map(|line| line[3..].to_string())
        .filter(|line| !line.contains(SUMMARY))
        .collect()
}

/// Why `apt-get install -s` failed.
pub(super) fn why_not(
    err: &str,
    out: &str,
    wanted: &[String],
    names: &[String],
    versions: &dyn Fn(&str) -> Vec<String>,
) -> UserlandError {
    for line in err.lines() {
        let Some(line) = line.strip_prefix("E: ") else { continue };
        if let Some(name) = line.strip_prefix("Unable to locate package ") {
            return unknown(name, names);
        }
        let parts: Vec<&str> = line.split('\'').collect();
        if let ["Version ", version, " for ", name, " was not found"] = parts.as_slice() {
            let (name, version) = ((*name).to_string(), (*version).to_string());
            let there = versions(&name);
            return UserlandError::UnknownVersion { name, version, there };
        }
    }
    let reasons = out.lines().skip_while(|line| !line.contains("unmet dependencies")).skip(1);
    let reasons: Vec<&str> = reasons.map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut said = problems(err);
    // the reason is what helps, apt's last word (held broken packages) does not
    if !reasons.is_empty() {
        said =
            reasons.into_iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    }
    UserlandError::Unsatisfiable { packages: wanted.join(", "), said: one_line(&said.join("\n")) }
}

fn unknown(name: &str, names: &[String]) -> UserlandError {
    let (plain, _, _) = split_name(name);
    // at most a third of the name may differ; of equals the first in the alphabet
    let limit = (plain.chars().count() / 3).max(1);
    let meant = names
        .iter()
        .filter(|other| other.len().abs_diff(plain.len()) <= limit)
        .map(|other| (strsim::osa_distance(plain, other), other))
        .filter(|(distance, _)| *distance <= limit)
        .min();
    UserlandError::UnknownPackage { name: plain.into(), meant: meant.map(|(_, name)| name.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_names_what_it_would_install() {
        let out = "Inst gcc-12-base (12.2.0-14+deb12u1 Debian:12.15/oldstable [amd64])\n\
            Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []\n\
            Inst libc6:i386 (2.36-9+deb12u14 Debian:12.15/oldstable [i386])\n\
            Inst libattr1 [1:2.4] (1:2.5.1-4 Debian:12.15/oldstable [amd64])\n\
            Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])\n";
        assert_eq!(
            installed(out).join(" "),
            "gcc-12-base=12.2.0-14+deb12u1 libc6=2.36-9+deb12u14 libc6:i386=2.36-9+deb12u14 libattr1=1:2.5.1-4"
        );
    }

    #[test]
    fn packages_are_described_by_their_lists() {
        let sum = "AB".repeat(32);
        let out = format!(
            "Package: libattr1\nVersion: 1:2.5.1-4\nArchitecture: amd64\nDepends: x\n y\nSize: 22164\nSHA256: {sum}\n\n\
             Package: no-sum\nVersion: 1\nArchitecture: all\nSize: 1\n"
        );
        let found = described(&out);
        assert_eq!(found.len(), 1, "without a sum nothing can be verified");
        assert_eq!(found[0].file_name(), "libattr1_1%3a2.5.1-4_amd64.deb");
        assert!(is_meant("libattr1=1:2.5.1-4", &found[0]) && is_meant("libattr1:amd64", &found[0]));
        assert!(!is_meant("libattr1:i386=1:2.5.1-4", &found[0]));
    }

    #[test]
    fn refusals_are_told_with_what_to_do() {
        let names: Vec<String> = ["bash", "strace", "fio"].map(String::from).to_vec();
        let unmet = "The following packages have unmet dependencies:\n fio : Depends: libaio1 (>= 9) but it is not going to be installed\n          Depends: x but it is not installable\n";
        let table = [
            ("E: Unable to locate package starce\n", "", "starce"),
            ("E: Unable to locate package zzzzzzz\n", "", "zzzzzzz"),
            ("E: Version '1' for 'bash' was not found\n", "", "bash=1"),
            (
                "E: Package 'awk' has no installation candidate\n",
                "Package awk is a virtual package provided by:\n  mawk\n",
                "awk",
            ),
            ("E: Unable to correct problems, you have held broken packages.\n", unmet, "fio"),
        ];
        let said = table.map(|(err, out, wanted)| {
            let versions = |_: &str| vec!["5.2".to_string(), "5.3".to_string()];
            why_not(err, out, &[wanted.to_string()], &names, &versions).to_string()
        });
        insta::assert_snapshot!(said.join("\n"), @r"
        there is no package `starce` in this host's package lists; did you mean `strace`?
        there is no package `zzzzzzz` in this host's package lists
        the package `bash` is not there in version 1; there is 5.2, 5.3
        apt finds no way to install awk: Package 'awk' has no installation candidate
        apt finds no way to install fio: fio : Depends: libaio1 (>= 9) but it is not going to be installed; Depends: x but it is not installable
        ");
    }
}
