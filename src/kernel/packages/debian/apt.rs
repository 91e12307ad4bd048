//! The host's apt, used with a configuration of our own: private package lists and cache, no root, nothing installed.
//!
//! apt verifies the lists' signatures with the host's keyring and every download's hash; proxies and certificates are
//! those that the host has configured.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::group;
use super::host::{Host, configuration};
use super::lists;
use super::sources::{self, HostSource};
use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::kernel::packages::source::{Package, PackageSource, PackagedKernel, SourceError, Updated};

/// How soon a download ends after the user has asked for it.
const CANCEL_PERIOD: Duration = Duration::from_millis(100);

/// The host's apt with a private configuration.
#[derive(Debug)]
pub(crate) struct Apt {
    root: PathBuf,
    sources: Vec<HostSource>,
    helper: PathBuf,
    arch: &'static Arch,
}

impl Apt {
    /// Writes the private configuration under `root`, from what the host has configured now, or from what it would have
    /// with the configuration file `instead`.
    pub(crate) fn prepare(
        root: &Path,
        instead: Option<&Path>,
        arch: &'static Arch,
    ) -> Result<Apt, SourceError> {
        let host = Host::read(instead)?;
        let apt = Apt { root: root.to_path_buf(), sources: host.sources, helper: host.helper, arch };
        for folder in ["lists/partial", "cache/archives/partial", "sources", "state", "log"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|source| SourceError::Io { what: "create", path, source })?;
        }
        apt.write("sources/debian.sources", &sources::rewrite(&apt.sources, arch))?;
        apt.write("apt.conf", &configuration(root, &host.settings, arch)?)?;
        Ok(apt)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), SourceError> {
        let path = self.root.join(name);
        // untouched when equal, so that apt's own cache stays valid
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        crate::kernel::store::write_whole(&path, text.as_bytes()).map_err(|source| SourceError::Io {
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

    fn packages(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Package>, SourceError> {
        let mut packages = Vec::new();
        for (suite, archive, list) in lists::find(&self.root.join("lists"), self.arch)? {
            let mut command = self.command(&self.helper);
            let mut child = command
                .arg("cat-file")
                .arg(&list)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|source| SourceError::NoApt { tool: self.helper.display().to_string(), source })?;
            if let Some(out) = child.stdout.take() {
                let out = BufReader::with_capacity(1 << 18, out);
                lists::read_packages(out, &suite, archive, wanted, &mut packages)
                    .map_err(|source| SourceError::Io { what: "read", path: list.clone(), source })?;
            }
            let status = child.wait().map_err(|source| SourceError::Io {
                what: "read",
                path: list.clone(),
                source,
            })?;
            if !status.success() {
                let what = format!("reading the package list {}", list.display());
                return Err(SourceError::Failed { what, said: status.to_string() });
            }
        }
        Ok(packages)
    }

    fn download_file(
        &self,
        source: &HostSource,
        package: &Package,
        target: &Path,
        hash: Option<String>,
        cancel: Option<&Cancel>,
    ) -> Result<Output, SourceError> {
        let mut arguments = vec![OsString::from("-qq"), "download-file".into()];
        arguments.push(format!("{}{}", source.uri, package.path).into());
        arguments.push(target.into());
        arguments.extend(hash.map(OsString::from));
        let no_apt = |source| SourceError::NoApt { tool: self.helper.to_string_lossy().into_owned(), source };
        let child = self.started(&duct::cmd(&self.helper, arguments)).map_err(no_apt)?;
        output_unless(&child, cancel, no_apt)
    }

    /// Starts a tool of apt on these lists; what it says is kept.
    fn started(&self, tool: &duct::Expression) -> std::io::Result<duct::Handle> {
        tool.env("APT_CONFIG", self.root.join("apt.conf"))
            .env("LC_ALL", "C")
            .stdin_null()
            .stdout_capture()
            .stderr_capture()
            .unchecked()
            .start()
    }

    /// What an update said that has ended.
    fn updated(&self, output: &Output) -> Result<Updated, SourceError> {
        let said = text_of(output);
        let reached = said.lines().any(|line| line.starts_with("Hit:") || line.starts_with("Get:"));
        let problems = problems_of(&said);
        if !reached || lists::find(&self.root.join("lists"), self.arch)?.is_empty() {
            return Err(failed_update(&said, &self.root.join("lists")));
        }
        Ok(Updated { problems })
    }

    fn download_from(
        &self,
        source: &HostSource,
        package: &Package,
        target: &Path,
        cancel: Option<&Cancel>,
    ) -> Result<(), SourceError> {
        let hash = format!("SHA256:{}", package.sha256);
        let output = self.download_file(source, package, target, Some(hash), cancel)?;
        if !output.status.success() && cancel.is_some_and(|cancel| was_interrupted(&output.status, cancel)) {
            return Err(SourceError::Interrupted);
        }
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
            return Err(SourceError::Hash { package: name, version, said: one_line(&said) });
        }
        Err(failure_of(package, target, &said))
    }
}

impl PackageSource for Apt {
    /// A suite that the mirror does not have is no error.
    fn update(&self) -> Result<Updated, SourceError> {
        self.updated(&run(self.command("apt-get").args(["update", "-q"]))?)
    }

    fn update_unless(&self, cancel: &Cancel) -> Result<Updated, SourceError> {
        let no_apt = |source| SourceError::NoApt { tool: "apt-get".to_owned(), source };
        let child = self.started(&duct::cmd("apt-get", ["update", "-q"])).map_err(no_apt)?;
        self.updated(&output_unless(&child, Some(cancel), no_apt)?)
    }

    fn kernels(&self) -> Result<Vec<PackagedKernel>, SourceError> {
        let arch = self.arch;
        Ok(group::group(arch, self.packages(&|name| group::is_kernel_package(arch, name))?))
    }

    fn source_packages(&self) -> Result<Vec<Package>, SourceError> {
        self.packages(&|name| name.starts_with("linux-source-"))
    }

    fn packages_named(&self, name: &str) -> Result<Vec<Package>, SourceError> {
        self.packages(&|found| found == name)
    }

    fn download(
        &self,
        package: &Package,
        target: &Path,
        progress: &(dyn Fn(u64) + Sync),
        cancel: Option<&Cancel>,
    ) -> Result<(), SourceError> {
        let mut failure = SourceError::NoDebianSource { archive: package.archive };
        for source in self.sources.iter().filter(|source| source.archive == package.archive) {
            let ended = AtomicBool::new(false);
            let result = std::thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        progress(fs::metadata(target).map_or(0, |meta| meta.len()));
                        std::thread::park_timeout(Duration::from_millis(100));
                    }
                });
                let continued = target.exists();
                let mut result = self.download_from(source, package, target, cancel);
                if continued && matches!(result, Err(SourceError::Hash { .. })) {
                    // the part that was there already may be what was wrong
                    result = self.download_from(source, package, target, cancel);
                }
                ended.store(true, Ordering::Relaxed);
                watcher.thread().unpark();
                result
            });
            match result {
                Ok(()) => return Ok(()),
                Err(SourceError::Interrupted) => return Err(SourceError::Interrupted),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn download_unverified(&self, package: &Package, target: &Path) -> Result<(), SourceError> {
        let mut failure = SourceError::NoDebianSource { archive: package.archive };
        for source in self.sources.iter().filter(|source| source.archive == package.archive) {
            let output = self.download_file(source, package, target, None, None)?;
            if output.status.success() {
                return Ok(());
            }
            failure = failure_of(package, target, &text_of(&output));
        }
        Err(failure)
    }
}

