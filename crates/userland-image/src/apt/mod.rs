//! The host's own apt with a configuration of our own: private package lists and an empty system, no root, and nothing is
//! ever installed. apt verifies the lists' signatures with the host's keyrings; which mirrors there are, and the way to
//! them, is what the host's administrator has configured.

mod answers;
mod host;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::digest::{self, Key};
use crate::error::UserlandError;
use crate::process::{self, Finished, one_line};
use crate::resolve::Package;
use crate::watch::{Progress, Watch};

/// How old package lists may be.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What every program of Debian's takes for granted, however little it is: the folders and the files of `/etc`, accounts, a
/// shell, the C library's tools, terminals, and `/bin` being a link to `/usr/bin`. Without the last one apt would choose
/// the package that moves the files of an old system, and perl for it. Those that a release lacks are left out.
const FOUNDATION: &[&str] =
    &["base-files", "base-passwd", "dash", "libc-bin", "ncurses-base", "usr-is-merged"];

/// apt, below a folder of the cache.
#[derive(Debug)]
pub(crate) struct Apt {
    root: PathBuf,
    /// Of the configuration and the sources, which the lists belong to.
    sources: String,
}

impl Apt {
    /// Writes the private configuration below `root`, from what the host has configured now, or would have with the
    /// configuration file `instead`.
    pub(crate) fn prepare(
        root: &Path,
        instead: Option<&Path>,
        architecture: &str,
        watch: &Watch,
    ) -> Result<Apt, UserlandError> {
        for folder in ["lists/partial", "cache/archives/partial", "state", "log", "debs", "plans"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(UserlandError::io("create", &path))?;
        }
        let host = host::Host::read(instead, watch)?;
        let text = host.configuration(root, architecture)?;
        let mut key = Key::default();
        key.add(&text);
        for file in host.source_files() {
            key.add(fs::read(&file).unwrap_or_default());
        }
        for (name, text) in [("apt.conf", text.as_str()), ("status", "")] {
            let path = root.join(name);
            // untouched when equal, so that apt's own cache stays valid
            if !fs::read_to_string(&path).is_ok_and(|old| old == text) {
                fs::write(&path, text).map_err(UserlandError::io("write", &path))?;
            }
        }
        Ok(Apt { root: root.to_path_buf(), sources: key.finish() })
    }

    /// Where packages are kept.
    pub(crate) fn debs(&self) -> PathBuf {
        self.root.join("debs")
    }

    fn run(
        &self,
        tool: &'static str,
        arguments: &[&str],
        watch: &Watch,
        each: &dyn Fn(),
    ) -> Result<Finished, UserlandError> {
        let mut command = Command::new(tool);
        command.args(arguments).env("APT_CONFIG", self.root.join("apt.conf")).current_dir(self.debs());
        process::run(&mut command, tool, "apt", watch, each)
    }

    fn stamp(&self) -> PathBuf {
        self.root.join("updated")
    }

    /// Whether there are lists of these sources that are young enough.
    pub(crate) fn is_fresh(&self) -> bool {
        let age = fs::metadata(self.stamp())
            .and_then(|meta| meta.modified())
            .ok()
            .and_then(|then| SystemTime::now().duration_since(then).ok());
        age.is_some_and(|age| age < MAX_AGE) && self.state() != "never"
    }

    /// Names the state of the lists; `never` if there are none of these sources.
    pub(crate) fn state(&self) -> String {
        let text = fs::read_to_string(self.stamp()).unwrap_or_default();
        match text.split_once(' ') {
            Some((sources, time)) if sources == self.sources => format!("{sources} {time}"),
            _ => "never".into(),
        }
    }

    /// Fetches the lists. That some source does not answer is a notice, as long as there is a list.
    pub(crate) fn update(&self, watch: &Watch) -> Result<(), UserlandError> {
        watch.tell(Progress::Updating);
        let finished = self.run("apt-get", &["update", "-q"], watch, &|| {})?;
        let problems = answers::problems(&finished.err);
        if !finished.status.success() || !answers::any_list(&finished.out) {
            if self.state() == "never" {
                return Err(UserlandError::Update { said: one_line(&problems.join("\n")) });
            }
            watch.tell(Progress::Notice(&format!(
                "the package lists could not be fetched, those from before are used: {}",
                one_line(&problems.join("\n"))
            )));
            return Ok(());
        }
        for problem in &problems {
            watch.tell(Progress::Notice(problem));
        }
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let path = self.stamp();
        fs::write(&path, format!("{} {}", self.sources, time.as_nanos()))
            .map_err(UserlandError::io("write", &path))
    }

    /// The names of all packages that there are.
    fn names(&self, watch: &Watch) -> Result<Vec<String>, UserlandError> {
        let finished = self.run("apt-cache", &["pkgnames"], watch, &|| {})?;
        Ok(finished.out.lines().map(String::from).collect())
    }

