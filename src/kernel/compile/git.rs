//! Commits of a git repository, checked out in a place of our own.
//!
//! The place is a clone that shares the repository's objects (`git clone --shared`): nothing is written to the user's
//! repository, and no object is copied. It is kept, so that the next commit only changes the files that differ and the
//! compiler is only run for those.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::BuildError;

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
        let hint = match crate::kernel::similar::closest(reference, near.lines()) {
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

/// Makes `tree` hold the commit. The caller holds the lock of the place.
pub(super) fn check_out(repository: &Path, tree: &Path, commit: &Commit) -> Result<(), BuildError> {
    let failed = |said: String| BuildError::source(format!("the repository {}", repository.display()), said);
    let repository = fs::canonicalize(repository).map_err(BuildError::io("read", repository))?;
    if !tree.join(".git").is_dir() {
        let parent = tree.parent().unwrap_or(tree);
        fs::create_dir_all(parent).map_err(BuildError::io("create", parent))?;
        if tree.exists() {
            fs::remove_dir_all(tree).map_err(BuildError::io("remove", tree))?;
        }
        let (from, to) = (repository.to_string_lossy(), tree.to_string_lossy());
        let template = "--template=";
        git(parent, &["clone", "--quiet", "--shared", "--no-checkout", template, "--", &from, &to])?
            .map_err(|said| failed(format!("it cannot be cloned: {said}")))?;
    }
    // left by a killed git; the lock says that there is no other
    let _ = fs::remove_file(tree.join(".git/index.lock"));
    let steps: [&[&str]; 2] = [
        &["checkout", "--quiet", "--force", "--detach", &commit.hash],
        &["clean", "--quiet", "-d", "--force", "-x"],
    ];
    for step in steps {
        git(tree, step)?.map_err(|said| failed(format!("git {} failed: {said}", step[0])))?;
    }
    Ok(())
}

/// Runs git in `folder`. The inner error is what git said.
fn git(folder: &Path, arguments: &[&str]) -> Result<Result<String, String>, BuildError> {
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
    let output = command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"])
        .current_dir(folder)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => BuildError::Tools { tools: "git".into(), packages: "git".into() },
            _ => BuildError::io("run git in", folder)(error),
        })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    Ok(match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    })
}