/// What a tool of apt says until it ends; it is ended when `cancel` is set.
fn output_unless(
    child: &duct::Handle,
    cancel: Option<&Cancel>,
    no_apt: impl Fn(std::io::Error) -> SourceError,
) -> Result<Output, SourceError> {
    loop {
        if let Some(output) = child.wait_timeout(CANCEL_PERIOD).map_err(&no_apt)? {
            return Ok(output.clone());
        }
        if cancel.is_some_and(Cancel::is_set) {
            // its helpers end when nobody listens to them any more
            child.kill().map_err(&no_apt)?;
            let _ = child.wait_timeout(Duration::from_secs(1));
            return Err(SourceError::Interrupted);
        }
    }
}

/// Whether the user has ended a tool of apt. A Ctrl-C of the terminal ends it at once, and may not have got through here.
fn was_interrupted(status: &ExitStatus, cancel: &Cancel) -> bool {
    let mut ask = [PollFd::new(cancel, PollFlags::IN)];
    let a_moment = Timespec { tv_sec: 2, tv_nsec: 0 };
    cancel.is_set() || status.signal().is_some() && poll(&mut ask, Some(&a_moment)).is_ok_and(|set| set > 0)
}

/// The disk's reason behind what apt said, if there is one: apt puts its number in front, `(28: No space left on device)`.
fn disk_trouble(said: &str) -> Option<std::io::Error> {
    use rustix::io::Errno;
    [Errno::NOSPC, Errno::ROFS, Errno::DQUOT]
        .into_iter()
        .find(|reason| said.contains(&format!("({}: ", reason.raw_os_error())))
        .map(Into::into)
}