    /// The packages that `apt-get install` would install into an empty system for these, in the order of their names.
    pub(crate) fn plan(
        &self,
        wanted: &[String],
        essential: bool,
        watch: &Watch,
    ) -> Result<Vec<Package>, UserlandError> {
        watch.tell(Progress::Resolving);
        let names = self.names(watch)?;
        let mut all: Vec<&str> = FOUNDATION
            .iter()
            .copied()
            .filter(|foundation| names.iter().any(|name| name == foundation))
            .chain(wanted.iter().map(String::as_str))
            .collect();
        if essential {
            all.push("?essential");
        }
        // with -qq it would not say which dependencies are missing
        let mut arguments = vec!["install", "-s", "-y", "-q", "--no-install-recommends", "--"];
        arguments.extend(&all);
        let finished = self.run("apt-get", &arguments, watch, &|| {})?;
        if !finished.status.success() {
            let versions = |name: &str| self.versions(name, watch);
            return Err(answers::why_not(&finished.err, &finished.out, wanted, &names, &versions));
        }
        let planned = answers::installed(&finished.out);
        if planned.is_empty() {
            let said = one_line(&format!("{}\n{}", finished.out, finished.err));
            return Err(UserlandError::Unsatisfiable { packages: wanted.join(", "), said });
        }
        self.describe(&planned, watch)
    }

    fn versions(&self, name: &str, watch: &Watch) -> Vec<String> {
        let finished = self.run("apt-cache", &["madison", "--", name], watch, &|| {});
        finished.map(|finished| answers::madison(&finished.out)).unwrap_or_default()
    }

    /// What the lists say of these packages.
    fn describe(&self, planned: &[String], watch: &Watch) -> Result<Vec<Package>, UserlandError> {
        let mut arguments = vec!["show", "--no-all-versions", "--"];
        arguments.extend(planned.iter().map(String::as_str));
        let finished = self.run("apt-cache", &arguments, watch, &|| {})?;
        let found = answers::described(&finished.out);
        let mut packages = BTreeMap::new();
        for name in planned {
            let package = found.iter().find(|package| answers::is_meant(name, package));
            let package = package.ok_or_else(|| UserlandError::Unsatisfiable {
                packages: name.clone(),
                said: format!("its lists do not describe it; {}", one_line(&finished.err)),
            })?;
            packages.insert((package.name.clone(), package.architecture.clone()), package.clone());
        }
        Ok(packages.into_values().collect())
    }

    /// The packages' files, fetched where they are not here yet, each held against its sum.
    pub(crate) fn fetch(&self, packages: &[Package], watch: &Watch) -> Result<Vec<PathBuf>, UserlandError> {
        let missing: Vec<&Package> = packages.iter().filter(|package| !self.is_here(package)).collect();
        if !missing.is_empty() {
            let total = missing.iter().map(|package| package.size).sum();
            let told = || {
                let done = missing.iter().map(|package| self.fetched(package)).sum();
                watch.tell(Progress::Downloading { done, total });
            };
            told();
            let names: Vec<String> = missing.iter().map(|package| package.exactly()).collect();
            let mut arguments = vec!["download", "-qq", "--"];
            arguments.extend(names.iter().map(String::as_str));
            let finished = self.run("apt-get", &arguments, watch, &told)?;
            if !finished.status.success() {
                let problems = answers::problems(&finished.err);
                // a mirror that has newer ones: lists that name what is gone are of no more use
                let _ = fs::remove_file(self.stamp());
                return Err(UserlandError::Download { said: one_line(&problems.join("\n")) });
            }
        }
        packages.iter().map(|package| self.verified(package, watch)).collect()
    }

    fn file_of(&self, package: &Package) -> PathBuf {
        self.debs().join(package.file_name())
    }

    fn is_here(&self, package: &Package) -> bool {
        fs::metadata(self.file_of(package)).is_ok_and(|meta| meta.len() == package.size)
    }

    /// Bytes of a package that are here.
    fn fetched(&self, package: &Package) -> u64 {
        let file = self.file_of(package);
        fs::metadata(&file).map_or(0, |meta| meta.len().min(package.size))
    }

    fn verified(&self, package: &Package, watch: &Watch) -> Result<PathBuf, UserlandError> {
        watch.check()?;
        let file = self.file_of(package);
        let sum = match digest::of_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let said = format!("apt did not bring {}", package.file_name());
                return Err(UserlandError::Download { said });
            }
            sum => sum.map_err(UserlandError::io("read", &file))?,
        };
        if sum == package.sha256 {
            return Ok(file);
        }
        // the next time it is fetched again
        let _ = fs::remove_file(&file);
        Err(UserlandError::Hash { package: package.file_name() })
    }

    /// Where the answer to a question is kept while the lists stay as they are.
    pub(crate) fn plan_file(&self, wanted: &[String], essential: bool) -> PathBuf {
        let mut key = Key::default();
        key.add(self.state()).add([u8::from(essential)]);
        for name in wanted {
            key.add(name);
        }
        self.root.join("plans").join(key.finish()).with_extension("json")
    }
}
