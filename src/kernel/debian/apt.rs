//! The host's apt, used with a configuration of our own: private package lists and cache, no root, nothing installed.
//!
//! apt verifies the lists' signatures with the host's keyring and every download's hash; proxies and certificates are
//! those that the host has configured.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::build::{Package, is_kernel_package};
use super::sources::{self, Archive, HostSource};

/// Age from which package lists are fetched again before they are shown.
pub(crate) const LISTS_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why apt could not help.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// A tool of apt is not installed.
    #[error(
        "cannot run {tool}: {source}; kernels come from Debian's packages through apt, install `apt` or use a local kernel image (-k ./bzImage --modules DIR)"
    )]
    NoApt {
        /// The program.
        tool: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No source entry serves Debian.
    #[error(
        "no entry in this host's apt sources serves Debian's main archive; add one for any Debian release (see sources.list(5)) or use a local kernel image (-k ./bzImage --modules DIR)"
    )]
    NoDebianSource,
    /// A program of apt failed.
    #[error("{what} failed: {said}")]
    Failed {
        /// What was tried.
        what: String,
        /// What apt said about it.
        said: String,
    },
    /// A package is no longer on the mirror.
    #[error(
        "{package} {version} is gone from the mirror (404): Debian keeps old versions for a while only; choose another version (kregress kernels list --available)"
    )]
    Gone {
        /// The package.
        package: String,
        /// Its Debian version.
        version: String,
    },
    /// A download does not have the hash it must have.
    #[error(
        "{package} {version} as downloaded does not match its SHA-256: {said}; nothing of it was used, try again or check the mirror and the proxy in between"
    )]
    Hash {
        /// The package.
        package: String,
        /// Its Debian version.
        version: String,
        /// What apt said about it.
        said: String,
    },
    /// A file of the private configuration or of the lists cannot be read or written.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// Read or write.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The cache folder's name cannot be written into apt's configuration.
    #[error(
        "the cache folder {0} has a quote, a line break or undecodable bytes in its name, which apt's configuration cannot express; set KREGRESS_CACHE to another folder"
    )]
    Unquotable(PathBuf),
}

/// What became of an update of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updated {
    /// What went wrong beyond a suite that the mirror does not have. The lists that could be had are usable.
    pub problems: Vec<String>,
}

/// The host's apt with a private configuration.
#[derive(Debug)]
pub(crate) struct Apt {
    root: PathBuf,
    sources: Vec<HostSource>,
    helper: PathBuf,
}

impl Apt {
    /// Writes the private configuration under `root`, from what the host has configured now.
    pub(crate) fn prepare(root: &Path) -> Result<Apt, AptError> {
        let host = Host::read()?;
        let apt = Apt { root: root.to_path_buf(), sources: host.sources, helper: host.helper };
        for folder in ["lists/partial", "cache/archives/partial", "sources", "state", "log"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|source| AptError::Io { what: "create", path, source })?;
        }
        apt.write("sources/debian.sources", &sources::rewrite(&apt.sources))?;
        apt.write("apt.conf", &configuration(root, &host.settings)?)?;
        Ok(apt)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AptError> {
        let path = self.root.join(name);
        // untouched when equal, so that apt's own cache stays valid
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        crate::kernel::store::write_whole(&path, text.as_bytes()).map_err(|source| AptError::Io {
            what: "write",
            path,
            source,
        })
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.root.join("apt.conf")).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Fetches the package lists of all suites. A suite that the mirror does not have is no error.
    pub(crate) fn update(&self) -> Result<Updated, AptError> {
        let output = run(self.command("apt-get").args(["update", "-q"]))?;
        let said = text_of(&output);
        let reached = said.lines().any(|line| line.starts_with("Hit:") || line.starts_with("Get:"));
        let problems = problems_of(&said);
        if !reached || self.lists()?.is_empty() {
            let said = if problems.is_empty() { last_lines(&said) } else { problems.join("; ") };
            return Err(AptError::Failed {
                what: "fetching Debian's package lists (apt-get update)".into(),
                said,
            });
        }
        Ok(Updated { problems })
    }

