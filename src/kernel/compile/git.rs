//! Commits of a git repository, checked out in a place of our own.
//!
//! The place is a clone that shares the repository's objects (`git clone --shared`): nothing is written to the user's
//! repository, and no object is copied. It is kept, so that the next commit only changes the files that differ and the
//! compiler is only run for those.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use super::child::{self, Stopped};
use super::error::BuildError;
use super::make;
use crate::cancel::Cancel;

/// A commit that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    /// 40 hexadecimal digits.
    pub hash: String,
    /// The hash of what it holds: two commits with the same files have the same.
    pub tree: String,
}

/// Finds what a reference of a repository means now.
pub(super) fn resolve(repository: &Path, reference: &str) -> Result<Commit, BuildError> {
    let what = format!("the repository {}", repository.display());
    if !repository.is_dir() {
        return Err(BuildError::source(
            what,
            "there is no such folder; `git clone` one, its path goes into `repository:`",
        ));
    }
    let inside = git(repository, &["rev-parse", "--git-dir"])?;
    if let Err(said) = inside {
        return Err(BuildError::source(what, format!("it is no git repository: {said}")));
    }
    // what follows a `--` cannot be taken for an option
    let parse = |suffix: &str| {
        git(
            repository,
            &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{reference}{suffix}")],
        )
    };
    let (Ok(hash), Ok(tree)) = (parse("^{commit}")?, parse("^{tree}")?) else {
        let near = git(
            repository,
            &["for-each-ref", "--format=%(refname:short)", "--sort=-creatordate", "--count=500"],
        )?
        .unwrap_or_default();
        let hint = match kernel_modules::closest(reference, near.lines()) {
            Some(meant) => format!("; did you mean `{meant}`?"),
            None => "; `git -C REPOSITORY fetch` brings new ones".to_string(),
        };
        return Err(BuildError::source(what, format!("it has no commit `{reference}`{hint}")));
    };
    Ok(Commit { hash, tree })
}

/// One file's text in a commit; `None` if the commit has no such file.
pub(super) fn show(repository: &Path, commit: &str, file: &str) -> Option<String> {
    git(repository, &["show", &format!("{commit}:{file}")]).ok()?.ok()
}

/// Makes trees hold commits. Its git holds the lock of the place, so that one that outlives this process keeps others out.
pub(super) struct CheckOut<'a> {
    /// What the kernel is called.
    pub name: &'a str,
    /// The lock of the place.
    pub lock: &'a File,
    /// Ends it.
    pub cancel: &'a Cancel,
    /// Is told how much is done, percent.
    pub step: &'a dyn Fn(u8),
}

impl CheckOut<'_> {
    /// Makes `tree` hold the commit.
    pub(super) fn run(&self, repository: &Path, tree: &Path, commit: &Commit) -> Result<(), BuildError> {
        let repository = fs::canonicalize(repository).map_err(BuildError::io("read", repository))?;
        if !tree.join(".git").is_dir() {
            self.clone_to(&repository, tree)?;
        }
        // left by a killed git; the lock says that there is no other
        let _ = fs::remove_file(tree.join(".git/index.lock"));
        let steps: [&[&str]; 2] = [
            &["checkout", "--quiet", "--progress", "--force", "--detach", &commit.hash],
            &["clean", "--quiet", "-d", "--force", "-x"],
        ];
        steps.into_iter().try_for_each(|step| self.git(&repository, tree, step))
    }

    /// Clones under another name first: a clone that was killed is none.
    fn clone_to(&self, repository: &Path, tree: &Path) -> Result<(), BuildError> {
        let parent = tree.parent().unwrap_or(tree);
        fs::create_dir_all(parent).map_err(BuildError::io("create", parent))?;
        let partial = tree.with_extension("partial");
        for folder in [tree, &partial] {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(BuildError::io("remove", folder))?;
            }
        }
        let (from, to) = (repository.to_string_lossy(), partial.to_string_lossy());
        let template = "--template=";
        let arguments = ["clone", "--quiet", "--shared", "--no-checkout", template, "--", &from, &to];
        self.git(repository, parent, &arguments)?;
        fs::rename(&partial, tree).map_err(BuildError::io("rename", &partial))
    }

    fn git(&self, repository: &Path, folder: &Path, arguments: &[&str]) -> Result<(), BuildError> {
        let (mut said, mut line) = (String::new(), Vec::new());
        let ended = child::run(command(folder, arguments), self.lock, self.cancel, &mut |bytes| {
            for byte in bytes {
                // progress is reported in one line that is written over and over
                if !matches!(byte, b'\r' | b'\n') {
                    line.push(*byte);
                    continue;
                }
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                match percent(&text) {
                    Some(percent) => (self.step)(percent),
                    None if said.len() < MOST_SAID => said += &format!("{text}\n"),
                    None => {}
                }
            }
            Ok(())
        });
        said += &String::from_utf8_lossy(&line);
        let what = arguments[0];
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => {
                // of files that it cannot write git does not say why
                let full = if is_full(folder) { FULL } else { "" };
                Err(match make::host_failure(&format!("{said}{full}")) {
                    Some(reason) => {
                        let reason = format!("git {what} failed: {reason}");
                        BuildError::Host { name: self.name.to_owned(), reason }
                    }
                    None => {
                        let repository = format!("the repository {}", repository.display());
                        BuildError::source(repository, format!("git {what} failed: {}", said.trim()))
                    }
                })
            }
            Err(Stopped::Cancelled) => Err(BuildError::Cancelled { name: self.name.to_owned() }),
            Err(Stopped::Io(error)) => Err(not_run(folder, error)),
        }
    }
}

/// How much of what git says in an error is shown, bytes.
const MOST_SAID: usize = 1024;

/// What a full disk is called.
const FULL: &str = "No space left on device";

/// A disk with less room than this is full for a checkout, bytes.
const ROOM: u64 = 4 << 20;

/// Whether the disk under a folder is full.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM)
}

/// How much is done: `Updating files:  34% (28901/85003)`.
fn percent(line: &str) -> Option<u8> {
    let rest = line.strip_prefix("Updating files:")?;
    rest.split_once('%')?.0.trim().parse().ok().filter(|percent| *percent <= 100)
}

fn not_run(folder: &Path, error: std::io::Error) -> BuildError {
    match error.kind() {
        std::io::ErrorKind::NotFound => BuildError::Tools { tools: "git".into(), packages: "git".into() },
        _ => BuildError::io("run git in", folder)(error),
    }
}

/// git in `folder`, as no setting of the user's can redirect it.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    // a hook of the user's, or of git itself when this runs inside one, must not redirect it
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_PREFIX",
    ] {
        command.env_remove(name);
    }
    command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"])
        .current_dir(folder)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    command
}

/// Runs git in `folder`. The inner error is what git said.
fn git(folder: &Path, arguments: &[&str]) -> Result<Result<String, String>, BuildError> {
    let output = command(folder, arguments).output().map_err(|error| not_run(folder, error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    Ok(match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    })
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn progress_is_told_from_other_lines() {
        let table = [
            ("Updating files:  34% (28901/85003)", Some(34)),
            ("Updating files: 100% (85003/85003), done.", Some(100)),
            ("Updating files: 8500% (1/2)", None),
            ("error: unable to write file fs/x.c", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(percent(line), expected, "{line}");
        }
    }
}