/// Why no package list came into this folder.
fn failed_update(said: &str, lists: &Path) -> SourceError {
    if let Some(source) = disk_trouble(said) {
        return SourceError::Io { what: "write", path: lists.to_path_buf(), source };
    }
    let problems = problems_of(said);
    let old =
        |problem: &&String| problem.contains(" is expired (") || problem.contains(" is not valid yet (");
    if let Some(problem) = problems.iter().find(old) {
        return SourceError::Expired { said: problem.trim_end_matches('.').to_owned() };
    }
    let said = match problems.as_slice() {
        [] => last_lines(said),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} (and {} more of the kind)", others.len()),
    };
    let is_between = ["unexpected size", "Hash Sum mismatch"].iter().any(|words| said.contains(words));
    let said = if is_between {
        format!("{said} (the mirror is being brought up to date and contradicts itself: try again later)")
    } else {
        said
    };
    SourceError::Failed { what: "fetching Debian's package lists (apt-get update)".into(), said }
}

/// Why a download did not reach `target`.
fn failure_of(package: &Package, target: &Path, said: &str) -> SourceError {
    let (name, version) = (package.name.clone(), package.version.clone());
    if let Some(source) = disk_trouble(said) {
        return SourceError::Io { what: "write", path: target.to_path_buf(), source };
    }
    // what a web server says, and what the system says about a mirror that is a folder
    if said.contains("404 ") || said.contains("(2: No such file") {
        return SourceError::Gone { package: name, version };
    }
    SourceError::Failed { what: format!("downloading {name} {version}"), said: one_line(said) }
}

pub(super) fn run(command: &mut Command) -> Result<Output, SourceError> {
    command.output().map_err(|source| SourceError::NoApt {
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
        // what a web server says, and what the system says about a mirror that is a folder
        .filter(|line| !line.contains("404") && !line.contains("(2: No such file or directory)"))
        .filter(|line| !summary.iter().any(|known| line.contains(known)))
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
    fn an_interrupt_of_the_terminal_is_known_before_and_after_it_gets_through() {
        let (by_signal, failed) = (ExitStatus::from_raw(2), ExitStatus::from_raw(100 << 8));
        let cancel = Cancel::new();
        assert!(!was_interrupted(&failed, &cancel));
        let later = cancel.clone();
        let sets = std::thread::spawn(move || later.set());
        assert!(was_interrupted(&by_signal, &cancel));
        sets.join().expect("it is set");
        assert!(was_interrupted(&failed, &cancel));
    }

    #[test]
    fn a_missing_suite_is_no_problem_and_a_dead_network_is() {
        let said = "Err:3 http://m.example/debian bullseye-backports Release\n  404  Not Found\n\
            E: The repository 'http://m.example/debian bullseye-backports Release' does not have a Release file.\n\
            W: Failed to fetch copy:/m/debian/dists/bullseye/main/binary-arm64/Packages  Failed to stat - stat (2: No such file or directory)\n\
            W: Failed to fetch http://m.example/debian/dists/sid/InRelease  Could not connect to m.example:80\n\
            W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        insta::assert_snapshot!(problems_of(said).join("\n"), @"Failed to fetch http://m.example/debian/dists/sid/InRelease  Could not connect to m.example:80");
    }
    #[test]
    fn why_no_list_came_is_told_with_what_to_do() {
        let table = [
            "E: Release file for http://m.example/debian/dists/trixie/InRelease is expired (invalid since 3d 2h 1min 5s). Updates for this repository will not be applied.",
            "E: Release file for http://m.example/debian/dists/trixie/InRelease is not valid yet (invalid for another 2h). Updates for this repository will not be applied.",
            "E: Write error - write (28: No space left on device)\nE: The package lists or status file could not be parsed or opened.",
            "W: Failed to fetch http://m.example/debian/dists/trixie/InRelease  Temporary failure resolving 'm.example'",
        ];
        let told = table.map(|said| failed_update(said, Path::new("CACHE/apt/lists")).to_string());
        insta::assert_snapshot!(told.join("\n"), @r"
        Debian's package lists cannot be believed: Release file for http://m.example/debian/dists/trixie/InRelease is expired (invalid since 3d 2h 1min 5s). Updates for this repository will not be applied; check this host's clock, and whether the mirror that apt is configured with is still kept up (kernels in the store and in catalogues need no lists)
        Debian's package lists cannot be believed: Release file for http://m.example/debian/dists/trixie/InRelease is not valid yet (invalid for another 2h). Updates for this repository will not be applied; check this host's clock, and whether the mirror that apt is configured with is still kept up (kernels in the store and in catalogues need no lists)
        cannot write CACHE/apt/lists: No space left on device (os error 28); the cache folder needs to be writable and have room (kregress cache gc), KREGRESS_CACHE chooses another one
        fetching Debian's package lists (apt-get update) failed: Failed to fetch http://m.example/debian/dists/trixie/InRelease  Temporary failure resolving 'm.example'; check the network and the proxy that apt is configured with (kernels in the store need neither)
        ");
    }
}