    /// The lists that are there: (suite, archive, file). apt names a list after its address with `_` for `/`.
    fn lists(&self) -> Result<Vec<(String, Archive, PathBuf)>, AptError> {
        let folder = self.root.join("lists");
        let io = |source| AptError::Io { what: "read", path: folder.clone(), source };
        let mut lists = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let Some((repository, list)) =
                path.file_name().and_then(OsStr::to_str).and_then(|n| n.split_once("_dists_"))
            else {
                continue;
            };
            let Some((suite, _extension)) = list.split_once("_main_binary-amd64_Packages") else { continue };
            // another project's archive can have suites of the same name
            let release = folder.join(format!("{repository}_dists_{suite}_InRelease"));
            let release = fs::read_to_string(&release).or_else(|_| {
                fs::read_to_string(release.with_file_name(format!("{repository}_dists_{suite}_Release")))
            });
            let of_debian = |text: String| text.lines().any(|line| line.starts_with("Origin: Debian"));
            if let (Some(archive), Ok(true)) = (sources::archive_of(suite), release.map(of_debian)) {
                lists.push((suite.to_string(), archive, path));
            }
        }
        lists.sort();
        Ok(lists)
    }

    /// All kernel packages in the lists that are there.
    pub(crate) fn kernel_packages(&self) -> Result<Vec<Package>, AptError> {
        let mut packages = Vec::new();
        for (suite, archive, list) in self.lists()? {
            let mut command = self.command(&self.helper);
            let mut child = command
                .arg("cat-file")
                .arg(&list)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|source| AptError::NoApt { tool: self.helper.display().to_string(), source })?;
            if let Some(out) = child.stdout.take() {
                read_packages(BufReader::with_capacity(1 << 18, out), &suite, archive, &mut packages)
                    .map_err(|source| AptError::Io { what: "read", path: list.clone(), source })?;
            }
            let status =
                child.wait().map_err(|source| AptError::Io { what: "read", path: list.clone(), source })?;
            if !status.success() {
                let what = format!("reading the package list {}", list.display());
                return Err(AptError::Failed { what, said: status.to_string() });
            }
        }
        Ok(packages)
    }

    /// Downloads a package to `target`; a part that is there already is continued. `progress` gets the bytes so far.
    pub(crate) fn download(
        &self,
        package: &Package,
        target: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), AptError> {
        let mut failure = AptError::NoDebianSource;
        for source in self.sources.iter().filter(|source| source.archive == package.archive) {
            let ended = AtomicBool::new(false);
            let result = std::thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        progress(fs::metadata(target).map_or(0, |meta| meta.len()));
                        std::thread::park_timeout(Duration::from_millis(100));
                    }
                });
                let result = self.download_from(source, package, target);
                ended.store(true, Ordering::Relaxed);
                watcher.thread().unpark();
                result
            });
            match result {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn download_from(&self, source: &HostSource, package: &Package, target: &Path) -> Result<(), AptError> {
        let mut command = self.command(&self.helper);
        command.args(["-qq", "download-file"]).arg(format!("{}{}", source.uri, package.path));
        command.arg(target).arg(format!("SHA256:{}", package.sha256));
        let output = run(&mut command)?;
        // apt leaves what it refused beside the target
        let mut refused = target.as_os_str().to_owned();
        refused.push(".FAILED");
        let _ = fs::remove_file(refused);
        let (name, version) = (package.name.clone(), package.version.clone());
        let found = fs::metadata(target).map(|meta| meta.len());
        if output.status.success() && found.as_ref().is_ok_and(|found| *found == package.size) {
            return Ok(());
        }
        let said = text_of(&output);
        if output.status.success() || said.contains("Hash Sum mismatch") || said.contains("unexpected size") {
            let _ = fs::remove_file(target);
            return Err(AptError::Hash { package: name, version, said: one_line(&said) });
        }
        if said.contains("404") {
            return Err(AptError::Gone { package: name, version });
        }
        Err(AptError::Failed { what: format!("downloading {name} {version}"), said: one_line(&said) })
    }
}

/// What the host's administrator has configured.
struct Host {
    sources: Vec<HostSource>,
    /// Lines of apt's configuration language.
    settings: Vec<String>,
    helper: PathBuf,
}

