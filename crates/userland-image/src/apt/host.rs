//! How this host's apt is configured, and the private configuration made from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::UserlandError;
use crate::process::{self, one_line};
use crate::watch::Watch;

/// What the host's administrator has configured.
pub(super) struct Host {
    /// Lines of apt's configuration language that apply here too.
    settings: Vec<String>,
    list: PathBuf,
    parts: PathBuf,
}

impl Host {
    pub(super) fn read(instead: Option<&Path>, watch: &Watch) -> Result<Host, UserlandError> {
        let ask = |arguments: &[&str]| {
            let mut command = Command::new("apt-config");
            command.args(arguments);
            if let Some(file) = instead {
                command.env("APT_CONFIG", file);
            }
            let finished = process::run(&mut command, "apt-config", "apt", watch, &|| {})?;
            match finished.status.success() {
                true => Ok(finished.out),
                false => Err(UserlandError::Tool { tool: "apt-config", said: one_line(&finished.err) }),
            }
        };
        let dump = ask(&["dump"])?;
        let shell = ask(&["shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"])?;
        let variable = |name: &str| {
            let value = shell
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\''));
            PathBuf::from(value.unwrap_or("/dev/null"))
        };
        Ok(Host {
            settings: dump.lines().filter(|line| is_kept(line)).map(String::from).collect(),
            list: variable("LIST"),
            parts: variable("PARTS"),
        })
    }

    /// The files that name the host's sources.
    pub(super) fn source_files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.list.clone()];
        if let Ok(parts) = fs::read_dir(&self.parts) {
            files.extend(parts.flatten().map(|entry| entry.path()));
        }
        files.sort();
        files
    }

    /// The private `apt.conf`. It is read before the host's files, which it switches off: they may have commands that run
    /// after an update, and remove what the host's own cache has.
    pub(super) fn configuration(&self, root: &Path, architecture: &str) -> Result<String, UserlandError> {
        let quoted = |path: &Path| {
            path.to_str()
                .filter(|path| !path.contains(['"', '\n', ';', '{', '}']))
                .map(String::from)
                .ok_or_else(|| UserlandError::BadPath {
                    path: path.display().to_string(),
                    what: "apt's configuration takes no path with quotes, semicolons or braces".into(),
                })
        };
        let (root, list, parts) = (quoted(root)?, quoted(&self.list)?, quoted(&self.parts)?);
        let mut text = format!(
            "Dir::State \"{root}/state\";\n\
             Dir::State::lists \"{root}/lists\";\n\
             Dir::State::status \"{root}/status\";\n\
             Dir::State::extended_states \"{root}/state/extended\";\n\
             Dir::Cache \"{root}/cache\";\n\
             Dir::Log \"{root}/log\";\n\
             Dir::Etc::main \"/dev/null\";\n\
             Dir::Etc::parts \"/dev/null\";\n\
             Dir::Etc::sourcelist \"{list}\";\n\
             Dir::Etc::sourceparts \"{parts}\";\n\
             APT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"\";\n\
             APT::Install-Recommends \"false\";\n\
             APT::Install-Suggests \"false\";\n\
             APT::Get::Show-User-Simulation-Note \"false\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::PDiffs \"false\";\n\
             Acquire::GzipIndexes \"true\";\n"
        );
        for setting in &self.settings {
            text += setting;
            text.push('\n');
        }
        Ok(text)
    }
}

/// Whether a setting of the host's applies here too: how to reach a mirror, how far to trust it, and which release is meant.
fn is_kept(line: &str) -> bool {
    const REPLACED: &[&str] =
        &["IndexTargets", "GzipIndexes", "Languages", "CompressionTypes", "Changelogs", "cdrom", "PDiffs"];
    line.starts_with("APT::Default-Release ")
        || line
            .strip_prefix("Acquire::")
            .is_some_and(|setting| !REPLACED.iter().any(|replaced| setting.starts_with(replaced)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_mirrors_is_kept_and_no_command() {
        let table = [
            ("Acquire::http::Proxy \"http://proxy.example:3128\";", true),
            ("Acquire::Check-Valid-Until \"false\";", true),
            ("APT::Default-Release \"trixie\";", true),
            ("Acquire::IndexTargets::deb::DEP-11 \"\";", false),
            ("Acquire::Languages:: \"none\";", false),
            ("APT::Update::Post-Invoke:: \"rm -f x\";", false),
            ("DPkg::Post-Invoke:: \"rm -f x\";", false),
            ("Dir::Cache::pkgcache \"\";", false),
        ];
        for (line, kept) in table {
            assert_eq!(is_kept(line), kept, "{line}");
        }
        let host = Host { settings: Vec::new(), list: "/l".into(), parts: "/p".into() };
        assert!(host.configuration(Path::new("/a\"b"), "amd64").is_err());
    }
}
