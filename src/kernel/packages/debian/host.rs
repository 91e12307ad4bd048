//! How this host's apt is configured, and the private configuration made from it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::run;
use super::sources::{self, Archive, HostSource};
use crate::arch::{Arch, GUEST};
use crate::kernel::packages::source::SourceError;

/// What the host's administrator has configured.
pub(crate) struct Host {
    pub sources: Vec<HostSource>,
    /// Lines of apt's configuration language.
    pub settings: Vec<String>,
    /// apt's program for single downloads and for reading lists.
    pub helper: PathBuf,
}

impl Host {
    pub(crate) fn read(instead: Option<&Path>) -> Result<Host, SourceError> {
        let apt_config = || {
            let mut command = Command::new("apt-config");
            command.env("LC_ALL", "C").stdin(Stdio::null());
            if let Some(file) = instead {
                command.env("APT_CONFIG", file);
            }
            command
        };
        let dump = run(apt_config().arg("dump"))?;
        let settings = String::from_utf8_lossy(&dump.stdout)
            .lines()
            .filter(|line| is_kept(line))
            .map(String::from)
            .collect();
        let query = [
            "shell",
            "LIST",
            "Dir::Etc::sourcelist/f",
            "PARTS",
            "Dir::Etc::sourceparts/d",
            "METHODS",
            "Dir::Bin::methods/d",
        ];
        let shell = run(apt_config().args(query))?;
        let shell = String::from_utf8_lossy(&shell.stdout).into_owned();
        let variable = |name: &str| {
            let value = shell
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\''));
            PathBuf::from(value.unwrap_or_default())
        };
        let mut found = Vec::new();
        let mut files = vec![variable("LIST")];
        if let Ok(parts) = fs::read_dir(variable("PARTS")) {
            let mut parts: Vec<PathBuf> = parts.flatten().map(|entry| entry.path()).collect();
            parts.sort();
            files.extend(parts);
        }
        for file in files {
            let extension = file.extension().and_then(OsStr::to_str);
            let (Some(extension @ ("list" | "sources")), Ok(text)) = (extension, fs::read_to_string(&file))
            else {
                continue;
            };
            found.extend(if extension == "list" {
                sources::parse_one_line(&text)
            } else {
                sources::parse_deb822(&text)
            });
        }
        let sources = sources::select(found);
        if !sources.iter().any(|source| source.archive == Archive::Main) {
            return Err(SourceError::NoDebianSource { archive: Archive::Main });
        }
        let methods = variable("METHODS");
        let helper = methods.parent().unwrap_or(Path::new("/usr/lib/apt")).join("apt-helper");
        Ok(Host { sources, settings, helper })
    }
}

/// Whether a setting of the host's applies to private lists too: how to reach a mirror and how far to trust it.
fn is_kept(line: &str) -> bool {
    const REPLACED: &[&str] =
        &["IndexTargets", "GzipIndexes", "Languages", "CompressionTypes", "Changelogs", "cdrom", "PDiffs"];
    line.strip_prefix("Acquire::")
        .is_some_and(|setting| !REPLACED.iter().any(|replaced| setting.starts_with(replaced)))
}

/// The private apt.conf for lists that are only read: apt's binary cache of all packages is not made, as nothing then asks
/// for a package's dependencies, and it takes longer than all the rest.
pub(super) fn configuration(
    root: &Path,
    host_settings: &[String],
    arch: &Arch,
) -> Result<String, SourceError> {
    let mut text = resolving(root, host_settings)?;
    text += "pkgCacheFile::Generate \"false\";\n";
    // apt fetches lists of architectures that it knows
    if arch != GUEST || !arch.is_hosts() {
        let name = arch.debian;
        text += &format!("APT::Architecture \"{name}\";\nAPT::Architectures {{ \"{name}\"; }};\n");
    }
    Ok(text)
}

/// The private apt.conf. It is read before the host's files, which it switches off.
pub(crate) fn resolving(root: &Path, host_settings: &[String]) -> Result<String, SourceError> {
    let root = root
        .to_str()
        .filter(|root| !root.contains(['"', '\n', ';', '{', '}']))
        .ok_or_else(|| SourceError::Unquotable(root.to_path_buf()))?;
    let mut text = format!(
        "Dir::State \"{root}/state\";\n\
         Dir::State::lists \"{root}/lists\";\n\
         Dir::State::status \"/dev/null\";\n\
         Dir::Cache \"{root}/cache\";\n\
         Dir::Log \"{root}/log\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"/dev/null\";\n\
         Dir::Etc::sourcelist \"/dev/null\";\n\
         Dir::Etc::sourceparts \"{root}/sources\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::Cache::pkgcache \"\";\n\
         Dir::Cache::srcpkgcache \"\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::PDiffs \"false\";\n\
         Acquire::GzipIndexes \"true\";\n"
    );
    for setting in host_settings {
        text += setting;
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_hosts_way_to_its_mirror_and_nothing_else() {
        let table = [
            ("Acquire::http::Proxy \"http://proxy.example:3128\";", true),
            ("Acquire::Check-Valid-Until \"false\";", true),
            ("Acquire::IndexTargets::deb::DEP-11 \"\";", false),
            ("Acquire::Languages:: \"none\";", false),
            ("APT::Update::Post-Invoke:: \"rm -f x\";", false),
            ("DPkg::Post-Invoke:: \"rm -f x\";", false),
        ];
        for (line, kept) in table {
            assert_eq!(is_kept(line), kept, "{line}");
        }
        assert!(matches!(configuration(Path::new("/a\"b"), &[], GUEST), Err(SourceError::Unquotable(_))));
    }
}