impl Host {
    fn read() -> Result<Host, AptError> {
        let dump = run(Command::new("apt-config").arg("dump").env("LC_ALL", "C").stdin(Stdio::null()))?;
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
        let shell = run(Command::new("apt-config").args(query).env("LC_ALL", "C").stdin(Stdio::null()))?;
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
            return Err(AptError::NoDebianSource);
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

/// The private apt.conf. It is read before the host's files, which it switches off. apt's binary cache of all packages is
/// not made: nothing here asks for a package's dependencies, and it takes longer than all the rest.
fn configuration(root: &Path, host_settings: &[String]) -> Result<String, AptError> {
    let root = root
        .to_str()
        .filter(|root| !root.contains(['"', '\n', ';', '{', '}']))
        .ok_or_else(|| AptError::Unquotable(root.to_path_buf()))?;
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
         pkgCacheFile::Generate \"false\";\n\
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

/// Reads a package list and keeps its kernel packages.
fn read_packages(
    mut list: impl BufRead,
    suite: &str,
    archive: Archive,
    packages: &mut Vec<Package>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut current: Option<Package> = None;
    loop {
        line.clear();
        let end = list.read_until(b'\n', &mut line)? == 0;
        let text = line.trim_ascii_end();
        if end || text.is_empty() {
            packages.extend(current.take().filter(|package| {
                package.sha256.len() == 64 && !package.path.is_empty() && !package.version.is_empty()
            }));
            if end {
                return Ok(());
            }
        } else if let Some(name) = text.strip_prefix(b"Package: ") {
            let name = String::from_utf8_lossy(name);
            current = is_kernel_package(&name).then(|| Package {
                name: name.into_owned(),
                version: String::new(),
                archive,
                path: String::new(),
                size: 0,
                sha256: String::new(),
                suites: vec![suite.to_string()],
            });
        } else if let Some(package) = &mut current {
            let text = String::from_utf8_lossy(text);
            match text.split_once(": ") {
                Some(("Version", value)) => package.version = value.to_string(),
                Some(("Filename", value)) => package.path = value.to_string(),
                Some(("Size", value)) => package.size = value.parse().unwrap_or(0),
                Some(("SHA256", value)) => package.sha256 = value.to_string(),
                _ => {}
            }
        }
    }
}

fn run(command: &mut Command) -> Result<Output, AptError> {
    command.output().map_err(|source| AptError::NoApt {
        tool: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

fn text_of(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `apt-get update` complained about, except for suites that the mirror does not have.
fn problems_of(said: &str) -> Vec<String> {
    let summary = ["Some index files failed to download", "The repository '"];
    said.lines()
        .filter(|line| line.starts_with("E: ") || line.starts_with("W: "))
        .filter(|line| !line.contains("404") && !summary.iter().any(|known| line.contains(known)))
        .map(|line| line[3..].to_string())
        .collect()
}

fn one_line(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kernel_packages_out_of_a_list() {
        let list = format!(
            "Package: bash\nVersion: 5\nFilename: pool/b.deb\nSize: 1\nSHA256: {0}\n\n\
             Package: linux-image-6.17.13+deb13-cloud-amd64\nDepends: x\n y\nVersion: 6.17.13-1~bpo13+1\n\
             Filename: pool/main/l/i.deb\nSize: 50208396\nSHA256: {0}\n\n\
             Package: linux-image-6.17.14+deb13-cloud-amd64\nVersion: 6.17.14-1\n",
            "ab".repeat(32)
        );
        let mut packages = Vec::new();
        read_packages(list.as_bytes(), "trixie-backports", Archive::Main, &mut packages)
            .expect("memory is readable");
        assert_eq!(packages.len(), 1, "others and half entries are passed over: {packages:?}");
        assert_eq!((packages[0].size, packages[0].path.as_str()), (50_208_396, "pool/main/l/i.deb"));
    }

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
        assert!(matches!(configuration(Path::new("/a\"b"), &[]), Err(AptError::Unquotable(_))));
    }

    #[test]
    fn a_missing_suite_is_no_problem_and_a_dead_network_is() {
        let said = "Err:3 http://m.example/debian bullseye-backports Release\n  404  Not Found\n\
            E: The repository 'http://m.example/debian bullseye-backports Release' does not have a Release file.\n\
            W: Failed to fetch http://m.example/debian/dists/sid/InRelease  Could not connect to m.example:80\n\
            W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        insta::assert_snapshot!(problems_of(said).join("\n"), @"Failed to fetch http://m.example/debian/dists/sid/InRelease  Could not connect to m.example:80");
    }
}
